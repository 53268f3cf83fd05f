"""Who answers for what of a warning: a county's warning is also each township's, for its own part."""

from collections.abc import Sequence

from hub.core.actor import Actor, Permission
from hub.regions.tree import codes_in, outermost, path_of


def part_of(actor: Actor, permission: Permission, codes: Sequence[str]) -> tuple[str, ...]:
    """Return the regions, or parts of them, where the actor holds a permission."""
    held = actor.paths(permission)
    found: list[str] = []
    for code in codes:
        path = path_of(code)
        if actor.may(permission, path):
            found.append(path)
        else:
            found += [own for own in held if own.startswith(path)]
    return tuple(codes_in(path)[-1] for path in outermost(found))


def within(codes: Sequence[str], above: Sequence[str]) -> bool:
    """Return whether every region lies in one of the others."""
    paths = [path_of(code) for code in above]
    return all(any(path_of(code).startswith(path) for path in paths) for code in codes)


def meets(actor: Actor, permission: Permission, codes: Sequence[str], home_path: str) -> bool:
    """Return whether the actor answers for any of it; what has no region belongs to where it came in."""
    if not codes:
        return actor.may(permission, home_path)
    return bool(part_of(actor, permission, codes))

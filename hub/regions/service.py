"""Add, rename and look up regions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound
from hub.regions.models import Region
from hub.regions.tree import BELOW, Level, codes_in, level_of, parent_code, path_of

NAME_LENGTH = 60
_ROOM_BELOW: dict[Level, tuple[int, int, str]] = {
    Level.COUNTY: (6, 3, "000"),
    Level.TOWNSHIP: (9, 3, ""),
    Level.VILLAGE: (12, 2, ""),
}
"""How many digits of a code stay, how many number what lies below, and what follows them."""


@dataclass(frozen=True, slots=True)
class Node:
    """A region with everything below it."""

    code: str
    name: str
    level: Level
    path: str
    outline: str
    children: tuple["Node", ...]

    def walk(self) -> list["Node"]:
        """Return itself and everything below, from the top."""
        return [self, *(n for child in self.children for n in child.walk())]


def add_region(
    session: Session, actor: Actor, *, code: str, name: str, now: datetime, position: int = 0, outline: str = ""
) -> Region:
    """Add a region below its parent, which must exist (a county has none)."""
    level = level_of(code)
    above = parent_code(code)
    actor.require(Permission.EDIT_REGIONS, path_of(above) if above else path_of(code))
    name = name.strip()
    if not name or len(name) > NAME_LENGTH:
        raise BadInput("region_name_missing", field="name", most=NAME_LENGTH)
    if session.get(Region, code):
        raise BadInput("region_exists", field="code", code_given=code)
    if above and session.get(Region, above) is None:
        raise BadInput("region_parent_missing", field="code", parent=above)
    region = Region(
        code=code,
        parent_code=above,
        level=level,
        name=name,
        path=path_of(code),
        position=position,
        outline=outline,
    )
    session.add(region)
    session.flush()
    log.record(session, actor, "region.add", f"region:{code}", region.path, now, name=name)
    return region


def add_below(session: Session, actor: Actor, above: str, *, code: str, name: str, now: datetime) -> Region:
    """Add a region directly below another one, after those that are there."""
    region = get_region(session, actor, above, Permission.EDIT_REGIONS)
    if region.level not in BELOW:
        raise BadInput("region_has_nothing_below", field="code")
    if level_of(code) is not BELOW[region.level] or parent_code(code) != above:
        raise BadInput("region_not_below", field="code", code_given=code, above=region.name)
    last = session.scalar(select(func.max(Region.position)).where(Region.parent_code == above))
    position = 0 if last is None else last + 1
    return add_region(session, actor, code=code, name=name, now=now, position=position)


def rename_region(session: Session, actor: Actor, code: str, *, name: str, now: datetime) -> Region:
    """Give a region another name."""
    region = get_region(session, actor, code)
    actor.require(Permission.EDIT_REGIONS, region.path)
    name = name.strip()
    if not name or len(name) > NAME_LENGTH:
        raise BadInput("region_name_missing", field="name", most=NAME_LENGTH)
    before, region.name = region.name, name
    log.record(session, actor, "region.rename", f"region:{code}", region.path, now, before=before, after=name)
    return region


def get_region(session: Session, actor: Actor, code: str, permission: Permission = Permission.SEE) -> Region:
    """Return a region the actor may see; to a stranger it does not exist."""
    region = session.get(Region, code)
    if region is None or not actor.may(permission, region.path):
        raise NotFound("region_unknown", code_given=code)
    return region


def forest(session: Session, actor: Actor, permission: Permission = Permission.SEE) -> tuple[Node, ...]:
    """Return the parts of the tree where the actor holds `permission`, each as a tree of its own."""
    paths = actor.paths(permission)
    if not paths:
        return ()
    query = select(Region).order_by(Region.path).where(or_(*(Region.path.like(like_below(p)) for p in paths)))
    below: dict[str | None, list[Region]] = {}
    tops = []
    seen: set[str] = set()
    for region in session.scalars(query):
        seen.add(region.code)
        if region.parent_code in seen:
            below.setdefault(region.parent_code, []).append(region)
        else:
            tops.append(region)
    return tuple(_node(region, below) for region in tops)


def subtree(session: Session, actor: Actor, code: str, permission: Permission = Permission.SEE) -> Node:
    """Return one region with everything below it; to a stranger it does not exist."""
    top = get_region(session, actor, code, permission)
    below: dict[str | None, list[Region]] = {}
    for region in session.scalars(select(Region).where(Region.path.like(like_below(top.path)))):
        below.setdefault(region.parent_code, []).append(region)
    return _node(top, below)


def _node(region: Region, below: dict[str | None, list[Region]]) -> Node:
    children = sorted(below.get(region.code, []), key=lambda r: (r.position, r.code))
    return Node(
        region.code,
        region.name,
        region.level,
        region.path,
        region.outline,
        tuple(_node(child, below) for child in children),
    )


def choices(
    session: Session, actor: Actor, permission: Permission, *, levels: frozenset[Level]
) -> list[tuple[str, str]]:
    """Return (code, 青石镇 石桥村) of every region of these levels where the actor holds `permission`, for a list."""
    found = []
    for top in forest(session, actor, permission):
        above = "" if top.level is Level.COUNTY else _names_above(session, top)
        found += _choices(top, above, levels)
    return found


def _names_above(session: Session, node: Node) -> str:
    codes = codes_in(node.path)[1:-1]
    known = names(session, set(codes))
    return "".join(known.get(code, code) + " " for code in codes)


def _choices(node: Node, above: str, levels: frozenset[Level]) -> list[tuple[str, str]]:
    found = [(node.code, above + node.name)] if node.level in levels else []
    inside = "" if node.level is Level.COUNTY else f"{above}{node.name} "
    return found + [choice for child in node.children for choice in _choices(child, inside, levels)]


def next_code(session: Session, code: str) -> str:
    """Return the first free code after the highest one below a region; nothing when no number is left."""
    highest = session.scalar(select(func.max(Region.code)).where(Region.parent_code == code))
    return following(highest) if highest else _numbered(code, 1)


def following(code: str) -> str:
    """Return the code after one, below the same region; nothing when no number is left."""
    above = parent_code(code) or ""
    head, digits, _ = _ROOM_BELOW[level_of(above)]
    return _numbered(above, int(code[head : head + digits]) + 1)


def _numbered(above: str, number: int) -> str:
    head, digits, tail = _ROOM_BELOW[level_of(above)]
    return f"{above[:head]}{number:0{digits}d}{tail}" if number < 10**digits else ""


def require_known(session: Session, codes: Sequence[str]) -> None:
    """Raise BadInput unless every code names a region: a code that matches nothing must never be skipped silently."""
    unknown = set(codes) - names(session, set(codes)).keys()
    if unknown:
        raise BadInput("region_unknown", field="region", code_given=min(unknown))


def roots(session: Session) -> list[str]:
    """Return the paths of the topmost regions: of the county, as a rule."""
    return list(session.scalars(select(Region.path).where(Region.parent_code.is_(None)).order_by(Region.path)))


def names(session: Session, codes: set[str]) -> dict[str, str]:
    """Return the names of some codes, for showing; no permission is asked because a name alone tells nothing."""
    if not codes:
        return {}
    rows = session.execute(select(Region.code, Region.name).where(Region.code.in_(codes)))
    return {row.code: row.name for row in rows}


def full_name(session: Session, path: str, *, without_county: bool = False) -> str:
    """Return 云岭县 青石镇 石桥村 for a path."""
    codes = codes_in(path)
    known = names(session, set(codes))
    shown = codes[1:] if without_county and len(codes) > 1 else codes
    return " ".join(known.get(code, code) for code in shown)


def village_names(session: Session, paths: Iterable[str]) -> dict[str, str]:
    """Return path → 石桥村, or 石桥村 三组 for a group; for showing, as `names`."""
    wanted = {path: codes_in(path)[-2:] if len(codes_in(path)) > 3 else codes_in(path)[-1:] for path in set(paths)}
    known = names(session, {code for codes in wanted.values() for code in codes})
    return {path: " ".join(known.get(code, code) for code in codes) for path, codes in wanted.items()}

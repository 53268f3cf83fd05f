"""Who is acting, and for which part of the region tree they answer."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from hub.core.errors import NotAllowed


class Permission(StrEnum):
    """Something a person may do inside a part of the tree."""

    SEE = "see"
    COMPOSE = "compose"
    APPROVE = "approve"
    STOP = "stop"
    SHOUT = "shout"
    """Speak to a place with one's own voice and under one's own name, without a second pair of eyes."""
    EMERGENCY = "emergency"
    DRILL = "drill"
    DELIVER_WARNINGS = "deliver_warnings"
    """Hand in official warnings by programme. They become proposals; nothing sounds by this alone."""
    SEE_RESIDENTS = "see_residents"
    EDIT_RESIDENTS = "edit_residents"
    ANSWER = "answer"
    """Read what residents write to the hub, and deal with it."""
    EDIT_SPEAKERS = "edit_speakers"
    EDIT_REGIONS = "edit_regions"
    EDIT_ACCOUNTS = "edit_accounts"
    SEE_AUDIT = "see_audit"


@dataclass(frozen=True, slots=True)
class Scope:
    """A set of permissions that holds below one node of the tree (`path` ends in a slash).

    `for_id` is set where somebody who is away has left it to the actor.
    """

    path: str
    permissions: frozenset[Permission]
    for_id: UUID | None = None
    for_name: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person or token, with everything they may do. Built by `hub.accounts`, passed to every service."""

    id: UUID | None
    name: str
    scopes: tuple[Scope, ...]
    origin: str = ""
    via: str = field(default="web")

    def may(self, permission: Permission, path: str) -> bool:
        """Return whether `permission` holds at `path` or somewhere above it."""
        return any(path.startswith(s.path) and permission in s.permissions for s in self.scopes)

    def in_place_of(self, permission: Permission, path: str) -> list[tuple[UUID | None, str]]:
        """Return for whom the actor may: (None, '') for themselves, then whoever left it to them."""
        held = [s for s in self.scopes if path.startswith(s.path) and permission in s.permissions]
        return sorted({(s.for_id, s.for_name) for s in held}, key=lambda who: (who[0] is not None, who[1]))

    def may_somewhere(self, permission: Permission) -> bool:
        """Return whether `permission` holds anywhere at all (for menus)."""
        return any(permission in s.permissions for s in self.scopes)

    def require(self, permission: Permission, path: str) -> None:
        """Raise NotAllowed unless `permission` holds at `path`."""
        if not self.may(permission, path):
            raise NotAllowed("not_allowed", permission=permission.value)

    def paths(self, permission: Permission) -> tuple[str, ...]:
        """Return the topmost paths where `permission` holds, to be used in queries."""
        held = sorted({s.path for s in self.scopes if permission in s.permissions}, key=len)
        top: list[str] = []
        for path in held:
            if not any(path.startswith(t) for t in top):
                top.append(path)
        return tuple(top)


SYSTEM = Actor(id=None, name="system", scopes=(Scope(path="", permissions=frozenset(Permission)),), via="system")

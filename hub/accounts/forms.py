"""What people type on the pages about accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from hub.accounts.roles import Role
from hub.accounts.tokens import KEY_DAYS
from hub.core.actor import Permission
from hub.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class NewAccount:
    """The form for a new account. The password is never shown again; without one there is an invitation."""

    login: str = ""
    name: str = ""
    role: str = Role.CLERK.value
    region: str = ""
    password: str = ""

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Take what was sent."""
        return cls(
            login=form.get("login", "").strip(),
            name=form.get("name", "").strip(),
            role=form.get("role", ""),
            region=form.get("region", ""),
            password=form.get("password", ""),
        )


@dataclass(frozen=True, slots=True)
class NewKey:
    """The form for a new key."""

    name: str = ""
    days: str = str(KEY_DAYS[-1])
    permissions: tuple[str, ...] = ()
    test: bool = False

    @classmethod
    def read(cls, form: Mapping[str, str], permissions: Sequence[str]) -> Self:
        """Take what was sent."""
        return cls(
            name=form.get("name", "").strip(),
            days=form.get("days", ""),
            permissions=tuple(permissions),
            test=form.get("test") == "1",
        )

    def chosen_days(self) -> int:
        """Return how many days it may live; BadInput unless that was on offer."""
        if self.days not in {str(days) for days in KEY_DAYS}:
            raise BadInput("key_days_unknown", field="days")
        return int(self.days)

    def chosen_permissions(self) -> tuple[Permission, ...]:
        """Return what it may do."""
        return permissions_of(self.permissions)


@dataclass(frozen=True, slots=True)
class RoleForm:
    """The form for what a role may."""

    name: str = ""
    permissions: tuple[Permission, ...] = ()

    @classmethod
    def read(cls, form: Mapping[str, str], permissions: Sequence[str]) -> Self:
        """Take what was sent."""
        return cls(name=form.get("name", "").strip(), permissions=permissions_of(permissions))


def permissions_of(names: Sequence[str]) -> tuple[Permission, ...]:
    """Return the permissions that were ticked; BadInput for one there is not."""
    if not set(names) <= set(Permission):
        raise BadInput("permission_unknown", field="permissions")
    return tuple(Permission(name) for name in dict.fromkeys(names))


def posts_of(roles: Sequence[str], regions: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of role and region code; a line whose role was left empty is taken out."""
    return [(role, code) for role, code in zip(roles, regions, strict=False) if role]

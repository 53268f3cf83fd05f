"""What people type on the pages about accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from hub.accounts.roles import Role
from hub.accounts.service import KEY_DAYS
from hub.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class NewAccount:
    """The form for a new account. The password is never shown again."""

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

    def chosen_role(self) -> Role:
        """Return the role; BadInput when none was chosen."""
        if self.role not in set(Role):
            raise BadInput("role_missing", field="role")
        return Role(self.role)


@dataclass(frozen=True, slots=True)
class NewKey:
    """The form for a new key."""

    name: str = ""
    days: str = str(KEY_DAYS[-1])

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Take what was sent."""
        return cls(name=form.get("name", "").strip(), days=form.get("days", ""))

    def chosen_days(self) -> int:
        """Return how many days it may live; BadInput unless that was on offer."""
        if self.days not in {str(days) for days in KEY_DAYS}:
            raise BadInput("key_days_unknown", field="days")
        return int(self.days)

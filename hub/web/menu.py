"""The side menu: what the rooms put there, filtered by what a person may do."""

from collections.abc import Callable
from dataclasses import dataclass, field

from flask import url_for
from flask_babel import LazyString, lazy_gettext
from sqlalchemy.orm import Session

from hub.core.actor import Actor, Permission

Badge = Callable[[Session, Actor], int]


@dataclass(frozen=True)
class Entry:
    """One line of the menu. `group` 0 holds the two big buttons, 1 to 3 the rest, in order of `position`."""

    key: str
    label: LazyString
    icon: str
    endpoint: str
    permission: Permission
    group: int
    position: int
    badge: Badge | None = None
    primary: str = ""


@dataclass
class Menu:
    """All entries; rooms add theirs when they plug in."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Add a line."""
        self.entries.append(entry)
        self.entries.sort(key=lambda e: (e.group, e.position))

    def shown_to(self, session: Session, actor: Actor) -> list[dict[str, object]]:
        """Return the lines this person may use, as plain values for the template."""
        return [
            {
                "key": e.key,
                "label": str(e.label),
                "icon": e.icon,
                "href": url_for(e.endpoint),
                "badge": e.badge(session, actor) if e.badge else 0,
                "primary": e.primary,
                "group": e.group,
            }
            for e in self.entries
            if actor.may_somewhere(e.permission)
        ]


__all__ = ["Badge", "Entry", "Menu", "lazy_gettext"]

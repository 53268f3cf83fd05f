"""The side menu: what the rooms put there, filtered by what a person may do."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from flask import url_for
from flask_babel import LazyString, lazy_gettext
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from hub.core.actor import Actor, Permission

SETTINGS = 4
LAST = 3
"""The group of what stands at the end, and of the line 设置."""
ALWAYS = (
    *("overview", "approvals", "timetable", "broadcasts", "campaigns", "shout"),
    *("speakers", "residents", "sms-inbox", "coverage", "audit"),
)
"""The ordinary lines that are always seen, in this order; the rest is folded behind 其他: the menu fits a screen."""
Badge = Callable[[Session, Actor], int]


class Part(StrEnum):
    """The tabs of 设置, in their order."""

    UNIT = "unit"
    PEOPLE = "people"
    PLANS = "plans"
    QUIET = "quiet"
    TEXTS = "texts"
    VOICES = "voices"
    PROGRAMS = "programs"
    MACHINE = "machine"


@dataclass(frozen=True)
class Entry:
    """One line of the menu, in order of `position`.

    `group` 0 holds the two big buttons, 1 to 3 the rest; what is set once and then seldom (SETTINGS) stands on a page
    of its own, behind the one line 设置, in its `part` and with a line that says what it is for (`about`).
    """

    key: str
    label: LazyString
    icon: str
    endpoint: str
    permission: Permission
    group: int
    position: int
    badge: Badge | None = None
    primary: str = ""
    part: Part = Part.UNIT
    about: LazyString | str = ""


Line = dict[str, object]
"""A line as the template draws it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The menu of one person: its lines, and those that stand on the page 设置, behind the last of them."""

    lines: list[Line]
    settings: list[Line]

    @property
    def tabs(self) -> list[tuple[str, list[Line]]]:
        """The settings by part, those without anything for this person left out."""
        parts = ((part.value, [line for line in self.settings if line["part"] == part]) for part in Part)
        return [(part, lines) for part, lines in parts if lines]


@dataclass
class Menu:
    """All entries; rooms add theirs when they plug in."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Add a line."""
        self.entries.append(entry)
        self.entries.sort(key=lambda e: (e.group, e.position))

    def shown_to(self, session: Session, actor: Actor) -> "Shown":
        """Return what this person may use, each badge counted once: the two buttons, what is always seen, the rest."""
        lines = sorted((_line(entry, session, actor) for entry in self._open_to(actor)), key=_place)
        folded = [line for line in lines if line["group"] == SETTINGS]
        lines = [line for line in lines if line["group"] != SETTINGS]
        if folded:
            badge = sum(int(str(line["badge"])) for line in folded)
            where = url_for("shell.settings")
            behind = {"key": "settings", "label": _("设置"), "icon": "settings", "href": where, "badge": badge}
            lines.append({**behind, "primary": "", "group": LAST, "rest": False})
        return Shown(lines, folded)

    def _open_to(self, actor: Actor) -> list[Entry]:
        return [entry for entry in self.entries if actor.may_somewhere(entry.permission)]


def _place(line: Line) -> tuple[bool, int]:
    known = line["key"] in ALWAYS
    return (bool(line["rest"]), ALWAYS.index(str(line["key"])) if known else -1)


def _line(entry: Entry, session: Session, actor: Actor) -> Line:
    return {
        "key": entry.key,
        "label": str(entry.label),
        "icon": entry.icon,
        "href": url_for(entry.endpoint),
        "badge": entry.badge(session, actor) if entry.badge else 0,
        "primary": entry.primary,
        "group": entry.group,
        "rest": not entry.primary and entry.key not in ALWAYS,
        "part": entry.part,
        "about": str(entry.about),
    }


__all__ = ["SETTINGS", "Badge", "Entry", "Line", "Menu", "Part", "Shown", "lazy_gettext"]

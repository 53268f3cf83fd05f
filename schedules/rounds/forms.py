"""The form of a roster: what was typed, kept as typed, and what it means."""

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path
from uuid import UUID

from werkzeug.datastructures import MultiDict

from hub.regions.tree import codes_in
from schedules.rounds.models import Round, RoundKind
from schedules.rounds.service import RoundDraft

FILE = Path(__file__).resolve().parents[2] / "templates" / "messages" / "rounds.toml"
FIELDS = ("kind", "title", "region", "tag", "words", "at", "first_day", "last_day", "weekday", "each")


@cache
def usual(kind: RoundKind) -> Mapping[str, str]:
    """Return the words and the time a new roster begins with."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))[kind.value]
    return {"words": raw["words"], "at": raw["at"], "each": "2"}


@dataclass(frozen=True, slots=True)
class Typed:
    """A form as it came in."""

    draft: RoundDraft
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The group whose people are offered."""
        return self.values.get("tag", "")


def typed(form: MultiDict[str, str]) -> Typed:
    """Read a form that came in; what is no number or day counts as not given."""
    values = {name: form.get(name, "").strip() for name in FIELDS}
    kind = values["kind"]
    draft = RoundDraft(
        kind=RoundKind(kind) if kind in set(RoundKind) else RoundKind.PATROL,
        title=values["title"],
        region=values["region"] if values["region"].isdigit() else "",
        words=values["words"].replace("\r\n", "\n"),
        at=values["at"],
        first_day=_day(values["first_day"]),
        last_day=_day(values["last_day"]),
        weekday=_number(values["weekday"]),
        each=_number(values["each"] or "2"),
        people=tuple(found for text in form.getlist("person")[:200] if (found := as_id(text))),
    )
    return Typed(draft, values)


def of(found: Round) -> Typed:
    """Return the form that shows a roster with its people."""
    people = tuple(dict.fromkeys(call.resident_id for call in found.calls))
    values = {
        "kind": found.kind.value,
        "title": found.title,
        "region": codes_in(found.home_path)[-1],
        "words": found.words,
        "at": found.at,
        "first_day": str(found.first_day),
        "last_day": str(found.last_day),
        "weekday": str(found.weekday),
        "each": str(found.each),
    }
    return Typed(replace(typed(MultiDict(values)).draft, people=people), values)


def _day(text: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(text)
    return None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 4 else 0


def as_id(text: str) -> UUID | None:
    """Return an id that stands in a form; None if it is none."""
    with suppress(ValueError):
        return UUID(text)
    return None

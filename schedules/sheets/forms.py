"""The forms of sheets: what was typed, and what it means."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from hub.core.errors import BadInput, Problems
from schedules.calendar import LAST_OF_MONTH, Pattern, Rhythm
from schedules.models import Sheet, SlotKind
from schedules.sheets.drafting import Head, SlotDraft

TYPED = (
    *("title", "at", "minutes", "subject", "relay_url", "volume", "late_minutes", "rhythm", "every"),
    *("month_days", "dates", "first", "last", "apart"),
)
RHYTHMS = tuple(rhythm for rhythm in Rhythm if rhythm is not Rhythm.ONCE)
_BETWEEN = re.compile(r"[,，、;；\s]+")
_DATE = r"\d{4}-\d{1,2}-\d{1,2}"
_STRETCH = re.compile(rf"({_DATE})(?:\s*[^\d\s,，、;；]{{1,3}}\s*({_DATE}))?")
"""A day, or two with some sign or word between them."""
_MONTH_DAY = re.compile(r"(\d{1,2})\D?")


@dataclass(frozen=True, slots=True)
class HeadForm:
    """The head of a sheet as it was typed."""

    title: str = ""
    region: str = ""
    valid_from: str = ""
    valid_until: str = ""

    @classmethod
    def typed(cls, form: MultiDict[str, str]) -> "HeadForm":
        """Read a form that came in."""
        return cls(*(form.get(name, "").strip() for name in ("title", "region", "valid_from", "valid_until")))

    @classmethod
    def of(cls, sheet: Sheet) -> "HeadForm":
        """Return the form that shows a sheet."""
        code = sheet.region_path.rstrip("/").rpartition("/")[2]
        return cls(sheet.title, code, str(sheet.valid_from or ""), str(sheet.valid_until or ""))

    def head(self) -> Head:
        """Return what it means. Problems when a day is none."""
        mistakes: list[BadInput] = []
        first = _day(self.valid_from, "valid_from", mistakes)
        last = _day(self.valid_until, "valid_until", mistakes)
        if mistakes:
            raise Problems(mistakes)
        return Head(self.title, self.region, first, last)


@dataclass(frozen=True, slots=True)
class SlotForm:
    """A slot as it was typed."""

    kind: SlotKind
    title: str = ""
    at: str = ""
    minutes: str = ""
    subject: str = ""
    relay_url: str = ""
    volume: str = ""
    late_minutes: str = "15"
    rhythm: str = Rhythm.DAILY.value
    weekdays: tuple[str, ...] = ()
    every: str = "2"
    month_days: str = ""
    dates: str = ""
    first: str = ""
    last: str = ""
    apart: str = ""
    on_quiet_days: bool = False

    @classmethod
    def typed(cls, form: MultiDict[str, str], kind: SlotKind) -> "SlotForm":
        """Read a form that came in."""
        found = {name: form.get(name, "").strip() for name in TYPED if name in form}
        return cls(
            kind=kind,
            weekdays=tuple(form.getlist("weekdays")),
            on_quiet_days=form.get("on_quiet_days") == "1",
            **found,
        )

    @classmethod
    def of(cls, draft: SlotDraft) -> "SlotForm":
        """Return the form that shows a slot."""
        p = draft.pattern
        return cls(
            kind=draft.kind,
            title=draft.title,
            at=draft.at,
            minutes=str(draft.minutes or ""),
            subject=str(draft.subject_id or ""),
            relay_url=draft.relay_url,
            volume=str(draft.volume or ""),
            late_minutes=str(draft.late_minutes),
            rhythm=p.rhythm.value,
            weekdays=tuple(str(day) for day in sorted(p.weekdays)),
            every=str(p.every if p.rhythm is Rhythm.WEEKS else 2),
            month_days="、".join(gettext("月底") if d == LAST_OF_MONTH else str(d) for d in _month_order(p.month_days)),
            dates="、".join(day.isoformat() for day in sorted(p.dates)),
            first=str(p.first or ""),
            last=str(p.last or ""),
            apart="、".join(_stretch_text(a, b) for a, b in p.apart),
            on_quiet_days=p.on_quiet_days,
        )

    def draft(self) -> SlotDraft:
        """Return what it means. Problems when something was not understood."""
        mistakes: list[BadInput] = []
        rhythm = Rhythm(self.rhythm) if self.rhythm in set(RHYTHMS) else Rhythm.DAILY
        pattern = Pattern(
            rhythm=rhythm,
            weekdays=frozenset(int(day) for day in self.weekdays if day in set("1234567")),
            every=_number(self.every, "every", "slot_weeks_range", mistakes) if rhythm is Rhythm.WEEKS else 1,
            month_days=frozenset(_month_days(self.month_days, mistakes))
            if rhythm is Rhythm.MONTH_DAYS
            else frozenset(),
            dates=frozenset(_days(self.dates, "dates", mistakes)) if rhythm is Rhythm.DATES else frozenset(),
            first=_day(self.first, "first", mistakes),
            last=_day(self.last, "last", mistakes),
            apart=tuple(_stretches(self.apart, mistakes)),
            on_quiet_days=self.on_quiet_days,
        )
        draft = SlotDraft(
            title=self.title,
            kind=self.kind,
            at=self.at[:5],
            minutes=_number(self.minutes, "minutes", "slot_minutes_range", mistakes),
            subject_id=as_id(self.subject),
            relay_url=self.relay_url,
            volume=_number(self.volume, "volume", "volume_range", mistakes) if self.volume else None,
            late_minutes=_number(self.late_minutes, "late_minutes", "slot_late_range", mistakes),
            pattern=pattern,
        )
        if mistakes:
            raise Problems(mistakes)
        return draft


def as_id(text: str) -> UUID | None:
    """Return the id a field holds, None when it holds none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def as_day(text: str) -> date | None:
    """Return the day a field or an address holds, None when it holds none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _day(text: str, field: str, mistakes: list[BadInput]) -> date | None:
    found = as_day(text)
    if text and found is None:
        mistakes.append(BadInput("day_malformed", field=field))
    return found


def _days(text: str, field: str, mistakes: list[BadInput]) -> list[date]:
    found = [_day(part, field, mistakes) for part in _BETWEEN.split(text) if part]
    return [day for day in found if day is not None]


def _number(text: str, field: str, code: str, mistakes: list[BadInput]) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 4:
        return int(text)
    if text:
        mistakes.append(BadInput(code, field=field, most=""))
    return 0


def _month_days(text: str, mistakes: list[BadInput]) -> list[int]:
    found = []
    for part in (p for p in _BETWEEN.split(text) if p):
        match = _MONTH_DAY.fullmatch(part)
        if part in (gettext("月底"), "last", str(LAST_OF_MONTH)):
            found.append(LAST_OF_MONTH)
        elif match and 1 <= int(match[1]) <= 31:
            found.append(int(match[1]))
        else:
            mistakes.append(BadInput("slot_month_day_malformed", field="month_days", part=part[:10]))
    return found


def _month_order(days: frozenset[int]) -> Sequence[int]:
    return sorted(days, key=lambda day: 99 if day == LAST_OF_MONTH else day)


def _stretches(text: str, mistakes: list[BadInput]) -> list[tuple[date, date]]:
    found = []
    for match in _STRETCH.finditer(text):
        a, b = as_day(match[1]), as_day(match[2] or match[1])
        if a is None or b is None or b < a:
            mistakes.append(BadInput("slot_apart_malformed", field="apart", part=match[0][:24]))
        else:
            found.append((a, b))
    rest = "".join(_BETWEEN.split(_STRETCH.sub("", text)))
    if rest:
        mistakes.append(BadInput("slot_apart_malformed", field="apart", part=rest[:24]))
    return sorted(found)


def _stretch_text(first: date, last: date) -> str:
    return f"{first}" if first == last else f"{first}~{last}"

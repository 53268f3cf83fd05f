"""A sheet's head and its slots as they are written, and what keeps them from being taken."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from broadcasts.relay.addresses import Relay
from hub.core.errors import BadInput
from schedules.agreed import content_of, mark_of
from schedules.calendar import Pattern, Rhythm
from schedules.models import Sheet, Slot, SlotKind

TITLE_LENGTH = 30
LONGEST_MINUTES = 120
MOST_SLOTS = 80
MOST_DAYS = 60
MOST_WEEKS = 52
MOST_LATE = 240
DAILY = Pattern()
WITH_SUBJECT = frozenset({SlotKind.ANNOUNCEMENT, SlotKind.CAMPAIGN, SlotKind.RECORDING})


@dataclass(frozen=True, slots=True)
class Head:
    """What a sheet is called, where it is heard, and from when to when it holds."""

    title: str
    region: str
    valid_from: date | None = None
    valid_until: date | None = None

    def problems(self, today: date) -> list[BadInput]:
        """Return what is wrong with it."""
        found = []
        if not self.title.strip():
            found.append(BadInput("title_missing", field="title"))
        elif len(self.title) > TITLE_LENGTH:
            over = len(self.title) - TITLE_LENGTH
            found.append(BadInput("title_too_long", field="title", most=TITLE_LENGTH, over=over))
        if not self.region:
            found.append(BadInput("no_region_chosen", field="region"))
        if self.valid_until is not None and self.valid_until < max(today, self.valid_from or today):
            found.append(BadInput("sheet_over_already", field="valid_until"))
        return found


@dataclass(frozen=True, slots=True)
class SlotDraft:
    """A slot as it is written. `minutes` 0 takes the length of what it holds."""

    title: str
    kind: SlotKind
    at: str
    minutes: int = 0
    subject_id: UUID | None = None
    relay_url: str = ""
    volume: int | None = None
    late_minutes: int = 15
    pattern: Pattern = DAILY

    def problems(self) -> list[BadInput]:
        """Return what is wrong with it by itself."""
        found = [*self._time_problems(), *self._day_problems()]
        if len(self.title) > TITLE_LENGTH:
            over = len(self.title) - TITLE_LENGTH
            found.append(BadInput("title_too_long", field="title", most=TITLE_LENGTH, over=over))
        if self.kind not in WITH_SUBJECT and not self.title.strip():
            found.append(BadInput("title_missing", field="title"))
        if self.kind in WITH_SUBJECT and self.subject_id is None:
            found.append(BadInput("slot_holds_nothing", field="subject"))
        if self.kind is SlotKind.RELAY:
            found += [p for p in Relay(self.relay_url, max(1, self.minutes)).problems() if p.field == "relay_url"]
        if self.volume is not None and not 1 <= self.volume <= 100:
            found.append(BadInput("volume_range", field="volume"))
        return found

    def _time_problems(self) -> list[BadInput]:
        found = []
        if not _is_clock(self.at):
            found.append(BadInput("slot_time_missing", field="at"))
        least = 0 if self.kind in WITH_SUBJECT else 1
        if not least <= self.minutes <= LONGEST_MINUTES:
            found.append(BadInput("slot_minutes_range", field="minutes", most=LONGEST_MINUTES))
        if not 0 <= self.late_minutes <= MOST_LATE:
            found.append(BadInput("slot_late_range", field="late_minutes", most=MOST_LATE))
        return found

    def _day_problems(self) -> list[BadInput]:
        p = self.pattern
        match p.rhythm:
            case Rhythm.WEEKDAYS | Rhythm.WEEKS if not p.weekdays:
                return [BadInput("slot_weekdays_missing", field="weekdays")]
            case Rhythm.WEEKS if not 1 <= p.every <= MOST_WEEKS:
                return [BadInput("slot_weeks_range", field="every", most=MOST_WEEKS)]
            case Rhythm.MONTH_DAYS if not p.month_days:
                return [BadInput("slot_month_days_missing", field="month_days")]
            case Rhythm.DATES if not p.dates:
                return [BadInput("slot_dates_missing", field="dates")]
            case Rhythm.DATES if len(p.dates) > MOST_DAYS:
                return [BadInput("slot_too_many_days", field="dates", most=MOST_DAYS)]
        if p.first and p.last and p.last < p.first:
            return [BadInput("slot_days_backwards", field="last")]
        return [BadInput("slot_too_many_days", field="apart", most=MOST_DAYS)] if len(p.apart) > MOST_DAYS else []

    def settled(self, anchor: date) -> "SlotDraft":
        """Return it with only what its kind and rhythm need; every n weeks is counted from the week of `anchor`."""
        p, rhythm = self.pattern, self.pattern.rhythm
        weekly = rhythm in (Rhythm.WEEKDAYS, Rhythm.WEEKS)
        pattern = replace(
            p,
            weekdays=p.weekdays if weekly else frozenset(),
            every=p.every if rhythm is Rhythm.WEEKS else 1,
            anchor=(p.anchor or p.first or anchor) if rhythm is Rhythm.WEEKS else None,
            month_days=p.month_days if rhythm is Rhythm.MONTH_DAYS else frozenset(),
            dates=p.dates if rhythm is Rhythm.DATES else frozenset(),
        )
        return replace(
            self,
            title=self.title.strip(),
            pattern=pattern,
            subject_id=self.subject_id if self.kind in WITH_SUBJECT else None,
            relay_url=self.relay_url.strip() if self.kind is SlotKind.RELAY else "",
            volume=self.volume if self.kind is not SlotKind.SILENCE else None,
        )


def draft_of(slot: Slot) -> SlotDraft:
    """Return a slot as it was written."""
    return SlotDraft(
        title=slot.title,
        kind=slot.kind,
        at=slot.daily_at,
        minutes=slot.minutes,
        subject_id=slot.subject_id,
        relay_url=slot.relay_url,
        volume=slot.volume,
        late_minutes=slot.late_tolerance_s // 60,
        pattern=Pattern.from_json(slot.rhythm, slot.days),
    )


def content_hash(sheet: Sheet, slots: Sequence[Slot]) -> str:
    """Return the hash over everything that decides what is heard where and when."""
    head = [sheet.title, sheet.region_path, str(sheet.valid_from or ""), str(sheet.valid_until or "")]
    body = sorted((content_of(slot) for slot in slots), key=json.dumps)
    return hashlib.sha256(json.dumps([head, body], ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def shown(sheet: Sheet, slots: Sequence[Slot]) -> dict[str, Any]:
    """Return what stands on a sheet, for people to compare, and the marks by which its slots are known later."""
    return {
        "title": sheet.title,
        "regions": [sheet.region_path.rstrip("/").rpartition("/")[2]],
        "first_day": str(sheet.valid_from or ""),
        "last_day": str(sheet.valid_until or ""),
        "slots": [_line(slot) for slot in slots],
        "marks": sorted(mark_of(slot) for slot in slots),
    }


def _line(slot: Slot) -> str:
    """Return a slot as one line of the comparison: whatever differs in it makes another line."""
    days = " ".join(f"{key}={value}" for key, value in slot.days.items() if value not in ([], "", None, False, 1))
    volume = f" {slot.volume}%" if slot.volume else ""
    minutes = f" {slot.minutes}'" if slot.minutes else ""
    return f"{slot.daily_at} {slot.title}{minutes}{volume} {slot.relay_url} {days}".strip()


def _is_clock(text: str) -> bool:
    hour, _, minute = text.partition(":")
    digits = len(text) == 5 and hour.isascii() and hour.isdigit() and minute.isascii() and minute.isdigit()
    return digits and int(hour) < 24 and int(minute) < 60

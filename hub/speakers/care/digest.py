"""The daily summary (每日小结): how every township's loudspeakers stand at eight in the morning.

Loudspeakers for drills are not counted: nobody lives by them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session, load_only

from hub.core.actor import Actor
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.speakers.care import alarms, events, patrol
from hub.speakers.care.attention import visible
from hub.speakers.care.models import EventKind, Repair, SpeakerAlarm, SpeakerEvent
from hub.speakers.care.patrol import Result, Tested
from hub.speakers.models import Speaker, SpeakerState

_SAID: Final = (Speaker.id, Speaker.name, Speaker.region_path, Speaker.online, Speaker.seen_at)


@dataclass(frozen=True, slots=True)
class Silent:
    """A loudspeaker that was silent; `since` is None when it never connected."""

    speaker: Speaker
    since: datetime | None
    in_repair: bool


@dataclass(slots=True)
class Township:
    """One township's line. `failed` and `unheard` are of the night's self-test."""

    code: str
    name: str = ""
    total: int = 0
    online: int = 0
    faulty: int = 0
    repairs: int = 0
    oldest_repair: datetime | None = None
    tested: int = 0
    failed: int = 0
    unheard: int = 0
    drops: int = 0
    """How many times one of its loudspeakers went offline in the last 24 hours."""
    silent: list[Silent] = field(default_factory=list)
    faults: list[tuple[Speaker, str, datetime]] = field(default_factory=list)
    tests: list[Tested] = field(default_factory=list)

    @property
    def offline(self) -> int:
        """How many are not connected."""
        return self.total - self.online


@dataclass(frozen=True, slots=True)
class Digest:
    """All of it. `due_at` is when the day's summary is to be looked at; before it, it says how things stand now."""

    day: date
    due_at: datetime
    made_at: datetime
    townships: Sequence[Township]

    def sum_of(self, name: str) -> int:
        """Add up one figure of all townships."""
        return sum(int(getattr(township, name)) for township in self.townships)


def digest(session: Session, actor: Actor, *, now: datetime, zone: ZoneInfo, at: str) -> Digest:
    """Return how things stand in the actor's part of the tree, the township with most trouble first."""
    townships: defaultdict[str, Township] = defaultdict(lambda: Township(""))
    _counts(session, actor, townships)
    _silent(session, actor, townships, _repairs(session, actor, townships))
    _faults(session, actor, townships)
    _tests(session, actor, townships, now)
    _drops(session, actor, townships, now)
    _named(session, townships)
    day = now.astimezone(zone).date()
    worst = sorted(townships.values(), key=lambda t: (-(t.offline + t.faulty + t.failed), t.code))
    return Digest(day, datetime.combine(day, time.fromisoformat(at), tzinfo=zone), now, worst)


def _of(townships: dict[str, Township], path: str) -> Township:
    code = codes_in(path)[:2][-1]
    one = townships[code]
    one.code = code
    return one


def _counts(session: Session, actor: Actor, townships: dict[str, Township]) -> None:
    rows = session.execute(
        select(Speaker.region_path, func.count(), func.count().filter(Speaker.online.is_(True)))
        .where(Speaker.state == SpeakerState.ACTIVE, Speaker.drill.is_(False), visible(actor, None))
        .group_by(Speaker.region_path)
    )
    for path, total, online in rows:
        one = _of(townships, path)
        one.total += total
        one.online += online


def _silent(session: Session, actor: Actor, townships: dict[str, Township], mending: set[str]) -> None:
    query = select(Speaker).where(
        Speaker.state == SpeakerState.ACTIVE,
        Speaker.online.is_(False),
        Speaker.drill.is_(False),
        visible(actor, None),
    )
    for speaker in session.scalars(query.order_by(Speaker.id).options(load_only(*_SAID, Speaker.online_since))):
        since = speaker.online_since if speaker.seen_at is not None else None
        _of(townships, speaker.region_path).silent.append(Silent(speaker, since, speaker.id in mending))


def _repairs(session: Session, actor: Actor, townships: dict[str, Township]) -> set[str]:
    rows = session.execute(
        select(Repair, Speaker.region_path)
        .join(Speaker, Speaker.id == Repair.speaker_id)
        .where(Repair.done_at.is_(None), visible(actor, None))
    ).all()
    for repair, path in rows:
        one = _of(townships, path)
        one.repairs += 1
        one.oldest_repair = min(repair.opened_at, one.oldest_repair or repair.opened_at)
    return {repair.speaker_id for repair, _ in rows}


def _faults(session: Session, actor: Actor, townships: dict[str, Township]) -> None:
    rows = session.execute(
        select(Speaker, SpeakerAlarm.code, SpeakerAlarm.since)
        .options(load_only(*_SAID))
        .join(SpeakerAlarm, SpeakerAlarm.speaker_id == Speaker.id)
        .where(
            SpeakerAlarm.ended_at.is_(None),
            SpeakerAlarm.raised_at.is_not(None),
            SpeakerAlarm.code != alarms.OFFLINE,
            visible(actor, None),
        )
        .order_by(SpeakerAlarm.since)
    )
    seen: set[str] = set()
    for speaker, code, since in rows:
        one = _of(townships, speaker.region_path)
        one.faults.append((speaker, code, since))
        one.faulty += speaker.id not in seen
        seen.add(speaker.id)


def _tests(session: Session, actor: Actor, townships: dict[str, Township], now: datetime) -> None:
    since = now - timedelta(days=1)
    for tally in patrol.tallies(session, actor, path=None, now=now, since=since):
        one = _of(townships, tally.region_path)
        one.tested += tally.count
        one.failed += tally.count * (tally.result is Result.FAILED)
        one.unheard += tally.count * (tally.result in (Result.SILENT, Result.UNASKED))
    for test in patrol.results(session, actor, path=None, now=now, since=since):
        _of(townships, test.speaker.region_path).tests.append(test)


def _drops(session: Session, actor: Actor, townships: dict[str, Township], now: datetime) -> None:
    rows = session.execute(
        select(Speaker.region_path, func.count())
        .join(SpeakerEvent, SpeakerEvent.speaker_id == Speaker.id)
        .where(
            SpeakerEvent.kind == EventKind.OFFLINE,
            SpeakerEvent.code != events.HUB_WAS_AWAY,
            SpeakerEvent.at > now - timedelta(days=1),
            Speaker.drill.is_(False),
            visible(actor, None),
        )
        .group_by(Speaker.region_path)
    )
    for path, number in rows:
        _of(townships, path).drops += number


def _named(session: Session, townships: dict[str, Township]) -> None:
    names = regions.names(session, set(townships))
    for code, one in townships.items():
        one.name = names.get(code, code)

"""Alarms: what lasts and needs a person. They begin, are raised, and end by what the tables say, not by messages.

So a lost message, a killed hub or a storm of them leaves no alarm too many and none too few. What comes and goes and
comes again is one alarm that goes on; a snooze outlives it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from hub.speakers.care.events import paths_of
from hub.speakers.care.models import SpeakerAlarm
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import FaultCode
from hub.webhooks.events import note
from hub.webhooks.models import EventKind

T = TypeVar("T")
OFFLINE: Final = "offline"
CLOCK: Final = FaultCode.CLOCK_WRONG.value
SETTINGS: Final = "settings_old"
TEST: Final = "test_failed"
FARTHEST_MS: Final = 5000
"""A clock farther off than this starts too early or too late."""
SAME: Final = timedelta(minutes=30)
"""An alarm that begins again so soon after its end is the same one: people were told already."""
BLIP: Final = timedelta(minutes=5)
"""The same for what nobody was told yet."""
CLOCK_GRACE: Final = timedelta(minutes=10)
SETTINGS_GRACE: Final = timedelta(minutes=30)

Began = Mapping[str, datetime]
"""Since when, by loudspeaker."""
Heard = Callable[[str], bool]
"""Whether anybody below a region path can be heard."""
Found = Select[str, datetime | None, str]
"""Loudspeakers, since when, and their places."""


@dataclass(slots=True)
class Changes:
    """What a look at the tables found: alarms that begin or end, and those of which people are told now."""

    begin: dict[str, dict[str, datetime]] = field(default_factory=dict)
    end: list[UUID] = field(default_factory=list)
    tell: list[UUID] = field(default_factory=list)
    graces: dict[str, timedelta] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return any(self.begin.values()) or bool(self.end) or bool(self.tell)


def survey(session: Session, *, now: datetime, grace: timedelta, heard: Heard) -> Changes:
    """Look who is silent, whose clock is wrong, who follows old settings. Nothing is written.

    Without its broker nobody of a place can be heard, which says nothing about any loudspeaker there: then nothing
    begins or is told.
    """
    changes, heard = Changes(end=_over(session)), cache(heard)
    changes.begin = {
        OFFLINE: _since(session, _silent(), now, heard),
        CLOCK: _since(session, _wrong_clock(), now, heard),
        SETTINGS: _since(session, _old_settings(now), now, heard),
    }
    changes.graces = {OFFLINE: grace, CLOCK: CLOCK_GRACE, SETTINGS: timedelta(0)}
    ending = set(changes.end)
    for code, wait in changes.graces.items():
        query = select(SpeakerAlarm.id, SpeakerAlarm.region_path).where(
            SpeakerAlarm.ended_at.is_(None),
            SpeakerAlarm.raised_at.is_(None),
            SpeakerAlarm.code == code,
            SpeakerAlarm.since <= now - wait,
        )
        changes.tell += [found for found, path in session.execute(query) if found not in ending and heard(path)]
    return changes


def apply(session: Session, changes: Changes, *, now: datetime) -> None:
    """Write down what a survey found."""
    _end(session, changes.end, now)
    for code, began in changes.begin.items():
        due = {one: since for one, since in began.items() if since <= now - changes.graces[code]}
        begin(session, code, due, now=now)
        begin(session, code, {one: since for one, since in began.items() if one not in due}, now=now, tell=False)
    for chunk in _chunks(changes.tell):
        session.execute(update(SpeakerAlarm).where(SpeakerAlarm.id.in_(chunk)).values(raised_at=now))
    _tell_programs(session, now)


def _tell_programs(session: Session, now: datetime) -> None:
    """Tell webhooks, one event a village, of the loudspeakers people were told of just now."""
    for kind, just_now in (
        (EventKind.SILENT, SpeakerAlarm.raised_at == now),
        (EventKind.BACK, and_(SpeakerAlarm.ended_at == now, SpeakerAlarm.raised_at.is_not(None))),
    ):
        by_place: dict[str, list[str]] = {}
        query = select(SpeakerAlarm.region_path, SpeakerAlarm.speaker_id).where(SpeakerAlarm.code == OFFLINE, just_now)
        for path, speaker_id in session.execute(query):
            by_place.setdefault(path, []).append(speaker_id)
        for path, ids in by_place.items():
            note(session, kind, path, now, speakers=sorted(ids))


def begin(session: Session, code: str, began: Began, *, now: datetime, tell: bool = True) -> None:
    """Begin an alarm for each of these loudspeakers, or let the last one go on. `tell`: people are told at once."""
    if not began:
        return
    paths = paths_of(session, set(began))
    before = _latest(session, code, began, now)
    for speaker_id, since in began.items():
        if speaker_id not in paths:
            continue
        last = before.get(speaker_id)
        if last is None or (last.ended_at is not None and last.ended_at <= now - (SAME if last.raised_at else BLIP)):
            snoozed = last.snoozed_until if last is not None else None
            last = SpeakerAlarm(
                speaker_id=speaker_id,
                region_path=paths[speaker_id],
                code=code,
                since=since.astimezone(UTC),
                snoozed_until=snoozed if snoozed is not None and snoozed > now else None,
            )
            session.add(last)
        last.ended_at = None
        if tell and last.raised_at is None:
            last.raised_at = now
    session.flush()


def end(session: Session, code: str, speaker_ids: Iterable[str], *, now: datetime) -> None:
    """End this alarm for these loudspeakers, where it lasts."""
    for chunk in _chunks(list(speaker_ids)):
        session.execute(
            update(SpeakerAlarm)
            .where(SpeakerAlarm.speaker_id.in_(chunk), SpeakerAlarm.code == code, SpeakerAlarm.ended_at.is_(None))
            .values(ended_at=now)
        )


def _latest(session: Session, code: str, began: Began, now: datetime) -> dict[str, SpeakerAlarm]:
    """Return the newest alarm of each loudspeaker that may still matter."""
    found: dict[str, SpeakerAlarm] = {}
    for chunk in _chunks(list(began)):
        rows = session.scalars(
            select(SpeakerAlarm)
            .where(
                SpeakerAlarm.speaker_id.in_(chunk),
                SpeakerAlarm.code == code,
                or_(
                    SpeakerAlarm.ended_at.is_(None),
                    SpeakerAlarm.ended_at > now - SAME,
                    SpeakerAlarm.snoozed_until > now,
                ),
            )
            .order_by(SpeakerAlarm.since)
        )
        found.update({alarm.speaker_id: alarm for alarm in rows})
    return found


def _has(code: str) -> ColumnElement[bool]:
    return exists().where(
        SpeakerAlarm.speaker_id == Speaker.id, SpeakerAlarm.code == code, SpeakerAlarm.ended_at.is_(None)
    )


def _silent() -> Found:
    # Who was never heard of is not installed yet: the list says so, it is no alarm.
    return select(Speaker.id, Speaker.online_since, Speaker.region_path).where(
        Speaker.state == SpeakerState.ACTIVE, Speaker.online.is_(False), Speaker.seen_at.is_not(None), ~_has(OFFLINE)
    )


def _wrong_clock() -> Found:
    offset = Speaker.clock_offset_ms
    return select(Speaker.id, Speaker.seen_at, Speaker.region_path).where(
        Speaker.state == SpeakerState.ACTIVE,
        Speaker.online.is_(True),
        or_(offset > FARTHEST_MS, offset < -FARTHEST_MS),
        ~_has(CLOCK),
    )


def _old_settings(now: datetime) -> Found:
    before = now - SETTINGS_GRACE
    return select(Speaker.id, Speaker.seen_at, Speaker.region_path).where(
        Speaker.state == SpeakerState.ACTIVE,
        Speaker.online.is_(True),
        Speaker.online_since <= before,
        Speaker.settings_taken < Speaker.settings_version,
        Speaker.settings_version <= round(before.timestamp() * 1000),
        ~_has(SETTINGS),
    )


def _since(session: Session, query: Found, now: datetime, heard: Heard) -> dict[str, datetime]:
    return {speaker_id: since or now for speaker_id, since, path in session.execute(query) if heard(path)}


def _over(session: Session) -> list[UUID]:
    """Return the alarms whose reason is gone."""
    offset = Speaker.clock_offset_ms
    gone = or_(
        Speaker.state != SpeakerState.ACTIVE,
        (SpeakerAlarm.code == OFFLINE) & Speaker.online.is_(True),
        (SpeakerAlarm.code == CLOCK) & Speaker.online.is_(True) & offset.between(-FARTHEST_MS, FARTHEST_MS),
        (SpeakerAlarm.code == SETTINGS) & (Speaker.settings_taken >= Speaker.settings_version),
    )
    query = select(SpeakerAlarm.id).join(Speaker, Speaker.id == SpeakerAlarm.speaker_id)
    return list(session.scalars(query.where(SpeakerAlarm.ended_at.is_(None), gone)))


def _end(session: Session, alarm_ids: Sequence[UUID], now: datetime) -> None:
    for chunk in _chunks(alarm_ids):
        session.execute(update(SpeakerAlarm).where(SpeakerAlarm.id.in_(chunk)).values(ended_at=now))


def _chunks(items: Sequence[T], size: int = 5000) -> Iterable[Sequence[T]]:
    return (items[i : i + size] for i in range(0, len(items), size))

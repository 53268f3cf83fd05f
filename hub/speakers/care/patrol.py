"""The night's round (巡检): every loudspeaker tests itself without a sound, once a night, at a measured pace."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Integer,
    and_,
    case,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, load_only
from uuid6 import uuid7

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import NotFound
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.speakers import registry
from hub.speakers.care.attention import visible
from hub.speakers.care.awaited import PATIENCE, Awaited
from hub.speakers.care.models import SelfTestRun
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import SelfTest
from hub.speakers.settings import CareSettings
from hub.speakers.station import Station

A_SECOND: Final = 20
WINDOW: Final = timedelta(hours=3)
"""So long after its time the night's round may still begin, for those who were not asked yet."""
TOO_LATE: Final = timedelta(hours=1)
"""What could not be sent within this is not sent any more."""
REST_S: Final = 30.0
AWAY_S: Final = 5.0


class Result(StrEnum):
    """How the last test went. The order is that of the page."""

    FAILED = "failed"
    SILENT = "silent"
    UNASKED = "unasked"
    WAITING = "waiting"
    PASSED = "passed"
    NEVER = "never"


_ORDER: Final = tuple(Result)
_at: Final = func.coalesce(SelfTestRun.answered_at, SelfTestRun.asked_at)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many loudspeakers of one place had one result."""

    region_path: str
    result: Result
    count: int


@dataclass(frozen=True, slots=True)
class Tested:
    """One loudspeaker and its last test. `report` is what it found: name to word."""

    speaker: Speaker
    result: Result
    at: datetime | None
    report: Mapping[str, str]


def slot_before(now: datetime, at: str, zone: ZoneInfo) -> datetime | None:
    """Return when the latest night's round began; None when there is none by the configuration."""
    if not at:
        return None
    local = now.astimezone(zone)
    begin = datetime.combine(local.date(), time.fromisoformat(at), tzinfo=zone)
    return begin if begin <= local else begin - timedelta(days=1)


class Patrol:
    """Sends what is wanted, at most so many a second, and every night wants everybody once."""

    def __init__(self, runtime: Runtime, station: Station, awaited: Awaited) -> None:
        self._runtime = runtime
        self._station = station
        self._awaited = awaited
        self._at = runtime.config.section(CareSettings).self_test_at
        self.kick: Callable[[], None] = lambda: None
        """Wakes the loop that runs `step`; set by whoever starts it."""

    def step(self) -> float:
        """Do one round; return the seconds until the next. A step of a background loop."""
        now = self._runtime.now()
        slot = slot_before(now, self._at, self._runtime.zone)
        if slot is not None and now < slot + WINDOW and self._anybody_for(slot):
            with self._runtime.sessions.begin() as session:
                want_all(session, slot, now=now)
        if not self._station.connected:
            return AWAY_S
        sent = self._send_some(now)
        return 1.0 if sent else REST_S

    def _anybody_for(self, slot: datetime) -> bool:
        with self._runtime.sessions.read() as session:
            return session.scalar(_not_asked_since(slot).limit(1)) is not None

    def _send_some(self, now: datetime) -> int:
        with self._runtime.sessions.read() as session:
            waiting = session.scalar(_to_send(now).limit(1))
        if waiting is None:
            return 0
        with self._runtime.sessions.begin() as session:
            chosen = session.scalars(_to_send(now).order_by(SelfTestRun.speaker_id).limit(A_SECOND)).all()
            rows = session.execute(
                update(SelfTestRun)
                .where(SelfTestRun.speaker_id.in_(chosen), SelfTestRun.sent_at.is_(None))
                .values(sent_at=now)
                .returning(SelfTestRun.speaker_id, SelfTestRun.command_id)
            ).all()
            seq = registry.next_value(session, registry.COMMANDS, max(len(rows), 1))
        self._awaited.add((str(row.command_id) for row in rows), now)
        # What is lost here (a hub that dies, a broker that goes) was asked and did not answer: never asked twice.
        for offset, row in enumerate(rows):
            self._station.send(SelfTest, row.speaker_id, seq + offset, id=str(row.command_id), sound=False)
        return len(rows)


def want_all(session: Session, slot: datetime, *, now: datetime) -> int:
    """Want a test of everybody who was not asked since `slot`; return how many."""
    return _want(session, session.scalars(_not_asked_since(slot)).all(), now)


def want(session: Session, actor: Actor, *, region: str = "", speaker_ids: Sequence[str] = (), now: datetime) -> int:
    """Want a test now of a region or of chosen loudspeakers, as far as the actor may; return how many."""
    query = select(Speaker.id, Speaker.region_path).where(Speaker.state == SpeakerState.ACTIVE)
    if region:
        path = regions.get_region(session, actor, region).path
        actor.require(Permission.EDIT_SPEAKERS, path)
        query = query.where(Speaker.region_path.like(like_below(path)))
    else:
        query = query.where(Speaker.id.in_(speaker_ids))
    rows = session.execute(query).all()
    if not all(actor.may(Permission.SEE, row.region_path) for row in rows):
        raise NotFound("speaker_unknown")
    for path in {row.region_path for row in rows}:
        actor.require(Permission.EDIT_SPEAKERS, path)
    if not rows:
        raise NotFound("nobody_to_test")
    paths = [row.region_path for row in rows]
    log.record(session, actor, "speaker.patrol", "speaker:*", min(paths, key=len), now, count=len(rows))
    return _want(session, [row.id for row in rows], now)


def results(
    session: Session,
    actor: Actor,
    *,
    path: str | None,
    now: datetime,
    since: datetime | None = None,
    limit: int | None = None,
    after: tuple[Result, str] | None = None,
) -> list[Tested]:
    """Return everybody's last test, those that need somebody first.

    `since`: only tests from then on that did not pass. `limit`: no more than so many. `after`: the last one seen.
    """
    rank = _rank(now)
    query = (
        select(Speaker, SelfTestRun, rank)
        .outerjoin(SelfTestRun, SelfTestRun.speaker_id == Speaker.id)
        .where(*_in_service(actor, path))
        .order_by(rank, Speaker.id)
        .options(load_only(Speaker.id, Speaker.name, Speaker.region_path, Speaker.online))
        .limit(limit)
    )
    if since is not None:
        query = query.where(_at >= since, rank != _ORDER.index(Result.PASSED))
    if after is not None:
        last = _ORDER.index(after[0])
        query = query.where(or_(rank > last, and_(rank == last, Speaker.id > after[1])))
    return [
        Tested(speaker, _ORDER[place], (run.answered_at or run.asked_at) if run else None, report_of(run))
        for speaker, run, place in session.execute(query)
    ]


def tallies(
    session: Session, actor: Actor, *, path: str | None, now: datetime, since: datetime | None = None
) -> list[Tally]:
    """Count the results of every place; only tests from `since` on when it is given."""
    rank = _rank(now)
    query = (
        select(Speaker.region_path, rank, func.count())
        .outerjoin(SelfTestRun, SelfTestRun.speaker_id == Speaker.id)
        .where(*_in_service(actor, path))
    )
    if since is not None:
        query = query.where(_at >= since)
    rows = session.execute(query.group_by(Speaker.region_path, rank))
    return [Tally(place, _ORDER[number], count) for place, number, count in rows]


def _in_service(actor: Actor, path: str | None) -> tuple[ColumnElement[bool], ...]:
    return Speaker.state == SpeakerState.ACTIVE, visible(actor, path)


def _rank(now: datetime) -> ColumnElement[int]:
    """Return how a test went, or that it is still going, as its place in the order of the page."""
    waits = or_(
        and_(SelfTestRun.sent_at.is_(None), SelfTestRun.asked_at > now - TOO_LATE), SelfTestRun.sent_at > now - PATIENCE
    )
    return case(
        (SelfTestRun.speaker_id.is_(None), _place(Result.NEVER)),
        (and_(SelfTestRun.answered_at.is_not(None), SelfTestRun.passed.is_(True)), _place(Result.PASSED)),
        (SelfTestRun.answered_at.is_not(None), _place(Result.FAILED)),
        (waits, _place(Result.WAITING)),
        (SelfTestRun.sent_at.is_(None), _place(Result.UNASKED)),
        else_=_place(Result.SILENT),
    )


def _place(result: Result) -> ColumnElement[int]:
    # Written into the statement: PostgreSQL takes two equal bound values in SELECT and GROUP BY for different ones.
    return literal_column(str(_ORDER.index(result)), Integer)


def result_of(run: SelfTestRun | None, now: datetime) -> Result:
    """Return how a test went, or that it is still going; the same as `_rank` says of many."""
    if run is None:
        return Result.NEVER
    if run.answered_at is not None:
        return Result.PASSED if run.passed else Result.FAILED
    if run.sent_at is None:
        return Result.WAITING if now < run.asked_at + TOO_LATE else Result.UNASKED
    return Result.WAITING if now < run.sent_at + PATIENCE else Result.SILENT


def report_of(run: SelfTestRun | None) -> dict[str, str]:
    """Return what the test found."""
    if run is None or not run.report:
        return {}
    found = json.loads(run.report)
    return {str(key): str(value) for key, value in found.items()}


def _want(session: Session, speaker_ids: Sequence[str], now: datetime) -> int:
    if not speaker_ids:
        return 0
    known = set(session.scalars(select(SelfTestRun.speaker_id).where(SelfTestRun.speaker_id.in_(speaker_ids))))
    fresh: dict[str, Any] = {"asked_at": now, "sent_at": None, "answered_at": None, "passed": None, "report": ""}
    rows = [{"speaker_id": one, "command_id": uuid7(), **fresh} for one in speaker_ids]
    new = [row for row in rows if row["speaker_id"] not in known]
    old = [row for row in rows if row["speaker_id"] in known]
    if new:
        session.execute(insert(SelfTestRun), new)
    if old:
        session.execute(update(SelfTestRun), old)
    return len(rows)


def _not_asked_since(slot: datetime) -> Any:
    return (
        select(Speaker.id)
        .outerjoin(SelfTestRun, SelfTestRun.speaker_id == Speaker.id)
        .where(
            Speaker.state == SpeakerState.ACTIVE,
            Speaker.enrolled_at < slot,
            or_(SelfTestRun.speaker_id.is_(None), SelfTestRun.asked_at < slot),
        )
    )


def _to_send(now: datetime) -> Any:
    return select(SelfTestRun.speaker_id).where(SelfTestRun.sent_at.is_(None), SelfTestRun.asked_at > now - TOO_LATE)

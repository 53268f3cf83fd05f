"""Receipts that never arrived: seen by their numbers, asked for, and a hole that stays is accepted and noted."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from broadcasts.loudspeaker.models import PlayReceipt
from hub.core.db import Sessions
from hub.speakers import registry
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import Beat, Records

log = logging.getLogger(__name__)
WAIT: Final = timedelta(seconds=20)
"""Receipts may still be on their way: a gap counts when two heartbeats show it, or one for this long."""
ASK_EVERY: Final = timedelta(seconds=20)
"""After the first try; twice as long after each further one: a question may be lost as well as an answer."""
MOST_TRIES: Final = 4
MAX_OPEN: Final = 50_000


class Asking(Protocol):
    """What is needed of the station."""

    def send(self, kind: type[Records], speaker_id: str, seq: int, *, after: int) -> str | None:
        """Send a command to one loudspeaker; None when the broker cannot be reached."""
        ...


@dataclass(frozen=True, slots=True)
class Missing:
    """Numbers up to `upto` are not all here, those up to `after` are."""

    after: int
    upto: int
    count: int
    asked_at: datetime | None


@dataclass(slots=True)
class _Open:
    """A gap as it was first seen."""

    since: datetime
    beats: int = 1
    asked_upto: int = 0
    tries: int = 0

    @property
    def patience(self) -> timedelta:
        """How long an answer may take before somebody asks again, or gives up."""
        return ASK_EVERY * (1 << max(0, self.tries - 1))


class Gaps:
    """What is missing of whom. `note` takes heartbeats; it is quick when nothing is missing.

    A device that begins to count anew is not noticed before its numbers pass those it had.
    """

    def __init__(self, sessions: Sessions, station: Asking) -> None:
        self._sessions = sessions
        self._station = station
        self._open: dict[str, _Open] = {}
        self._guard = threading.Lock()

    def note(self, beats: Sequence[Beat], now: datetime) -> list[str]:
        """Compare heartbeats with what is stored, and ask for what is missing; return who was asked."""
        newest = {beat.dev: beat.n for beat in beats if beat.n}
        if not newest:
            return []
        with self._sessions.read() as session:
            complete, missing = look(session, newest)
        with self._guard:
            for name in [name for name in newest if name not in missing]:
                self._open.pop(name, None)
            due = {name: gap for name, gap in missing.items() if self._is_due(name, now)}
            given_up = {name: gap for name, gap in due.items() if self._is_given_up(name, gap, now)}
            wanted = {name: gap for name, gap in due.items() if name not in given_up and self._may_ask(name, gap, now)}
        holes = {name: self._close(name, gap) for name, gap in given_up.items()}
        return self._settle(complete | holes, wanted, now)

    def _is_due(self, name: str, now: datetime) -> bool:
        seen = self._open.get(name)
        if seen is None:
            if len(self._open) < MAX_OPEN:
                self._open[name] = _Open(now)
            return False
        seen.beats += 1
        return True

    def _is_given_up(self, name: str, gap: Missing, now: datetime) -> bool:
        return self._open[name].tries >= MOST_TRIES and self._may_ask(name, gap, now)

    def _may_ask(self, name: str, gap: Missing, now: datetime) -> bool:
        return gap.asked_at is None or now >= gap.asked_at + self._open[name].patience

    def _close(self, name: str, gap: Missing) -> int:
        """Give up what was asked for and did not come; what went missing since is a gap of its own."""
        with self._guard:
            seen = self._open.pop(name)
        log.warning("receipts_lost", extra={"device": name, "after": gap.after, "upto": seen.asked_upto})
        return min(seen.asked_upto, gap.upto)

    def _settle(self, reached: dict[str, int], wanted: dict[str, Missing], now: datetime) -> list[str]:
        if not reached and not wanted:
            return []
        with self._sessions.begin() as session:
            if reached:
                rows = [{"id": name, "receipts_to": number} for name, number in sorted(reached.items())]
                session.execute(update(Speaker), rows)
            won = [name for name in sorted(wanted) if _claim(session, name, now)]
            seq = registry.next_value(session, registry.COMMANDS, len(won)) if won else 0
        for offset, name in enumerate(won):
            if self._station.send(Records, name, seq + offset, after=wanted[name].after) is None:
                continue
            with self._guard:
                seen = self._open.setdefault(name, _Open(now))
                seen.asked_upto, seen.tries = wanted[name].upto, seen.tries + 1
        return won


def look(session: Session, newest: dict[str, int]) -> tuple[dict[str, int], dict[str, Missing]]:
    """Compare the newest numbers of devices with what is stored, in one query.

    Return up to where it is complete for those where that is news, and what is missing of the others.
    """
    rows = session.execute(
        select(
            Speaker.id,
            Speaker.receipts_to,
            Speaker.records_asked_at,
            func.count(func.distinct(PlayReceipt.number)),
            func.max(PlayReceipt.number),
        )
        .outerjoin(PlayReceipt, and_(PlayReceipt.speaker_id == Speaker.id, PlayReceipt.number > Speaker.receipts_to))
        .where(Speaker.id.in_(newest), Speaker.state == SpeakerState.ACTIVE)
        .group_by(Speaker.id, Speaker.receipts_to, Speaker.records_asked_at)
    )
    complete: dict[str, int] = {}
    missing: dict[str, Missing] = {}
    for name, after, asked_at, here, highest in rows:
        upto = max(newest[name], highest or 0)
        if upto <= after:
            continue
        if here == upto - after:
            complete[name] = upto
        else:
            missing[name] = Missing(after, upto, upto - after - here, asked_at)
    return complete, missing


def _claim(session: Session, name: str, now: datetime) -> bool:
    """Whether it is this hub that asks."""
    free = or_(Speaker.records_asked_at.is_(None), Speaker.records_asked_at <= now - ASK_EVERY)
    found = session.execute(
        update(Speaker).where(Speaker.id == name, free).values(records_asked_at=now).returning(Speaker.id)
    )
    return found.first() is not None

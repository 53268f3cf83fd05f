"""Who is connected, by what loudspeakers and the broker say, and by what they no longer say."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import Beat, Doing, Presence

SILENT_BEATS: Final = 2.5
"""Two heartbeats have not come; the rest of the three within which a dead loudspeaker is shown is for noticing it."""
SWEEP_BEATS: Final = 0.25
LONGEST_SWEEP_S: Final = 10.0
FARTHEST_CLOCK_MS: Final = 10 * 365 * 86_400_000
LARGEST_INT: Final = 2**31 - 1
LARGEST_BIG: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Changes:
    """Who has just come, who has just gone, and who of all that were named is in service.

    `anew` are those who have a new connection and whose old one nobody saw go.
    """

    came: list[str] = field(default_factory=list)
    went: list[str] = field(default_factory=list)
    known: frozenset[str] = frozenset()
    anew: list[str] = field(default_factory=list)


class Connections:
    """The connection each loudspeaker has, by the moment at which it says it was made.

    When a broker falls nobody says farewell: whoever is back before it was missed has been online all the time by the
    tables, and yet heard nothing of what was said meanwhile.
    """

    def __init__(self) -> None:
        self._made: dict[str, int] = {}

    def anew(self, presences: Sequence[Presence]) -> list[str]:
        """Return who has another connection than before; a presence that the broker repeats is none."""
        found = []
        for said in presences:
            if said.up and said.ts is not None:
                if self._made.get(said.dev, said.ts) != said.ts:
                    found.append(said.dev)
                self._made[said.dev] = said.ts
        return list(dict.fromkeys(found))


def note_presences(session: Session, presences: Sequence[Presence], *, now: datetime) -> Changes:
    """Note who came and who went; the last word of a batch counts."""
    latest = {p.dev: p.up for p in presences}
    before = _online(session, list(latest))
    up = [name for name in before if latest[name]]
    down = [name for name in before if not latest[name]]
    came = [name for name in up if not before[name]]
    went = [name for name in down if before[name]]
    if up:
        session.execute(update(Speaker).where(Speaker.id.in_(up)).values(online=True, seen_at=now))
    if came:
        session.execute(update(Speaker).where(Speaker.id.in_(came)).values(online_since=now))
    if went:
        _put_down(session, went, now)
    never = [name for name in down if name not in went]
    if never:
        first = Speaker.online_since.is_(None)
        session.execute(update(Speaker).where(Speaker.id.in_(never), first).values(online_since=now))
    return Changes(came, went, frozenset(before))


def note_beats(session: Session, beats: Sequence[Beat], *, now: datetime, timely: bool = True) -> Changes:
    """Note heartbeats. Those of devices unknown or retired change nothing; what was long underway tells no clock."""
    latest = {beat.dev: beat for beat in beats}
    before = _online(session, list(latest))
    rows = [_as_row(latest[name], now) | (_clock(latest[name], now) if timely else {}) for name in before]
    if rows:
        session.execute(update(Speaker), rows)
    came = [name for name, online in before.items() if not online]
    if came:
        session.execute(update(Speaker).where(Speaker.id.in_(came)).values(online=True, online_since=now))
    return Changes(came, [], frozenset(before))


def _clock(beat: Beat, now: datetime) -> dict[str, Any]:
    offset = beat.ts - round(now.timestamp() * 1000)
    return {"clock_offset_ms": max(-FARTHEST_CLOCK_MS, min(FARTHEST_CLOCK_MS, offset))}


def _as_row(beat: Beat, now: datetime) -> dict[str, Any]:
    return {
        "id": beat.dev,
        "seen_at": now,
        "activity": beat.st.value,
        "now_playing": beat.now or "",
        "version": _plain(beat.ver)[:30],
        "fault": "fault" if beat.st is Doing.FAULT else "",
        "settings_taken": min(beat.cfg, LARGEST_BIG),
        "amp": beat.amp or "",
        "mains": beat.mains,
        "battery": beat.battery,
        "temperature": beat.temp,
        "signal_dbm": beat.signal,
        "free_bytes": min(beat.free, LARGEST_BIG),
        "pack_count": beat.pack,
        "bad_messages": min(beat.bad, LARGEST_INT),
        "faults": [_plain(code) for code in beat.faults],
    }


def _plain(text: str) -> str:
    """Without what PostgreSQL cannot store."""
    return text.replace("\x00", "")


def wrong_volumes(session: Session, beats: Sequence[Beat]) -> dict[str, int]:
    """Return who reports another volume than was set, and the one that was: they were away when it was changed."""
    said = {beat.dev: beat.vol for beat in beats}
    rows = session.execute(
        select(Speaker.id, Speaker.volume).where(Speaker.id.in_(said), Speaker.state == SpeakerState.ACTIVE)
    )
    return {speaker_id: volume for speaker_id, volume in rows if volume != said[speaker_id]}


def anyone_silent(session: Session, *, now: datetime, heartbeat_s: int) -> bool:
    """Whether `sweep` would find somebody; it needs no lock."""
    return session.scalar(select(Speaker.id).where(_silent(now, heartbeat_s)).limit(1)) is not None


def has_just_come(since: datetime | None, now: datetime, heartbeat_s: int) -> bool:
    """Whether somebody listens for less time than silence needs to mean anything."""
    return since is not None and now < since + timedelta(seconds=SILENT_BEATS * heartbeat_s)


def sweep(session: Session, *, now: datetime, heartbeat_s: int) -> list[str]:
    """Call those offline that missed two heartbeats, whatever the broker believes; return who they are."""
    values: dict[str, Any] = {"online": False, "online_since": now, "activity": "", "now_playing": ""}
    gone = update(Speaker).where(_silent(now, heartbeat_s)).values(values).returning(Speaker.id)
    return list(session.scalars(gone))


def _silent(now: datetime, heartbeat_s: int) -> ColumnElement[bool]:
    oldest = now - timedelta(seconds=SILENT_BEATS * heartbeat_s)
    return Speaker.online.is_(True) & or_(Speaker.seen_at < oldest, Speaker.seen_at.is_(None))


def _online(session: Session, names: list[str]) -> dict[str, bool]:
    """Who of these is in service, and whether they were online; in one order, so that hubs do not lock each other."""
    rows = session.execute(
        select(Speaker.id, Speaker.online)
        .where(Speaker.id.in_(names), Speaker.state == SpeakerState.ACTIVE)
        .order_by(Speaker.id)
        .with_for_update()
    )
    return {name: online for name, online in rows}  # noqa: C416 - a Row is no tuple to mypy


def _put_down(session: Session, names: list[str], now: datetime) -> None:
    values: dict[str, Any] = {"online": False, "online_since": now, "activity": "", "now_playing": ""}
    session.execute(update(Speaker).where(Speaker.id.in_(names)).values(values))

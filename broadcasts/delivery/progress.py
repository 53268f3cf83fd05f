"""How far a broadcast has come, for the page that shows it: numbers, villages, every loudspeaker."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, case, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.outcomes import UNHEARD, Course, Numbers, Outcome, Phase, outcome
from broadcasts.delivery.visibility import below, sees_all
from broadcasts.loudspeaker import listing, orders
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.states import FINAL, PlayState
from broadcasts.sms.models import SmsRun
from broadcasts.sms.sending import outbox
from broadcasts.sms.sending.outbox import SmsProgress
from broadcasts.sms.states import RunState
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.speakers.models import Speaker

INLINE = 400
"""Up to so many loudspeakers all of them stand on the page; beyond, those of the village that was asked for."""
SILENT_SHOWN = 100
CLOCK_WRONG_MS = 5000
VILLAGE = 3
"""How many codes a village's path has."""

D = SpeakerDelivery
HEARD: ColumnElement[bool] = or_(
    D.state.in_((PlayState.STARTED, PlayState.INTERRUPTED, PlayState.FINISHED)),
    D.started_at.is_not(None),
    D.played_ms > 0,
)
"""The condition for deliveries of which at least the beginning was heard; heartbeats may tell more than receipts."""
_HEARD: ColumnElement[int] = case((HEARD, 1), else_=0)


@dataclass(frozen=True, slots=True)
class SpeakerLine:
    """One loudspeaker in one broadcast."""

    speaker_id: str
    name: str
    village: str
    online: bool
    outcome: Outcome
    state: PlayState
    reason: str
    received_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    used: str = ""
    """What sounded: audio, stream, shout, or what stood in: pack, speech, tone."""
    volume: int | None = None
    clock_off_s: int = 0
    """By how much its clock is ahead, where that is worth a word."""


@dataclass(frozen=True, slots=True)
class Village:
    """One village; `lines` is None when its loudspeakers were not asked for."""

    code: str
    name: str
    numbers: Numbers
    lines: list[SpeakerLine] | None


@dataclass(frozen=True, slots=True)
class Township:
    """One township with those of its villages that are meant and that the reader may see."""

    code: str
    name: str
    numbers: Numbers
    villages: list[Village]


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything the page of one broadcast shows that changes while it goes out."""

    broadcast: Broadcast
    phase: Phase
    live: bool
    """Whether anything may still change."""
    numbers: Numbers
    elapsed_ms: int
    part_of_it: bool
    """The reader sees their own villages only; it went out in others too."""
    may_stop: bool
    silent: list[SpeakerLine]
    townships: list[Township]
    texts: SmsProgress | None
    drill: bool = False
    left_out: int = 0
    """Loudspeakers there that were unticked."""

    @property
    def on_pass(self) -> int:
        """Which repetition is sounding, counted from 1, as far as it can be told from the time."""
        b = self.broadcast
        return min(b.repeats, self.elapsed_ms * b.repeats // max(1, b.audio_ms) + 1)


def numbers_of(session: Session, actor: Actor, broadcast_ids: Sequence[UUID]) -> dict[UUID, Numbers]:
    """Return the numbers of several broadcasts, in the part of the tree that the actor may see."""
    if not broadcast_ids:
        return {}
    rows = session.execute(
        select(D.broadcast_id, D.state, _HEARD, func.count())
        .where(D.broadcast_id.in_(broadcast_ids), below(actor, D.region_path))
        .group_by(D.broadcast_id, D.state, _HEARD)
    )
    pairs: dict[UUID, list[tuple[Outcome, int]]] = {broadcast_id: [] for broadcast_id in broadcast_ids}
    for broadcast_id, state, heard, number in rows:
        pairs[broadcast_id].append((outcome(state, bool(heard)), number))
    mine = below(actor, Speaker.region_path)
    for broadcast_id in listing.owed(session, broadcast_ids):
        pairs[broadcast_id] = [(Outcome.WAITING, n) for _, _, n in listing.foreseen(session, broadcast_id, mine)]
    return {broadcast_id: Numbers.of(found) for broadcast_id, found in pairs.items()}


def texts_of(session: Session, actor: Actor, broadcast: Broadcast) -> SmsProgress | None:
    """Return how far its text messages are, to people in the part that the actor may see."""
    if not Audience.from_json(broadcast.audience).sms:
        return None
    paths = () if sees_all(actor, broadcast.home_path) else actor.paths(Permission.SEE)
    return outbox.progress(session, broadcast.id, paths)


def texting(session: Session, broadcast_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of some broadcasts whose text messages are still on their way."""
    busy = (SmsRun.broadcast_id.in_(broadcast_ids), SmsRun.state.in_((RunState.EXPANDING, RunState.GOING)))
    return set(session.scalars(select(SmsRun.broadcast_id).where(*busy))) if broadcast_ids else set()


def course_of(broadcast: Broadcast, *, texts_open: bool) -> Course:
    """Return what decides the phase of a broadcast."""
    return Course(broadcast.state, broadcast.starts_at, broadcast.audio_ms, texts_open)


def may_be_stopped(actor: Actor, broadcast: Broadcast, phase: Phase) -> bool:
    """Return whether the actor may stop it and there is anything left to stop."""
    over = phase in (Phase.STOPPED, Phase.DONE)
    return not over and actor.may(Permission.STOP, broadcast.home_path)


def of(session: Session, actor: Actor, broadcast: Broadcast, *, now: datetime, village: str = "") -> Progress:
    """Return how far a broadcast has come that the actor may see. `village`: whose loudspeakers to list in any case."""
    by_village = _by_village(session, actor, broadcast.id)
    numbers = Numbers.of(pair for pairs in by_village.values() for pair in pairs)
    texts = texts_of(session, actor, broadcast)
    course = course_of(broadcast, texts_open=texts is not None and not texts.over)
    phase = course.phase(numbers, now)
    codes = {code for path in by_village for code in codes_in(path)}
    names = regions.names(session, codes)
    lines = _lines(session, actor, broadcast.id, names, numbers.meant, village)
    return Progress(
        broadcast=broadcast,
        phase=phase,
        live=phase not in (Phase.STOPPED, Phase.DONE) or broadcast.done_at is None,
        numbers=numbers,
        elapsed_ms=course.elapsed_ms(broadcast.stopped_at or now),
        part_of_it=not sees_all(actor, broadcast.home_path),
        may_stop=may_be_stopped(actor, broadcast, phase),
        silent=[] if phase is Phase.COMING else _silent(session, actor, broadcast.id, names),
        townships=_townships(by_village, names, lines),
        texts=texts,
        drill=orders.is_drill(session, broadcast.id),
        left_out=len(Audience.from_json(broadcast.audience).without),
    )


def speakers(
    session: Session, actor: Actor, broadcast_id: UUID, *, path: str = "", after: str = "", limit: int = 50
) -> list[SpeakerLine]:
    """Return the loudspeakers of a broadcast that the actor may see, in order of their ids, those after `after`."""
    query = _line_query(actor, broadcast_id).where(D.region_path.like(like_below(path)), D.speaker_id > after)
    rows = session.execute(query.order_by(None).order_by(D.speaker_id).limit(limit))
    return [_line(row, _code(row.region_path)) for row in rows]


def _by_village(session: Session, actor: Actor, broadcast_id: UUID) -> dict[str, list[tuple[Outcome, int]]]:
    rows = session.execute(
        select(D.region_path, D.state, _HEARD, func.count())
        .where(D.broadcast_id == broadcast_id, below(actor, D.region_path))
        .group_by(D.region_path, D.state, _HEARD)
    )
    found: dict[str, list[tuple[Outcome, int]]] = {}
    for path, state, heard, number in rows:
        found.setdefault(_village_path(path), []).append((outcome(state, bool(heard)), number))
    if not found:
        for path, _, number in listing.foreseen(session, broadcast_id, below(actor, Speaker.region_path)):
            found.setdefault(_village_path(path), []).append((Outcome.WAITING, number))
    return found


def _lines(
    session: Session, actor: Actor, broadcast_id: UUID, names: dict[str, str], meant: int, village: str
) -> dict[str, list[SpeakerLine]] | None:
    """Return the lines by village code; None when there are too many and no village was asked for."""
    query = _line_query(actor, broadcast_id)
    if meant > INLINE:
        if not village.isdigit():
            return None
        query = query.where(D.region_path.like(f"%/{village}/%"))
    found: dict[str, list[SpeakerLine]] = {}
    for row in session.execute(query):
        code = _code(row.region_path)
        found.setdefault(code, []).append(_line(row, names.get(code, code)))
    for lines in found.values():
        lines.sort(key=lambda line: (line.outcome not in UNHEARD, line.speaker_id))
    return found


def _silent(session: Session, actor: Actor, broadcast_id: UUID, names: dict[str, str]) -> list[SpeakerLine]:
    """Return the first of those nobody has heard, for somebody to look after."""
    query = _line_query(actor, broadcast_id).where(D.state.in_(_quiet()), _HEARD == 0).limit(SILENT_SHOWN)
    return [_line(row, names.get(_code(row.region_path), "")) for row in session.execute(query)]


def silent_in(session: Session, actor: Actor, broadcast_id: UUID) -> list[tuple[str, str]]:
    """Return the loudspeakers of a broadcast that nobody has heard and the actor may see, each with its path."""
    query = select(D.speaker_id, D.region_path).where(D.broadcast_id == broadcast_id, below(actor, D.region_path))
    rows = session.execute(query.where(D.state.in_(_quiet()), _HEARD == 0).order_by(D.speaker_id))
    return [(speaker_id, path) for speaker_id, path in rows]


def _quiet() -> list[PlayState]:
    """Return the states of deliveries of which nothing was heard."""
    return [s for s in PlayState if outcome(s, heard=False) in UNHEARD]


_Columns = tuple[
    str,
    str,
    bool,
    PlayState,
    str,
    str,
    datetime | None,
    datetime | None,
    datetime | None,
    datetime | None,
    int,
    str,
    int | None,
    int | None,
]


def _line_query(actor: Actor, broadcast_id: UUID) -> Select[*_Columns]:
    return (
        select(
            D.speaker_id,
            Speaker.name,
            Speaker.online,
            D.state,
            D.reason,
            D.region_path,
            D.received_at,
            D.fetched_at,
            D.started_at,
            D.ended_at,
            _HEARD.label("heard"),
            D.used,
            D.volume,
            Speaker.clock_offset_ms,
        )
        .join(Speaker, Speaker.id == D.speaker_id)
        .where(D.broadcast_id == broadcast_id, below(actor, D.region_path))
        .order_by(D.region_path, D.speaker_id)
    )


def _line(row: Row[*_Columns], village: str) -> SpeakerLine:
    return SpeakerLine(
        speaker_id=row.speaker_id,
        name=row.name,
        village=village,
        online=row.online,
        outcome=outcome(row.state, bool(row.heard)),
        state=row.state,
        reason=row.reason,
        # Whoever is known to have gone further has received it, even if that report got lost on the way.
        received_at=row.received_at or row.fetched_at,
        started_at=row.started_at,
        ended_at=row.ended_at if row.state in FINAL and row.heard else None,
        used=row.used,
        volume=row.volume if row.heard else None,
        clock_off_s=_worth_a_word(row.clock_offset_ms),
    )


def _worth_a_word(offset_ms: int | None) -> int:
    return round(offset_ms / 1000) if offset_ms is not None and abs(offset_ms) >= CLOCK_WRONG_MS else 0


def _townships(
    by_village: dict[str, list[tuple[Outcome, int]]],
    names: dict[str, str],
    lines: dict[str, list[SpeakerLine]] | None,
) -> list[Township]:
    grouped: dict[str, list[Village]] = {}
    for path, pairs in sorted(by_village.items()):
        codes = codes_in(path)
        code = codes[-1]
        known = None if lines is None else lines.get(code)
        above = codes[-2] if len(codes) > 1 else code
        grouped.setdefault(above, []).append(Village(code, names.get(code, code), Numbers.of(pairs), known))
    return [Township(code, names.get(code, code), _total(found), found) for code, found in grouped.items()]


def _total(villages: Iterable[Village]) -> Numbers:
    return Numbers.of(pair for village in villages for pair in village.numbers.counts.items())


def _village_path(path: str) -> str:
    return "".join(f"{code}/" for code in codes_in(path)[:VILLAGE])


def _code(path: str) -> str:
    return codes_in(path)[:VILLAGE][-1]

"""Send a recorded voice, begin and end a live one: who may, where, when, and never two at once in one place."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.visibility import touches
from broadcasts.kinds import Colour
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.orders import Sound
from broadcasts.shout.models import Ended, Shout, ShoutState
from broadcasts.shout.taking import LONGEST_S, Take
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.regions import service as regions
from hub.regions.tree import common
from hub.speakers import registry

LONGEST_MS = LONGEST_S * 1000
LEAST_S = 10
"""With less than this before quiet hours begin, one does not begin to speak."""
LEAST_REASON, MOST_REASON = 4, 200
WAKING = frozenset({Colour.RED, Colour.ORANGE})
"""With one of these, and a person's name, loudspeakers sound in quiet hours."""
CHUNKS = 2 * LONGEST_S
"""So many numbers are set aside for what a live shout says."""
STALE = timedelta(minutes=5)
"""A live shout that never ended in the tables, because the hub died, holds a village no longer than this."""


@dataclass(frozen=True, slots=True)
class Urgency:
    """Why it may break quiet hours; empty by day."""

    colour: str = ""
    reason: str = ""


BY_DAY = Urgency()


@dataclass(frozen=True, slots=True)
class Wish:
    """Whom somebody wants to speak to. `title` is what the record calls it."""

    form_key: str
    audience: Audience
    title: str
    urgency: Urgency = BY_DAY


@dataclass(frozen=True, slots=True)
class Started:
    """A live shout that has begun: how long it may last, and the first of the numbers of its commands."""

    shout: Shout
    length_ms: int
    first_seq: int
    speakers: int
    fresh: bool = True
    """False: the same form came twice, and the first one goes on."""


def prepare(session: Session, actor: Actor, wish: Wish, take: Take, *, now: datetime) -> Shout:
    """Keep a recording until its speaker has listened to it and sends it."""
    audience = _audience(session, actor, wish.audience)
    existing = _same_form(session, actor, wish.form_key)
    if existing is not None:
        return existing
    shout = _row(actor, wish, audience, ShoutState.READY, now)
    shout.voice_sha256 = take.voice_sha256
    shout.audio_sha256, shout.audio_ms, shout.audio_bytes = take.sound.sha256, take.sound.ms, take.sound.bytes
    return _added(session, actor, shout)


def send(
    session: Session,
    actor: Actor,
    shout_id: UUID,
    urgency: Urgency,
    sound: Sound,
    *,
    title: str,
    rules: Rules,
    now: datetime,
) -> UUID:
    """Let a recording go out; return the broadcast. Sent twice it goes out once."""
    shout = own(session, actor, shout_id)
    claimed = session.scalar(
        update(Shout)
        .where(Shout.id == shout.id, Shout.state == ShoutState.READY)
        .values(state=ShoutState.SENT, ended_at=now, audio_sha256=sound.sha256, audio_bytes=sound.bytes)
        .returning(Shout.id)
    )
    session.refresh(shout)
    if claimed is None:
        if shout.broadcast_id is None:
            raise NotFound("shout_unknown")
        return shout.broadcast_id
    audience = _audience(session, actor, Audience.from_json(shout.audience))
    hushed = rules.quiet.touches(now, sound.ms / 1000)
    urgency = _urgency(actor, audience, urgency, rules, now) if hushed else BY_DAY
    shout.audio_ms, shout.colour, shout.reason = sound.ms, urgency.colour, urgency.reason
    broadcast = _release(session, actor, shout, audience, title=title, sound=sound, rules=rules, now=now)
    _record(session, actor, "shout.send", shout, now)
    return broadcast.id


def begin(session: Session, actor: Actor, wish: Wish, *, rules: Rules, now: datetime) -> Started:
    """Open a live shout. WrongState `shout_taken` says who is speaking there already."""
    audience = _audience(session, actor, wish.audience)
    # Taking numbers first also makes two people who press at the same moment come one after the other.
    first_seq = registry.next_value(session, registry.COMMANDS, CHUNKS)
    before = _same_form(session, actor, wish.form_key)
    if before is not None:
        return _as_started(session, before)
    _require_free(session, audience, now)
    by_day_ms = room_ms(rules, now)
    urgency = BY_DAY if by_day_ms else _urgency(actor, audience, wish.urgency, rules, now)
    length_ms = by_day_ms or LONGEST_MS
    shout = _row(actor, wish, audience, ShoutState.LIVE, now)
    shout.colour, shout.reason = urgency.colour, urgency.reason
    shout = _added(session, actor, shout)
    broadcast = _release(
        session, actor, shout, audience, title=wish.title, sound=None, rules=rules, now=now, length_ms=length_ms
    )
    _record(session, actor, "shout.start", shout, now)
    return Started(shout, length_ms, first_seq, broadcast.speakers_meant)


def _as_started(session: Session, shout: Shout) -> Started:
    if shout.state is not ShoutState.LIVE or shout.broadcast_id is None:
        raise WrongState("shout_over")
    broadcast = session.get_one(Broadcast, shout.broadcast_id)
    return Started(shout, broadcast.audio_ms, 0, broadcast.speakers_meant, fresh=False)


def finish(session: Session, shout_id: UUID, why: Ended, sound: Sound | None, *, now: datetime) -> None:
    """Note that a live shout is over, and what was said. Whoever calls comes from the shout's own worker."""
    ended = session.scalar(
        update(Shout)
        .where(Shout.id == shout_id, Shout.state == ShoutState.LIVE)
        .values(state=ShoutState.OVER, ended=why.value, ended_at=now)
        .returning(Shout.id)
    )
    if ended is None:
        return
    shout = session.get_one(Shout, shout_id, populate_existing=True)
    if sound is not None:
        shout.audio_sha256, shout.audio_ms, shout.audio_bytes = sound.sha256, sound.ms, sound.bytes
    if shout.broadcast_id is not None:
        delivery.end_shout(session, shout.broadcast_id, sound, now=now)
    actor = Actor(id=shout.by_id, name=shout.by_name, scopes=(), via="web")
    _record(session, actor, "shout.end", shout, now)


def close_forgotten(session: Session, *, now: datetime, begun_before: datetime | None = None) -> int:
    """End what a hub that died left speaking; loudspeakers have fallen silent by themselves."""
    lost = select(Shout.id).where(Shout.state == ShoutState.LIVE)
    if begun_before is not None:
        lost = lost.where(Shout.made_at < begun_before)
    left = session.scalars(lost).all()
    for shout_id in left:
        finish(session, shout_id, Ended.HUB_CLOSED, None, now=now)
    return len(left)


def stopped_by(session: Session, shout_id: UUID) -> str | None:
    """Return who has stopped it from outside, None while it goes on."""
    row = session.execute(
        select(Broadcast.state, Broadcast.stopped_by_name)
        .join(Shout, Shout.broadcast_id == Broadcast.id)
        .where(Shout.id == shout_id)
    ).first()
    return row.stopped_by_name if row is not None and row.state is BroadcastState.STOPPED else None


def own(session: Session, actor: Actor, shout_id: UUID) -> Shout:
    """Return somebody's own shout; to everybody else it does not exist."""
    shout = session.get(Shout, shout_id)
    if shout is None or actor.id is None or shout.by_id != actor.id:
        raise NotFound("shout_unknown")
    return shout


def room_ms(rules: Rules, now: datetime) -> int:
    """Return how long one may speak from now on before quiet hours begin, the longest shout at most; 0 = not at all."""
    lengths = range(LEAST_S, LONGEST_S + 1, LEAST_S)
    return 1000 * max((s for s in lengths if not rules.quiet.touches(now, s)), default=0)


def free_from(rules: Rules, now: datetime) -> str:
    """Return the local time from which it is allowed again."""
    free = rules.quiet.next_free(now, LONGEST_S)
    return free.astimezone(rules.zone).strftime("%H:%M") if free else ""


def _urgency(actor: Actor, audience: Audience, given: Urgency, rules: Rules, now: datetime) -> Urgency:
    """Return what lets it through quiet hours: a colour, a reason, and the right to call an emergency there."""
    if not all(actor.may(Permission.EMERGENCY, path) for path in audience.paths):
        raise WrongState("shout_quiet_hours", free=free_from(rules, now))
    problems = []
    if given.colour not in WAKING:
        problems.append(BadInput("shout_colour_missing", field="colour"))
    reason = given.reason.strip()
    if len(reason) < LEAST_REASON:
        problems.append(BadInput("shout_reason_short", field="reason", least=LEAST_REASON))
    if problems:
        raise Problems(problems)
    return Urgency(Colour(given.colour).value, reason[:MOST_REASON])


def _audience(session: Session, actor: Actor, audience: Audience) -> Audience:
    checked = audience.checked()
    regions.require_known(session, checked.regions)
    for path in checked.paths:
        if not actor.may(Permission.SHOUT, path):
            raise NotAllowed("not_allowed", permission=Permission.SHOUT.value)
    if not orders.meant(session, checked.paths):
        raise BadInput("shout_reaches_nobody", field="region")
    return checked


def _require_free(session: Session, audience: Audience, now: datetime) -> None:
    busy = session.scalars(select(Shout).where(Shout.state == ShoutState.LIVE, Shout.made_at > now - STALE)).all()
    for other in busy:
        if touches(Audience.from_json(other.audience).paths, audience.paths):
            raise WrongState("shout_taken", who=other.by_name)


def _same_form(session: Session, actor: Actor, form_key: str) -> Shout | None:
    found = session.scalar(select(Shout).where(Shout.form_key == form_key))
    if found is not None and found.by_id != actor.id:
        raise NotFound("shout_unknown")
    return found


def _row(actor: Actor, wish: Wish, audience: Audience, state: ShoutState, now: datetime) -> Shout:
    if actor.id is None:
        raise NotAllowed("not_allowed", permission=Permission.SHOUT.value)
    return Shout(
        id=uuid7(),
        form_key=wish.form_key,
        state=state,
        audience=audience.as_json(),
        home_path=common(list(audience.paths)),
        by_id=actor.id,
        by_name=actor.name,
        made_at=now,
    )


def _added(session: Session, actor: Actor, shout: Shout) -> Shout:
    try:
        with session.begin_nested():
            session.add(shout)
    except IntegrityError:  # the other press of the same button was quicker
        return session.scalars(select(Shout).where(Shout.form_key == shout.form_key, Shout.by_id == actor.id)).one()
    return shout


def _release(
    session: Session,
    actor: Actor,
    shout: Shout,
    audience: Audience,
    *,
    title: str,
    sound: Sound | None,
    rules: Rules,
    now: datetime,
    length_ms: int = 0,
) -> Broadcast:
    broadcast = delivery.release(
        session,
        actor,
        delivery.Order(
            source=f"shout:{shout.id}",
            kind=Kind.EMERGENCY if shout.colour else Kind.SHOUT,
            title=title,
            text=shout.reason,
            sms_text="",
            audience=audience,
            home_path=shout.home_path,
            sound=sound,
            repeats=1,
            volume=100 if shout.colour else None,
            starts_at=now,
            expires_at=now + (rules.valid if sound else timedelta(milliseconds=length_ms)),
            severity=shout.colour,
            by_name=actor.name,
            shout=sound is None,
            length_ms=length_ms,
        ),
        rules=rules,
        now=now,
    )
    shout.broadcast_id = broadcast.id
    return broadcast


def _record(session: Session, actor: Actor, deed: str, shout: Shout, now: datetime) -> None:
    particulars = {"reason": shout.reason, "colour": shout.colour, "ended": shout.ended}
    log.record(
        session,
        actor,
        deed,
        f"shout:{shout.id}",
        shout.home_path,
        now,
        seconds=round(shout.audio_ms / 1000),
        **{name: text for name, text in particulars.items() if text},
    )

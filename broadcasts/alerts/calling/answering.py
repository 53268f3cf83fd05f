"""Somebody has answered: by link, by the reply 1, by a button, or on the telephone; and errands that are done."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broadcasts.alerts.calling.models import Call, CallState, CallTry, Errand, ErrandKind, How
from broadcasts.alerts.models import Alert
from broadcasts.sms.models import SmsInbound
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import Sessions, like_below
from hub.core.errors import BadInput, NotFound, WrongState
from hub.duty import service as duty
from hub.residents.phones import PhoneSafe

YES: Final = frozenset({"1", "收到", "收到1", "1收到", "已收到"})
LONGEST_RESULT: Final = 200
MOST_PHONED: Final = 4
"""So many people of the roster are shown with their numbers for one place."""


def answer(session: Session, try_id: UUID, how: How, *, origin: str = "", now: datetime) -> CallTry:
    """Take somebody's confirmation. Twice is once; late is better than never."""
    one = session.get(CallTry, try_id, with_for_update=True)
    if one is None:
        raise NotFound("call_unknown")
    if one.confirmed_at is not None:
        return one
    one.confirmed_at, one.how = now, how
    call = session.get_one(Call, one.call_id, with_for_update=True)
    if call.state in (CallState.CALLING, CallState.NOBODY):
        call.state, call.confirmed_at, call.confirmed_by_name, call.how = CallState.CONFIRMED, now, one.name, how
    who = Actor(id=one.account_id, name=one.name, scopes=(), origin=origin, via=how.value)
    log.record(session, who, "call.answer", f"call:{call.id}", call.region_path, now, how=how.value)
    if one.region_path == call.region_path:
        _close_phone_errand(session, call, one.name, how.value, now)
    return one


def _close_phone_errand(session: Session, call: Call, name: str, result: str, now: datetime) -> None:
    errand = session.scalar(
        select(Errand).where(
            Errand.alert_id == call.alert_id,
            Errand.kind == ErrandKind.PHONE,
            Errand.subject == call.region_code,
            Errand.closed_at.is_(None),
        )
    )
    if errand is not None:
        errand.closed_at, errand.closed_by_name, errand.result = now, name, result


def press(session: Session, actor: Actor, call_id: UUID, *, now: datetime) -> Call:
    """Confirm one's own call while signed in."""
    call = session.get(Call, call_id)
    one = None
    if call is not None and actor.id is not None:
        mine = select(CallTry).where(CallTry.call_id == call.id, CallTry.account_id == actor.id)
        one = session.scalar(mine.order_by(CallTry.turn.desc()))
    if call is None or one is None:
        raise NotFound("call_unknown")
    answer(session, one.id, How.BUTTON, origin=actor.origin, now=now)
    return call


def take_replies(sessions: Sessions, *, now: datetime) -> int:
    """Look through new text messages for the reply 1 of people who were called; return how many confirmed.

    The reply counts for every call of that number that is open: whoever says 1 has read them.
    """
    with sessions.read() as session:
        found = _replies(session)
    confirmed = 0
    for try_id, inbound_id in found:
        with sessions.begin() as session:
            answer(session, try_id, How.REPLY, now=now)
            message = session.get_one(SmsInbound, inbound_id)
            message.handled_at = message.handled_at or now
            confirmed += 1
    return confirmed


def _replies(session: Session) -> list[tuple[UUID, UUID]]:
    rows = session.execute(
        select(CallTry.id, SmsInbound.id, SmsInbound.text)
        .join(SmsInbound, SmsInbound.phone_index == CallTry.phone_index)
        .join(Call, Call.id == CallTry.call_id)
        .where(
            CallTry.confirmed_at.is_(None),
            Call.state.in_([CallState.CALLING, CallState.NOBODY, CallState.CONFIRMED]),
            SmsInbound.received_at >= CallTry.sent_at,
        )
        .order_by(SmsInbound.received_at)
    ).all()
    return [(try_id, inbound_id) for try_id, inbound_id, text in rows if means_yes(text)]


def means_yes(text: str) -> bool:
    """Return whether a message says nothing but that it was read."""
    plain = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isalnum())
    return plain in YES


@dataclass(frozen=True, slots=True)
class Reachable:
    """Somebody to be phoned, with the whole number."""

    name: str
    title: str
    number: str


def numbers_for(
    session: Session, actor: Actor, errand_id: UUID, *, safe: PhoneSafe, now: datetime
) -> tuple[Errand, list[Reachable]]:
    """Return whom to phone about an open place: its own people, then those above. The log says who looked."""
    errand = session.get(Errand, errand_id)
    if errand is None or not actor.may(Permission.SEE, errand.region_path):
        raise NotFound("errand_unknown")
    actor.require(Permission.STOP, errand.region_path)
    if errand.closed_at is not None:
        raise WrongState("errand_done")
    people = duty.on_call(session, errand.region_path, now=now)[:MOST_PHONED]
    log.record(session, actor, "phone.reveal", f"errand:{errand.id}", errand.region_path, now)
    return errand, [Reachable(p.name, p.title, safe.open(p.sealed).removeprefix("+86")) for p in people]


def finish(session: Session, actor: Actor, errand_id: UUID, result: str, *, now: datetime) -> Errand:
    """Close an errand: somebody was spoken to. Nothing else closes one."""
    errand = session.get(Errand, errand_id, with_for_update=True)
    if errand is None or not actor.may(Permission.SEE, errand.region_path):
        raise NotFound("errand_unknown")
    actor.require(Permission.STOP, errand.region_path)
    words = " ".join(result.split())
    if not words:
        raise BadInput("errand_result_missing", field="result")
    if errand.closed_at is not None:
        raise WrongState("errand_done")
    errand.closed_at, errand.closed_by_name, errand.result = now, actor.name, words[:LONGEST_RESULT]
    if errand.kind is ErrandKind.PHONE:
        _note_phoned(session, actor, errand, now)
    log.record(session, actor, "errand.done", f"errand:{errand.id}", errand.region_path, now, result=errand.result)
    return errand


def _note_phoned(session: Session, actor: Actor, errand: Errand, now: datetime) -> None:
    call = session.scalar(
        select(Call).where(
            Call.alert_id == errand.alert_id,
            Call.region_code == errand.region_code,
            Call.state.in_([CallState.CALLING, CallState.NOBODY]),
        )
    )
    if call is not None:
        call.state, call.confirmed_at, call.confirmed_by_name = CallState.CONFIRMED, now, actor.name
        call.how = How.PHONE


def open_errands(session: Session, actor: Actor) -> int:
    """Return how many places are still to be phoned or visited where the actor answers."""
    paths = actor.paths(Permission.STOP)
    if not paths:
        return 0
    below = or_(*(Errand.region_path.like(like_below(path)) for path in paths))
    return session.scalar(select(func.count()).select_from(Errand).where(Errand.closed_at.is_(None), below)) or 0


def unanswered(session: Session, actor: Actor) -> list[tuple[Call, Alert]]:
    """Return the calls that this person has not confirmed yet."""
    if actor.id is None:
        return []
    rows = session.execute(
        select(Call, Alert)
        .join(CallTry, CallTry.call_id == Call.id)
        .join(Alert, Alert.id == Call.alert_id)
        .where(
            CallTry.account_id == actor.id,
            CallTry.confirmed_at.is_(None),
            Call.state.in_([CallState.CALLING, CallState.NOBODY]),
        )
        .order_by(Call.opened_at)
    ).all()
    return [(call, alert) for call, alert in rows]

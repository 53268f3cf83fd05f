"""The hub's own answers: to 退订 and 订阅 that they were followed, to ? what was said last in the sender's village."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.sms.letters.commands import Command
from broadcasts.sms.letters.writing_back import answer_id, answered_today, words, write_to
from broadcasts.sms.models import SmsInbound
from broadcasts.sms.segments import signed
from broadcasts.sms.settings import SmsSettings
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.core.errors import HubError
from hub.residents.phones import NumberKind, PhoneSafe, normalise

IDLE_S = 2.0
FRESH = timedelta(hours=1)
"""What was asked longer ago is not answered any more: the hub was down, the resident has helped himself."""
MOST_A_DAY = 5
"""Answers of the hub to one number a day: two machines must not write to each other for ever."""
_AT_ONCE = 50
_LONGEST = 450
_ANSWERED = (Command.OPT_OUT, Command.OPT_IN, Command.ASK)


@dataclass(frozen=True, slots=True)
class Spoken:
    """Something that went out, for who did not catch it."""

    at: datetime
    text: str


@dataclass(frozen=True)
class LastSaid:
    """How to ask what was said last in a village, told by the room above. None: nothing lately."""

    of: Callable[[Session, str, datetime], Spoken | None]


class Answers:
    """Answers what residents ask. `step` fits `hub.core.background.Loop`."""

    def __init__(
        self,
        sessions: Sessions,
        safe: PhoneSafe,
        settings: SmsSettings,
        last_said: LastSaid,
        *,
        clock: Clock,
        day_began: Callable[[datetime], datetime],
        spell: Callable[[datetime], str],
    ) -> None:
        self._sessions, self._safe, self._settings, self._last = sessions, safe, settings, last_said
        self._clock, self._day_began, self._spell = clock, day_began, spell

    def step(self) -> float:
        """Answer what is waiting; return the seconds to rest."""
        now = self._clock()
        query = (
            select(SmsInbound.id)
            .where(SmsInbound.answered_at.is_(None), SmsInbound.command.in_(_ANSWERED))
            .where(SmsInbound.received_at > now - FRESH)
            .order_by(SmsInbound.id)
            .limit(_AT_ONCE)
        )
        with self._sessions.read() as session:
            waiting = session.scalars(query).all()
        for inbound_id in waiting:
            with self._sessions.begin() as session:
                found = session.get_one(SmsInbound, inbound_id, with_for_update=True)
                if found.answered_at is None:
                    self._answer(session, found, now)
        return 0.0 if len(waiting) == _AT_ONCE else IDLE_S

    def _answer(self, session: Session, found: SmsInbound, now: datetime) -> None:
        often = answered_today(session, found.phone_index, self._day_began(now)) >= MOST_A_DAY
        found.answered_at = now
        if often or not self._is_mobile(found):
            return
        text = self._text(session, found, now)
        write_to(session, found, text, run_id=answer_id(found), urgent=False, settings=self._settings, now=now)

    def _is_mobile(self, found: SmsInbound) -> bool:
        try:
            return normalise(self._safe.open(found.sealed)).kind is NumberKind.MOBILE
        except HubError:
            return False

    def _text(self, session: Session, found: SmsInbound, now: datetime) -> str:
        ours = words()
        topic = ours.topics.get(found.topic, "")
        match found.command:
            case Command.OPT_OUT:
                return ours.opt_out_topic.format(topic=topic) if topic else ours.opt_out
            case Command.OPT_IN:
                return ours.opt_in_topic.format(topic=topic) if topic else ours.opt_in
        last = self._last.of(session, found.region_path, now) if found.region_path else None
        if last is None:
            return ours.nothing
        text = last.text.replace("【", "[").replace("】", "]")
        whole = ours.ask.format(at=self._spell(last.at), text=text)
        room = _LONGEST - len(signed("", self._settings.signature))
        return whole if len(whole) <= room else whole[: room - 1] + "…"

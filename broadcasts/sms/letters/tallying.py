"""Who gave which of the numbered answers a message asked for, and who has not answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.sms.letters.choices import choices_in
from broadcasts.sms.letters.commands import Command
from broadcasts.sms.models import SmsInbound, SmsMessage, SmsRun
from broadcasts.sms.states import MessageState
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import NotFound
from hub.residents.models import Resident

SILENT = 0
"""Stands for those who have not answered."""
PAGE = 50


@dataclass(frozen=True, slots=True)
class Tally:
    """The answers to one message where the actor may see them. `counts` holds every choice, and SILENT."""

    broadcast_id: UUID
    text: str
    choices: Mapping[int, str]
    counts: Mapping[int, int]

    @property
    def asked(self) -> int:
        """How many telephones were asked."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Answerer:
    """One telephone that was asked."""

    message_id: int
    name: str
    masked: str
    region_path: str
    choice: int
    text: str
    """What was written, empty when nothing was."""


def tally(session: Session, actor: Actor, broadcast_id: UUID) -> Tally | None:
    """Count the answers; None when the message asked for none. To a stranger it does not exist.

    Of several answers from one number the one written last counts, in whatever order they arrived.
    """
    run = session.get(SmsRun, broadcast_id)
    seen = _seen(actor)
    if run is None or seen is None or session.scalar(_asked(broadcast_id, seen).limit(1)) is None:
        raise NotFound("sms_run_unknown")
    choices = choices_in(run.text)
    if not choices:
        return None
    last = _last(broadcast_id)
    rows = session.execute(
        select(func.coalesce(last.c.choice, SILENT), func.count())
        .select_from(SmsMessage)
        .outerjoin(last, last.c.phone_index == SmsMessage.phone_index)
        .where(*_meant(broadcast_id), seen)
        .group_by(func.coalesce(last.c.choice, SILENT))
    )
    counts = dict.fromkeys((*choices, SILENT), 0)
    for choice, number in rows:
        counts[choice] = counts.get(choice, 0) + number
    return Tally(broadcast_id, run.text, choices, counts)


def who(
    session: Session, actor: Actor, broadcast_id: UUID, choice: int, *, after: int = 0, limit: int = PAGE
) -> Sequence[Answerer]:
    """Return who gave that answer (SILENT: none), in the order of the tree."""
    seen = _seen(actor)
    if seen is None:
        return ()
    last = _last(broadcast_id)
    query = (
        select(SmsMessage.id, Resident.name, SmsMessage.masked, SmsMessage.region_path, last.c.choice, last.c.text)
        .outerjoin(last, last.c.phone_index == SmsMessage.phone_index)
        .outerjoin(Resident, Resident.id == SmsMessage.resident_id)
        .where(*_meant(broadcast_id), seen, SmsMessage.id > after)
        .where(last.c.choice.is_(None) if choice == SILENT else last.c.choice == choice)
        .order_by(SmsMessage.id)
        .limit(limit)
    )
    return [
        Answerer(row.id, row.name or "", row.masked, row.region_path, row.choice or SILENT, row.text or "")
        for row in session.execute(query)
    ]


def _meant(broadcast_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return SmsMessage.broadcast_id == broadcast_id, SmsMessage.state != MessageState.SUPPRESSED


def _asked(broadcast_id: UUID, seen: ColumnElement[bool]) -> Select[int]:
    return select(SmsMessage.id).where(SmsMessage.broadcast_id == broadcast_id, seen)


def _last(broadcast_id: UUID) -> Subquery:
    """The answer each number wrote last."""
    turn = func.row_number().over(
        partition_by=SmsInbound.phone_index, order_by=(SmsInbound.received_at.desc(), SmsInbound.id.desc())
    )
    ranked = (
        select(SmsInbound.phone_index, SmsInbound.choice, SmsInbound.text, turn.label("turn"))
        .where(SmsInbound.broadcast_id == broadcast_id, SmsInbound.command == Command.CHOICE)
        .subquery()
    )
    return select(ranked).where(and_(ranked.c.turn == 1)).subquery()


def _seen(actor: Actor) -> ColumnElement[bool] | None:
    paths = actor.paths(Permission.ANSWER)
    return or_(*(SmsMessage.region_path.like(like_below(path)) for path in paths)) if paths else None

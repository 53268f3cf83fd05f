"""Cries for help among residents' text messages."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from broadcasts.sms.letters import inbox
from broadcasts.sms.letters.cries import Cry, Door, Note, Noted, Woken, noted
from broadcasts.sms.letters.writing_back import home_of, words
from broadcasts.sms.models import InboundStep, SmsInbound
from broadcasts.sms.purposes import StepKind
from hub.regions import service as regions
from hub.regions.tree import codes_in, village_of
from hub.residents.models import Resident

_KINDS = {Note.WOKEN: StepKind.WOKEN, Note.JOINED: StepKind.JOINED, Note.NOBODY: StepKind.NOBODY}
_WAITS = SmsInbound.urgent.is_(True) & SmsInbound.handled_at.is_(None) & SmsInbound.acknowledged_at.is_(None)
_SHOWN = 60


class CryingLetters:
    """Keeps `broadcasts.sms.letters.cries.Cries`."""

    def waiting(self, session: Session, since: datetime) -> Sequence[Cry]:
        """Return those that came since and that nobody has taken on, the oldest first."""
        return self._of(session, _WAITS & (SmsInbound.received_at > since))

    def claim(self, session: Session, cry_id: UUID) -> Cry | None:
        """Return one, locked; None when somebody has taken it on meanwhile."""
        this = (SmsInbound.id == cry_id) & _WAITS
        if session.scalar(select(SmsInbound.id).where(this).with_for_update()) is None:
            return None
        return next(iter(self._of(session, this)), None)

    def woken(self, session: Session, since: datetime) -> Sequence[Woken]:
        """Return those that have woken somebody since."""
        last = select(InboundStep.inbound_id, func.max(InboundStep.at).label("at"))
        last = last.where(InboundStep.kind == StepKind.WOKEN, InboundStep.at > since)
        steps = last.group_by(InboundStep.inbound_id).subquery()
        return [
            Woken(
                letter.id,
                Door.LETTER,
                village_of(letter.region_path),
                letter.phone_index,
                at,
                letter.acknowledged_at,
                letter.handled_at is not None,
            )
            for letter, at in session.execute(
                select(SmsInbound, steps.c.at).join(steps, steps.c.inbound_id == SmsInbound.id)
            )
        ]

    def note(self, session: Session, cry: Cry, note: Note, name: str, now: datetime) -> None:
        """Write down what was done."""
        session.add(InboundStep(inbound_id=cry.id, at=now, by=None, by_name=name[:40], kind=_KINDS[note]))
        session.flush()

    def text(self, session: Session, cry: Cry, others: int) -> str:
        """Return name, place and words; never the number: that is looked up on the page, and the log says by whom."""
        found = session.get_one(SmsInbound, cry.id)
        of = select(Resident.name).where(Resident.id == found.resident_id)
        name = session.scalar(of) if found.resident_id else None
        said = inbox.said(session, [found])[found.id]
        return words().woken.format(
            place=place_in(session, found.region_path, cry.place),
            name=name or "",
            masked=found.masked,
            text=as_quoted(said),
            others=words().woken_others.format(n=others) if others else "",
        )

    def _of(self, session: Session, condition: ColumnElement[bool]) -> list[Cry]:
        found = session.scalars(
            select(SmsInbound).where(condition).order_by(SmsInbound.received_at, SmsInbound.id)
        ).all()
        steps = select(InboundStep.inbound_id, InboundStep.kind, InboundStep.at)
        steps = steps.where(InboundStep.inbound_id.in_([letter.id for letter in found]))
        rows = session.execute(steps.where(InboundStep.kind.in_(_KINDS.values())))
        done = noted((cry_id, Note(kind.value), at) for cry_id, kind, at in rows)
        return [
            Cry(
                letter.id,
                Door.LETTER,
                home_of(session, letter),
                village_of(letter.region_path),
                letter.received_at,
                letter.phone_index,
                f"sms_inbound:{letter.id}",
                done.get(letter.id, Noted()),
            )
            for letter in found
        ]


def place_in(session: Session, path: str, otherwise: str) -> str:
    """Return the names of a village and group, to be read in a text message."""
    codes = codes_in(path)[2:] or (otherwise,)
    known = regions.names(session, set(codes))
    return "".join(known.get(code, "") for code in codes)


def as_quoted(text: str) -> str:
    """Return what somebody wrote so that it fits, and so that it is not taken for a signature."""
    plain = " ".join(text.replace("【", "[").replace("】", "]").split())
    return plain if len(plain) <= _SHOWN else plain[: _SHOWN - 1] + "…"

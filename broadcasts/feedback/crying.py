"""Cries for help that came by a village's page. What staff wrote down at the desk wakes nobody: they know of it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from broadcasts.feedback.kinds import ComplaintDeed, ComplaintState, Way
from broadcasts.feedback.models import Complaint, ComplaintStep
from broadcasts.sms.letters.cries import Cry, Door, Note, Noted, Woken, noted
from broadcasts.sms.letters.crying import as_quoted, place_in
from broadcasts.sms.letters.writing_back import words
from hub.regions.tree import codes_in, village_of

_DEEDS = {Note.WOKEN: ComplaintDeed.WOKEN, Note.JOINED: ComplaintDeed.JOINED, Note.NOBODY: ComplaintDeed.NOBODY}
_CRIES = Complaint.urgent.is_(True) & (Complaint.way == Way.PAGE)
_WAITS = _CRIES & (Complaint.state == ComplaintState.NEW)


class CryingComplaints:
    """Keeps `broadcasts.sms.letters.cries.Cries`."""

    def waiting(self, session: Session, since: datetime) -> Sequence[Cry]:
        """Return those that came since and that nobody has taken on, the oldest first."""
        return self._of(session, _WAITS & (Complaint.received_at > since))

    def claim(self, session: Session, cry_id: UUID) -> Cry | None:
        """Return one, locked; None when somebody has taken it on meanwhile."""
        this = (Complaint.id == cry_id) & _WAITS
        if session.scalar(select(Complaint.id).where(this).with_for_update()) is None:
            return None
        return next(iter(self._of(session, this)), None)

    def woken(self, session: Session, since: datetime) -> Sequence[Woken]:
        """Return those that have woken somebody since."""
        last = select(ComplaintStep.complaint_id, func.max(ComplaintStep.at).label("at"))
        last = last.where(ComplaintStep.deed == ComplaintDeed.WOKEN, ComplaintStep.at > since)
        steps = last.group_by(ComplaintStep.complaint_id).subquery()
        rows = session.execute(select(Complaint, steps.c.at).join(steps, steps.c.complaint_id == Complaint.id))
        return [
            Woken(c.id, Door.PAGE, village_of(c.region_path), c.phone_index, at, c.taken_at, c.done_at is not None)
            for c, at in rows
        ]

    def note(self, session: Session, cry: Cry, note: Note, name: str, now: datetime) -> None:
        """Write down what was done."""
        session.add(ComplaintStep(complaint_id=cry.id, at=now, by=None, by_name=name[:60], deed=_DEEDS[note]))
        session.flush()

    def text(self, session: Session, cry: Cry, others: int) -> str:
        """Return place and words; of a number only the mask."""
        found = session.get_one(Complaint, cry.id)
        said = words()
        return said.woken_by_page.format(
            place=place_in(session, found.region_path, cry.place),
            text=as_quoted(found.text),
            phone=said.woken_phone.format(masked=found.masked) if found.masked else said.woken_no_phone,
            others=said.woken_others.format(n=others) if others else "",
        )

    def _of(self, session: Session, condition: ColumnElement[bool]) -> list[Cry]:
        found = session.scalars(select(Complaint).where(condition).order_by(Complaint.received_at, Complaint.id)).all()
        steps = select(ComplaintStep.complaint_id, ComplaintStep.deed, ComplaintStep.at)
        steps = steps.where(ComplaintStep.complaint_id.in_([c.id for c in found]))
        rows = session.execute(steps.where(ComplaintStep.deed.in_(_DEEDS.values())))
        done = noted((cry_id, Note(deed.value), at) for cry_id, deed, at in rows)
        return [
            Cry(
                c.id,
                Door.PAGE,
                codes_in(c.region_path)[-1],
                village_of(c.region_path),
                c.received_at,
                c.phone_index,
                f"complaint:{c.id}",
                done.get(c.id, Noted()),
            )
            for c in found
        ]

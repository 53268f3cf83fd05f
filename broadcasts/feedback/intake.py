"""Take complaints in: from text messages, from villages' pages, from staff who were told."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.feedback.kinds import ComplaintKind, Way, kind_in
from broadcasts.feedback.linking import lately, only_speaker
from broadcasts.feedback.models import Complaint
from broadcasts.feedback.settings import FeedbackSettings
from broadcasts.sms.letters import inbox
from broadcasts.sms.letters.commands import is_urgent
from broadcasts.sms.letters.inbound import Listener
from broadcasts.sms.models import SmsInbound
from broadcasts.sms.purposes import StepKind
from hub.core.actor import SYSTEM
from hub.webhooks.events import note as tell
from hub.webhooks.models import EventKind

LONGEST = 500


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody said, before it is kept. `phone`: hash, sealed number and mask."""

    kind: ComplaintKind
    way: Way
    region_path: str
    text: str = ""
    broadcast_id: UUID | None = None
    speaker_id: str = ""
    phone: tuple[bytes, bytes, str] | None = None
    inbound_id: UUID | None = None


def keep(session: Session, heard: Heard, *, settings: FeedbackSettings, at: datetime) -> Complaint:
    """Keep a complaint, linked to the broadcast it names, or to what was said there a short time ago."""
    broadcast_id = heard.broadcast_id
    if broadcast_id is None:
        said = lately(session, heard.region_path, at=at, within=settings.linked_for)
        broadcast_id = said[0].id if said else None
    silent = heard.kind is ComplaintKind.SILENT
    index, sealed, masked = heard.phone or (None, b"", "")
    complaint = Complaint(
        kind=heard.kind,
        way=heard.way,
        text=heard.text.strip()[:LONGEST],
        region_path=heard.region_path,
        broadcast_id=broadcast_id,
        speaker_id=heard.speaker_id or only_speaker(session, broadcast_id, heard.region_path, silent=silent),
        inbound_id=heard.inbound_id,
        phone_index=index,
        sealed=sealed,
        masked=masked,
        urgent=is_urgent(heard.text),
        received_at=at,
        due_at=at + settings.due_in,
    )
    session.add(complaint)
    session.flush()
    tell(
        session,
        EventKind.COMPLAINT,
        heard.region_path,
        at,
        complaint=str(complaint.id),
        kind_of_complaint=complaint.kind.value,
        broadcast=str(broadcast_id) if broadcast_id else "",
        urgent=complaint.urgent,
        page=f"/feedback/{complaint.id}",
    )
    return complaint


def file_letter(
    session: Session, letter: SmsInbound, kind: ComplaintKind, *, settings: FeedbackSettings, at: datetime
) -> Complaint:
    """Make a complaint of a text message."""
    phone = (letter.phone_index, letter.sealed, letter.masked)
    heard = Heard(kind, Way.SMS, letter.region_path, letter.text, phone=phone, inbound_id=letter.id)
    return keep(session, heard, settings=settings, at=at)


def listener(settings: FeedbackSettings) -> Listener:
    """Return what looks at text messages nobody else understood: a plain complaint is one, all the rest stays a letter.

    Words of danger never come here: such a message stays on top of the inbox for people to read.
    """

    def hear(session: Session, letter: SmsInbound, now: datetime) -> bool:
        at = letter.received_at
        said = lately(session, letter.region_path, at=at, within=settings.linked_for)
        kind = kind_in(letter.text, lately=bool(said))
        if kind is None:
            return False
        file_letter(session, letter, kind, settings=settings, at=at)
        inbox.note_step(session, SYSTEM, letter, StepKind.FILED, "", now=now)
        return True

    return hear

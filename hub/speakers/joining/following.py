"""What hangs on a loudspeaker follows it to its new place."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from hub.speakers.care.models import Repair, SpeakerAlarm
from hub.speakers.models import Speaker


def follow(session: Session, speaker: Speaker) -> None:
    """Move open alarms and repairs along; what is over stays where it happened."""
    for kind, over in ((SpeakerAlarm, SpeakerAlarm.ended_at), (Repair, Repair.done_at)):
        session.execute(
            update(kind).where(kind.speaker_id == speaker.id, over.is_(None)).values(region_path=speaker.region_path)
        )

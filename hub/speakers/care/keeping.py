"""Forget what is too old to matter."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import CursorResult, delete
from sqlalchemy.orm import Session

from hub.speakers.care.models import DeviceCommand, SpeakerAlarm, SpeakerEvent

COMMANDS: Final = timedelta(days=30)


def tidy(session: Session, *, now: datetime, days: int) -> int:
    """Delete events and ended alarms older than so many days, and answers older than a month; return how many rows."""
    oldest = now - timedelta(days=days)
    deleted = 0
    for query in (
        delete(SpeakerEvent).where(SpeakerEvent.at < oldest),
        delete(SpeakerAlarm).where(SpeakerAlarm.ended_at < oldest),
        delete(DeviceCommand).where(DeviceCommand.sent_at < now - COMMANDS),
    ):
        result = session.execute(query)
        deleted += result.rowcount if isinstance(result, CursorResult) else 0
    return deleted

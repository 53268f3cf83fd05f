"""What went out last in a village, for a resident who asks by text message."""

from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.visibility import touches
from broadcasts.sms.letters.answering import Spoken
from hub.core.db import like_below
from hub.regions.tree import codes_in

LATELY = timedelta(days=2)
_LOOKED_THROUGH = 50
_IN_WORDS = (Kind.ROUTINE, Kind.EMERGENCY)


def last_said(session: Session, region_path: str, now: datetime) -> Spoken | None:
    """Return the last broadcast with words that was meant for that place; None when there was none lately."""
    codes = codes_in(region_path)
    above = ["".join(f"{code}/" for code in codes[:n]) for n in range(1, len(codes))]
    query = (
        select(Broadcast)
        .where(Broadcast.kind.in_(_IN_WORDS), Broadcast.starts_at > now - LATELY, Broadcast.starts_at <= now)
        .where(or_(Broadcast.home_path.in_(above), Broadcast.home_path.like(like_below(region_path))))
        .order_by(Broadcast.starts_at.desc(), Broadcast.id.desc())
        .limit(_LOOKED_THROUGH)
    )
    for broadcast in session.scalars(query):
        text = broadcast.sms_text.strip() or broadcast.text.strip()
        if text and touches(Audience.from_json(broadcast.audience).paths, [region_path]):
            return Spoken(broadcast.starts_at, text)
    return None

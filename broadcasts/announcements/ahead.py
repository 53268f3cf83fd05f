"""Lay an approved announcement on the sheet, so that loudspeakers sound it at its time even with the line down."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.announcements.drafting import content_hash
from broadcasts.announcements.models import Announcement
from broadcasts.announcements.playing import why_silent
from broadcasts.approvals.lifecycle import State
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Kind
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.service import PRIORITY
from broadcasts.loudspeaker import sheet
from broadcasts.loudspeaker.sheet import Ahead
from broadcasts.loudspeaker.targets import Meant


def lay(
    session: Session, announcement: Announcement, *, starts_at: datetime, rules: Rules, now: datetime
) -> UUID | None:
    """Send it ahead; return the id its broadcast is to have. None when it may not, or need not, be sent ahead."""
    approved = announcement.state is State.APPROVED and content_hash(announcement) == announcement.content_hash
    audience = Audience.from_json(announcement.audience)
    plain = bool(announcement.audio_sha256) and not announcement.relay_url and audience.speakers
    if why_silent(session, announcement, starts_at, rules.zone):
        return None
    if not (approved and plain) or rules.quiet.touches(starts_at, announcement.audio_ms / 1000):
        return None
    return sheet.lay(
        session,
        Ahead(
            meant=Meant(audience.paths, audience.only, audience.without),
            sha256=announcement.audio_sha256,
            bytes=announcement.audio_bytes,
            ms=announcement.audio_ms,
            priority=PRIORITY[Kind.ROUTINE],
            volume=announcement.volume,
            starts_at=starts_at,
            expires_at=starts_at + rules.valid,
        ),
        now=now,
    )

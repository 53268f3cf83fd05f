"""A campaign's next text, for slots of programme sheets; what they play counts for it like its own times."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.loudspeaker.orders import Sound
from hub.core.actor import Actor
from hub.regions.tree import contains
from schedules.campaigns.drafting import content_hash
from schedules.campaigns.models import Campaign, CampaignState
from schedules.models import Slot
from schedules.sources import Choice, Nothing, Piece

SESSIONS = (11, 16)
"""From these hours on it is noon, and evening: another text than in the morning."""
MOST_OFFERED = 50


class CampaignTurns:
    """Asked by sheets. The turn follows day and time of day alone: whoever asks, and how often, gets the same text."""

    def piece(self, session: Session, slot: Slot, due_at: datetime) -> Piece | Nothing:
        """Return the text whose turn it is, or why the slot stays silent."""
        campaign = session.get(Campaign, slot.subject_id) if slot.subject_id else None
        if campaign is None:
            return Nothing("campaign_unknown", slot.title)
        local = due_at.astimezone(ZoneInfo(slot.zone))
        code = _why_silent(campaign, slot, local.date())
        if code:
            return Nothing(code, campaign.title)
        first = campaign.first_day or local.date()
        turn = (local.date() - first).days + sum(local.hour >= hour for hour in SESSIONS)
        text = campaign.texts[turn % len(campaign.texts)]
        return Piece(
            title=text.title,
            text=text.text,
            theme=campaign.theme,
            sound=Sound(text.audio_sha256, text.audio_ms, text.audio_bytes),
            repeats=campaign.repeats,
            announcement_id=text.announcement_id,
            subject=text.id,
        )

    def offered(self, session: Session, actor: Actor, region_path: str, *, today: date) -> Sequence[Choice]:
        """Return the running campaigns that are meant for the region."""
        query = (
            select(Campaign)
            .where(Campaign.state == CampaignState.RUNNING, Campaign.last_day >= today)
            .order_by(Campaign.last_day)
            .limit(MOST_OFFERED)
        )
        return [
            Choice(c.id, c.title, max((t.audio_ms for t in c.texts), default=0), content=c.content_hash)
            for c in session.scalars(query)
            if any(contains(path, region_path) for path in Audience.from_json(c.audience).paths)
        ]

    def went_out(self, session: Session, slot: Slot, piece: Piece, broadcast_id: UUID, *, now: datetime) -> None:
        """Count nothing: what was heard is counted from the broadcasts of the text's announcement."""


def _why_silent(campaign: Campaign, slot: Slot, day: date) -> str:
    if campaign.state is not CampaignState.RUNNING:
        return f"campaign_{campaign.state.value}"
    agreed = slot.subject_hash or campaign.content_hash
    if not content_hash(campaign) == campaign.content_hash == agreed:
        return "campaign_changed_meanwhile"
    if campaign.first_day and campaign.last_day and not campaign.first_day <= day <= campaign.last_day:
        return "campaign_over"
    return ""

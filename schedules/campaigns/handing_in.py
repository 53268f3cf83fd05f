"""From a form to a campaign that waits: kept, every text recorded with no session open, handed in, approved as seen."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.sounding import as_spoken, record
from broadcasts.studio import Studio
from hub.core.actor import Actor
from hub.core.errors import WrongState
from hub.core.runtime import Runtime
from schedules.campaigns import service
from schedules.campaigns.drafting import CampaignDraft, as_draft
from schedules.campaigns.models import Campaign
from schedules.campaigns.outlook import Desk


def keep(session: Session, actor: Actor, campaign_id: UUID | None, draft: CampaignDraft, *, now: datetime) -> Campaign:
    """Save a draft, starting it if there is none."""
    if campaign_id is None:
        return service.create(session, actor, draft, now=now)
    return service.save(session, actor, campaign_id, draft, now=now)


def require_complete(runtime: Runtime, draft: CampaignDraft, *, desk: Desk, now: datetime) -> None:
    """Raise Problems with everything that keeps a draft from being handed in, before any of it is kept."""
    with runtime.sessions.read() as session:
        service.check_draft(session, draft.settled, desk, now)


def hand_in(
    runtime: Runtime, actor: Actor, campaign_id: UUID, *, desk: Desk, now: datetime, hurried: bool = False
) -> Campaign:
    """Record every text of what was kept, then hand it in. SpeechFailed when nobody can speak.

    Hurried, a voice that takes long is not waited for.
    """
    spoken = recorded(runtime, actor, campaign_id, desk=desk, now=now, hurried=hurried)
    with runtime.sessions.begin() as session:
        return service.submit(session, actor, campaign_id, spoken, desk=desk, now=now)


def recorded(
    runtime: Runtime, actor: Actor, campaign_id: UUID, *, desk: Desk, now: datetime, hurried: bool = False
) -> dict[UUID, Spoken]:
    """Return the recording of every text of what was kept, made with no session open."""
    with runtime.sessions.read() as session:
        campaign = service.own_seen(session, actor, campaign_id)
        service.check_draft(session, as_draft(campaign), desk, now)
        draft = as_draft(campaign)
        wanted = {text.id: draft.spoken(words) for text, words in zip(campaign.texts, draft.texts, strict=True)}
    studio = runtime.get(Studio)
    return {text_id: as_spoken(record(studio, one, hurried=hurried)) for text_id, one in wanted.items()}


def approve_as_seen(
    session: Session,
    studio: Studio,
    actor: Actor,
    campaign_id: UUID,
    seen_hash: str,
    *,
    desk: Desk,
    now: datetime,
    seen_step: int | None = None,
) -> Campaign:
    """Approve what the approver had before them, if loudspeakers can still fetch its recordings."""
    campaign = service.get(session, actor, campaign_id)
    if any(studio.library.path_of(text.audio_sha256) is None for text in campaign.texts if text.audio_sha256):
        raise WrongState("sound_lost")
    return service.approve(session, actor, campaign_id, seen_hash=seen_hash, seen_step=seen_step, desk=desk, now=now)

"""Once an hour: forget what has served its time. Nothing that may still sound is touched."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.alerts.models import Alert
from broadcasts.alerts.pack import Packer
from broadcasts.announcements.models import Announcement
from broadcasts.approvals.lifecycle import State
from broadcasts.delivery.models import Broadcast
from broadcasts.loudspeaker import sheet
from broadcasts.loudspeaker.models import PlayOrder, SheetPlay
from broadcasts.materials.models import Material
from broadcasts.settings import SpeechSettings
from broadcasts.shout.models import Shout
from broadcasts.studio import Studio
from hub.accounts import inviting, keys, sessions, throttle
from hub.audit import anchoring
from hub.core.runtime import Runtime
from schedules.campaigns.models import Campaign, CampaignState, CampaignText
from schedules.special_days import service as special_days

log = logging.getLogger(__name__)
HOUR_S = 3600.0
RECENT = timedelta(days=90)
"""Recordings of broadcasts younger than this stay, so that people can listen to what was said."""


def tidy(runtime: Runtime) -> float:
    """Do one round; return the seconds until the next."""
    now = runtime.now()
    anchoring.daily(runtime)
    with runtime.sessions.begin() as session:
        forgotten = sheet.forget(session, now=now)
        special_days.fill(session, now=now)
        forgotten += keys.purge(session, now=now) + sessions.forget(session, now=now)
        forgotten += throttle.forget(session, now=now) + inviting.forget(session, now=now)
    with runtime.sessions.read() as session:
        wanted = sounds_wanted(session, now) | runtime.get(Packer).wanted()
    limit = runtime.config.section(SpeechSettings).cache_mb * 1_000_000
    freed = runtime.get(Studio).library.evict(limit, wanted)
    if forgotten or freed:
        log.info("tidied", extra={"rows": forgotten, "bytes": freed})
    return HOUR_S


def sounds_wanted(session: Session, now: datetime) -> set[str]:
    """Return the recordings that may still sound or that people may still want to hear."""
    announcements = select(Announcement.audio_sha256).where(Announcement.state != State.WITHDRAWN)
    broadcasts = select(Broadcast.audio_sha256).where(Broadcast.released_at > now - RECENT)
    ordered = select(PlayOrder.audio_sha256).where(PlayOrder.expires_at > now - RECENT)
    laid = select(SheetPlay.audio_sha256).where(SheetPlay.expires_at > now)
    alerts = select(Alert.audio_sha256).where(Alert.armed_at > now - RECENT)
    shouts = select(Shout.audio_sha256).where(Shout.made_at > now - RECENT)
    voices = select(Shout.voice_sha256).where(Shout.made_at > now - RECENT)
    kept = select(Material.audio_sha256).where(Material.state != State.WITHDRAWN)
    played = select(Announcement.recording_sha256).where(Announcement.state != State.WITHDRAWN)
    campaigns = select(CampaignText.audio_sha256).join(Campaign).where(Campaign.state != CampaignState.STOPPED)
    queries = (announcements, broadcasts, ordered, laid, alerts, shouts, voices, kept, played, campaigns)
    return {sha for query in queries for sha in session.scalars(query) if sha}

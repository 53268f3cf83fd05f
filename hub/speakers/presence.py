"""Who is connected, by what loudspeakers and the broker say, and by what they no longer say."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import Beat, Doing, Presence

MISSED_BEATS = 3
FARTHEST_CLOCK_MS = 10 * 365 * 86_400_000


def note_presences(session: Session, presences: Sequence[Presence], *, now: datetime) -> list[str]:
    """Note who came and who went; return those that have just come."""
    latest = {p.dev: p.up for p in presences}
    speakers = session.scalars(select(Speaker).where(Speaker.id.in_(latest)).with_for_update()).all()
    came = []
    for speaker in speakers:
        up = latest[speaker.id]
        if up and not speaker.online:
            came.append(speaker.id)
        _set_online(speaker, up, now)
        if up:
            speaker.seen_at = now
    return came


def note_beats(session: Session, beats: Sequence[Beat], *, now: datetime) -> list[str]:
    """Note heartbeats; return those that were thought to be offline."""
    latest = {beat.dev: beat for beat in beats}
    speakers = session.scalars(select(Speaker).where(Speaker.id.in_(latest)).with_for_update()).all()
    came = []
    for speaker in speakers:
        beat = latest[speaker.id]
        if not speaker.online:
            came.append(speaker.id)
        _set_online(speaker, True, now)
        speaker.seen_at = now
        speaker.activity = beat.st.value
        speaker.now_playing = beat.now or ""
        speaker.version = beat.ver[:30]
        speaker.fault = "fault" if beat.st is Doing.FAULT else ""
        offset = beat.ts - round(now.timestamp() * 1000)
        speaker.clock_offset_ms = max(-FARTHEST_CLOCK_MS, min(FARTHEST_CLOCK_MS, offset))
    return came


def wrong_volumes(session: Session, beats: Sequence[Beat]) -> dict[str, int]:
    """Return who reports another volume than was set, and the one that was: they were away when it was changed."""
    said = {beat.dev: beat.vol for beat in beats}
    rows = session.execute(
        select(Speaker.id, Speaker.volume).where(Speaker.id.in_(said), Speaker.state == SpeakerState.ACTIVE)
    )
    return {speaker_id: volume for speaker_id, volume in rows if volume != said[speaker_id]}


def sweep(session: Session, *, now: datetime, heartbeat_s: int) -> int:
    """Call those offline that missed three heartbeats, whatever the broker believes; return how many."""
    oldest = now - timedelta(seconds=MISSED_BEATS * heartbeat_s)
    gone = session.execute(
        update(Speaker)
        .where(Speaker.online.is_(True), or_(Speaker.seen_at < oldest, Speaker.seen_at.is_(None)))
        .values(online=False, online_since=now, activity="", now_playing="")
        .returning(Speaker.id)
    ).all()
    return len(gone)


def _set_online(speaker: Speaker, online: bool, now: datetime) -> None:
    if speaker.online is online and speaker.online_since is not None:
        return
    speaker.online = online
    speaker.online_since = now.astimezone(UTC)
    if not online:
        speaker.activity = speaker.now_playing = ""

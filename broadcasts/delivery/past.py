"""What one loudspeaker did lately, for its own page in the room below."""

from collections.abc import Sequence

from flask import url_for
from flask_babel import lazy_gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.outcomes import Outcome, outcome
from broadcasts.loudspeaker.models import SpeakerDelivery
from hub.core.actor import Actor
from hub.speakers import registry
from hub.speakers.history import SpeakerEvent

LATEST = 20
WORDS = {
    Outcome.WAITING: (_("还没回音"), "warn"),
    Outcome.READY: (_("准备好了"), "info"),
    Outcome.SOUNDING: (_("在响"), "info"),
    Outcome.PAUSED: (_("暂停，先播更急的"), "info"),
    Outcome.PLAYED: (_("播完了"), "ok"),
    Outcome.PARTLY: (_("没播完"), "warn"),
    Outcome.SILENT: (_("没响"), "bad"),
}


def latest(session: Session, actor: Actor, speaker_id: str) -> Sequence[SpeakerEvent]:
    """Return the latest broadcasts meant for a loudspeaker the actor may see, newest first."""
    registry.get(session, actor, speaker_id)
    rows = session.execute(
        select(SpeakerDelivery, Broadcast.title, Broadcast.released_at)
        .join(Broadcast, Broadcast.id == SpeakerDelivery.broadcast_id)
        .where(SpeakerDelivery.speaker_id == speaker_id)
        .order_by(Broadcast.released_at.desc())
        .limit(LATEST)
    )
    events = []
    for delivery, title, released_at in rows:
        words, tone = WORDS[outcome(delivery.state, delivery.started_at is not None)]
        href = url_for("delivery.broadcast", broadcast_id=delivery.broadcast_id)
        events.append(SpeakerEvent(released_at, title, str(words), tone, href))
    return events

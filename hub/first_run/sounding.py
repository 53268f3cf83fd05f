"""Which loudspeakers a first test can be sent to."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.core.actor import Actor
from hub.speakers import listing
from hub.speakers.care.attention import visible
from hub.speakers.models import Speaker, SpeakerState

MOST: Final = 200


def online_speakers(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """Return (id, 青石镇 石桥村 · 村口) of loudspeakers that are there now, for a list."""
    query = select(Speaker).where(visible(actor, None), Speaker.state == SpeakerState.ACTIVE, Speaker.online)
    found = session.scalars(query.order_by(Speaker.region_path, Speaker.id).limit(MOST)).all()
    places = listing.places(session, found)
    return [(speaker.id, f"{places[speaker.region_path]} · {speaker.name}") for speaker in found]

"""Change the volume: of one loudspeaker on the device first, then in the tables; of many by what heartbeats tell."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotFound
from hub.core.runtime import Runtime
from hub.regions.tree import common
from hub.speakers import registry
from hub.speakers.care import asking, events
from hub.speakers.care.models import Deed, EventKind
from hub.speakers.models import Speaker, SpeakerState


def change(runtime: Runtime, actor: Actor, speaker_id: str, level: int) -> Speaker:
    """Set the volume of routine items, 0 to 100. With the broker away nothing is changed: Unavailable.

    A device that is not connected now is told when its next heartbeat reports the old volume.
    """
    with runtime.sessions.read() as session:
        registry.prepare_volume(session, actor, speaker_id, level)
    asking.ask(runtime, actor, speaker_id, Deed.VOLUME, level=level)
    with runtime.sessions.begin() as session:
        return registry.set_volume(session, actor, speaker_id, level, now=runtime.now())


def change_many(session: Session, actor: Actor, speaker_ids: Sequence[str], level: int, *, now: datetime) -> int:
    """Set the volume of many; return how many changed. All or none: each must be the actor's to change.

    Each is told when its next heartbeat reports the old volume: within a minute, and not all in the same second.
    """
    if not 0 <= level <= 100:
        raise BadInput("volume_range", field="volume")
    rows = session.execute(
        select(Speaker.id, Speaker.region_path, Speaker.volume).where(
            Speaker.id.in_(speaker_ids), Speaker.state == SpeakerState.ACTIVE
        )
    ).all()
    if not rows or not all(actor.may(Permission.SEE, row.region_path) for row in rows):
        raise NotFound("nobody_chosen")
    for path in {row.region_path for row in rows}:
        actor.require(Permission.EDIT_SPEAKERS, path)
    changed = [row.id for row in rows if row.volume != level]
    if changed:
        session.execute(update(Speaker).where(Speaker.id.in_(changed)).values(volume=level))
        happened = [events.Happening(one, EventKind.DEED, Deed.VOLUME.value, str(level), actor.name) for one in changed]
        events.note(session, happened, now=now)
        path = common([row.region_path for row in rows])
        log.record(session, actor, "speaker.volume", "speaker:*", path, now, after=level, count=len(changed))
    return len(changed)

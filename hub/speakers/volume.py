"""Change the volume of a loudspeaker: on the device first, then in the tables."""

from hub.core.actor import Actor
from hub.core.errors import Unavailable
from hub.core.runtime import Runtime
from hub.speakers import registry
from hub.speakers.models import Speaker
from hub.speakers.station import Station


def change(runtime: Runtime, actor: Actor, speaker_id: str, level: int) -> Speaker:
    """Set the volume of routine items, 0 to 100. With the broker away nothing is changed: Unavailable.

    A device that is not connected now is told when its next heartbeat reports the old volume.
    """
    station = runtime.get(Station)
    with runtime.sessions.begin() as session:
        registry.prepare_volume(session, actor, speaker_id, level)
        seq = registry.next_value(session, registry.COMMANDS)
    if not station.send_volume(speaker_id, level, seq):
        raise Unavailable("broker_away")
    with runtime.sessions.begin() as session:
        return registry.set_volume(session, actor, speaker_id, level, now=runtime.now())

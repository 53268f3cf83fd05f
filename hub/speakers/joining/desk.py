"""Joining, moving and leaving as a whole: the tables first, then the broker's accounts and what it keeps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hub.core.actor import Actor
from hub.core.runtime import Runtime
from hub.speakers import registry
from hub.speakers.joining import claims, following
from hub.speakers.joining.arrivals import Arrivals
from hub.speakers.joining.claims import Device, Label, Place, Reply
from hub.speakers.joining.papers import Issuer
from hub.speakers.models import Speaker
from hub.speakers.settings import MqttSettings
from hub.speakers.settings_book import SettingsBook
from hub.speakers.station import Station

EXPIRE_EVERY_S: Final = 600.0


def issuer(runtime: Runtime) -> Issuer:
    """Return what every new loudspeaker is given alike."""
    station, settings = runtime.get(Station), runtime.config.section(MqttSettings)
    host, port, secure = station.told
    return Issuer(host, port, secure, authority(settings), station.keys.accepted(), settings.told_shards)


def authority(settings: MqttSettings) -> str:
    """Return the certificate (PEM) by which loudspeakers know the broker; empty without TLS, or when none is set."""
    found: Path | None = settings.ca_file if settings.secure else None
    return found.read_text(encoding="ascii") if found else ""


def announce(runtime: Runtime, device: Device, address: str) -> Reply:
    """A device asks for its papers."""
    with runtime.sessions.begin() as session:
        return claims.announce(session, device, address=address, now=runtime.now())


def offer(runtime: Runtime, actor: Actor, typed: str, place: Place) -> Speaker:
    """Give the device that waits under a code its papers."""
    with runtime.sessions.begin() as session:
        speaker = claims.offer(session, actor, typed, place, issuer(runtime), now=runtime.now())
    tell_new(runtime)
    return speaker


def make_codes(runtime: Runtime, actor: Actor, place: Place, count: int = 1) -> list[Label]:
    """Make codes for devices that bring none."""
    with runtime.sessions.begin() as session:
        labels = claims.make_codes(session, actor, place, issuer(runtime), now=runtime.now(), count=count)
    tell_new(runtime)
    return labels


def dismiss(runtime: Runtime, actor: Actor, claim: str) -> None:
    """Send a waiting device away, or take a code back."""
    with runtime.sessions.begin() as session:
        claims.dismiss(session, actor, claim, now=runtime.now())
    tell_new(runtime)


def move(runtime: Runtime, actor: Actor, speaker_id: str, region_code: str) -> Speaker:
    """Hang a loudspeaker in another village or group."""
    with runtime.sessions.begin() as session:
        speaker = registry.move(session, actor, speaker_id, region_code, now=runtime.now())
        following.follow(session, speaker)
    tell_moved(runtime, [speaker_id])
    return speaker


def retire(runtime: Runtime, actor: Actor, speaker_id: str, reason: str = "") -> Speaker:
    """Take a loudspeaker out of service: within two seconds the broker ends its connection."""
    with runtime.sessions.begin() as session:
        speaker = registry.retire(session, actor, speaker_id, now=runtime.now(), reason=reason.strip())
        claims.dismiss_of(session, speaker_id)
    tell_left(runtime, [speaker_id])
    return speaker


def tell_new(runtime: Runtime) -> None:
    """After a commit that made or ended expected loudspeakers: the broker learns who may come."""
    runtime.get(Station).renew_accounts()


def tell_moved(runtime: Runtime, speaker_ids: Sequence[str]) -> None:
    """After a commit that moved loudspeakers: the broker learns what they may hear, they learn where they hang."""
    runtime.get(Station).renew_accounts()
    runtime.get(SettingsBook).publish(speaker_ids)
    arrivals = runtime.find(Arrivals)
    if arrivals is not None:
        arrivals.note_came(speaker_ids)


def tell_left(runtime: Runtime, speaker_ids: Sequence[str]) -> None:
    """After a commit that retired loudspeakers: the broker ends their connections and keeps nothing of them."""
    runtime.get(Station).renew_accounts()
    runtime.get(SettingsBook).forget(speaker_ids)


def expire(runtime: Runtime) -> float:
    """Forget who no longer asks, end codes whose time is over. A step of a background loop."""
    with runtime.sessions.begin() as session:
        ended = claims.expire(session, now=runtime.now())
    if ended:
        tell_new(runtime)
    return EXPIRE_EVERY_S

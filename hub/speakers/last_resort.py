"""Silence a region without the database: one signed command, straight to the broker.

What came before it is told by the time, not by the number: numbers are in the database. So it has an issuer of its
own, and what loudspeakers are told later sounds as ever.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from uuid6 import uuid7

from hub.core.secrets import FILE_NAME, Secrets, SecretsError, load_or_create
from hub.speakers.commands import Stop, ToRegion
from hub.speakers.keys import key_of
from hub.speakers.link import BrokerAddress, SpeakerLink
from hub.speakers.protocol import seal_command
from hub.speakers.settings import EVERYWHERE, MqttSettings
from hub.speakers.station import CONSOLE_NAME
from hub.speakers.topics import region_command

ISSUER: Final = "console"
EVERYBODY: Final = 2**53 - 1
LASTS: Final = timedelta(hours=24)
WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Told:
    """One broker that was to be told; `problem` is why it was not, empty when it has taken the command."""

    host: str
    port: int
    problem: str = ""


def silence(data_dir: Path, mode: str, settings: MqttSettings, region: str, *, now: datetime) -> list[Told]:
    """Tell every broker that a region is to be silent. SecretsError when there is no key to sign with."""
    require_keys(data_dir)
    kept = load_or_create(data_dir, mode)
    message = seal_command(stop_of(region, now), key_of(kept.signing.active, kept.signing.active_seed))
    return [_tell(address, region_command(region), message) for address in _brokers(settings, kept)]


def require_keys(data_dir: Path) -> None:
    """Raise SecretsError where the hub has never run: new keys would be made, and no loudspeaker would obey them."""
    if not (data_dir / FILE_NAME).exists():
        raise SecretsError(
            f"{data_dir / FILE_NAME} is not there, so no loudspeaker would obey. Go to the machine the hub runs on, or "
            "name its configuration: cunxiang --config FILE stop --region CODE"
        )


def stop_of(region: str, now: datetime) -> Stop:
    """Return the command: everything issued by the hub until now is to be silent there."""
    ms = round(now.timestamp() * 1000)
    return Stop(
        id=str(uuid7()),
        issuer=ISSUER,
        iat=ms,
        nbf=ms,
        exp=ms + round(LASTS.total_seconds() * 1000),
        seq=ms,
        to=ToRegion(region=region, upto=EVERYBODY),
        all=True,
    )


def _brokers(settings: MqttSettings, kept: Secrets) -> Iterator[BrokerAddress]:
    """Return every broker, by a name of its own: the hub's line is not to be taken from it."""
    if settings.own:
        host = "127.0.0.1" if settings.host in EVERYWHERE or settings.secure else settings.host
        yield BrokerAddress(host, settings.port, CONSOLE_NAME, kept.broker_password, only_speaks=CONSOLE_NAME)
        return
    for (host, port), *more in (settings.doors, *settings.shard_doors.values()):
        yield BrokerAddress(
            host,
            port,
            settings.username,
            settings.password.get_secret_value(),
            tls=settings.tls,
            ca_file=str(settings.ca_file) if settings.ca_file else None,
            others=tuple(more),
            only_speaks=f"{settings.username}-console-{secrets.token_hex(4)}",
        )


def _tell(address: BrokerAddress, topic: str, message: bytes) -> Told:
    link = SpeakerLink(address)
    try:
        if not link.start(wait_s=WITHIN_S):
            return Told(address.host, address.port, link.problem or "no answer")
        taken = link.say_surely(topic, message, within_s=WITHIN_S)
        return Told(address.host, address.port, "" if taken else "it did not confirm that it took the command")
    finally:
        link.stop()

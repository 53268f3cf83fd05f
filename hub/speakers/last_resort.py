"""Silence a region without the database: one signed command, straight to the broker.

What came before it is told by the time, not by the number: numbers are in the database. So it has an issuer of its
own, and what loudspeakers are told later sounds as ever.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from uuid6 import uuid7

from hub.core.secrets import FILE_NAME, Secrets, SecretsError, load_or_create
from hub.speakers.broker.accounts import CONSOLE_NAME, HUB_NAME
from hub.speakers.commands import Stop, ToRegion
from hub.speakers.keys import key_of
from hub.speakers.link import BrokerAddress, SpeakerLink
from hub.speakers.protocol import seal_command
from hub.speakers.settings import EVERYWHERE, MqttSettings
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
    return [_tell(addresses, region_command(region), message) for addresses in brokers(settings, kept)]


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


def brokers(settings: MqttSettings, kept: Secrets) -> Iterator[list[BrokerAddress]]:
    """Return every broker, and the names to try there.

    The console has one of its own, because a name is one connection at many brokers, and the hub is to keep its line.
    Where nobody has told the broker of it yet, it is the hub's.
    """
    if settings.own:
        host = "127.0.0.1" if settings.host in EVERYWHERE or settings.secure else settings.host
        known = BrokerAddress(host, settings.port, HUB_NAME, kept.broker_password, only_speaks=HUB_NAME)
        yield [replace(known, username=CONSOLE_NAME, only_speaks=CONSOLE_NAME), known]
        return
    for (host, port), *more in (settings.doors, *settings.shard_doors.values()):
        known = BrokerAddress(
            host,
            port,
            settings.username,
            settings.password.get_secret_value(),
            tls=settings.tls,
            ca_file=str(settings.ca_file) if settings.ca_file else None,
            others=tuple(more),
            only_speaks=f"{settings.username}-console-{secrets.token_hex(4)}",
        )
        yield [replace(known, username=CONSOLE_NAME, only_speaks=CONSOLE_NAME), known]


def _tell(addresses: list[BrokerAddress], topic: str, message: bytes) -> Told:
    problem = ""
    for address in addresses:
        problem = _tell_as(address, topic, message)
        if not problem:
            break
    return Told(addresses[0].host, addresses[0].port, problem)


def _tell_as(address: BrokerAddress, topic: str, message: bytes) -> str:
    """Publish it; return what went wrong, in words."""
    link = SpeakerLink(address)
    try:
        if not link.start(wait_s=WITHIN_S):
            return link.problem or "no answer"
        taken = link.say_surely(topic, message, within_s=WITHIN_S)
        return "" if taken else "it did not confirm that it took the command"
    finally:
        link.stop()

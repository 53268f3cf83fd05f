"""How long certificates still hold: the broker's, which lies in a file, and the one browsers are shown at `public_url`.

The second is a proxy's as a rule, so it is asked for over the wire, by a thread of its own: no page waits for it.
"""

import logging
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from sqlalchemy.orm import Session

from hub.core.checks import Finding, Level
from hub.core.gauges import Gauge, Reading
from hub.core.runtime import Runtime
from hub.speakers.settings import MqttSettings
from hub.watching.settings import WatchSettings

log = logging.getLogger(__name__)
WAIT_S: Final = 5.0
ASKED_EVERY_S: Final = 6 * 3600.0
ASKED_AGAIN_S: Final = 300.0
"""After a look that found nobody, or a certificate somebody should be about to replace."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found at the address."""

    until: datetime | None = None
    """When its certificate ends; None: nobody answered there by TLS."""
    why: str = ""
    """The kind of failure, for whoever mends it."""


class PublicCertificate:
    """Looks at `public_url` now and then, and remembers. `step` fits `hub.core.background.Loop`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.seen: Seen | None = None
        """None: not looked at yet, or there is nothing to look at."""

    @property
    def url(self) -> str:
        """The address, if it is one with a certificate."""
        url = self._runtime.settings.public_url
        return url if url.startswith("https://") else ""

    def step(self) -> float:
        """Look; return the seconds until the next time."""
        if not self.url:
            return ASKED_EVERY_S
        self.seen = seen_at(self.url)
        fine = self.seen.until is not None and _level(self._runtime, self.seen.until) is Level.GOOD
        return ASKED_EVERY_S if fine else ASKED_AGAIN_S


def seen_at(url: str, *, wait_s: float = WAIT_S) -> Seen:
    """Return what a browser would be shown there. Whether it is to be trusted is not asked: only how long it holds."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # one that has ended is to be read too
    try:
        with (
            socket.create_connection((host, port), wait_s) as line,
            context.wrap_socket(line, server_hostname=host) as talk,
        ):
            der = talk.getpeercert(binary_form=True)
    except (OSError, ValueError) as error:
        log.warning("public_address_silent", extra={"why": type(error).__name__})
        return Seen(why=type(error).__name__)
    return Seen(x509.load_der_x509_certificate(der).not_valid_after_utc.astimezone(UTC)) if der else Seen(why="empty")


def certificate(runtime: Runtime) -> Iterable[Finding]:
    """How long the broker's certificate still holds."""
    until = _of_broker(runtime)
    if until is not None:
        level, days = _level(runtime, until), _days(runtime, until)
        yield Finding("check_certificate_ends" if level else "check_certificate", level, {"days": days}, in_part=True)


def public_certificate(runtime: Runtime) -> Iterable[Finding]:
    """How long browsers will still open the hub's address without a warning."""
    watched = runtime.get(PublicCertificate)
    if not watched.url or watched.seen is None:
        return
    url, until = watched.url, watched.seen.until
    if until is None:
        # Some networks do not let a machine reach itself by its own name: that is to be looked at, and not an alarm.
        yield Finding("check_public_silent", Level.LOOK, {"url": url, "why": watched.seen.why})
        return
    level, days = _level(runtime, until), _days(runtime, until)
    if level is Level.BAD:
        yield Finding("check_public_certificate_over", level, {"url": url, "days": -days}, in_part=True)
    else:
        code = "check_public_certificate_ends" if level else "check_public_certificate"
        yield Finding(code, level, {"url": url, "days": days})


def certificate_days(runtime: Runtime) -> Gauge:
    """Return how many days certificates have left; below 0: they have ended."""

    def read(_: Session) -> Iterable[Reading]:
        seen = runtime.get(PublicCertificate).seen
        ends = {"broker": _of_broker(runtime), "public_url": seen.until if seen else None}
        for of, until in ends.items():
            if until is not None:
                yield Reading(round((until - runtime.now()).total_seconds() / 86400, 2), {"of": of})

    return Gauge("cunxiang_certificate_days", "Days until a certificate ends.", read, ("of",))


def _of_broker(runtime: Runtime) -> datetime | None:
    path = runtime.config.section(MqttSettings).tls_cert
    if path is None:
        return None
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.astimezone(UTC)


def _days(runtime: Runtime, until: datetime) -> int:
    return (until - runtime.now()).days


def _level(runtime: Runtime, until: datetime) -> Level:
    days = _days(runtime, until)
    warn = runtime.config.section(WatchSettings).certificate_days
    return Level.BAD if days < 0 else Level.LOOK if days < warn else Level.GOOD

"""One attempt over the network for gateways that speak HTTP, and what its failure allows to conclude.

Nothing was sent when there was never a connection. Whatever breaks later may have arrived: that is unknown.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from urllib3 import BaseHTTPResponse, PoolManager, Retry, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ReadTimeoutError,
)

from broadcasts.sms.gateway import Refusal, Refused, Unknown
from broadcasts.sms.settings import SmsSettings

MAX_ANSWER = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    body: bytes = field(repr=False)
    retry_after_s: float | None = None

    def json(self) -> dict[str, Any] | None:
        """Return the object in it; None when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


class Caller:
    """Connections to one provider, kept open; every `post` is one attempt with both timeouts and no redirect."""

    def __init__(self, settings: SmsSettings) -> None:
        self._pool = PoolManager(
            num_pools=4,
            # Both lanes, and one for questions: an emergency never waits for a connection.
            maxsize=settings.calls_at_once * 2 + 1,
            timeout=Timeout(connect=settings.connect_timeout_s, read=settings.answer_timeout_s),
            retries=Retry(0, connect=0, read=0, redirect=0, status=0, other=0, raise_on_redirect=False),
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer | Refused | Unknown:
        """Post once."""
        try:
            got = self._pool.urlopen(
                "POST", url, body=body, headers=dict(headers), redirect=False, retries=False, preload_content=False
            )
            try:
                content = _whole(got)
            finally:
                got.release_conn()
        except (NewConnectionError, ConnectTimeoutError):
            return Refused(Refusal.THROTTLED, "unreachable")
        except LocationParseError:
            return Refused(Refusal.CONFIGURATION, "bad_address")
        except ReadTimeoutError:
            return Unknown("timeout")
        except (HTTPError, OSError):
            return Unknown("connection_lost")
        return Answer(got.status, content, _seconds(got.headers.get("Retry-After", "")))


def _whole(got: BaseHTTPResponse) -> bytes:
    """Read an answer to its end: one that breaks off raises, one that is far too long is no answer."""
    pieces, size = [], 0
    for piece in got.stream(65_536, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER:
            raise HTTPError("answer too long")
    return b"".join(pieces)


def by_status(answer: Answer) -> Refused | Unknown | None:
    """Return what the status alone says; None when the body has to be read."""
    status = answer.status
    if status == 429:
        return Refused(Refusal.THROTTLED, "http_429", answer.retry_after_s)
    if status in {401, 403, 404, 405}:
        return Refused(Refusal.CONFIGURATION, f"http_{status}")
    if status >= 500 or status == 408 or 300 <= status < 400:
        # Any of these can come after the message was taken.
        return Unknown(f"http_{status}")
    return None


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None

"""Fetch a feed or a document over HTTP: only if it changed, never too much, never longer than it takes to notice.

A feed may name documents anywhere on the internet, and never on a machine inside: whoever writes the feed must not be
able to make the hub knock on doors of the office's own network.
"""

import ipaddress
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

CONNECT_S: Final = 5.0
READ_S: Final = 10.0
WHOLE_S: Final = 30.0
MOST_MOVES: Final = 3
_HEADERS: Final = {
    "User-Agent": "cunxiang/0.1 (village loudspeakers; CAP)",
    "Accept": "application/cap+xml, application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9",
}


@dataclass(frozen=True, slots=True)
class Got:
    """What came. `code` is empty when it is good; `data` is None when nothing has changed."""

    code: str = ""
    data: bytes | None = None
    etag: str = ""
    modified: str = ""
    status: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """What to fetch. `home` is the host of the feed, which somebody entrusted: it may lie anywhere."""

    url: str
    home: str
    most: int
    etag: str = ""
    modified: str = ""


Fetch = Callable[[Ask], Got]


def fetch(ask: Ask) -> Got:
    """Return what lies at an address. Foreseen failures are answers, not exceptions."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            return _follow(session, ask)
    except requests.exceptions.SSLError:
        return Got("feed_certificate_bad")
    except requests.Timeout:
        return Got("feed_timed_out")
    except (requests.RequestException, OSError, ValueError):
        return Got("feed_away")


def _follow(session: requests.Session, ask: Ask) -> Got:
    conditions = {"If-None-Match": ask.etag, "If-Modified-Since": ask.modified}
    headers = _HEADERS | {name: value for name, value in conditions.items() if value}
    url = ask.url
    for _ in range(MOST_MOVES + 1):
        if not allowed(url, ask.home):
            return Got("feed_address_inside")
        with session.get(
            url, headers=headers, stream=True, timeout=(CONNECT_S, READ_S), allow_redirects=False
        ) as answer:
            if not answer.is_redirect:
                return _read(answer, ask.most)
            url = urljoin(url, answer.headers["Location"])
    return Got("feed_moves_in_circles")


def allowed(url: str, home: str) -> bool:
    """Return whether an address is the feed's own host, or lies outside. OSError when nobody knows the host."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    if parts.hostname == home:
        return True
    found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    return all(ipaddress.ip_address(str(item[4][0]).partition("%")[0]).is_global for item in found)


def _read(answer: requests.Response, most: int) -> Got:
    if answer.status_code == 304:
        return Got(status=304)
    if answer.status_code != 200:
        return Got("feed_refused", status=answer.status_code)
    until = time.monotonic() + WHOLE_S
    parts: list[bytes] = []
    size = 0
    for part in answer.iter_content(65_536):
        size += len(part)
        if size > most:  # counted after unpacking: a small answer may unpack to a large one
            return Got("feed_too_large")
        if time.monotonic() > until:
            return Got("feed_timed_out")
        parts.append(part)
    headers = answer.headers
    return Got(
        data=b"".join(parts),
        etag=headers.get("ETag", "")[:200],
        modified=headers.get("Last-Modified", "")[:60],
        status=200,
    )

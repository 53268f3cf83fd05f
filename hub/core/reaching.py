"""Where the hub lets itself be sent by an address that somebody typed: never to this machine itself."""

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from hub.core.config import HubSettings

LiesHere = Callable[[str], bool]


def lies_here(url: str) -> bool:
    """Return whether an address leads to this machine, or to what its link offers (a hoster's keys lie there).

    A name that nobody knows leads nowhere. Addresses of an office's own network are as good as any: upper platforms and
    broadcasting stations have such.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        return False
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, ValueError, UnicodeError):
        return False
    return any(_is_here(str(item[4][0]).partition("%")[0]) for item in found)


def guard_of(settings: HubSettings) -> LiesHere:
    """Return what to ask before going out."""
    return _nowhere if settings.reach_this_machine else lies_here


def _nowhere(url: str) -> bool:
    return False


def _is_here(text: str) -> bool:
    address = ipaddress.ip_address(text)
    plain = getattr(address, "ipv4_mapped", None) or address
    return bool(plain.is_loopback or plain.is_link_local or plain.is_unspecified or plain.is_multicast)

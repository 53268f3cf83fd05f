"""Which brokers a device believes over TLS, and the plain words for one that it does not."""

import ssl
from functools import lru_cache
from pathlib import Path

from hub.speakers.device.device_file import BadDeviceFile, DeviceFile


def trust_of(device: DeviceFile) -> ssl.SSLContext | None:
    """The authority it believes, read once for all devices of a process; None without TLS.

    Raises BadDeviceFile when there is none to be read.
    """
    if not device.broker_tls:
        return None
    path = device.broker_ca
    try:
        return _trust(path, None if path is None else Path(path).stat().st_mtime_ns)
    except OSError as error:
        raise BadDeviceFile(f"broker_ca: {path} cannot be read as certificates: {error}") from error


def why_distrusted(error: BaseException | None) -> str | None:
    """In plain words, if a connection failed because the broker is not believed."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return None
    return f"the broker's certificate is not believed: {error.verify_message}; does broker_ca name the hub's ca.crt?"


@lru_cache(maxsize=16)
def _trust(path: str | None, _changed: int | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=path)

"""The link in a call: it names one try and carries a signature, so that nobody can guess another's."""

import base64
import binascii
import hashlib
import hmac
from uuid import UUID

MAC_BYTES = 9
PURPOSE = b"cunxiang call link v1"


def token_of(try_id: UUID, key: bytes) -> str:
    """Return what stands at the end of the link: 34 characters that need no escaping."""
    return base64.urlsafe_b64encode(try_id.bytes + _mac(try_id, key)).decode("ascii").rstrip("=")


def try_of(token: str, key: bytes) -> UUID | None:
    """Return the try a token names; None when it was not made by this hub."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        found = UUID(bytes=raw[:16])
    except (ValueError, binascii.Error):
        return None
    return found if hmac.compare_digest(raw[16:], _mac(found, key)) else None


def _mac(try_id: UUID, key: bytes) -> bytes:
    return hmac.digest(key, PURPOSE + try_id.bytes, hashlib.sha256)[:MAC_BYTES]

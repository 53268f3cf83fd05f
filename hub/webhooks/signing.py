"""The signature of a webhook, as the Standard Webhooks specification has it: HMAC-SHA256 over id, time and body."""

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

PREFIX: Final = "whsec_"
TOLERANCE: Final = timedelta(minutes=5)
SECRET_BYTES: Final = 32


def shown(secret: bytes) -> str:
    """Return a secret as it is handed to the receiver."""
    return PREFIX + base64.b64encode(secret).decode()


def headers(secret: bytes, message_id: str, sent_at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers that let the receiver know it is us, and when we said it."""
    stamp = str(int(sent_at.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{_digest(secret, message_id, stamp, body)}",
    }


def is_ours(secret: bytes, given: Mapping[str, str], body: bytes, *, now: datetime) -> bool:
    """Whether headers and body were made with this secret, lately. What a receiver has to do."""
    stamp = given.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(now.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
        return False
    wanted = _digest(secret, given.get("webhook-id", ""), stamp, body)
    signatures = given.get("webhook-signature", "").split()
    return any(hmac.compare_digest(f"v1,{wanted}", signature) for signature in signatures)


def _digest(secret: bytes, message_id: str, stamp: str, body: bytes) -> str:
    signed = message_id.encode() + b"." + stamp.encode() + b"." + body
    return base64.b64encode(hmac.digest(secret, signed, sha256)).decode()

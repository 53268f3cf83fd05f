"""Webhook secrets at rest: sealed with a key derived from the hub's own."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.core.errors import Unavailable
from hub.core.secrets import Secrets

_NONCE = 12
_PURPOSE = b"cunxiang webhook secret"


class SecretSafe:
    """Seals and opens the secrets of webhooks."""

    def __init__(self, secrets: Secrets) -> None:
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secrets.phone_key)
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes) -> bytes:
        """Return it sealed."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, _PURPOSE)

    def open(self, sealed: bytes) -> bytes:
        """Return it; Unavailable when it was sealed with another hub's key."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _PURPOSE)
        except (InvalidTag, ValueError):
            raise Unavailable("webhook_secret_unreadable") from None

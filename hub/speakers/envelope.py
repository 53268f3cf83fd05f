"""The signed wrapping of everything a hub says to a loudspeaker: Ed25519 over the exact bytes."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAX_MESSAGE: Final = 16_384
ALGORITHM: Final = "ed25519"
KID: Final = r"^[A-Za-z0-9_-]{1,32}$"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a message was not accepted: a reason code of the protocol, and words for a log."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """The signed bytes, and the name of the key that signed them."""

    kid: str
    payload: bytes


@dataclass(frozen=True)
class KeyRing:
    """The hub keys a device accepts, as (name, base64 of the 32 public bytes)."""

    entries: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, keys: Mapping[str, str]) -> Self:
        """Check every key; a ValueError names the one that is wrong."""
        for kid, text in keys.items():
            public_key(kid, text)
        return cls(tuple(sorted(keys.items())))

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """The public key of that name."""
        for name, text in self.entries:
            if name == kid:
                return public_key(name, text)
        return None


@lru_cache(maxsize=256)
def public_key(kid: str, text: str) -> Ed25519PublicKey:
    """Read a public key from base64; ValueError says whose it is and what is wrong."""
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"hub key {kid!r} is not the base64 of 32 bytes") from error


class SigningKey:
    """A hub's private key. Its text is a secret and never reaches a log."""

    def __init__(self, kid: str, private: Ed25519PrivateKey) -> None:
        self.kid = kid
        self._private = private

    @classmethod
    def generate(cls, kid: str) -> Self:
        """A new key."""
        return cls(kid, Ed25519PrivateKey.generate())

    @classmethod
    def from_secret(cls, kid: str, secret: str) -> Self:
        """The key kept as base64 of its 32-byte seed."""
        try:
            seed = base64.b64decode(secret, validate=True)
            return cls(kid, Ed25519PrivateKey.from_private_bytes(seed))
        except (ValueError, binascii.Error) as error:
            raise ValueError(f"the signing key {kid!r} is not the base64 of 32 bytes") from error

    def secret(self) -> str:
        """The base64 seed, for a file only its owner can read."""
        return base64.b64encode(self._private.private_bytes_raw()).decode("ascii")

    def public(self) -> str:
        """The base64 public key that devices are given."""
        return base64.b64encode(self._private.public_key().public_bytes_raw()).decode("ascii")

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"SigningKey({self.kid!r})"


def signed_bytes(kid: str, payload: bytes) -> bytes:
    """What the signature covers: one line naming protocol, algorithm and key, then the payload."""
    return f"cx/1 {ALGORITHM} {kid}\n".encode("ascii") + payload


def seal(payload: bytes, key: SigningKey) -> bytes:
    """The message to publish. ValueError when it would be larger than devices accept."""
    wrapped = {
        "v": 1,
        "alg": ALGORITHM,
        "kid": key.kid,
        "p": base64.b64encode(payload).decode("ascii"),
        "sig": base64.b64encode(key.sign(signed_bytes(key.kid, payload))).decode("ascii"),
    }
    message = json.dumps(wrapped, separators=(",", ":")).encode("ascii")
    if len(message) > MAX_MESSAGE:
        raise ValueError(f"the message has {len(message)} bytes, devices accept {MAX_MESSAGE}")
    return message


def open_envelope(message: bytes, keys: KeyRing) -> Opened | Refused:
    """Check form, algorithm, key and signature, in this order. Nothing inside is to be believed before."""
    fields = _fields(message)
    if isinstance(fields, Refused):
        return fields
    kid, payload, signature = fields
    key = keys.find(kid)
    if key is None:
        return Refused("unknown_key", f"no key {kid!r} is known here")
    try:
        key.verify(signature, signed_bytes(kid, payload))
    except InvalidSignature:
        return Refused("bad_signature", f"the signature is not that of key {kid!r}")
    return Opened(kid, payload)


def _fields(message: bytes) -> tuple[str, bytes, bytes] | Refused:
    if len(message) > MAX_MESSAGE:
        return Refused("malformed", f"{len(message)} bytes, at most {MAX_MESSAGE} are accepted")
    try:
        wrapped = json.loads(message)
    except (ValueError, RecursionError):
        return Refused("malformed", "the envelope is not JSON")
    if not isinstance(wrapped, dict) or wrapped.get("v") != 1:
        return Refused("malformed", "the envelope is not version 1")
    kid, payload, signature = (wrapped.get(name) for name in ("kid", "p", "sig"))
    if wrapped.get("alg") != ALGORITHM:
        return Refused("malformed", "the signature algorithm is not ed25519")
    if not (isinstance(kid, str) and isinstance(payload, str) and isinstance(signature, str)):
        return Refused("malformed", "kid, p or sig is missing")
    if not kid.isascii() or "\n" in kid:
        return Refused("malformed", "the key name is not plain ASCII")
    try:
        return kid, base64.b64decode(payload, validate=True), base64.b64decode(signature, validate=True)
    except ValueError:
        return Refused("malformed", "p or sig is not base64")

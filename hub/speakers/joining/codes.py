"""Claim codes turned into the two things that device and hub compute from them."""

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.core.typed import ALPHABET, LENGTH

BITS: Final = 5
ID_BYTES: Final = 20
KEY_BYTES: Final = 32


def claim_id(code: str) -> str:
    """Return the name under which device and hub find each other: 40 hex digits that do not give the code away."""
    return _derive(code, b"id", ID_BYTES).hex()


def papers_key(code: str) -> bytes:
    """Return the key under which the papers travel."""
    return _derive(code, b"papers", KEY_BYTES)


def _derive(code: str, purpose: bytes, length: int) -> bytes:
    number = 0
    for character in code:
        number = number << BITS | ALPHABET.index(character)
    secret = number.to_bytes(LENGTH * BITS // 8, "big")
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=b"cunxiang claim 1 " + purpose).derive(secret)

"""Claim codes: how they are made, typed and turned into the two things that device and hub compute from them."""

import secrets
import unicodedata
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: without I, L, O (read as 1, 1, 0) and U."""
LENGTH: Final = 16
GROUP: Final = 4
BITS: Final = 5
ID_BYTES: Final = 20
KEY_BYTES: Final = 32
ALIKE: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
SEPARATORS: Final = str.maketrans("", "", " -_.·\u2010\u2011\u2012\u2013\u2014\u2015\t\r\n\u3000")


def new_code() -> str:
    """Return a new code: 80 random bits as 16 characters."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def shown(code: str) -> str:
    """Return a code as people read it: ABCD-EFGH-JKMN-PQRS."""
    return "-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def read_code(text: str) -> str | None:
    """Return the code somebody typed or scanned, None when it cannot be one.

    Small letters, spaces, hyphens, full-width characters, O for 0 and I or L for 1 are all right; of a scanned address
    only the part after `#` counts. There is no check character: every other slip makes a code under which nobody waits.
    """
    plain = unicodedata.normalize("NFKC", text.rpartition("#")[2])
    code = plain.translate(SEPARATORS).upper().translate(ALIKE)
    return code if len(code) == LENGTH and all(c in ALPHABET for c in code) else None


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

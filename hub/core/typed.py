"""Codes that people type from paper: easy to read aloud, hard to guess."""

import secrets
import unicodedata
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: without I, L, O (read as 1, 1, 0) and U."""
LENGTH: Final = 16
GROUP: Final = 4
ALIKE: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
SEPARATORS: Final = str.maketrans("", "", " -_.·\u2010\u2011\u2012\u2013\u2014\u2015\t\r\n\u3000")


def new_code(length: int = LENGTH) -> str:
    """Return a new code, five random bits a character."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def shown(code: str) -> str:
    """Return a code as people read it: ABCD-EFGH-JKMN-PQRS."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def read_code(text: str, length: int = LENGTH) -> str | None:
    """Return the code somebody typed or scanned, None when it cannot be one.

    Small letters, spaces, hyphens, full-width characters, O for 0 and I or L for 1 are all right; of a scanned address
    only the part after `#` counts. There is no check character: every other slip makes a code that nobody has.
    """
    plain = unicodedata.normalize("NFKC", text.rpartition("#")[2])
    code = plain.translate(SEPARATORS).upper().translate(ALIKE)
    return code if len(code) == length and all(c in ALPHABET for c in code) else None

"""Argon2 hashes of passwords and plain hashes of random tokens."""

import hashlib
import secrets
import string
from functools import cache
from itertools import pairwise
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.core.errors import BadInput

_HASHER = PasswordHasher()
SHORTEST = 10
LONGEST = 200
_LIST = Path(__file__).with_name("known_passwords.txt")
_TRIMMINGS = string.digits + string.punctuation + string.whitespace
DEMO = "cunxiang-demo"  # known to everybody on purpose; a hub in production refuses to start with accounts that have it


def check_new(password: str, login: str) -> None:
    """Raise BadInput unless a new password is long enough, no name in disguise, and in none of the known lists."""
    if len(password) < SHORTEST:
        raise BadInput("password_too_short", field="password", least=SHORTEST)
    if len(password) > LONGEST:
        raise BadInput("password_too_long", field="password", most=LONGEST)
    if (login and login.lower() in password.lower()) or len(set(password)) < 5:
        raise BadInput("password_too_easy", field="password")
    if is_known(password):
        raise BadInput("password_known", field="password")


def is_known(password: str) -> bool:
    """Return whether attackers try it first: leaked, a leaked word among digits, a number, or a row of keys."""
    plain = password.casefold()
    core = plain.strip(_TRIMMINGS)
    return plain in _known() or core in _known() or (len(core) < 4 and len(plain) < 16) or _is_row(plain)


def _is_row(plain: str) -> bool:
    """Return whether it is mostly neighbours: abcdefghij, 9876543210, aaaabbbbcc."""
    near = sum(abs(ord(a) - ord(b)) <= 1 for a, b in pairwise(plain))
    return near >= (len(plain) - 1) * 3 / 4


@cache
def _known() -> frozenset[str]:
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def hashed(password: str) -> str:
    """Return the argon2id hash."""
    return _HASHER.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Return whether the password fits. With no hash it takes as long and says no: nobody learns which logins exist."""
    try:
        return _HASHER.verify(password_hash or _nobody(), password) and bool(password_hash)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return _HASHER.hash(secrets.token_hex(16))


def new_token() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return what is stored of a token; it is random, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).digest()

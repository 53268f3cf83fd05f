"""Argon2 hashes of passwords and plain hashes of random tokens."""

import hashlib
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.core.errors import BadInput

_HASHER = PasswordHasher()
SHORTEST = 10
DEMO = "cunxiang-demo"  # known to everybody on purpose; a hub in production refuses to start with accounts that have it


def check_new(password: str, login: str) -> None:
    """Raise BadInput unless a new password is long enough and not the login name in disguise."""
    if len(password) < SHORTEST:
        raise BadInput("password_too_short", field="password", least=SHORTEST)
    if (login and login.lower() in password.lower()) or len(set(password)) < 5:
        raise BadInput("password_too_easy", field="password")


def hashed(password: str) -> str:
    """Return the argon2id hash."""
    return _HASHER.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Return whether the password fits. With no hash it takes as long and says no: nobody learns which logins exist."""
    try:
        return _HASHER.verify(password_hash or _nobody(), password) and password_hash is not None
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

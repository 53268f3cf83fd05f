"""The second factor: six digits from an authenticator app (RFC 6238), and codes on paper for when the phone is lost.

It works without any network and without text messages: in a flood neither may be there.
"""

import hashlib
import hmac
import os
from datetime import datetime
from uuid import UUID

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from hub.accounts.actors import home_of
from hub.accounts.models import Account, RecoveryCode
from hub.audit import log
from hub.core.actor import Actor
from hub.core.errors import BadInput, NotFound, WrongState
from hub.core.secrets import Secrets
from hub.core.typed import new_code, read_code, shown

ISSUER = "村响"
STEP_S = 30
WINDOW = (0, -1, 1)
"""A telephone's clock may be half a minute off."""
RECOVERY_CODES = 10
RECOVERY_LENGTH = 12
_NONCE = 12


class Vault:
    """Seals what the second factor is made of, so that the tables alone open no door."""

    def __init__(self, secrets: Secrets) -> None:
        self._seal = AESGCM(hashlib.sha256(b"cunxiang second factor v1" + secrets.session_key).digest())
        self._key = hashlib.sha256(b"cunxiang recovery codes v1" + secrets.session_key).digest()

    def seal(self, secret: str, account_id: UUID) -> bytes:
        """Return the secret as the table keeps it."""
        nonce = os.urandom(_NONCE)
        return nonce + self._seal.encrypt(nonce, secret.encode(), account_id.bytes)

    def open(self, sealed: bytes, account_id: UUID) -> str:
        """Return the secret; nothing when it was sealed by another hub or for another account."""
        try:
            return self._seal.decrypt(sealed[:_NONCE], sealed[_NONCE:], account_id.bytes).decode()
        except InvalidTag:
            return ""

    def code_hash(self, code: str, account_id: UUID) -> bytes:
        """Return what is kept of a recovery code."""
        return hmac.new(self._key, account_id.bytes + code.encode(), hashlib.sha256).digest()


def begin(session: Session, actor: Actor, vault: Vault) -> tuple[str, str]:
    """Start setting it up: return the secret for typing and the address for the QR code. It is not on yet."""
    account = _own(session, actor)
    if account.second_on:
        raise WrongState("second_on_already")
    kept = vault.open(account.second_secret, account.id) if account.second_secret else ""
    secret = kept or pyotp.random_base32()
    if not kept:
        account.second_secret = vault.seal(secret, account.id)
    return secret, pyotp.TOTP(secret).provisioning_uri(name=account.login, issuer_name=ISSUER)


def confirm(session: Session, actor: Actor, vault: Vault, code: str, *, now: datetime) -> list[str]:
    """Switch it on with a first right code; return the recovery codes, shown this once."""
    account = _own(session, actor)
    if account.second_on or not account.second_secret:
        raise WrongState("second_on_already" if account.second_on else "second_not_begun")
    if not _fits(account, vault, code, now):
        raise BadInput("second_wrong", field="code")
    account.second_on = True
    log.record(session, actor, "account.second_on", f"account:{account.login}", home_of(account), now)
    return _new_codes(session, account, vault)


def renew_codes(session: Session, actor: Actor, vault: Vault, code: str, *, now: datetime) -> list[str]:
    """Make new recovery codes; the old ones are void."""
    account = _own(session, actor)
    if not account.second_on or not check(session, account, vault, code, now=now):
        raise BadInput("second_wrong", field="code")
    log.record(session, actor, "account.second_codes", f"account:{account.login}", home_of(account), now)
    return _new_codes(session, account, vault)


def switch_off(session: Session, actor: Actor, vault: Vault, code: str, *, now: datetime) -> None:
    """Switch one's own second factor off, with one last code."""
    account = _own(session, actor)
    if not account.second_on or not check(session, account, vault, code, now=now):
        raise BadInput("second_wrong", field="code")
    clear(session, account)
    log.record(session, actor, "account.second_off", f"account:{account.login}", home_of(account), now)


def clear(session: Session, account: Account) -> None:
    """Take the second factor off an account."""
    account.second_on, account.second_secret, account.second_step = False, None, 0
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.id))


def check(session: Session, account: Account, vault: Vault, code: str, *, now: datetime) -> bool:
    """Return whether six digits of this half minute, or a recovery code, open the door; either is good once."""
    return _fits(account, vault, code, now) or _recovers(session, account, vault, code, now)


def codes_left(session: Session, account_id: UUID) -> int:
    """Return how many recovery codes are still good."""
    query = select(func.count()).where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
    return session.scalar(query) or 0


def _fits(account: Account, vault: Vault, code: str, now: datetime) -> bool:
    digits = "".join(code.split())
    secret = vault.open(account.second_secret, account.id) if account.second_secret else ""
    if not secret or len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return False
    generator, step = pyotp.TOTP(secret), int(now.timestamp()) // STEP_S
    for offset in WINDOW:
        if hmac.compare_digest(generator.generate_otp(step + offset), digits) and step + offset > account.second_step:
            account.second_step = step + offset
            return True
    return False


def _recovers(session: Session, account: Account, vault: Vault, code: str, now: datetime) -> bool:
    plain = read_code(code, RECOVERY_LENGTH)
    found = session.get(RecoveryCode, vault.code_hash(plain, account.id), with_for_update=True) if plain else None
    if found is None or found.used_at is not None or found.account_id != account.id:
        return False
    found.used_at = now
    return True


def _new_codes(session: Session, account: Account, vault: Vault) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.id))
    codes = [new_code(RECOVERY_LENGTH) for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(code_hash=vault.code_hash(code, account.id), account_id=account.id) for code in codes)
    session.flush()
    return [shown(code) for code in codes]


def _own(session: Session, actor: Actor) -> Account:
    account = session.get(Account, actor.id, with_for_update=True) if actor.id else None
    if account is None:
        raise NotFound("account_gone")
    return account

"""Passkeys: a telephone, a computer or a key on the ring signs in with a finger, a face or its own PIN.

A passkey is two factors in one, and no false page can ask for it. It comes beside password and six digits, never in
their place: whoever loses it signs in as before. Browsers allow it on https, or on localhost, and never for an address
of digits alone.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload
from webauthn.helpers import base64url_to_bytes, options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from hub.accounts import passwords, signing_in, throttle
from hub.accounts.actors import home_of
from hub.accounts.models import Account, Passkey, Purpose, Ticket
from hub.accounts.signing_in import SignedIn, SignInRefused
from hub.accounts.throttle import Door
from hub.audit import log
from hub.core.actor import Actor
from hub.core.errors import BadInput, NotFound, WrongState
from hub.core.runtime import Runtime
from hub.core.secrets import Secrets

NAME: Final = "Cunxiang 村响"
MOST: Final = 10
NAME_LENGTH: Final = 40
LARGEST: Final = 20_000
GOOD_FOR: Final = timedelta(minutes=5)
_NONCE, _TIME, _PROOF = 16, 8, 32
_COUNTED_AS: Final = "#passkey"
"""No login can look like this, so answers that fit nothing are counted by themselves."""


@dataclass(frozen=True, slots=True)
class Site:
    """The address passkeys of this hub are made for; they work at no other."""

    origin: str
    host: str

    @classmethod
    def of(cls, public_url: str, port: int) -> "Site | None":
        """Return it for what is configured; None where browsers would refuse. Without an address it is localhost."""
        parts = urlsplit(public_url or f"http://localhost:{port}")
        host = parts.hostname or ""
        if host != "localhost" and (parts.scheme != "https" or not host or _is_number(host)):
            return None
        return cls(f"{parts.scheme}://{parts.netloc}", host)

    @property
    def netloc(self) -> str:
        """Host and port, as a browser names them."""
        return self.origin.partition("//")[2]


def site_of(runtime: Runtime) -> Site | None:
    """Return the address passkeys of a running hub are made for, if there is one."""
    return Site.of(runtime.settings.public_url, runtime.port or runtime.settings.port)


class Challenges:
    """What a browser has to sign: nobody can make one up, it is good for five minutes, for one purpose, and once."""

    def __init__(self, secrets: Secrets) -> None:
        self._key = hashlib.sha256(b"cunxiang passkey challenge v1" + secrets.session_key).digest()

    def new(self, purpose: Purpose, account_id: UUID | None, *, now: datetime) -> bytes:
        """Return a fresh one."""
        head = os.urandom(_NONCE) + int(now.timestamp()).to_bytes(_TIME, "big")
        return head + self._proof(head, purpose, account_id)

    def proved(self, challenge: bytes, purpose: Purpose, account_id: UUID | None, *, now: datetime) -> bool:
        """Return whether it was made here, for this, and not too long ago."""
        head, proof = challenge[: _NONCE + _TIME], challenge[_NONCE + _TIME :]
        if not hmac.compare_digest(proof, self._proof(head, purpose, account_id)):
            return False
        age = now.timestamp() - int.from_bytes(head[_NONCE:], "big")
        return -1 <= age <= GOOD_FOR.total_seconds()

    def _proof(self, head: bytes, purpose: Purpose, account_id: UUID | None) -> bytes:
        said = head + purpose.value.encode() + (account_id.bytes if account_id else b"")
        return hmac.new(self._key, said, hashlib.sha256).digest()


def mine(session: Session, account_id: UUID) -> Sequence[Passkey]:
    """Return an account's passkeys, the oldest first."""
    return session.scalars(select(Passkey).where(Passkey.account_id == account_id).order_by(Passkey.created_at)).all()


def enrolment(session: Session, actor: Actor, site: Site, challenges: Challenges, *, now: datetime) -> str:
    """Return what the browser needs to make a passkey, as JSON."""
    account = _own(session, actor)
    known = [PublicKeyCredentialDescriptor(id=one.credential_id) for one in mine(session, account.id)]
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name=NAME,
        user_id=account.id.bytes,
        user_name=account.login,
        user_display_name=account.name,
        challenge=challenges.new(Purpose.PASSKEY_ADD, account.id, now=now),
        exclude_credentials=known,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    return options_to_json(options)


def enrol(
    session: Session,
    actor: Actor,
    site: Site,
    challenges: Challenges,
    answer: str,
    *,
    name: str,
    now: datetime,
) -> Passkey:
    """Keep a passkey that the browser has made. Raises BadInput where the answer does not fit."""
    account = _own(session, actor)
    if (session.scalar(select(func.count()).where(Passkey.account_id == account.id)) or 0) >= MOST:
        raise WrongState("passkeys_too_many", most=MOST)
    challenge = _challenge_of(answer)
    if not challenges.proved(challenge, Purpose.PASSKEY_ADD, account.id, now=now):
        raise BadInput("passkey_late", field="name")
    try:
        found = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except WebAuthnException:
        raise BadInput("passkey_wrong", field="name") from None
    _spend(session, challenge, account, Purpose.PASSKEY_ADD, now)
    passkey = Passkey(
        account_id=account.id,
        credential_id=found.credential_id,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        name=name.strip()[:NAME_LENGTH],
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(passkey)
    except IntegrityError:
        raise BadInput("passkey_wrong", field="name") from None
    log.record(
        session, actor, "account.passkey_on", f"account:{account.login}", home_of(account), now, name=passkey.name
    )
    return passkey


def remove(session: Session, actor: Actor, passkey_id: UUID, *, now: datetime) -> None:
    """Take one of one's own passkeys off."""
    account = _own(session, actor)
    passkey = session.get(Passkey, passkey_id)
    if passkey is None or passkey.account_id != account.id:
        raise NotFound("passkey_unknown")
    session.delete(passkey)
    log.record(
        session, actor, "account.passkey_off", f"account:{account.login}", home_of(account), now, name=passkey.name
    )


def clear(session: Session, account_id: UUID) -> int:
    """Take all passkeys off an account; return how many."""
    gone = session.execute(delete(Passkey).where(Passkey.account_id == account_id).returning(Passkey.id))
    return len(gone.all())


def invitation(site: Site, challenges: Challenges, *, now: datetime) -> str:
    """Return what a browser needs to sign in with whichever passkey it has for this hub, as JSON."""
    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        challenge=challenges.new(Purpose.PASSKEY_IN, None, now=now),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def sign_in(
    session: Session,
    site: Site,
    challenges: Challenges,
    answer: str,
    *,
    door: Door,
    now: datetime,
    duty: bool = False,
) -> SignedIn | SignInRefused:
    """Open a session for a passkey's answer. Returns what is wrong instead of raising it, so that it stays counted."""
    guesses, here = f"{_COUNTED_AS} {door.origin}", Door(origin=door.origin)
    wait = throttle.wait_s(session, guesses, here, now=now)
    if wait:
        return SignInRefused("sign_in_locked", wait_s=wait)
    try:
        challenge = _challenge_of(answer)
        if not challenges.proved(challenge, Purpose.PASSKEY_IN, None, now=now):
            return SignInRefused("passkey_late")
        passkey, account = _proved(session, site, answer, challenge)
        _spend(session, challenge, account, Purpose.PASSKEY_IN, now)
    except BadInput as error:
        throttle.note_failure(session, guesses, here, now=now)
        return SignInRefused(error.code)
    passkey.used_at = now
    return signing_in.let_in(session, account, door, duty, now, passkey=True)


def _proved(session: Session, site: Site, answer: str, challenge: bytes) -> tuple[Passkey, Account]:
    """Return the passkey that has signed this answer, row locked, and whose it is. Raises BadInput."""
    query = select(Passkey).where(Passkey.credential_id == _id_of(answer)).with_for_update()
    passkey = session.scalar(query)
    options = [selectinload(Account.grants)]
    account = session.get(Account, passkey.account_id, options=options) if passkey is not None else None
    if passkey is None or account is None or not account.active:
        raise BadInput("passkey_wrong", field="name")
    try:
        found = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except WebAuthnException:
        raise BadInput("passkey_wrong", field="name") from None
    passkey.sign_count = found.new_sign_count
    return passkey, account


def _spend(session: Session, challenge: bytes, account: Account, purpose: Purpose, now: datetime) -> None:
    """Note that a challenge was answered. Of two answers to one, the table's own key refuses the second."""
    ticket = Ticket(
        token_hash=passwords.token_hash(challenge.hex()),
        account_id=account.id,
        purpose=purpose,
        created_at=now,
        expires_at=now + GOOD_FOR,
        used_at=now,
    )
    try:
        with session.begin_nested():
            session.add(ticket)
    except IntegrityError:
        raise BadInput("passkey_late", field="name") from None


def _challenge_of(answer: str) -> bytes:
    try:
        data = json.loads(base64url_to_bytes(_read(answer)["response"]["clientDataJSON"]))
        return base64url_to_bytes(data["challenge"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput("passkey_wrong", field="name") from None


def _id_of(answer: str) -> bytes:
    try:
        return base64url_to_bytes(_read(answer)["rawId"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput("passkey_wrong", field="name") from None


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > LARGEST:
        raise ValueError
    try:
        found = json.loads(answer)
    except RecursionError:
        raise ValueError from None
    if not isinstance(found, dict):
        raise TypeError
    return found


def _own(session: Session, actor: Actor) -> Account:
    account = session.get(Account, actor.id, with_for_update=True) if actor.id else None
    if account is None:
        raise NotFound("account_gone")
    return account


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

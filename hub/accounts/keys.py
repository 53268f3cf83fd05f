"""The keys by which a request that is sent twice is done once, and the answers kept with them.

An answer may hold what is kept nowhere else, such as the password of a new loudspeaker: it is sealed with the hub's
own secret, and gone after two days.
"""

import base64
import hashlib
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session
from uuid6 import uuid7

from hub.accounts.models import IdempotencyKey
from hub.core.actor import Actor
from hub.core.errors import BadInput, NotAllowed, WrongState
from hub.core.secrets import Secrets
from hub.web.idempotency import HEADER, Answered, Claim, KeyStore

KEPT = timedelta(hours=48)
GIVEN_UP = timedelta(minutes=3)
"""After so long without an answer the process that worked on it is dead, and what it had not committed is undone."""
ASK_AGAIN_S = 2
_NONCE = 12
_PURPOSE = b"cunxiang idempotency v1"


def key_store(secrets: Secrets) -> KeyStore:
    """Return the doors of this room as the web room knows them."""
    seal = AESGCM(hashlib.sha256(_PURPOSE + secrets.session_key).digest())

    def note(session: Session, claim_: Claim, answer: Answered) -> None:
        _note(session, claim_, answer.status, _sealed(seal, claim_.id, answer.body))

    def claim_(session: Session, actor: Actor, key: str, request_hash: bytes, now: datetime) -> Claim | Answered:
        return claim(session, actor, key, request_hash, now=now, opened=lambda row: _opened(seal, row))

    return KeyStore(claim=claim_, note=note, release=release)


def claim(
    session: Session,
    actor: Actor,
    key: str,
    request_hash: bytes,
    *,
    now: datetime,
    opened: Callable[[IdempotencyKey], Answered],
) -> Claim | Answered:
    """Claim a key for a request, or return the answer it already got.

    BadInput when the key was used for another request, WrongState while the first one is still being worked on.
    """
    if actor.id is None:
        raise NotAllowed("not_allowed")
    session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.account_id == actor.id, IdempotencyKey.key == key, IdempotencyKey.created_at < now - KEPT
        )
    )
    new = _insert(session, actor.id, key, request_hash, now)
    if new is not None:
        return Claim(new)
    row = session.scalar(
        select(IdempotencyKey).where(IdempotencyKey.account_id == actor.id, IdempotencyKey.key == key).with_for_update()
    )
    if row is None:  # released this very moment
        raise WrongState("idempotency_in_progress", retry_after_s=ASK_AGAIN_S)
    if row.request_hash != request_hash:
        raise BadInput("idempotency_key_reused", field=HEADER)
    return _again(session, row, now, opened)


def _again(
    session: Session, row: IdempotencyKey, now: datetime, opened: Callable[[IdempotencyKey], Answered]
) -> Claim | Answered:
    if row.status:
        return opened(row)
    if row.created_at > now - GIVEN_UP:
        raise WrongState("idempotency_in_progress", retry_after_s=ASK_AGAIN_S)
    # Under a new id: whoever held it before can no longer note an answer, and so cannot commit what it did.
    taken = Claim(uuid7())
    session.execute(
        update(IdempotencyKey).where(IdempotencyKey.id == row.id).values(id=taken.id, status=0, body="", created_at=now)
    )
    return taken


def release(session: Session, claim_: Claim) -> None:
    """Forget a claim: nothing was done, the same request may be tried again."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.id == claim_.id, IdempotencyKey.status == 0))


def purge(session: Session, *, now: datetime) -> int:
    """Forget every key older than two days; return how many."""
    gone = session.scalars(
        delete(IdempotencyKey).where(IdempotencyKey.created_at < now - KEPT).returning(IdempotencyKey.id)
    )
    return len(gone.all())


def _insert(session: Session, account_id: UUID, key: str, request_hash: bytes, now: datetime) -> UUID | None:
    insert = pg_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    return session.scalar(
        insert(IdempotencyKey)
        .values(
            id=uuid7(), account_id=account_id, key=key, request_hash=request_hash, status=0, body="", created_at=now
        )
        .on_conflict_do_nothing(index_elements=["account_id", "key"])
        .returning(IdempotencyKey.id)
    )


def _note(session: Session, claim_: Claim, status: int, body: str) -> None:
    ours = session.scalar(
        update(IdempotencyKey)
        .where(IdempotencyKey.id == claim_.id, IdempotencyKey.status == 0)
        .values(status=status, body=body)
        .returning(IdempotencyKey.id)
    )
    if ours is None:
        raise WrongState("idempotency_in_progress", retry_after_s=ASK_AGAIN_S)


def _sealed(seal: AESGCM, claim_id: UUID, body: str) -> str:
    nonce = os.urandom(_NONCE)
    return base64.b64encode(nonce + seal.encrypt(nonce, body.encode(), claim_id.bytes)).decode()


def _opened(seal: AESGCM, row: IdempotencyKey) -> Answered:
    """Return the answer kept. WrongState when the hub's secrets were changed since: it was done, nobody can say how."""
    raw = base64.b64decode(row.body)
    try:
        return Answered(row.status, seal.decrypt(raw[:_NONCE], raw[_NONCE:], row.id.bytes).decode())
    except InvalidTag:
        raise WrongState("idempotency_answer_lost") from None

"""Write down who did what, each entry chained to the one before, and prove that nothing was changed since."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from hub.audit.models import AuditEntry
from hub.core.actor import Actor, Permission
from hub.core.db import like_below

GENESIS = bytes(32)
_CHAIN_LOCK = 0x43585541  # any constant; one chain, one writer at a time on PostgreSQL


def record(
    session: Session, actor: Actor, deed: str, subject: str, region_path: str, now: datetime, **details: Any
) -> AuditEntry:
    """Add one entry. `details` must hold no password, token or phone number: entries are never deleted."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHAIN_LOCK})
    previous = session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or GENESIS
    entry = AuditEntry(
        at=now,
        actor_id=actor.id,
        actor_name=actor.name,
        origin=actor.origin,
        via=actor.via,
        deed=deed,
        subject=subject,
        region_path=region_path,
        details={k: _plain(v) for k, v in details.items()},
        previous_hash=previous,
        hash=b"",
    )
    entry.hash = _digest(entry)
    session.add(entry)
    session.flush()
    return entry


def verify_chain(session: Session) -> int | None:
    """Return the id of the first entry that does not fit the one before it, None when all is well."""
    previous = GENESIS
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id).execution_options(yield_per=500)):
        if entry.previous_hash != previous or entry.hash != _digest(entry):
            return entry.id
        previous = entry.hash
    return None


def latest(session: Session, actor: Actor, *, before: int | None = None, limit: int = 50) -> list[AuditEntry]:
    """Return what the actor may see of the log, newest first."""
    paths = actor.paths(Permission.SEE_AUDIT)
    if not paths:
        return []
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if "" not in paths:
        query = query.where(or_(*(AuditEntry.region_path.like(like_below(path)) for path in paths)))
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return list(session.scalars(query))


def _digest(entry: AuditEntry) -> bytes:
    content = [
        entry.at.astimezone(UTC).isoformat(),
        str(entry.actor_id),
        entry.actor_name,
        entry.origin,
        entry.via,
        entry.deed,
        entry.subject,
        entry.region_path,
        entry.details,
    ]
    text_ = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(entry.previous_hash + text_.encode()).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, UUID | datetime):
        return str(value)
    return list(value) if isinstance(value, tuple) else value

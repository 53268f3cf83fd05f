"""Providers' reports: each kept once, applied in any order, and kept for later when it comes before its message."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from broadcasts.sms.models import SmsMessage, SmsReceipt
from broadcasts.sms.reports import Receipt, parse_message_ref
from broadcasts.sms.states import MessageState, lower

ORPHAN_PATIENCE = timedelta(minutes=10)
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a batch of reports did: `new` not seen before, `matched` belong to a message, `changed` one's state."""

    new: int
    matched: int
    changed: int


def record(session: Session, gateway_name: str, receipts: Sequence[Receipt], now: datetime) -> Recorded:
    """Keep reports and apply them. The same reports again, or in another order, lead to the same states."""
    new = matched = changed = 0
    for start in range(0, len(receipts), _CHUNK):
        rows = {row["key"]: row for row in (_row(gateway_name, r, now) for r in receipts[start : start + _CHUNK])}
        fresh = _insert_new(session, list(rows.values()))
        done = _apply(session, [rows[key] for key in fresh], now)
        new, matched, changed = new + len(fresh), matched + done.matched, changed + done.changed
    return Recorded(new, matched, changed)


def retry_orphans(session: Session, *, now: datetime) -> Recorded:
    """Apply reports that came before the answer to their call was written down."""
    rows = session.execute(
        select(SmsReceipt.__table__)
        .where(SmsReceipt.matched.is_(False), SmsReceipt.arrived_at > now - ORPHAN_PATIENCE)
        .order_by(SmsReceipt.arrived_at)
        .limit(_CHUNK)
    ).mappings()
    orphans = [dict(row) for row in rows]
    done = _apply(session, orphans, now) if orphans else Recorded(0, 0, 0)
    return Recorded(0, done.matched, done.changed)


def _row(gateway_name: str, receipt: Receipt, now: datetime) -> dict[str, Any]:
    moment = receipt.reported_at.isoformat() if receipt.reported_at else ""
    said = (gateway_name, receipt.provider_ref, receipt.message_ref, receipt.state.value, receipt.code, moment)
    return {
        "key": hashlib.sha256("\x1f".join(said).encode()).digest(),
        "provider": gateway_name,
        "provider_ref": receipt.provider_ref[:64],
        "message_ref": receipt.message_ref[:60],
        "state": receipt.state,
        "code": receipt.code[:40],
        "reported_at": receipt.reported_at,
        "arrived_at": now,
        "matched": False,
    }


def _insert_new(session: Session, rows: list[dict[str, Any]]) -> list[bytes]:
    """Store what is new and return its keys; whatever is there already stays as it was."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(SmsReceipt).on_conflict_do_nothing().returning(SmsReceipt.key)
    return list(session.scalars(statement, rows)) if rows else []


def _apply(session: Session, rows: Sequence[dict[str, Any]], now: datetime) -> Recorded:
    found = _messages(session, rows)
    groups: dict[tuple[MessageState, str], set[int]] = {}
    matched: list[bytes] = []
    for row in rows:
        message_id = found.get(row["key"])
        if message_id is not None:
            matched.append(row["key"])
            groups.setdefault((row["state"], row["code"]), set()).add(message_id)
    changed = sum(_raise(session, state, code, ids, now) for (state, code), ids in groups.items())
    if matched:
        session.execute(update(SmsReceipt).where(SmsReceipt.key.in_(matched)).values(matched=True))
    return Recorded(0, len(matched), changed)


def _raise(session: Session, state: MessageState, code: str, ids: Iterable[int], now: datetime) -> int:
    raised = session.scalars(
        update(SmsMessage)
        .where(SmsMessage.id.in_(ids), SmsMessage.state.in_(lower(state)))
        .values(state=state, code=code, reported_at=now, changed_at=now)
        .returning(SmsMessage.id)
        .execution_options(synchronize_session=False)
    )
    return len(raised.all())


def _messages(session: Session, rows: Sequence[dict[str, Any]]) -> dict[bytes, int]:
    """Return the message each report speaks of, by the report's key."""
    by_ours = {row["key"]: ref for row in rows if (ref := parse_message_ref(row["message_ref"])) is not None}
    found = _by_our_id(session, by_ours)
    rest = [row for row in rows if row["key"] not in found and row["provider_ref"]]
    if rest:
        pairs = {(row["provider"], row["provider_ref"]) for row in rest}
        known = {
            (provider, ref): message_id
            for message_id, provider, ref in session.execute(
                select(SmsMessage.id, SmsMessage.provider, SmsMessage.provider_ref).where(
                    tuple_(SmsMessage.provider, SmsMessage.provider_ref).in_(pairs)
                )
            )
        }
        for row in rest:
            message_id = known.get((row["provider"], row["provider_ref"]))
            if message_id is not None:
                found[row["key"]] = message_id
    return found


def _by_our_id(session: Session, refs: dict[bytes, tuple[UUID, int]]) -> dict[bytes, int]:
    if not refs:
        return {}
    ids = {message_id for _, message_id in refs.values()}
    rows = session.execute(
        select(SmsMessage.broadcast_id, SmsMessage.id).where(
            SmsMessage.id.in_(ids),
            or_(SmsMessage.submission_id.is_not(None), SmsMessage.attempts > 0),
        )
    )
    there = set(rows)
    return {key: ref[1] for key, ref in refs.items() if ref in there}

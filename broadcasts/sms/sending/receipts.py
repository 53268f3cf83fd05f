"""Providers' reports: each kept once, applied in any order, and kept for later when it comes before its message."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from broadcasts.sms.models import SmsAttempt, SmsMessage, SmsReceipt
from broadcasts.sms.reports import Receipt, parse_message_ref
from broadcasts.sms.states import MessageState, lower
from hub.core.errors import HubError
from hub.residents.phones import PhoneSafe, normalise

ORPHAN_PATIENCE = timedelta(minutes=10)
_CHUNK = 400
IndexOf = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a batch of reports did: `new` not seen before, `matched` belong to a message, `changed` one's state."""

    new: int
    matched: int
    changed: int


def record(
    session: Session,
    gateway_name: str,
    receipts: Sequence[Receipt],
    now: datetime,
    index_of: IndexOf | None = None,
) -> Recorded:
    """Keep reports and apply them. The same reports again, or in another order, lead to the same states.

    `index_of` finds the blind index of a number, for providers whose reports name the number.
    """
    new = matched = changed = 0
    for start in range(0, len(receipts), _CHUNK):
        chunk = receipts[start : start + _CHUNK]
        rows = {row["key"]: row for row in (_row(gateway_name, each, now, index_of) for each in chunk)}
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


def number_index(safe: PhoneSafe) -> IndexOf:
    """Return how a number in a report becomes the index messages are found by; None for what is no number."""

    def index_of(number: str) -> bytes | None:
        try:
            return safe.index(normalise(number).e164)
        except HubError:
            return None

    return index_of


def _row(gateway_name: str, receipt: Receipt, now: datetime, index_of: IndexOf | None) -> dict[str, Any]:
    moment = receipt.reported_at.isoformat() if receipt.reported_at else ""
    index = index_of(receipt.number) if index_of and receipt.number else None
    said = (gateway_name, receipt.provider_ref, receipt.message_ref, receipt.state.value, receipt.code, moment)
    whom = (receipt.call.hex if receipt.call else "", index.hex() if index else "")
    return {
        "key": hashlib.sha256("\x1f".join((*said, *whom) if any(whom) else said).encode()).digest(),
        "provider": gateway_name,
        "provider_ref": receipt.provider_ref[:64],
        "message_ref": receipt.message_ref[:60],
        "state": receipt.state,
        "code": receipt.code[:40],
        "reported_at": receipt.reported_at,
        "arrived_at": now,
        "call_id": receipt.call,
        "phone_index": index,
        "matched": False,
    }


def _insert_new(session: Session, rows: list[dict[str, Any]]) -> list[bytes]:
    """Store what is new and return its keys; whatever is there already stays as it was."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(SmsReceipt).on_conflict_do_nothing().returning(SmsReceipt.key)
    return list(session.scalars(statement, rows)) if rows else []


def _apply(session: Session, rows: Sequence[dict[str, Any]], now: datetime) -> Recorded:
    found = _messages(session, rows)
    earlier = _earlier(session, [row for row in rows if row["key"] not in found])
    groups: dict[tuple[MessageState, str], set[int]] = {}
    matched: list[bytes] = []
    for row in rows:
        known = earlier.get(row["key"])
        message_id = found.get(row["key"])
        if known is not None:
            matched.append(row["key"])
            _note_attempt(session, known[0], row["state"], row["code"])
            # An earlier try that came to nothing says nothing about the present one; that somebody has it, does.
            message_id = known[1] if row["state"] is not MessageState.UNDELIVERED else None
        elif message_id is not None:
            matched.append(row["key"])
        if message_id is not None:
            groups.setdefault((row["state"], row["code"]), set()).add(message_id)
    changed = sum(_raise(session, state, code, ids, now) for (state, code), ids in groups.items())
    if matched:
        session.execute(update(SmsReceipt).where(SmsReceipt.key.in_(matched)).values(matched=True))
    return Recorded(0, len(matched), changed)


def _note_attempt(session: Session, attempt_id: int, state: MessageState, code: str) -> None:
    session.execute(
        update(SmsAttempt)
        .where(SmsAttempt.id == attempt_id, SmsAttempt.state != MessageState.DELIVERED)
        .values(state=state, code=code)
    )


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
    for table in (_by_call, _by_their_id):
        rest = [row for row in rows if row["key"] not in found]
        found |= {key: message_id for key, (_, message_id) in table(session, rest, SmsMessage).items()}
    return found


def _earlier(session: Session, rows: Sequence[dict[str, Any]]) -> dict[bytes, tuple[int, int]]:
    """Return the earlier try (and its message) that reports without a present one speak of, by the report's key."""
    found = _by_call(session, rows, SmsAttempt)
    return found | _by_their_id(session, [row for row in rows if row["key"] not in found], SmsAttempt)


Where = type[SmsMessage] | type[SmsAttempt]


def _by_call(session: Session, rows: Sequence[dict[str, Any]], where: Where) -> dict[bytes, tuple[int, int]]:
    """Find by our id of the call and the number."""
    wanted = {(row["call_id"], row["phone_index"]): row["key"] for row in rows if row["call_id"] and row["phone_index"]}
    calls = {call for call, _ in wanted}
    if not calls:
        return {}
    known = session.execute(_of(where).where(where.submission_id.in_(calls)))
    return {wanted[key]: (row.id, row.message) for row in known if (key := (row.call, row.phone_index)) in wanted}


def _by_their_id(session: Session, rows: Sequence[dict[str, Any]], where: Where) -> dict[bytes, tuple[int, int]]:
    """Find by the provider's id, which may stand for a whole call: then the number decides."""
    named = [row for row in rows if row["provider_ref"]]
    if not named:
        return {}
    pairs = {(row["provider"], row["provider_ref"]) for row in named}
    known: dict[tuple[str, str, bytes | None], tuple[int, int]] = {}
    for row in session.execute(_of(where).where(tuple_(where.provider, where.provider_ref).in_(pairs))):
        known[row.provider, row.provider_ref, row.phone_index] = row.id, row.message
        known[row.provider, row.provider_ref, None] = row.id, row.message
    keys = ((row["key"], (row["provider"], row["provider_ref"], row["phone_index"])) for row in named)
    return {key: known[wanted] for key, wanted in keys if wanted in known}


def _of(where: Where) -> Any:
    message = SmsMessage.id if where is SmsMessage else SmsAttempt.message_id
    columns = select(
        where.id,
        message.label("message"),
        where.provider,
        where.provider_ref,
        where.submission_id.label("call"),
        SmsMessage.phone_index,
    )
    return columns if where is SmsMessage else columns.join(SmsMessage, SmsMessage.id == SmsAttempt.message_id)


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

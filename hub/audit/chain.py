"""The chain through the log: what an entry's hash is over, and what a change from outside leaves behind."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.audit.models import AuditEntry

GENESIS = bytes(32)
PIECE = 500


@dataclass(frozen=True, slots=True)
class Anchor:
    """What the log had come to at a moment, as noted outside of the database."""

    entry_id: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The first place where the log is not what it was. `kind` is what was done to it, as far as it can be told.

    changed: the entry's own words differ. broken: entries before it were taken out, put in or exchanged. replaced: it
    differs from what an anchor says. cut: an anchor knows entries after the last one.
    """

    entry_id: int
    kind: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of reading the log: how far it goes, and the first fault."""

    entries: int
    last: Anchor | None
    fault: Fault | None


def digest(entry: AuditEntry) -> bytes:
    """Return the hash of an entry over everything it says and the hash of the one before."""
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
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(entry.previous_hash + text.encode()).digest()


def prove(session: Session, anchors: Iterable[Anchor] = (), *, after: Anchor | None = None) -> Proof:
    """Read the log from its beginning, or from what an anchor vouches for, and compare it with the anchors."""
    noted = {anchor.entry_id: anchor.hash for anchor in anchors}
    previous, count, last = (after.hash if after else GENESIS), 0, after
    query = select(AuditEntry).where(AuditEntry.id > (after.entry_id if after else 0)).order_by(AuditEntry.id)
    with closing(session.scalars(query.execution_options(yield_per=PIECE))) as entries:
        for entry in entries:
            fault = _fault(entry, previous, noted)
            if fault:
                return Proof(count, last, fault)
            previous, count, last = entry.hash, count + 1, Anchor(entry.id, entry.hash)
            session.expunge(entry)
    return Proof(count, last, _missed(session, noted))


def _fault(entry: AuditEntry, previous: bytes, noted: Mapping[int, bytes]) -> Fault | None:
    if entry.previous_hash != previous:
        return Fault(entry.id, "broken")
    if entry.hash != digest(entry):
        return Fault(entry.id, "changed")
    return Fault(entry.id, "replaced") if noted.get(entry.id, entry.hash) != entry.hash else None


def _missed(session: Session, noted: Mapping[int, bytes]) -> Fault | None:
    """An anchor must find its entry: one that is missing was taken from the end, or the ids were made anew."""
    end = session.scalar(select(func.max(AuditEntry.id))) or 0
    for entry_id in sorted(noted):
        if entry_id > end:
            return Fault(entry_id, "cut")
        if session.scalar(select(AuditEntry.hash).where(AuditEntry.id == entry_id)) != noted[entry_id]:
            return Fault(entry_id, "replaced")
    return None

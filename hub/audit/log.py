"""Write down who did what, each entry chained to the one before, and prove that nothing was changed since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from hub.audit.chain import GENESIS, digest
from hub.audit.models import AuditEntry
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import NotAllowed

MOST_EXPORTED = 50_000
_LOCK_AND_LOOK = "SELECT pg_advisory_xact_lock(1129862465); SELECT hash FROM audit_entry ORDER BY id DESC LIMIT 1"
"""One chain, one writer at a time on PostgreSQL; the number is any constant."""


def record(
    session: Session, actor: Actor, deed: str, subject: str, region_path: str, now: datetime, **details: Any
) -> AuditEntry:
    """Add one entry. `details` must hold no password, token or phone number: entries are never deleted."""
    return record_each(session, actor, [Deed(deed, subject, region_path, details)], now)[0]


@dataclass(frozen=True, slots=True)
class Deed:
    """What `record` takes, of one of many things that were done at once."""

    deed: str
    subject: str
    region_path: str
    details: Mapping[str, Any]


def record_each(session: Session, actor: Actor, deeds: Sequence[Deed], now: datetime) -> list[AuditEntry]:
    """Add an entry for each. Whoever else writes waits from here to the end of the unit of work: call it late."""
    previous = _newest_hash(session)
    entries = []
    for one in deeds:
        entry = AuditEntry(
            at=now,
            actor_id=actor.id,
            actor_name=actor.name,
            origin=actor.origin,
            via=actor.via,
            deed=one.deed,
            subject=one.subject,
            region_path=one.region_path,
            details={k: _plain(v) for k, v in one.details.items()},
            previous_hash=previous,
            hash=b"",
        )
        previous = entry.hash = digest(entry)
        entries.append(entry)
    session.add_all(entries)
    session.flush()
    return entries


def _newest_hash(session: Session) -> bytes:
    """Return what the next entry is chained to, and let nobody else in before it is committed."""
    newest = select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)
    if session.get_bind().dialect.name != "postgresql":
        return session.scalar(newest) or GENESIS
    # Both in one trip. As one statement they would not do: it would look at the table as it was before the lock.
    cursor = session.connection().connection.cursor()
    try:
        cursor.execute(_LOCK_AND_LOOK)
        cursor.nextset()
        row = cursor.fetchone()
    finally:
        cursor.close()
    return bytes(row[0]) if row else GENESIS


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for in the log. Empty fields do not count."""

    who: str = ""
    topic: str = ""
    """What it was done to: the part of a deed before its dot, such as `announcement`."""
    place: str = ""
    """A region path; everything below it counts."""
    words: str = ""
    """Part of the subject, such as the name of an account or loudspeaker."""
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return it as conditions of a query."""
        found: list[ColumnElement[bool]] = []
        if self.who:
            found.append(AuditEntry.actor_name.contains(self.who, autoescape=True))
        if self.topic:
            found.append(AuditEntry.deed.startswith(f"{self.topic}.", autoescape=True))
        if self.place:
            found.append(AuditEntry.region_path.like(like_below(self.place)))
        if self.words:
            found.append(AuditEntry.subject.contains(self.words, autoescape=True))
        if self.since:
            found.append(AuditEntry.at >= self.since)
        if self.until:
            found.append(AuditEntry.at < self.until)
        return found

    def as_details(self) -> dict[str, str]:
        """Return what was looked for, for the log itself."""
        said = {"who": self.who, "topic": self.topic, "place": self.place, "words": self.words}
        said |= {"since": _moment(self.since), "until": _moment(self.until)}
        return {key: value for key, value in said.items() if value}


EVERYTHING = Search()


def latest(
    session: Session, actor: Actor, *, search: Search = EVERYTHING, before: int | None = None, limit: int = 50
) -> list[AuditEntry]:
    """Return what the actor may see of the log and looks for, newest first."""
    query = _seen(actor, search)
    if query is None:
        return []
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return list(session.scalars(query.limit(limit)))


def export(session: Session, actor: Actor, search: Search, *, form: str, now: datetime) -> list[AuditEntry]:
    """Return what the actor looks for, to be carried away; the log says so."""
    query = _seen(actor, search)
    if query is None:
        raise NotAllowed("not_allowed", permission=Permission.SEE_AUDIT.value)
    found = list(session.scalars(query.limit(MOST_EXPORTED)))
    home = actor.paths(Permission.SEE_AUDIT)[0]
    record(session, actor, "audit.export", f"audit:{form}", home, now, entries=len(found), **search.as_details())
    return found


def _seen(actor: Actor, search: Search) -> Select[AuditEntry] | None:
    paths = actor.paths(Permission.SEE_AUDIT)
    if not paths:
        return None
    query = select(AuditEntry).where(*search.conditions()).order_by(AuditEntry.id.desc())
    if "" not in paths:
        query = query.where(or_(*(AuditEntry.region_path.like(like_below(path)) for path in paths)))
    return query


def _moment(value: datetime | None) -> str:
    return value.isoformat() if value else ""


def _plain(value: Any) -> Any:
    if isinstance(value, UUID | datetime):
        return str(value)
    return list(value) if isinstance(value, tuple) else value

"""The log of who did what, for programs."""

from typing import Any
from uuid import UUID

from flask import Response
from pydantic import Field

from hub.audit import log
from hub.audit.log import Search
from hub.audit.models import AuditEntry
from hub.core.actor import Permission
from hub.web.api import Moment, Output, PageQuery, answers, moment_of, ms, room, say
from hub.web.guards import permission_required
from hub.web.paging import cursor, place_of
from hub.web.work import actor, reading

bp = room("audit", "Who did what, when, from where.")


class LogQuery(PageQuery):
    """Which part of the log."""

    who: str = Field("", max_length=40, description="part of the name of who did it")
    topic: str = Field("", max_length=30, pattern="^[a-z_]*$", description="first part of the deed, as `announcement`")
    subject: str = Field("", max_length=40, description="part of what it was done to")
    since: Moment = Field(0, description="not before this moment")


class LogEntryOut(Output):
    """One deed."""

    id: int
    at: int
    actor_id: UUID | None
    actor: str
    origin: str
    via: str
    deed: str
    subject: str
    region: str = Field(description="code of the region it belongs to; empty for the whole hub")
    details: dict[str, Any] = Field(description="`before` and `after` where something was changed")
    hash: str = Field(description="over everything here and the hash of the entry before")

    @classmethod
    def of(cls, entry: AuditEntry) -> "LogEntryOut":
        """Return an entry for showing."""
        return cls(
            id=entry.id,
            at=ms(entry.at),
            actor_id=entry.actor_id,
            actor=entry.actor_name,
            origin=entry.origin,
            via=entry.via,
            deed=entry.deed,
            subject=entry.subject,
            region=entry.region_path.rstrip("/").rpartition("/")[2],
            details=entry.details,
            hash=entry.hash.hex(),
        )


class LogPage(Output):
    """One page of the log, newest first."""

    items: list[LogEntryOut]
    next: str | None


@bp.get("/audit", responses=answers(LogPage, 403))
@permission_required(Permission.SEE_AUDIT)
def list_log(query: LogQuery) -> Response:
    """Read the log where the key may."""
    before = place_of(query.cursor, _entry_id) if query.cursor else None
    search = Search(
        who=query.who,
        topic=query.topic,
        words=query.subject,
        since=moment_of(query.since) if query.since else None,
    )
    with reading() as session:
        found = log.latest(session, actor(), search=search, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    more = len(found) > query.limit
    return say(LogPage(items=[LogEntryOut.of(one) for one in shown], next=cursor(shown[-1].id) if more else None))


def _entry_id(value: object) -> int:
    if not isinstance(value, int) or not 0 < value < 2**62:
        raise ValueError(value)
    return value

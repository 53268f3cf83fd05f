"""What the pages and the API show of warnings and documents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, defer

from broadcasts.alerts.calling.telling import Told
from broadcasts.alerts.models import Alert
from broadcasts.audience.selection import Audience
from broadcasts.bulletins import chains, deciding, intake, summoning
from broadcasts.bulletins.models import Bulletin, Envelope
from broadcasts.bulletins.reach import part_of
from broadcasts.cap.findings import Finding
from broadcasts.kinds import Colour
from broadcasts.loudspeaker import orders
from broadcasts.sms.sending import outbox
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound
from hub.regions.tree import path_of

MOST: Final = 60
KEPT_IN_VIEW: Final = timedelta(days=30)


@dataclass(frozen=True)
class Row:
    """One warning in the list."""

    bulletin: Bulletin
    place: str
    waits: bool
    """Whether the reader is the one who has to decide."""


@dataclass(frozen=True)
class Event:
    """One event with everything that was said about it; one line of the list."""

    rows: tuple[Row, ...]

    @property
    def first(self) -> Row:
        """The gravest one, of those that wait if any does."""
        return self.rows[0]


@dataclass(frozen=True)
class Sheet:
    """One warning whole."""

    bulletin: Bulletin
    document: Envelope
    findings: tuple[Finding, ...]
    place: str
    own: tuple[str, ...]
    own_place: str
    colour: Colour
    speech: str
    sms: str
    speakers: int
    phones: int
    told: Alert | None
    made: tuple[Alert, ...]
    same: tuple[Bulletin, ...]
    may_decide: bool
    may_dismiss: bool
    known: bool
    """Whether the hub knows its sender: then one person passes it on, else a second one is asked."""
    summoned: tuple[Told, ...] = ()
    """Who was written to because of it."""


def events(session: Session, actor: Actor, *, now: datetime) -> list[Event]:
    """Return what came lately, by event, what waits first."""
    query = (
        select(Bulletin)
        .where(Bulletin.received_at > now - KEPT_IN_VIEW)
        .order_by(Bulletin.received_at.desc())
        .limit(MOST * 10)
    )
    by_event: dict[object, list[Row]] = {}
    for bulletin in session.scalars(query):
        if deciding.may_see(actor, bulletin):
            row = Row(
                bulletin,
                deciding.place_of(session, bulletin.regions),
                deciding.waits_for(session, actor, bulletin, now=now),
            )
            by_event.setdefault(bulletin.incident_id or bulletin.id, []).append(row)
    found = [Event(tuple(sorted(rows, key=_gravest_first))) for rows in by_event.values()][:MOST]
    return sorted(found, key=lambda event: not event.first.waits)


def _gravest_first(row: Row) -> tuple[bool, int, float]:
    colours = list(Colour)
    rank = colours.index(row.bulletin.colour) if row.bulletin.colour else len(colours)
    return not row.waits, rank, -row.bulletin.received_at.timestamp()


def sheet(
    session: Session, actor: Actor, bulletin_id: UUID, *, colour: Colour | None, hushed: bool, now: datetime
) -> Sheet:
    """Return one warning with what would be said to whom. `hushed`: loudspeakers stay silent."""
    bulletin = deciding.get(session, actor, bulletin_id)
    document = session.get_one(Envelope, bulletin.document_id)
    own = deciding.own_part(actor, bulletin)
    shade = bulletin.colour or colour or Colour.YELLOW
    words = deciding.words_for(session, bulletin, shade, own or bulletin.regions)
    audience = Audience(own)
    return Sheet(
        bulletin=bulletin,
        document=document,
        findings=tuple(Finding.from_json(item) for item in document.findings),
        place=deciding.place_of(session, bulletin.regions),
        own=own,
        own_place=deciding.place_of(session, own),
        colour=shade,
        speech=words.speech,
        sms=words.sms,
        speakers=orders.meant(session, audience.paths) if own and not hushed else 0,
        phones=outbox.reach(session, audience).emergency if own else 0,
        told=deciding.told_by(session, actor, bulletin, now=now),
        made=tuple(chains.made_from(session, bulletin)),
        same=tuple(other for other in _same(session, actor, bulletin) if other.id != bulletin.id),
        may_decide=deciding.waits_for(session, actor, bulletin, now=now),
        may_dismiss=all(actor.may(Permission.EMERGENCY, path_of(code)) for code in bulletin.regions),
        known=intake.trusted_sender(session, bulletin.sender) is not None,
        summoned=tuple(summoning.summoned(session, bulletin, now=now)),
    )


def _same(session: Session, actor: Actor, bulletin: Bulletin) -> Iterable[Bulletin]:
    if bulletin.incident_id is None:
        return ()
    query = select(Bulletin).where(Bulletin.incident_id == bulletin.incident_id).order_by(Bulletin.received_at)
    return (other for other in session.scalars(query) if deciding.may_see(actor, other))


def refused(session: Session, actor: Actor, *, now: datetime) -> list[Envelope]:
    """Return documents that were refused lately, for whoever answers for the way they came by."""
    paths = actor.paths(Permission.EMERGENCY)
    query = (
        select(Envelope)
        .options(defer(Envelope.raw))
        .where(Envelope.key.is_(None), Envelope.received_at > now - KEPT_IN_VIEW)
        .order_by(Envelope.received_at.desc())
        .limit(MOST * 4)
    )
    return [row for row in session.scalars(query) if any(row.home_path.startswith(p) for p in paths)][:MOST]


def document(session: Session, actor: Actor, document_id: UUID) -> Envelope:
    """Return one document as it came, to whoever answers for its way in or may see a warning in it."""
    found = session.get(Envelope, document_id)
    if found is None:
        raise NotFound("bulletin_unknown")
    inside = session.scalars(select(Bulletin).where(Bulletin.document_id == document_id)).all()
    if actor.may(Permission.EMERGENCY, found.home_path) or any(deciding.may_see(actor, one) for one in inside):
        return found
    raise NotFound("bulletin_unknown")


def page(session: Session, actor: Actor, *, limit: int, before: tuple[datetime, UUID] | None) -> Sequence[Bulletin]:
    """Return warnings the actor may see, the latest first."""
    query = select(Bulletin).order_by(Bulletin.received_at.desc(), Bulletin.id.desc())
    if before is not None:
        query = query.where(tuple_(Bulletin.received_at, Bulletin.id) < before)
    found: list[Bulletin] = []
    for bulletin in session.scalars(query.execution_options(yield_per=100)):
        if deciding.may_see(actor, bulletin):
            found.append(bulletin)
        if len(found) == limit:
            break
    return found


def own_codes(actor: Actor, bulletin: Bulletin) -> tuple[str, ...]:
    """Return the part of a warning that the actor may see."""
    return part_of(actor, Permission.SEE, bulletin.regions)


def findings_of(found: Envelope) -> list[Finding]:
    """Return the remarks on a document, what refuses it first."""
    return sorted((Finding.from_json(item) for item in found.findings), key=lambda finding: finding.warning)


def bulletins_in(session: Session, actor: Actor, document_id: UUID) -> list[Bulletin]:
    """Return the warnings of a document that the actor may see."""
    rows = session.scalars(select(Bulletin).where(Bulletin.document_id == document_id).order_by(Bulletin.part))
    return [bulletin for bulletin in rows if deciding.may_see(actor, bulletin)]

"""What lies in the library: looked through by theme, kind and words, one page after the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, cast, or_, select, tuple_
from sqlalchemy.orm import Session

from broadcasts.approvals import rounds
from broadcasts.approvals.lifecycle import State
from broadcasts.approvals.rounds import Standing
from broadcasts.delivery.visibility import below, near
from broadcasts.kinds import Theme
from broadcasts.materials import service
from broadcasts.materials.models import Material, MaterialKind
from hub.core.actor import Actor, Permission
from hub.regions import service as regions
from hub.regions.service import Node
from hub.web.paging import as_address

PAGE = 20
MOST_OFFERED = 60
TABS: Mapping[str, State | None] = {
    "usable": State.APPROVED,
    "submitted": State.SUBMITTED,
    "mine": None,
    "expired": State.APPROVED,
}


@dataclass(frozen=True, slots=True)
class Sought:
    """What somebody looks for; everything empty = all."""

    tab: str = "usable"
    theme: Theme | None = None
    kind: MaterialKind | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One material in a list, and whose it is."""

    material: Material
    home: str
    over: bool
    own: bool


@dataclass(frozen=True, slots=True)
class Shelf:
    """One page of the library; `waiting` is how many wait for this person's approval."""

    rows: tuple[Row, ...]
    next: str
    waiting: int


@dataclass(frozen=True, slots=True)
class Detail:
    """One material with what may be done with it. `blocked` is the code of what keeps it from being used."""

    material: Material
    home: str
    own: bool
    standing: Standing
    may_approve: bool
    may_withdraw: bool
    may_compose: bool
    blocked: str


def shelf(
    session: Session, actor: Actor, sought: Sought, *, today: date, after: tuple[datetime, UUID] | None = None
) -> Shelf:
    """Return one page, last changed first."""
    query = select(Material).where(_seen(actor), *_tab(actor, sought.tab, today), *_wanted(sought))
    if after is not None:
        query = query.where(tuple_(Material.changed_at, Material.id) < after)
    found = list(session.scalars(query.order_by(Material.changed_at.desc(), Material.id.desc()).limit(PAGE + 1)))
    shown = found[:PAGE]
    rows = tuple(
        Row(m, regions.full_name(session, m.home_path, without_county=True), m.is_over(today), m.written_by == actor.id)
        for m in shown
    )
    last = as_address(shown[-1].changed_at, shown[-1].id) if len(found) > PAGE else ""
    return Shelf(rows, last, service.count_waiting(session, actor))


def page(
    session: Session, actor: Actor, sought: Sought, *, today: date, after: tuple[datetime, UUID] | None, limit: int
) -> list[Material]:
    """Return the same for programs."""
    query = select(Material).where(_seen(actor), *_tab(actor, sought.tab, today), *_wanted(sought))
    if after is not None:
        query = query.where(tuple_(Material.changed_at, Material.id) < after)
    return list(session.scalars(query.order_by(Material.changed_at.desc(), Material.id.desc()).limit(limit)))


def offered(session: Session, actor: Actor, kind: MaterialKind, *, today: date) -> list[Material]:
    """Return what may be broadcast now, the most recently agreed first within each theme."""
    query = select(Material).where(_seen(actor), *_tab(actor, "usable", today), Material.kind == kind)
    return list(session.scalars(query.order_by(Material.theme, Material.approved_at.desc()).limit(MOST_OFFERED)))


def detail(session: Session, actor: Actor, material_id: UUID, *, today: date) -> Detail:
    """Return one material."""
    found = service.get(session, actor, material_id)
    own = found.written_by == actor.id
    approves = actor.may(Permission.APPROVE, found.home_path)
    standing = rounds.standing(session, actor, service.subject_of(found))
    return Detail(
        material=found,
        home=regions.full_name(session, found.home_path),
        own=own,
        standing=standing,
        may_approve=found.state is State.SUBMITTED and not standing.refusal,
        may_withdraw=own or approves,
        may_compose=actor.may_somewhere(Permission.COMPOSE),
        blocked=service.why_not(session, found, today),
    )


def homes(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """Return the regions a material may belong to: code and name, indented by depth."""
    found: list[tuple[str, str]] = []
    for node in regions.forest(session, actor, Permission.COMPOSE):
        found += _homes(node, 0)
    return found


def _homes(node: Node, depth: int) -> list[tuple[str, str]]:
    below_ = [line for child in node.children for line in _homes(child, depth + 1)] if depth < 2 else []
    return [(node.code, "　" * depth + node.name), *below_]


def _seen(actor: Actor) -> ColumnElement[bool]:
    """As `service.get` sees: what comes from above only when it is approved, drafts only one's own."""
    mine = Material.written_by == actor.id
    from_below = and_(Material.state.in_((State.SUBMITTED, State.RETURNED)), below(actor, Material.home_path))
    return and_(near(actor, Material.home_path), or_(Material.state == State.APPROVED, mine, from_below))


def _tab(actor: Actor, tab: str, today: date) -> list[ColumnElement[bool]]:
    if tab == "mine":
        return [Material.written_by == actor.id, Material.state != State.WITHDRAWN]
    if tab == "submitted":
        return [Material.state == State.SUBMITTED]
    over = and_(Material.valid_until.is_not(None), Material.valid_until < today)
    return [Material.state == State.APPROVED, over if tab == "expired" else ~over]


def _wanted(sought: Sought) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if sought.theme is not None:
        found.append(Material.theme == sought.theme)
    if sought.kind is not None:
        found.append(Material.kind == sought.kind)
    for word in sought.words.split()[:5]:
        columns = (Material.title, Material.text, Material.source, cast(Material.tags, String))
        found.append(or_(*(column.icontains(part, autoescape=True) for column in columns for part in _spellings(word))))
    return found


def _spellings(word: str) -> tuple[str, ...]:
    """A word as it is written, and as JSON writes it: tags are kept as JSON."""
    escaped = word.encode("ascii", "backslashreplace").decode()
    return (word,) if escaped == word else (word, escaped)

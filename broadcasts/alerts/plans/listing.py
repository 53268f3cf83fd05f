"""Plans as the pages show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.alerts.hazards import Hazard, hazard, hazards
from broadcasts.alerts.plans.models import Plan, PlanState, PlanVersion
from broadcasts.alerts.plans.service import subject_of, words_of
from broadcasts.alerts.plans.words import PlanWords
from broadcasts.approvals import rounds
from broadcasts.approvals.rounds import Standing, Subject
from broadcasts.kinds import Colour
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import NotFound
from hub.regions import service as regions
from hub.regions.tree import Level, codes_in, path_of
from hub.speakers import registry
from hub.speakers.registry import Count
from hub.speakers.ticking import Branch, branch

HOMES = frozenset({Level.COUNTY, Level.TOWNSHIP, Level.VILLAGE})


@dataclass(frozen=True, slots=True)
class Cell:
    """One hazard and colour of a place: its plan, if it has one."""

    colour: Colour
    plan_id: UUID | None
    state: PlanState | None
    version: int
    above: str = ""
    """The place above whose plan in force holds here, where there is none of its own."""


@dataclass(frozen=True, slots=True)
class Row:
    """One hazard of a place."""

    hazard: Hazard
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """All plans of one place."""

    home: str
    name: str
    homes: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    missing: int
    waiting: int
    in_force: int
    lent: int
    """How many cases a plan from above covers."""


@dataclass(frozen=True, slots=True)
class PlanPage:
    """One plan, its latest version, and those before it."""

    plan: Plan
    hazard: Hazard
    version: PlanVersion
    words: PlanWords
    home: str
    area: tuple[str, ...]
    earlier: tuple[PlanVersion, ...]
    standing: Standing
    may_write: bool
    may_sign: bool
    may_drop: bool


def homes(session: Session, actor: Actor, permission: Permission = Permission.SEE) -> tuple[tuple[str, str], ...]:
    """Return the places whose plans the actor may see, or write."""
    return tuple(regions.choices(session, actor, permission, levels=HOMES))


def board(session: Session, actor: Actor, home: str) -> Board:
    """Return the plans of a place; of the topmost one when none is named, or it is not the actor's."""
    known = homes(session, actor)
    codes = [code for code, _ in known]
    home = home if home in codes else codes[0] if codes else ""
    found = _latest_of(session, home)
    lent = _lent(session, home)
    rows = tuple(Row(kind, tuple(_cell(found, lent, kind, colour) for colour in Colour)) for kind in hazards().values())
    states = [version.state for version in found.values()]
    return Board(
        home=home,
        name=dict(known).get(home, ""),
        homes=known,
        rows=rows,
        missing=len(rows) * len(Colour) - len(found),
        waiting=states.count(PlanState.WAITING),
        in_force=states.count(PlanState.APPROVED),
        lent=sum(bool(cell.above) for row in rows for cell in row.cells),
    )


def page(session: Session, actor: Actor, plan_id: UUID) -> PlanPage:
    """Return one plan; to a stranger it does not exist."""
    plan = session.get(Plan, plan_id)
    if plan is None or not actor.may(Permission.SEE, plan.home_path):
        raise NotFound("plan_unknown")
    return _page(session, actor, plan)


def pages(
    session: Session, actor: Actor, *, home: str, state: PlanState | None, after: UUID | None, limit: int
) -> list[PlanPage]:
    """Return plans the actor may see, those of one place or in one state if asked, in order of their ids."""
    paths = actor.paths(Permission.SEE)
    if not paths:
        return []
    query = (
        select(Plan)
        .join(PlanVersion, (PlanVersion.plan_id == Plan.id) & (PlanVersion.version == Plan.version))
        .where(or_(*(Plan.home_path.like(like_below(path)) for path in paths)))
    )
    if home:
        query = query.where(Plan.region_code == home)
    if state is not None:
        query = query.where(PlanVersion.state == state)
    if after is not None:
        query = query.where(Plan.id > after)
    return [_page(session, actor, plan) for plan in session.scalars(query.order_by(Plan.id).limit(limit)).all()]


def _page(session: Session, actor: Actor, plan: Plan) -> PlanPage:
    versions = session.scalars(
        select(PlanVersion).where(PlanVersion.plan_id == plan.id).order_by(PlanVersion.version.desc())
    ).all()
    latest, earlier = versions[0], tuple(versions[1:])
    names = regions.names(session, {plan.region_code, *latest.regions})
    standing = rounds.standing(session, actor, subject_of(plan, latest))
    write = actor.may(Permission.COMPOSE, plan.home_path)
    begun = latest.state in (PlanState.DRAFT, PlanState.RETURNED, PlanState.WAITING)
    return PlanPage(
        plan=plan,
        hazard=hazard(plan.hazard),
        version=latest,
        words=words_of(latest),
        home=names.get(plan.region_code, plan.region_code),
        area=tuple(names.get(code, code) for code in latest.regions),
        earlier=earlier,
        standing=standing,
        may_write=write,
        may_sign=latest.state is PlanState.WAITING and not standing.refusal,
        may_drop=write and begun and bool(earlier) and bool(earlier[0].second_by),
    )


def tree(session: Session, actor: Actor, home: str, ticked: Sequence[str]) -> tuple[Branch, ...]:
    """Return what lies below a place, to be ticked for a plan's usual area. Which are silent now does not matter."""
    counts = {code: Count(n, n) for code, n in registry.totals_by_region(session, actor).items()}
    return (branch(regions.subtree(session, actor, home), frozenset(ticked), counts),)


def find(session: Session, home: str, kind: str, colour: Colour) -> PlanVersion | None:
    """Return the latest version of a place's plan for a hazard and colour. The caller has checked who asks."""
    return session.scalar(
        select(PlanVersion)
        .join(Plan, (Plan.id == PlanVersion.plan_id) & (Plan.version == PlanVersion.version))
        .where(Plan.region_code == home, Plan.hazard == kind, Plan.colour == colour)
    )


def unsigned(session: Session, actor: Actor) -> list[Subject]:
    """Return what waits for signatures where the actor may give one."""
    paths = actor.paths(Permission.APPROVE)
    if not paths:
        return []
    rows = session.execute(
        select(Plan, PlanVersion)
        .join(PlanVersion, (Plan.id == PlanVersion.plan_id) & (Plan.version == PlanVersion.version))
        .where(
            PlanVersion.state == PlanState.WAITING,
            or_(*(Plan.home_path.like(like_below(path)) for path in paths)),
        )
    ).all()
    return [subject_of(plan, version) for plan, version in rows]


def waiting(session: Session, actor: Actor) -> int:
    """Return how many plans wait for this person's signature."""
    return rounds.count_open(session, actor, unsigned(session, actor))


def _latest_of(session: Session, home: str) -> dict[tuple[str, Colour], PlanVersion]:
    rows = session.execute(
        select(Plan, PlanVersion)
        .join(PlanVersion, (PlanVersion.plan_id == Plan.id) & (PlanVersion.version == Plan.version))
        .where(Plan.region_code == home)
    ).all()
    return {(plan.hazard, plan.colour): version for plan, version in rows}


def _lent(session: Session, home: str) -> dict[tuple[str, Colour], str]:
    """Return which place above has a plan in force that holds here too, the nearest one."""
    if not home:
        return {}
    codes = codes_in(path_of(home))[:-1]
    rows = session.execute(
        select(Plan, PlanVersion)
        .join(PlanVersion, (PlanVersion.plan_id == Plan.id) & (PlanVersion.version == Plan.version))
        .where(Plan.region_code.in_(codes), PlanVersion.state == PlanState.APPROVED)
        .order_by(Plan.home_path)
    ).all()
    names = regions.names(session, set(codes))
    return {(plan.hazard, plan.colour): names.get(plan.region_code, "") for plan, _ in rows}


def _cell(
    found: dict[tuple[str, Colour], PlanVersion], lent: dict[tuple[str, Colour], str], kind: Hazard, colour: Colour
) -> Cell:
    version = found.get((kind.key, colour))
    if version is None:
        return Cell(colour, None, None, 0, lent.get((kind.key, colour), ""))
    above = "" if version.state is PlanState.APPROVED else lent.get((kind.key, colour), "")
    return Cell(colour, version.plan_id, version.state, version.version, above)

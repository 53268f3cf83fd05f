"""Where nobody can be reached: which villages, on the map and as a list, and who closes the gap until when."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.delivery.desk import Press, Pressing
from broadcasts.delivery.village_map import Shape, shapes
from broadcasts.reports.models import GapKind, GapPlan
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound, Problems, WrongState
from hub.regions import service as regions
from hub.regions.tree import Level, codes_in
from hub.residents.models import NumberKind, Phone, Resident
from hub.speakers.models import Speaker, SpeakerState

PERSON_LENGTH, WHAT_LENGTH = 40, 200
VILLAGE: Final = 3
"""So many codes lead to a village."""
NEEDS: Final = {GapKind.HORN: Permission.EDIT_SPEAKERS, GapKind.PHONE: Permission.EDIT_RESIDENTS}
"""Who may plan how a gap is closed: whoever may put in what is missing."""


@dataclass(frozen=True, slots=True)
class PlanWish:
    """A plan as it was typed."""

    person: str = ""
    what: str = ""
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A village, and who in it cannot be reached. `silent`: loudspeakers that do not report now."""

    code: str
    name: str
    path: str
    speakers: int = 0
    silent: int = 0
    residents: int = 0
    without_phone: int = 0
    shape: Shape | None = None
    plans: Mapping[GapKind, GapPlan] = field(default_factory=dict)

    @property
    def dumb(self) -> bool:
        """Whether no loudspeaker of it works."""
        return self.silent >= self.speakers

    @property
    def kinds(self) -> tuple[GapKind, ...]:
        """What keeps its people from being reached; nothing where everybody is."""
        found = {GapKind.HORN: self.dumb, GapKind.PHONE: bool(self.without_phone)}
        return tuple(kind for kind, open_ in found.items() if open_)

    @property
    def tone(self) -> str:
        """The colour it is drawn in."""
        return "bad" if self.dumb else "warn" if self.without_phone else "ok"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every village of a place for the map; those with a gap are `open`, the worst first."""

    villages: Sequence[Gap]
    open: Sequence[Gap]

    def count(self, kind: GapKind) -> int:
        """Return how many villages have such a gap."""
        return sum(1 for gap in self.open if kind in gap.kinds)

    def unplanned(self, today: date) -> int:
        """Return how many gaps nobody has promised to close, or had promised to have closed by now."""
        plans = [gap.plans.get(kind) for gap in self.open for kind in gap.kinds]
        return sum(1 for plan in plans if plan is None or plan.done_at is not None or plan.due_on < today)


def coverage(session: Session, actor: Actor, code: str) -> Coverage:
    """Return the villages of a place the actor may see. Raises NotFound."""
    top = regions.subtree(session, actor, code)
    villages = [node for node in top.walk() if node.level is Level.VILLAGE]
    horns, silent = _horns(session, top.path), _horns(session, top.path, silent=True)
    people, reached = _people(session, top.path), _people(session, top.path, reached=True)
    planned = _plans(session, top.path)
    drawn = shapes([node.outline for node in villages])
    found = [
        Gap(
            node.code,
            node.name,
            node.path,
            horns.get(node.code, 0),
            silent.get(node.code, 0),
            people.get(node.code, 0),
            people.get(node.code, 0) - reached.get(node.code, 0),
            shape,
            planned.get(node.code, {}),
        )
        for node, shape in zip(villages, drawn, strict=True)
    ]
    worst = sorted((gap for gap in found if gap.kinds), key=lambda gap: (not gap.dumb, -gap.without_phone, gap.code))
    return Coverage(found, worst)


def settle(
    session: Session,
    actor: Actor,
    code: str,
    kind: GapKind,
    wish: PlanWish,
    *,
    today: date,
    now: datetime,
) -> GapPlan:
    """Say who closes a gap and until when; what was said before is replaced. Raises Problems."""
    region = regions.get_region(session, actor, code)
    actor.require(NEEDS[kind], region.path)
    if region.level is not Level.VILLAGE:
        raise BadInput("gap_village_only", field="region")
    due_on = _checked(wish, today)
    plan = _newest(session, region.path, kind)
    before = _told(plan) if plan is not None and plan.done_at is None else ""
    if plan is None or plan.done_at is not None:
        plan = GapPlan(region_code=region.code, region_path=region.path, kind=kind)
        session.add(plan)
    plan.person, plan.what, plan.due_on = wish.person.strip(), wish.what.strip(), due_on
    plan.made_by_name, plan.changed_at = actor.name[:60], now
    session.flush()
    _note(session, actor, "gap.plan", plan, now, before=before or None, after=_told(plan))
    return plan


def finish(session: Session, actor: Actor, plan_id: UUID, *, now: datetime) -> GapPlan:
    """Say that a gap is closed; whether it is, the list shows by itself."""
    plan = session.get(GapPlan, plan_id, with_for_update=True)
    if plan is None or not actor.may(Permission.SEE, plan.region_path):
        raise NotFound("gap_plan_unknown")
    actor.require(NEEDS[plan.kind], plan.region_path)
    if plan.done_at is not None:
        raise WrongState("gap_plan_done")
    plan.done_at, plan.done_by_name = now, actor.name[:60]
    _note(session, actor, "gap.done", plan, now, after=_told(plan))
    return plan


def overdue(session: Session, actor: Actor, today: date) -> list[GapPlan]:
    """Return the plans whose day has passed where the actor may do something about them, the oldest first."""
    mine = [
        (GapPlan.kind == kind) & GapPlan.region_path.like(like_below(path))
        for kind, permission in NEEDS.items()
        for path in actor.paths(permission)
    ]
    if not mine:
        return []
    query = select(GapPlan).where(GapPlan.done_at.is_(None), GapPlan.due_on < today, or_(*mine))
    return list(session.scalars(query.order_by(GapPlan.due_on)))


def pressing(session: Session, actor: Actor, zone: ZoneInfo, now: datetime) -> list[Pressing]:
    """Return one line for what should be closed by now."""
    late = overdue(session, actor, now.astimezone(zone).date())
    if not late:
        return []
    first = late[0]
    name = regions.names(session, {first.region_code}).get(first.region_code, first.region_code)
    until = datetime.combine(first.due_on, time(23, 59), tzinfo=zone)
    return [Pressing(Press.GAPS, name, first.person, len(late), until=until)]


def _checked(wish: PlanWish, today: date) -> date:
    problems = []
    if not wish.person.strip() or len(wish.person.strip()) > PERSON_LENGTH:
        problems.append(BadInput("gap_person_missing", field="person", most=PERSON_LENGTH))
    elif sum(sign.isdigit() for sign in wish.person) >= 7:
        problems.append(BadInput("keeper_is_a_number", field="person"))
    if len(wish.what) > WHAT_LENGTH:
        problems.append(BadInput("gap_what_too_long", field="what", most=WHAT_LENGTH))
    if wish.due_on is None or wish.due_on < today:
        problems.append(BadInput("gap_day_past", field="due"))
    if problems or wish.due_on is None:
        raise Problems(problems)
    return wish.due_on


def _plans(session: Session, path: str) -> dict[str, dict[GapKind, GapPlan]]:
    found: dict[str, dict[GapKind, GapPlan]] = defaultdict(dict)
    query = select(GapPlan).where(GapPlan.region_path.like(like_below(path))).order_by(GapPlan.id)
    for plan in session.scalars(query):
        found[plan.region_code][plan.kind] = plan
    return found


def _newest(session: Session, path: str, kind: GapKind) -> GapPlan | None:
    query = select(GapPlan).where(GapPlan.region_path == path, GapPlan.kind == kind)
    return session.scalar(query.order_by(GapPlan.id.desc()).limit(1).with_for_update())


def _told(plan: GapPlan) -> str:
    return f"{plan.person} {plan.due_on} {plan.what}".strip()


def _note(session: Session, actor: Actor, deed: str, plan: GapPlan, now: datetime, **said: object) -> None:
    log.record(session, actor, deed, f"gap:{plan.region_code}:{plan.kind.value}", plan.region_path, now, **said)


def _horns(session: Session, path: str, *, silent: bool = False) -> dict[str, int]:
    query = select(Speaker.region_path, func.count()).where(
        Speaker.state == SpeakerState.ACTIVE, Speaker.drill.is_(False), Speaker.region_path.like(like_below(path))
    )
    if silent:
        query = query.where(Speaker.online.is_(False))
    return _by_village(session, query.group_by(Speaker.region_path))


def _people(session: Session, path: str, *, reached: bool = False) -> dict[str, int]:
    query = select(Resident.region_path, func.count()).where(Resident.region_path.like(like_below(path)))
    if reached:
        mobile = select(Phone.id).where(Phone.resident_id == Resident.id, Phone.kind == NumberKind.MOBILE)
        query = query.where(mobile.exists())
    return _by_village(session, query.group_by(Resident.region_path))


def _by_village(session: Session, query: Select[str, int]) -> dict[str, int]:
    counted: dict[str, int] = defaultdict(int)
    for path, count in session.execute(query):
        counted[codes_in(path)[:VILLAGE][-1]] += count
    return counted

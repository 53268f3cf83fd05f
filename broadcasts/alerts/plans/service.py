"""Write a plan, hand it in, sign it (two people at least, never the author), send it back, withdraw it, find it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broadcasts.alerts.hazards import hazard, wording
from broadcasts.alerts.plans.models import Plan, PlanState, PlanVersion
from broadcasts.alerts.plans.words import TEXTS, PlanWords
from broadcasts.approvals import rounds
from broadcasts.approvals.rounds import Subject
from broadcasts.approvals.rules import Matter
from broadcasts.audience.selection import Audience
from broadcasts.kinds import Colour
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.regions import service as regions
from hub.regions.models import Region
from hub.regions.tree import Level, codes_in, path_of

LONGEST_REASON = 200
_UNSIGNED = (PlanState.DRAFT, PlanState.RETURNED)
_BEGUN = (PlanState.DRAFT, PlanState.RETURNED, PlanState.WAITING)


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """A plan as somebody wrote it. `home` is the place whose plan it is; `area` where it is usually meant, codes."""

    home: str
    hazard: str
    colour: Colour
    words: PlanWords
    area: tuple[str, ...] = ()

    @property
    def regions(self) -> tuple[str, ...]:
        """The usual area: the whole place, if none is named."""
        return Audience(self.area or (self.home,)).checked().regions


@dataclass(frozen=True, slots=True)
class InForce:
    """A plan that may be fired by whoever is on duty, alone."""

    plan: Plan
    version: PlanVersion

    @property
    def words(self) -> PlanWords:
        """What it says."""
        return words_of(self.version)


def words_of(version: PlanVersion) -> PlanWords:
    """Return the six texts."""
    return PlanWords(*(getattr(version, name) for name in TEXTS))


def write(session: Session, actor: Actor, draft: PlanDraft, *, now: datetime) -> PlanVersion:
    """Keep a plan's words. Whatever was signed before holds no more: every change has to be signed anew.

    There is one plan for each hazard and colour of a place; the first word of a new version ends the former one.
    """
    kind = hazard(draft.hazard)
    home = path_of(draft.home)
    actor.require(Permission.COMPOSE, home)
    regions.require_known(session, [draft.home, *draft.regions])
    if not all(path.startswith(home) for path in Audience(draft.regions).paths):
        raise BadInput("plan_area_outside", field="area")
    plan = session.scalar(
        select(Plan).where(Plan.region_code == draft.home, Plan.hazard == kind.key, Plan.colour == draft.colour)
    )
    if plan is None:
        plan = Plan(region_code=draft.home, home_path=home, hazard=kind.key, colour=draft.colour, version=0)
        session.add(plan)
        session.flush()
    latest = session.get(PlanVersion, (plan.id, plan.version)) if plan.version else None
    version = latest if latest is not None and latest.state in _UNSIGNED else _next(session, plan, latest, actor, now)
    for name in TEXTS:
        setattr(version, name, getattr(draft.words, name).strip())
    version.regions = list(draft.regions)
    version.state, version.reason, version.content_hash = PlanState.DRAFT, "", ""
    version.written_by, version.written_by_name, version.written_at = _who(actor), actor.name, now
    session.add(version)
    session.flush()
    _record(session, actor, "plan.write", plan, version, now)
    return version


def hand_in(session: Session, actor: Actor, plan_id: UUID, *, signature: str, now: datetime) -> PlanVersion:
    """Ask for signatures: two, or as many as the rules want. Problems says every text that cannot go out like this."""
    plan, version = _latest(session, actor, plan_id, lock=True)
    actor.require(Permission.COMPOSE, plan.home_path)
    if version.state not in _UNSIGNED:
        raise WrongState("plan_not_open")
    words = words_of(version)
    wrong = words.mistakes(signature)
    if wrong:
        raise Problems(wrong)
    version.content_hash = words.hash(plan.hazard, plan.colour, tuple(version.regions))
    version.state, version.handed_in_at, version.reason = PlanState.WAITING, now, ""
    version.first_by = version.second_by = version.first_at = version.second_at = None
    version.first_by_name = version.second_by_name = ""
    names = regions.names(session, set(version.regions))
    rounds.begin(session, actor, subject_of(plan, version, names), now=now)
    _record(session, actor, "plan.hand_in", plan, version, now)
    return version


def sign(session: Session, actor: Actor, plan_id: UUID, content_hash: str, *, now: datetime) -> PlanVersion:
    """Put one's name under exactly what one has read. The last name that is needed puts it in force."""
    plan, version = _latest(session, actor, plan_id, lock=True)
    actor.require(Permission.APPROVE, plan.home_path)
    if version.state is not PlanState.WAITING:
        raise WrongState("plan_not_waiting")
    if version.content_hash != content_hash or _hash(plan, version) != content_hash:
        raise WrongState("plan_changed_meanwhile")
    if actor.id is None or actor.id == version.written_by:
        raise NotAllowed("plan_own")
    if actor.id == version.first_by:
        raise NotAllowed("plan_signed_already")
    verdicts = rounds.take_step(session, actor, subject_of(plan, version), now=now)
    if version.first_by is None:
        version.first_by, version.first_by_name, version.first_at = actor.id, actor.name, now
    if verdicts:
        version.second_by, version.second_by_name, version.second_at = actor.id, actor.name, now
        version.state = PlanState.APPROVED
    _record(session, actor, "plan.sign", plan, version, now)
    return version


def send_back(session: Session, actor: Actor, plan_id: UUID, reason: str, *, now: datetime) -> PlanVersion:
    """Ask for changes, saying which. One signature that was there is gone."""
    plan, version = _latest(session, actor, plan_id, lock=True)
    actor.require(Permission.APPROVE, plan.home_path)
    if version.state is not PlanState.WAITING:
        raise WrongState("plan_not_waiting")
    version.reason = _reason(reason)
    rounds.refuse(session, actor, subject_of(plan, version), version.reason, now=now)
    version.state, version.content_hash = PlanState.RETURNED, ""
    version.first_by, version.first_by_name, version.first_at = None, "", None
    _record(session, actor, "plan.send_back", plan, version, now)
    return version


def withdraw(session: Session, actor: Actor, plan_id: UUID, reason: str, *, now: datetime) -> PlanVersion:
    """Take it out of force: from now on it needs a second person again."""
    plan, version = _latest(session, actor, plan_id, lock=True)
    if not actor.may(Permission.COMPOSE, plan.home_path):
        actor.require(Permission.APPROVE, plan.home_path)
    if version.state is PlanState.WITHDRAWN:
        return version
    version.reason = _reason(reason)
    version.state, version.ended_at, version.ended_by_name = PlanState.WITHDRAWN, now, actor.name
    _record(session, actor, "plan.withdraw", plan, version, now)
    return version


def drop_changes(session: Session, actor: Actor, plan_id: UUID, *, now: datetime) -> PlanVersion:
    """Forget a version that was begun: the one before it, still word for word what two people signed, holds again."""
    plan, version = _latest(session, actor, plan_id, lock=True)
    actor.require(Permission.COMPOSE, plan.home_path)
    before = session.get(PlanVersion, (plan.id, plan.version - 1))
    if version.state not in _BEGUN or before is None or before.state is not PlanState.REPLACED or not before.second_by:
        raise WrongState("plan_nothing_to_drop")
    if not _is_as_signed(session, plan, before):
        raise WrongState("plan_changed_meanwhile")
    session.delete(version)
    before.state, before.ended_at, before.ended_by_name = PlanState.APPROVED, None, ""
    plan.version = before.version
    session.flush()
    _record(session, actor, "plan.drop_changes", plan, before, now)
    return before


def in_force(session: Session, hazard_key: str, colour: Colour, paths: Sequence[str]) -> InForce | None:
    """Return the plan whoever is on duty may fire there alone: that of the nearest place holding all of `paths`.

    Its words are compared with what was signed every time: a text changed behind the hub's back is not fired.
    """
    if not paths:
        return None
    above = {("/".join(codes_in(paths[0])[: n + 1])) + "/" for n in range(len(codes_in(paths[0])))}
    rows = session.execute(
        select(Plan, PlanVersion)
        .join(PlanVersion, (PlanVersion.plan_id == Plan.id) & (PlanVersion.version == Plan.version))
        .where(
            Plan.hazard == hazard_key,
            Plan.colour == colour,
            Plan.home_path.in_(above),
            PlanVersion.state == PlanState.APPROVED,
        )
    ).all()
    fitting = [InForce(p, v) for p, v in rows if all(path.startswith(p.home_path) for path in paths)]
    near_first = sorted(fitting, key=lambda each: -len(each.plan.home_path))
    return next((each for each in near_first if _is_as_signed(session, each.plan, each.version)), None)


def usual_areas(session: Session, colour: Colour, path: str) -> dict[str, tuple[str, ...]]:
    """Return where the signed plans that hold at a place are usually meant, by hazard. For showing alone."""
    codes = codes_in(path)
    rows = session.execute(
        select(Plan.hazard, PlanVersion.regions)
        .join(PlanVersion, (PlanVersion.plan_id == Plan.id) & (PlanVersion.version == Plan.version))
        .where(Plan.region_code.in_(codes), Plan.colour == colour, PlanVersion.state == PlanState.APPROVED)
        .order_by(Plan.home_path)
    ).all()
    return {row.hazard: tuple(row.regions) for row in rows}


def signed_speech(session: Session) -> dict[str, dict[tuple[str, Colour], str]]:
    """Return what plans in force of the county and its townships say, by the code of their place, its name filled in.

    Loudspeakers keep it for bad nights.
    """
    rows = session.execute(
        select(Plan, PlanVersion, Region.name)
        .join(PlanVersion, (PlanVersion.plan_id == Plan.id) & (PlanVersion.version == Plan.version))
        .join(Region, Region.code == Plan.region_code)
        .where(PlanVersion.state == PlanState.APPROVED, Region.level.in_([Level.COUNTY, Level.TOWNSHIP]))
        .order_by(Plan.region_code)
    ).all()
    found: dict[str, dict[tuple[str, Colour], str]] = {}
    for plan, version, name in rows:
        if _hash(plan, version) == version.content_hash:
            said = found.setdefault(plan.region_code, {})
            said[plan.hazard, plan.colour] = words_of(version).at(name).speech
    return found


def title_of(plan: Plan) -> str:
    """Return what a plan is called."""
    return wording().title_of(hazard(plan.hazard), plan.colour)


def _next(session: Session, plan: Plan, latest: PlanVersion | None, actor: Actor, now: datetime) -> PlanVersion:
    if latest is not None and latest.state is not PlanState.WITHDRAWN:
        latest.state, latest.ended_at, latest.ended_by_name = PlanState.REPLACED, now, actor.name
    # Two who begin a version at once: one row wins, the other is told to look again.
    won = session.scalar(
        update(Plan)
        .where(Plan.id == plan.id, Plan.version == plan.version)
        .values(version=plan.version + 1)
        .returning(Plan.version)
    )
    if won is None:
        raise WrongState("plan_changed_meanwhile")
    session.refresh(plan)
    return PlanVersion(plan_id=plan.id, version=plan.version)


def _latest(session: Session, actor: Actor, plan_id: UUID, *, lock: bool = False) -> tuple[Plan, PlanVersion]:
    plan = session.get(Plan, plan_id, with_for_update=lock or None)
    if plan is None or not actor.may(Permission.SEE, plan.home_path):
        raise NotFound("plan_unknown")
    return plan, session.get_one(PlanVersion, (plan.id, plan.version))


def subject_of(plan: Plan, version: PlanVersion, names: Mapping[str, str] | None = None) -> Subject:
    """Return what a signature is under."""
    content = {name: getattr(version, name) for name in TEXTS}
    area = [(names or {}).get(code, code) for code in version.regions]
    return Subject(
        id=plan.id,
        matter=Matter.PLAN,
        title=title_of(plan),
        home_path=plan.home_path,
        authors=frozenset({version.written_by}),
        content_hash=version.content_hash,
        content={"regions": area, **content},
    )


def _is_as_signed(session: Session, plan: Plan, version: PlanVersion) -> bool:
    return _hash(plan, version) == version.content_hash and rounds.was_passed(session, subject_of(plan, version))


def _hash(plan: Plan, version: PlanVersion) -> str:
    return words_of(version).hash(plan.hazard, plan.colour, tuple(version.regions))


def _reason(text: str) -> str:
    words = text.strip()
    if not words:
        raise BadInput("plan_reason_missing", field="reason")
    return words[:LONGEST_REASON]


def _who(actor: Actor) -> UUID:
    if actor.id is None:
        raise NotAllowed("not_allowed")
    return actor.id


def _record(session: Session, actor: Actor, deed: str, plan: Plan, version: PlanVersion, now: datetime) -> None:
    log.record(
        session,
        actor,
        deed,
        f"plan:{plan.id}",
        plan.home_path,
        now,
        title=title_of(plan),
        version=version.version,
        content=version.content_hash,
    )

"""Write a roster, agree to it, note who came. No message goes out before everybody who has to look has passed it."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, selectinload
from uuid6 import uuid7

from broadcasts.approvals import rounds
from broadcasts.approvals.rounds import Subject
from broadcasts.delivery.rules import Rules
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.regions.tree import path_of
from hub.residents.models import NumberKind, Phone, Resident, ResidentTag
from schedules.rounds import agreed, turns
from schedules.rounds.models import CallState, Round, RoundCall, RoundKind, RoundState

TITLE, WORDS = 30, 200
MOST_PEOPLE = 50
MOST_EACH = 10
LONGEST = timedelta(days=92)
OPEN = frozenset({RoundState.DRAFT, RoundState.WAITING, RoundState.RETURNED})


@dataclass(frozen=True, slots=True)
class RoundDraft:
    """The form as values. `people` are residents, in the order of their turns."""

    kind: RoundKind = RoundKind.PATROL
    title: str = ""
    region: str = ""
    words: str = ""
    at: str = ""
    first_day: date | None = None
    last_day: date | None = None
    weekday: int = 0
    each: int = 2
    people: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be reminded."""

    id: UUID
    name: str
    place: str
    masked: str
    index: bytes


@dataclass(frozen=True, slots=True)
class Counts:
    """How many turns there were up to today, and what became of them."""

    due: int
    confirmed: int
    open: int


def create(session: Session, actor: Actor, draft: RoundDraft, *, rules: Rules, now: datetime) -> Round:
    """Write a roster with everybody's turns and hand it in; it waits for somebody else."""
    order = _checked(session, actor, draft, rules, now)
    made = Round(
        id=uuid7(), kind=draft.kind, written_by=actor.id, written_by_name=actor.name, written_at=now,
        state=RoundState.DRAFT,
    )  # fmt: skip
    _fill(made, draft)
    made.calls = _calls(made, order)
    session.add(made)
    session.flush()
    _note(session, actor, "create", made, now, turns=len(made.calls))
    return hand_in(session, actor, made.id, now=now)


def save(session: Session, actor: Actor, round_id: UUID, draft: RoundDraft, *, rules: Rules, now: datetime) -> Round:
    """Write one's own anew, before anybody was reminded; what was passed of it no longer counts."""
    found = _own(session, actor, round_id)
    order = _checked(session, actor, replace(draft, kind=found.kind), rules, now)
    found.calls = []
    session.flush()  # the turns that were go before new ones of the same people on the same days come
    _fill(found, draft)
    found.calls = _calls(found, order)
    found.state, found.content_hash = RoundState.DRAFT, ""
    session.flush()
    _note(session, actor, "save", found, now, turns=len(found.calls))
    return found


def hand_in(session: Session, actor: Actor, round_id: UUID, *, now: datetime) -> Round:
    """Put it before who has to agree."""
    found = _own(session, actor, round_id)
    found.state, found.return_reason = RoundState.WAITING, ""
    found.content_hash = agreed.content_hash(found)
    rounds.begin(session, actor, replace(agreed.subject_of(found), content=agreed.shown(found)), now=now)
    return found


def approve(
    session: Session, actor: Actor, round_id: UUID, *, seen_hash: str, now: datetime, seen_step: int | None = None
) -> Round:
    """Pass it on to the next reviewer, or let reminders go out. Never by whoever wrote it."""
    found = _for_review(session, actor, round_id)
    if seen_hash != found.content_hash or agreed.content_hash(found) != found.content_hash:
        raise WrongState("round_changed_meanwhile")
    if not rounds.take_step(session, actor, agreed.subject_of(found), seen_step=seen_step, now=now):
        return found
    found.state = RoundState.ON
    found.approved_by, found.approved_by_name, found.approved_at = actor.id, actor.name, now
    _note(session, actor, "approve", found, now)
    return found


def give_back(session: Session, actor: Actor, round_id: UUID, reason: str, *, now: datetime) -> Round:
    """Return it to its writer, saying why."""
    found = _for_review(session, actor, round_id)
    reason = rounds.refuse(session, actor, agreed.subject_of(found), reason, now=now)
    found.state, found.return_reason = RoundState.RETURNED, reason
    _note(session, actor, "return", found, now, reason=reason)
    return found


def stop(session: Session, actor: Actor, round_id: UUID, *, now: datetime) -> Round:
    """Remind nobody any more."""
    found = get(session, actor, round_id)
    session.refresh(found, with_for_update=True)
    if found.written_by != actor.id and not actor.may(Permission.STOP, found.home_path):
        raise NotAllowed("not_allowed", permission=Permission.STOP.value)
    if found.state is RoundState.OFF:
        raise WrongState("round_off")
    found.state = RoundState.OFF
    log.record(session, actor, "round.stop", f"round:{found.id}", found.home_path, now, title=found.title)
    return found


def confirm(session: Session, actor: Actor, call_id: UUID, *, now: datetime) -> RoundCall:
    """Note by hand that somebody came or has done it: they said so at the door or on the telephone."""
    call = session.get(RoundCall, call_id, with_for_update=True)
    if call is None:
        raise NotFound("round_unknown")
    found = get(session, actor, call.round_id)
    actor.require(Permission.COMPOSE, found.home_path)
    if call.state is not CallState.CONFIRMED:
        call.state, call.confirmed_at, call.confirmed_by_name = CallState.CONFIRMED, now, actor.name
        log.record(session, actor, "round.confirm", f"round:{found.id}", found.home_path, now, title=found.title)
    return call


def swap(session: Session, actor: Actor, call_id: UUID, resident_id: UUID | None, *, now: datetime) -> RoundCall:
    """Let somebody else of the roster take a turn that is still to come."""
    call = session.get(RoundCall, call_id, with_for_update=True)
    if call is None:
        raise NotFound("round_unknown")
    found = get(session, actor, call.round_id)
    actor.require(Permission.COMPOSE, found.home_path)
    if call.state is not CallState.PLANNED:
        raise WrongState("round_turn_told")
    other = next((c for c in found.calls if c.resident_id == resident_id), None)
    taken = any(c.day == call.day and c.resident_id == resident_id for c in found.calls)
    if other is None or taken:
        raise BadInput("round_swap", field="resident")
    call.resident_id, call.name = other.resident_id, other.name
    call.phone_index, call.masked = other.phone_index, other.masked
    session.flush()
    log.record(session, actor, "round.swap", f"round:{found.id}", found.home_path, now, title=found.title)
    return call


def get(session: Session, actor: Actor, round_id: UUID) -> Round:
    """Return a roster of one's own part; to a stranger it does not exist.

    It names people: for who may see residents, and while it waits for who has to agree, whose stand-in may not.
    """
    found = session.get(Round, round_id)
    if found is None or not _sees(actor, found):
        raise NotFound("round_unknown")
    return found


def _sees(actor: Actor, found: Round) -> bool:
    reviews = found.state is RoundState.WAITING and actor.may(Permission.APPROVE, found.home_path)
    return reviews or actor.may(Permission.SEE_RESIDENTS, found.home_path)


def every(session: Session, actor: Actor) -> list[Round]:
    """Return the rosters of one's own part, the newest first."""
    paths = actor.paths(Permission.SEE_RESIDENTS)
    if not paths:
        return []
    below = or_(*(Round.home_path.like(like_below(path)) for path in paths))
    query = select(Round).where(below).order_by(Round.written_at.desc()).limit(100).options(selectinload(Round.calls))
    return list(session.scalars(query))


def waiting(session: Session, actor: Actor) -> list[Subject]:
    """Return the rosters that wait where the actor may approve."""
    paths = actor.paths(Permission.APPROVE)
    if not paths:
        return []
    below = or_(*(Round.home_path.like(like_below(path)) for path in paths))
    found = session.scalars(select(Round).where(Round.state == RoundState.WAITING, below).order_by(Round.written_at))
    return [agreed.subject_of(one) for one in found]


def may_edit(actor: Actor, found: Round) -> bool:
    """Whether it is the actor's to write anew."""
    return found.written_by == actor.id and found.state in OPEN


def counts(found: Round, today: date) -> Counts:
    """Return how a roster stands up to today."""
    due = [call for call in found.calls if call.day <= today]
    confirmed = sum(call.state is CallState.CONFIRMED for call in due)
    return Counts(len(due), confirmed, len(due) - confirmed)


def candidates(session: Session, actor: Actor, region: str, tag: str) -> list[Person]:
    """Return whom a roster may name: residents of that group there with a mobile number, in the order of the tree."""
    path = path_of(region)
    if not actor.may(Permission.SEE_RESIDENTS, path):
        return []
    rows = session.execute(
        select(Resident.id, Resident.name, Resident.region_path, func.min(Phone.masked), func.min(Phone.index))
        .join(Phone, Phone.resident_id == Resident.id)
        .join(ResidentTag, ResidentTag.resident_id == Resident.id)
        .where(Resident.region_path.like(like_below(path)), ResidentTag.tag == tag, Phone.kind == NumberKind.MOBILE)
        .group_by(Resident.id, Resident.name, Resident.region_path)
        .order_by(Resident.region_path, Resident.name)
        .limit(MOST_PEOPLE)
    )
    return [Person(key, name, place, masked, index) for key, name, place, masked, index in rows]


def _own(session: Session, actor: Actor, round_id: UUID) -> Round:
    found = get(session, actor, round_id)
    session.refresh(found, with_for_update=True)
    if found.written_by != actor.id:
        raise NotAllowed("round_of_another")
    if found.state not in OPEN:
        raise WrongState(f"round_{found.state.value}")
    return found


def _for_review(session: Session, actor: Actor, round_id: UUID) -> Round:
    found = get(session, actor, round_id)
    session.refresh(found, with_for_update=True)
    actor.require(Permission.APPROVE, found.home_path)
    if found.state is not RoundState.WAITING:
        raise WrongState(f"round_{found.state.value}")
    return found


def _checked(session: Session, actor: Actor, draft: RoundDraft, rules: Rules, now: datetime) -> list[Person]:
    """Return the people of a draft in their order, or raise Problems with everything that is wrong."""
    people = {person.id: person for person in people_of(session, actor, draft)}
    problems = _problems(draft, list(people), now.astimezone(rules.zone).date(), rules)
    if problems:
        raise Problems(problems)
    if actor.id is None:
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)
    return [people[key] for key in draft.people if key in people]


def _fill(found: Round, draft: RoundDraft) -> None:
    found.title, found.home_path = draft.title.strip(), path_of(draft.region)
    found.words, found.at, found.each = draft.words.strip(), draft.at, draft.each
    if draft.first_day and draft.last_day:
        found.first_day, found.last_day = draft.first_day, draft.last_day
    found.weekday = draft.weekday if found.kind is RoundKind.WEEKLY else 0


def _calls(found: Round, order: list[Person]) -> list[RoundCall]:
    return [
        RoundCall(id=uuid7(), day=day, resident_id=p.id, name=p.name, phone_index=p.index, masked=p.masked)
        for day, p in _turns(found, order)
    ]


def _note(session: Session, actor: Actor, deed: str, found: Round, now: datetime, **details: object) -> None:
    subject = f"round:{found.id}"
    log.record(session, actor, f"round.{deed}", subject, found.home_path, now, **({"title": found.title} | details))


def _turns(made: Round, order: list[Person]) -> list[tuple[date, Person]]:
    days = turns.days_between(made.first_day, made.last_day, made.weekday)
    return turns.in_turn(order, days, made.each) if made.kind is RoundKind.PATROL else turns.together(order, days)


def people_of(session: Session, actor: Actor, draft: RoundDraft) -> list[Person]:
    """Return those of the chosen whom the actor may name, with the number they get messages on."""
    if not draft.region or not draft.people:
        return []
    path = path_of(draft.region)
    actor.require(Permission.COMPOSE, path)
    actor.require(Permission.SEE_RESIDENTS, path)
    rows = session.execute(
        select(Resident.id, Resident.name, Resident.region_path, func.min(Phone.masked), func.min(Phone.index))
        .join(Phone, Phone.resident_id == Resident.id)
        .where(Resident.id.in_(draft.people), Resident.region_path.like(like_below(path)))
        .where(Phone.kind == NumberKind.MOBILE)
        .group_by(Resident.id, Resident.name, Resident.region_path)
    )
    return [Person(key, name, place, masked, index) for key, name, place, masked, index in rows]


def _problems(draft: RoundDraft, people: list[UUID], today: date, rules: Rules) -> list[BadInput]:
    start, end = f"{rules.sms.window_from:%H:%M}", f"{rules.sms.window_until:%H:%M}"
    over = len(draft.title) - TITLE
    checks = (
        (not draft.region, BadInput("no_region_chosen", field="region")),
        (not draft.title.strip(), BadInput("title_missing", field="title")),
        (
            len(draft.title) > TITLE,
            BadInput("title_too_long", field="title", most=TITLE, over=over),
        ),
        (not draft.words.strip(), BadInput("sms_text_missing", field="words")),
        (len(draft.words) > WORDS, BadInput("sms_too_long", field="words", most=WORDS, over=len(draft.words) - WORDS)),
        ("【" in draft.words or "】" in draft.words, BadInput("sms_brackets", field="words")),
        (not start <= draft.at < end, BadInput("campaign_sms_window", field="at", start=start, end=end)),
        (not people, BadInput("round_nobody", field="people")),
        (len(people) > MOST_PEOPLE, BadInput("round_many", field="people", most=MOST_PEOPLE)),
        (not 1 <= draft.each <= MOST_EACH, BadInput("campaign_amount", field="each", most=MOST_EACH)),
        (draft.kind is RoundKind.WEEKLY and not 1 <= draft.weekday <= 7, BadInput("round_weekday", field="weekday")),
    )
    return [*(problem for wrong, problem in checks if wrong), *_day_problems(draft, today)]


def _day_problems(draft: RoundDraft, today: date) -> list[BadInput]:
    if draft.first_day is None or draft.last_day is None:
        return [BadInput("campaign_days_missing", field="first_day")]
    if draft.last_day < draft.first_day:
        return [BadInput("campaign_days_order", field="last_day")]
    if draft.first_day < today:
        return [BadInput("last_day_past", field="first_day")]
    if draft.last_day - draft.first_day > LONGEST:
        return [BadInput("round_long", field="last_day", days=LONGEST.days)]
    return []

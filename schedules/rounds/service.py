"""Write a roster, agree to it, remind people, note who came. No message goes out before a second person agreed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, selectinload
from uuid6 import uuid7

from broadcasts.approvals.queue import Open
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Kind
from broadcasts.delivery.rules import Rules
from broadcasts.sms.models import SmsInbound
from hub.audit import log
from hub.core.actor import SYSTEM, Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.regions.tree import codes_in, path_of
from hub.residents import extra
from hub.residents.models import NumberKind, Phone, Resident, ResidentTag
from schedules.rounds import turns
from schedules.rounds.models import CallState, Round, RoundCall, RoundKind, RoundState

TITLE, WORDS = 30, 200
MOST_PEOPLE = 50
MOST_EACH = 10
LONGEST = timedelta(days=92)
SAME_NIGHT = timedelta(hours=6)
"""A patrol lasts past midnight: until this hour its people may still report."""
DAY = "〔日期〕"


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
    """Write a roster with everybody's turns; it waits for somebody else."""
    people = {person.id: person for person in _people(session, actor, draft)}
    problems = _problems(draft, list(people), now.astimezone(rules.zone).date(), rules)
    if problems:
        raise Problems(problems)
    if draft.first_day is None or draft.last_day is None or actor.id is None:
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)
    home = path_of(draft.region)
    made = Round(
        id=uuid7(),
        kind=draft.kind,
        title=draft.title.strip(),
        home_path=home,
        words=draft.words.strip(),
        at=draft.at,
        first_day=draft.first_day,
        last_day=draft.last_day,
        weekday=draft.weekday if draft.kind is RoundKind.WEEKLY else 0,
        each=draft.each,
        written_by=actor.id,
        written_by_name=actor.name,
        written_at=now,
    )
    order = [people[key] for key in draft.people if key in people]
    made.calls = [
        RoundCall(id=uuid7(), day=day, resident_id=p.id, name=p.name, phone_index=p.index, masked=p.masked)
        for day, p in _turns(made, order)
    ]
    session.add(made)
    session.flush()
    log.record(session, actor, "round.create", f"round:{made.id}", home, now, title=made.title, turns=len(made.calls))
    return made


def approve(session: Session, actor: Actor, round_id: UUID, *, now: datetime) -> Round:
    """Let reminders go out. Never by whoever wrote it."""
    found = get(session, actor, round_id)
    session.refresh(found, with_for_update=True)
    actor.require(Permission.APPROVE, found.home_path)
    if found.state is not RoundState.WAITING:
        raise WrongState(f"round_{found.state.value}")
    if actor.id == found.written_by:
        raise NotAllowed("own_announcement")
    found.state = RoundState.ON
    found.approved_by, found.approved_by_name, found.approved_at = actor.id, actor.name, now
    log.record(session, actor, "round.approve", f"round:{found.id}", found.home_path, now, title=found.title)
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
    """Return a roster of one's own part; to a stranger it does not exist. It names people: see residents."""
    found = session.get(Round, round_id)
    if found is None or not actor.may(Permission.SEE_RESIDENTS, found.home_path):
        raise NotFound("round_unknown")
    return found


def every(session: Session, actor: Actor) -> list[Round]:
    """Return the rosters of one's own part, the newest first."""
    paths = actor.paths(Permission.SEE_RESIDENTS)
    if not paths:
        return []
    below = or_(*(Round.home_path.like(like_below(path)) for path in paths))
    query = select(Round).where(below).order_by(Round.written_at.desc()).limit(100).options(selectinload(Round.calls))
    return list(session.scalars(query))


def waiting(session: Session, actor: Actor) -> list[Open]:
    """Return the rosters that wait for this person's agreement; one's own do not."""
    paths = actor.paths(Permission.APPROVE)
    if not paths:
        return []
    below = or_(*(Round.home_path.like(like_below(path)) for path in paths))
    mine = (Round.state == RoundState.WAITING, below, Round.written_by != actor.id)
    found = session.scalars(select(Round).where(*mine).order_by(Round.written_at))
    return [Open(one.id, one.title, one.home_path, one.written_by_name, one.written_at) for one in found]


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


def anything_due(session: Session, *, rules: Rules, now: datetime) -> bool:
    """Return whether a reminder may be due, without taking anything in hand."""
    today = now.astimezone(rules.zone).date()
    query = _open_days(today).limit(20)
    return any(_told_at(kind, at, day, rules) <= now for _, day, kind, at in session.execute(query))


def _open_days(today: date) -> Select[UUID, date, RoundKind, str]:
    return (
        select(RoundCall.round_id, RoundCall.day, Round.kind, Round.at)
        .join(Round, Round.id == RoundCall.round_id)
        .where(
            Round.state == RoundState.ON,
            RoundCall.state == CallState.PLANNED,
            RoundCall.day <= today + timedelta(days=1),
        )
        .distinct()
        .order_by(RoundCall.day)
    )


def _told_at(kind: RoundKind, at: str, day: date, rules: Rules) -> datetime:
    told_on = day - timedelta(days=1) if kind is RoundKind.PATROL else day
    return datetime.combine(told_on, time.fromisoformat(at), tzinfo=rules.zone).astimezone(UTC)


def remind_due(session: Session, *, rules: Rules, now: datetime) -> int:
    """Send the reminders that are due, one message to everybody of a roster's day; return how many went out.

    A reminder whose day is over is not sent any more: the turn is noted as untold.
    """
    today = now.astimezone(rules.zone).date()
    due = session.execute(_open_days(today)).all()
    return sum(_remind(session, round_id, day, rules, now) for round_id, day, _, _ in due)


def take_reply(session: Session, kept: SmsInbound, now: datetime, *, zone: ZoneInfo) -> bool:
    """Note what a resident's reply confirms; return whether it was one of ours, so that nobody has to read it."""
    there, done = turns.is_there(kept.text), turns.is_done(kept.text)
    if not (there or done):
        return False
    call = _meant(session, kept, there=there, zone=zone)
    if call is None:
        return False
    call.state, call.confirmed_at = CallState.CONFIRMED, kept.received_at
    session.flush()
    return True


def _meant(session: Session, kept: SmsInbound, *, there: bool, zone: ZoneInfo) -> RoundCall | None:
    local = kept.received_at.astimezone(zone)
    patrol = Round.kind == RoundKind.PATROL
    first = local.date() - timedelta(days=7)
    if there:
        first = (local - SAME_NIGHT).date()
    query = (
        select(RoundCall)
        .join(Round, Round.id == RoundCall.round_id)
        .where(
            RoundCall.phone_index == kept.phone_index,
            RoundCall.day <= local.date(),
            RoundCall.day >= first,
            Round.state == RoundState.ON,
            patrol if there else ~patrol,
        )
        .order_by(RoundCall.state == CallState.CONFIRMED, RoundCall.day.desc())
        .limit(1)
    )
    return session.scalar(query)


def _remind(session: Session, round_id: UUID, day: date, rules: Rules, now: datetime) -> bool:
    found = session.get(Round, round_id, with_for_update=True)
    if found is None or found.state is not RoundState.ON:
        return False
    if _told_at(found.kind, found.at, day, rules) > now:
        return False
    query = select(RoundCall).where(RoundCall.round_id == round_id, RoundCall.day == day)
    calls = session.scalars(query.where(RoundCall.state == CallState.PLANNED).with_for_update()).all()
    if not calls:
        return False
    over = datetime.combine(day + timedelta(days=1), time(), tzinfo=rules.zone)
    if now >= over:
        for call in calls:
            call.state = CallState.UNTOLD
        return False
    for phone in session.scalars(select(Phone).where(Phone.index.in_([call.phone_index for call in calls]))):
        extra.remember(session, phone.index, phone.sealed, phone.masked, phone.kind, now=now)
    broadcast = delivery.release(session, SYSTEM, _order(found, day, calls, rules, over, now), rules=rules, now=now)
    for call in calls:
        call.state, call.broadcast_id = CallState.REMINDED, broadcast.id
    return True


def _order(
    found: Round, day: date, calls: Sequence[RoundCall], rules: Rules, over: datetime, now: datetime
) -> delivery.Order:
    words = found.words.replace(DAY, f"{day.month}月{day.day}日")
    numbers = tuple(sorted({call.phone_index.hex() for call in calls}))
    return delivery.Order(
        source=f"round:{found.id}:{day}:{len(numbers)}:{numbers[0][:8]}",
        kind=Kind.ROUTINE,
        title=found.title,
        text=words,
        sms_text=words,
        audience=Audience((codes_in(found.home_path)[-1],), speakers=False, sms=True, numbers=numbers, people=False),
        home_path=found.home_path,
        sound=None,
        repeats=1,
        volume=None,
        starts_at=now,
        expires_at=now + rules.valid,
        approved_by_name=found.approved_by_name,
        texts_until=over,
    )


def _turns(made: Round, order: list[Person]) -> list[tuple[date, Person]]:
    days = turns.days_between(made.first_day, made.last_day, made.weekday)
    return turns.in_turn(order, days, made.each) if made.kind is RoundKind.PATROL else turns.together(order, days)


def _people(session: Session, actor: Actor, draft: RoundDraft) -> list[Person]:
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

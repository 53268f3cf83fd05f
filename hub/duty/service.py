"""Keep the roster: who is called for a place, in which order, and who has a shift."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from hub.accounts.models import Account
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotFound
from hub.duty.models import DutyPerson, DutyShift
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.residents.phones import NumberKind, PhoneSafe, normalise

LONGEST = 40
MOST_OF_A_PLACE = 30


@dataclass(frozen=True, slots=True)
class PersonInput:
    """Somebody for the roster, as typed. `login` names their account, if they have one."""

    region: str
    name: str
    title: str = ""
    phone: str = ""
    login: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a place's roster."""

    person: DutyPerson
    shifts: tuple[DutyShift, ...]
    on_duty: bool


def add_person(session: Session, actor: Actor, given: PersonInput, *, safe: PhoneSafe, now: datetime) -> DutyPerson:
    """Put somebody at the end of a place's list."""
    region = regions.get_region(session, actor, given.region, Permission.EDIT_RESIDENTS)
    name = _short(given.name, "duty_name_missing", "name")
    number = normalise(given.phone)
    if number.kind is not NumberKind.MOBILE:
        raise BadInput("duty_phone_no_mobile", field="phone")
    listed = session.scalars(select(DutyPerson).where(_of(region.path))).all()
    if len(listed) >= MOST_OF_A_PLACE:
        raise BadInput("duty_too_many", field="name", most=MOST_OF_A_PLACE)
    index = safe.index(number.e164)
    if any(person.phone_index == index for person in listed):
        raise BadInput("duty_phone_twice", field="phone")
    person = DutyPerson(
        region_code=region.code,
        region_path=region.path,
        name=name,
        title=given.title.strip()[:LONGEST],
        phone_index=index,
        sealed=safe.seal(number.e164),
        masked=number.masked,
        turn=max((person.turn for person in listed), default=0) + 1,
        account_id=_account(session, given.login),
    )
    session.add(person)
    session.flush()
    _record(session, actor, "duty.add", person, now)
    return person


def remove_person(session: Session, actor: Actor, person_id: UUID, *, now: datetime) -> DutyPerson:
    """Take somebody off the list; their number is forgotten."""
    person = get_person(session, actor, person_id)
    person.removed_at, person.sealed, person.phone_index = now, b"", person.id.bytes
    _record(session, actor, "duty.remove", person, now)
    return person


def move_up(session: Session, actor: Actor, person_id: UUID, *, now: datetime) -> DutyPerson:
    """Let somebody be called before the one above them."""
    person = get_person(session, actor, person_id)
    above = session.scalar(
        select(DutyPerson)
        .where(_of(person.region_path), DutyPerson.turn < person.turn)
        .order_by(DutyPerson.turn.desc())
        .limit(1)
    )
    if above is not None:
        above.turn, person.turn = person.turn, above.turn
        _record(session, actor, "duty.move_up", person, now)
    return person


def add_shift(
    session: Session, actor: Actor, person_id: UUID, *, starts_at: datetime, ends_at: datetime, now: datetime
) -> DutyShift:
    """Say when somebody is on duty: then they are called first."""
    person = get_person(session, actor, person_id)
    if not starts_at < ends_at:
        raise BadInput("duty_shift_backwards", field="ends")
    if ends_at <= now:
        raise BadInput("duty_shift_past", field="ends")
    shift = DutyShift(person_id=person.id, region_path=person.region_path, starts_at=starts_at, ends_at=ends_at)
    session.add(shift)
    session.flush()
    _record(session, actor, "duty.shift", person, now)
    return shift


def drop_shift(session: Session, actor: Actor, shift_id: UUID, *, now: datetime) -> DutyPerson:
    """Take a shift back; return whose it was."""
    shift = session.get(DutyShift, shift_id)
    if shift is None:
        raise NotFound("duty_unknown")
    person = get_person(session, actor, shift.person_id)
    session.delete(shift)
    _record(session, actor, "duty.shift_dropped", person, now)
    return person


def roster(session: Session, actor: Actor, region_code: str, *, now: datetime) -> list[Entry]:
    """Return a place's roster in the order of calling; to a stranger it does not exist."""
    region = regions.get_region(session, actor, region_code)
    people = _in_order(session, region.path, now)
    shifts = session.scalars(
        select(DutyShift)
        .where(DutyShift.region_path == region.path, DutyShift.ends_at > now)
        .order_by(DutyShift.starts_at)
    ).all()
    return [
        Entry(
            person,
            tuple(shift for shift in shifts if shift.person_id == person.id),
            any(shift.person_id == person.id and shift.starts_at <= now for shift in shifts),
        )
        for person in people
    ]


def on_call(session: Session, path: str, *, now: datetime) -> list[DutyPerson]:
    """Return whom to call for a place: its own people, whoever has a shift first, then those of what lies above it.

    Checks no permission: it is the hub itself that calls.
    """
    codes = codes_in(path)
    found: list[DutyPerson] = []
    for depth in range(len(codes), 0, -1):
        found += _in_order(session, "".join(code + "/" for code in codes[:depth]), now)
    return found


def on_duty_at(session: Session, path: str, *, now: datetime) -> list[DutyPerson]:
    """Return the people of this very place, whoever has a shift first. Checks no permission: the hub calls."""
    return _in_order(session, path, now)


def _in_order(session: Session, path: str, now: datetime) -> list[DutyPerson]:
    people = session.scalars(select(DutyPerson).where(_of(path)).order_by(DutyPerson.turn)).all()
    if not people:
        return []
    on_shift = set(
        session.scalars(
            select(DutyShift.person_id).where(
                DutyShift.region_path == path, DutyShift.starts_at <= now, DutyShift.ends_at > now
            )
        )
    )
    return sorted(people, key=lambda person: person.id not in on_shift)


def _of(path: str) -> ColumnElement[bool]:
    return (DutyPerson.region_path == path) & DutyPerson.removed_at.is_(None)


def get_person(session: Session, actor: Actor, person_id: UUID) -> DutyPerson:
    """Return somebody whose line the actor may change; to a stranger they do not exist."""
    person = session.get(DutyPerson, person_id)
    if person is None or person.removed_at is not None or not actor.may(Permission.SEE, person.region_path):
        raise NotFound("duty_unknown")
    actor.require(Permission.EDIT_RESIDENTS, person.region_path)
    return person


def _account(session: Session, login: str) -> UUID | None:
    name = login.strip()
    if not name:
        return None
    found = session.scalar(select(Account.id).where(Account.login == name, Account.active))
    if found is None:
        raise BadInput("duty_login_unknown", field="login")
    return found


def _short(text: str, code: str, field: str) -> str:
    words = " ".join(text.split())
    if not words:
        raise BadInput(code, field=field)
    return words[:LONGEST]


def _record(session: Session, actor: Actor, deed: str, person: DutyPerson, now: datetime) -> None:
    log.record(session, actor, deed, f"duty:{person.id}", person.region_path, now, name=person.name)

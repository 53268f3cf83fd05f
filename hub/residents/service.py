"""Keep the list of residents: add, change, remove, one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.below import below
from hub.core.errors import BadInput, NotFound, Problems
from hub.regions.models import Region
from hub.regions.tree import codes_in
from hub.residents.models import AwayConsent, Phone, Resident, ResidentTag
from hub.residents.phones import Number, PhoneSafe, normalise

NAME_LENGTH = 40
TAG_LENGTH = 20
MAX_TAGS = 12
MAX_PHONES = 6
MOST_IN_HOUSEHOLD = 20


@dataclass(frozen=True, slots=True)
class ResidentInput:
    """A resident as somebody typed them."""

    name: str
    region_code: str
    phones: tuple[str, ...]
    tags: tuple[str, ...] = ()
    away: bool = False
    away_consent: AwayConsent = AwayConsent.UNASKED
    household: str = ""


def add_resident(session: Session, actor: Actor, given: ResidentInput, *, safe: PhoneSafe, now: datetime) -> Resident:
    """Put somebody on the list. Problems or BadInput when something typed is wrong."""
    region = visible_region(session, actor, given.region_code)
    actor.require(Permission.EDIT_RESIDENTS, region.path)
    numbers = _checked(given)
    resident = Resident(
        region_code=region.code,
        region_path=region.path,
        name=given.name.strip(),
        away=given.away,
        away_consent=given.away_consent,
        household=given.household.strip(),
        created_at=now,
        phones=[_phone(number, safe) for number in numbers],
        tags=[ResidentTag(tag=tag) for tag in clean_tags(given.tags)],
    )
    session.add(resident)
    session.flush()
    log.record(session, actor, "resident.add", f"resident:{resident.id}", region.path, now, phones=len(numbers))
    return resident


def update_resident(
    session: Session, actor: Actor, resident_id: UUID, given: ResidentInput, *, safe: PhoneSafe, now: datetime
) -> Resident:
    """Replace what is known of somebody. A number that is given masked (as it was shown) stays as it is."""
    resident = _editable(session, actor, resident_id)
    region = visible_region(session, actor, given.region_code)
    actor.require(Permission.EDIT_RESIDENTS, region.path)
    phones, typed = _sort_out(resident.phones, given.phones)
    numbers = _checked(replace(given, phones=tuple(typed)))
    known = {phone.index for phone in phones}
    phones += [_phone(number, safe) for number in numbers if safe.index(number.e164) not in known]
    check_phone_count(len(phones))
    resident.phones = _reuse(resident.phones, phones)
    wanted = clean_tags(given.tags)
    resident.tags = [t for t in resident.tags if t.tag in wanted] + [
        ResidentTag(tag=tag) for tag in wanted if tag not in {t.tag for t in resident.tags}
    ]
    moved_from = resident.region_path if resident.region_path != region.path else ""
    resident.name, resident.away = given.name.strip(), given.away
    resident.away_consent, resident.household = given.away_consent, given.household.strip()
    resident.region_code, resident.region_path = region.code, region.path
    session.flush()
    subject = f"resident:{resident.id}"
    log.record(session, actor, "resident.update", subject, region.path, now, phones=len(phones), moved_from=moved_from)
    return resident


def remove_resident(session: Session, actor: Actor, resident_id: UUID, *, now: datetime) -> None:
    """Take somebody off the list, with numbers and tags. What was sent to them before stays in the records."""
    resident = _editable(session, actor, resident_id)
    path = resident.region_path
    session.delete(resident)
    session.flush()
    log.record(session, actor, "resident.remove", f"resident:{resident_id}", path, now)


def get_resident(session: Session, actor: Actor, resident_id: UUID) -> Resident:
    """Return a resident the actor may see, else NotFound."""
    found = session.get(Resident, resident_id)
    if found is None or not actor.may(Permission.SEE_RESIDENTS, found.region_path):
        raise NotFound("resident_unknown")
    return found


def note_look(session: Session, actor: Actor, resident_id: UUID, *, now: datetime) -> None:
    """Write down that somebody opened a resident's page."""
    found = get_resident(session, actor, resident_id)
    log.record(session, actor, "resident.look", f"resident:{found.id}", found.region_path, now)


def visible_region(session: Session, actor: Actor, code: str) -> Region:
    """Return the region if the actor may see residents there, else NotFound."""
    region = session.get(Region, code.strip())
    if region is None or not actor.may(Permission.SEE_RESIDENTS, region.path):
        raise NotFound("resident_region_unknown")
    return region


def clean_tags(tags: Sequence[str]) -> list[str]:
    """Return the tags without blanks and repetitions, in their order."""
    return list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))


def check_name(name: str) -> None:
    """BadInput unless it can be a resident's name."""
    if not name.strip():
        raise BadInput("resident_name_missing", field="name")
    if len(name.strip()) > NAME_LENGTH:
        raise BadInput("resident_name_too_long", field="name", limit=NAME_LENGTH)


def check_tags(tags: Sequence[str]) -> None:
    """BadInput when there are too many tags or one is too long."""
    if any(len(tag) > TAG_LENGTH for tag in clean_tags(tags)):
        raise BadInput("resident_tag_too_long", field="tags", limit=TAG_LENGTH)
    if len(clean_tags(tags)) > MAX_TAGS:
        raise BadInput("resident_too_many_tags", field="tags", limit=MAX_TAGS)


def check_household(text: str) -> None:
    """BadInput unless it can name a household."""
    if len(text.strip()) > NAME_LENGTH:
        raise BadInput("resident_household_too_long", field="household", limit=NAME_LENGTH)


def household_of(session: Session, actor: Actor, resident: Resident) -> list[Resident]:
    """Return who else lives in somebody's household: same village, same name for it."""
    if not resident.household:
        return []
    village = "".join(f"{code}/" for code in codes_in(resident.region_path)[:3])
    query = select(Resident).where(
        Resident.household == resident.household,
        below(Resident.region_path, village),
        Resident.id != resident.id,
    )
    found = session.scalars(query.order_by(Resident.name, Resident.id).limit(MOST_IN_HOUSEHOLD))
    return [one for one in found if actor.may(Permission.SEE_RESIDENTS, one.region_path)]


def check_phone_count(count: int) -> None:
    """BadInput when somebody has more numbers than anybody has."""
    if count > MAX_PHONES:
        raise BadInput("resident_too_many_phones", field="phone", limit=MAX_PHONES)


def _checked(given: ResidentInput) -> list[Number]:
    problems: list[BadInput] = []
    numbers: dict[str, Number] = {}
    checks = (
        partial(check_name, given.name),
        partial(check_tags, given.tags),
        partial(check_phone_count, len(given.phones)),
        partial(check_household, given.household),
    )
    for check in checks:
        try:
            check()
        except BadInput as problem:
            problems.append(problem)
    for at, text in enumerate(given.phones):
        if not text.strip():
            continue
        try:
            number = normalise(text)
        except BadInput as problem:
            problem.field = f"phone-{at}" if at else "phone"
            problems.append(problem)
        else:
            numbers[number.e164] = number
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)
    return list(numbers.values())


def _phone(number: Number, safe: PhoneSafe) -> Phone:
    return Phone(index=safe.index(number.e164), sealed=safe.seal(number.e164), masked=number.masked, kind=number.kind)


def _sort_out(old: list[Phone], given: Sequence[str]) -> tuple[list[Phone], list[str]]:
    """Return the phones that were given as they are shown, and what was typed anew, at its place in `given`."""
    shown: dict[str, list[Phone]] = {}
    for phone in old:
        shown.setdefault(phone.masked, []).append(phone)
    kept, typed = [], []
    for text in (text.strip() for text in given):
        if shown.get(text):
            kept.append(shown[text].pop(0))
        typed.append("" if text in shown else text)
    return kept, typed


def _reuse(old: list[Phone], new: list[Phone]) -> list[Phone]:
    known = {phone.index: phone for phone in old}
    return [known.get(phone.index, phone) for phone in new]


def _editable(session: Session, actor: Actor, resident_id: UUID) -> Resident:
    resident = get_resident(session, actor, resident_id)
    actor.require(Permission.EDIT_RESIDENTS, resident.region_path)
    return resident

"""Keep the list of residents: add, change, remove, look through, and honour those who want no messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, selectinload

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, HubError, NotFound, Problems
from hub.regions.models import Region
from hub.regions.tree import codes_in
from hub.residents.models import AwayConsent, BlockedNumber, BlockReason, NumberKind, Phone, Resident, ResidentTag
from hub.residents.phones import Number, PhoneSafe, normalise

NAME_LENGTH = 40
TAG_LENGTH = 20
MAX_TAGS = 12
MAX_PHONES = 6
MOST_IN_HOUSEHOLD = 20
PAGE = 50

After = tuple[str, str, UUID]
"""Where a page of residents ended: region path, name, id."""


@dataclass(frozen=True, slots=True)
class ResidentPage:
    """Some residents in the order of the tree, and where to go on (None: these were the last)."""

    residents: tuple[Resident, ...]
    blocked: dict[bytes, BlockReason]
    """Phone indexes of this page that get no or few messages."""
    after: After | None


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


def get_with_blocks(session: Session, actor: Actor, resident_id: UUID) -> tuple[Resident, dict[bytes, BlockReason]]:
    """Return a resident the actor may see with numbers and tags, and which of the numbers get no or few messages."""
    resident = get_resident(session, actor, resident_id)
    session.refresh(resident, ["phones", "tags"])
    return resident, blocks(session, [resident])


def blocks(session: Session, residents: Iterable[Resident]) -> dict[bytes, BlockReason]:
    """Return the phone indexes of these residents that get no or few messages. The caller has checked who may see."""
    return _blocked_among(session, (phone.index for resident in residents for phone in resident.phones))


def list_residents(
    session: Session,
    actor: Actor,
    *,
    safe: PhoneSafe,
    region_path: str = "",
    query: str = "",
    tag: str = "",
    without_mobile: bool = False,
    after: After | None = None,
    limit: int = PAGE,
) -> ResidentPage:
    """Return the residents below `region_path` that the actor may see, in the order of the tree.

    `query` is part of a name, or a whole phone number however typed. `without_mobile`: only those whom no text message
    reaches for want of a number. A stranger gets an empty page.
    """
    conditions = _wanted(actor, safe, region_path, query, tag, without_mobile)
    if conditions is None:
        return ResidentPage((), {}, None)
    statement = (
        select(Resident)
        .where(*conditions)
        .order_by(Resident.region_path, Resident.name, Resident.id)
        .options(selectinload(Resident.phones), selectinload(Resident.tags))
        .limit(limit + 1)
    )
    if after is not None:
        path, name, last = after
        statement = statement.where(
            or_(
                Resident.region_path > path,
                and_(Resident.region_path == path, Resident.name > name),
                and_(Resident.region_path == path, Resident.name == name, Resident.id > last),
            )
        )
    found = list(session.scalars(statement))
    page, more = found[:limit], len(found) > limit
    end = page[-1] if page and more else None
    return ResidentPage(
        residents=tuple(page),
        blocked=_blocked_among(session, (phone.index for resident in page for phone in resident.phones)),
        after=(end.region_path, end.name, end.id) if end else None,
    )


def count_residents(
    session: Session,
    actor: Actor,
    *,
    safe: PhoneSafe,
    region_path: str = "",
    query: str = "",
    tag: str = "",
    without_mobile: bool = False,
) -> int:
    """Return how many residents `list_residents` would go through."""
    conditions = _wanted(actor, safe, region_path, query, tag, without_mobile)
    if conditions is None:
        return 0
    return session.scalar(select(func.count()).select_from(Resident).where(*conditions)) or 0


def _wanted(
    actor: Actor, safe: PhoneSafe, region_path: str, query: str, tag: str, without_mobile: bool
) -> list[ColumnElement[bool]] | None:
    paths = _seen(actor, region_path)
    if not paths:
        return None
    conditions: list[ColumnElement[bool]] = [or_(*(Resident.region_path.like(like_below(path)) for path in paths))]
    if tag:
        conditions.append(Resident.tags.any(ResidentTag.tag == tag))
    if without_mobile:
        conditions.append(~Resident.phones.any(Phone.kind == NumberKind.MOBILE))
    if query.strip():
        conditions.append(_matches(query.strip(), safe))
    return conditions


def tags_in_use(session: Session, actor: Actor, region_path: str = "") -> list[str]:
    """Return every tag carried by somebody the actor may see."""
    paths = _seen(actor, region_path)
    if not paths:
        return []
    below = or_(*(Resident.region_path.like(like_below(path)) for path in paths))
    return list(session.scalars(select(ResidentTag.tag).join(Resident).where(below).distinct().order_by("tag")))


def opt_out(session: Session, actor: Actor, phone_id: UUID, reason: BlockReason, *, now: datetime) -> None:
    """Send nothing more to this number: opted out (emergencies still go) or wrong number (nothing goes)."""
    phone = _editable_phone(session, actor, phone_id)
    block(session, phone.index, reason, now=now)
    path = phone.resident.region_path
    log.record(session, actor, "phone.block", f"phone:{phone_id}", path, now, reason=reason.value)


def unblock(session: Session, actor: Actor, phone_id: UUID, *, now: datetime) -> None:
    """Write to this number again."""
    phone = _editable_phone(session, actor, phone_id)
    blocked = session.get(BlockedNumber, phone.index)
    if blocked is None:
        return
    session.delete(blocked)
    path = phone.resident.region_path
    log.record(session, actor, "phone.unblock", f"phone:{phone_id}", path, now, reason=blocked.reason.value)


def block(session: Session, index: bytes, reason: BlockReason, *, now: datetime) -> None:
    """Note that a number must not be written to. A wrong number stays wrong whatever else is said about it.

    For the hub itself (a resident answered 退订, a provider refused): it asks for no permission.
    """
    blocked = session.get(BlockedNumber, index)
    if blocked is None:
        session.add(BlockedNumber(index=index, reason=reason, since=now))
    elif blocked.reason is not BlockReason.WRONG_NUMBER and blocked.reason is not reason:
        blocked.reason, blocked.since = reason, now
    session.flush()


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
        Resident.region_path.like(like_below(village)),
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


def _editable_phone(session: Session, actor: Actor, phone_id: UUID) -> Phone:
    phone = session.get(Phone, phone_id)
    if phone is None:
        raise NotFound("resident_unknown")
    _editable(session, actor, phone.resident_id)
    return phone


def _seen(actor: Actor, region_path: str) -> list[str]:
    """Return the paths to look below: the wanted one, cut down to what the actor may see."""
    if actor.may(Permission.SEE_RESIDENTS, region_path):
        return [region_path]
    return [path for path in actor.paths(Permission.SEE_RESIDENTS) if path.startswith(region_path)]


def _matches(query: str, safe: PhoneSafe) -> ColumnElement[bool]:
    try:
        index = safe.index(normalise(query).e164)
    except HubError:
        return Resident.name.contains(query, autoescape=True)
    # Nobody is called like a number: with the name beside it everybody would be looked at, 700,000 of a county.
    return Resident.id.in_(select(Phone.resident_id).where(Phone.index == index))


def _blocked_among(session: Session, indexes: Iterable[bytes]) -> dict[bytes, BlockReason]:
    wanted = set(indexes)
    if not wanted:
        return {}
    statement = select(BlockedNumber.index, BlockedNumber.reason).where(BlockedNumber.index.in_(wanted))
    return dict(session.execute(statement).all())

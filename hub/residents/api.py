"""Residents, for programs. Numbers are masked here as everywhere."""

from uuid import UUID

from flask import Response
from pydantic import Field

from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound
from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.residents import searching, service
from hub.residents.models import AwayConsent, BlockReason, NumberKind, Phone, Resident
from hub.residents.phones import PhoneSafe
from hub.residents.reach import reachable_counts
from hub.residents.shown import shows_residents
from hub.web.api import Input, Output, PageQuery, RegionCode, answers, room, say
from hub.web.guards import permission_required
from hub.web.paging import cursor, place_of
from hub.web.work import actor, reading

bp = room("residents", "Residents and how many of them can be reached. Numbers are masked.")


class PhoneOut(Output):
    """A number as it may be shown."""

    masked: str
    kind: NumberKind
    blocked: BlockReason | None = Field(description="why it gets nothing, or only emergencies (`opted_out`)")


class ResidentOut(Output):
    """Somebody who lives here."""

    id: UUID
    name: str
    region: str
    household: str = Field(description="number of the household or name of its head; empty = not known")
    away: bool
    away_consent: AwayConsent = Field(description="what they said about messages from home while they are away")
    tags: list[str]
    phones: list[PhoneOut]

    @classmethod
    def of(cls, resident: Resident, blocked: dict[bytes, BlockReason]) -> "ResidentOut":
        """Return somebody for showing."""
        return cls(
            id=resident.id,
            name=resident.name,
            region=resident.region_code,
            household=resident.household,
            away=resident.away,
            away_consent=resident.away_consent,
            tags=sorted(tag.tag for tag in resident.tags),
            phones=[_phone(phone, blocked) for phone in resident.phones],
        )


class Residents(Output):
    """One page of residents, in the order of the tree."""

    items: list[ResidentOut]
    next: str | None


class ResidentCount(Output):
    """How many there are, and how many telephones a message reaches."""

    residents: int
    mobiles: int = Field(description="different mobile numbers, blocked ones included")
    landlines: int
    opted_out: int = Field(description="of the mobiles: get emergencies only")
    wrong_numbers: int = Field(description="of the mobiles: get nothing")
    away_unasked: int = Field(description="of the others: away from home and not asked yet, get emergencies only")
    away_refused: int = Field(description="of the others: away from home and want nothing")
    without_phone: int = Field(description="residents without any number")
    routine: int = Field(description="numbers an ordinary message goes to")
    emergency: int = Field(description="numbers an emergency message goes to")


class ResidentsQuery(PageQuery):
    """Which residents."""

    region: RegionCode | None = Field(None, description="only those in this region and below")
    tag: str = Field("", max_length=20, description="only those who carry this tag")


class CountQuery(Input):
    """Whom to count."""

    region: RegionCode = Field(description="in this region and below")
    tag: str = Field("", max_length=20, description="only those who carry this tag")


@bp.get("/residents", responses=answers(Residents, 403, 404))
@permission_required(Permission.SEE_RESIDENTS)
@shows_residents("residents.look")
def list_residents(query: ResidentsQuery) -> Response:
    """List residents. There is no search by number: numbers have no place in an address."""
    path, after = _path(query.region), _after(query.cursor)
    with reading() as session:
        found = searching.list_residents(
            session,
            actor(),
            safe=runtime().get(PhoneSafe),
            region_path=path,
            tag=query.tag,
            after=after,
            limit=query.limit,
        )
        items = [ResidentOut.of(resident, found.blocked) for resident in found.residents]
    return say(Residents(items=items, next=cursor(str(found.after[2])) if found.after else None))


@bp.get("/residents/count", responses=answers(ResidentCount, 403, 404))
@permission_required(Permission.SEE_RESIDENTS)
def count_residents(query: CountQuery) -> Response:
    """Count residents and the numbers a message would reach."""
    with reading() as session:
        path = regions.get_region(session, actor(), query.region, Permission.SEE_RESIDENTS).path
        found = reachable_counts(session, [path], [query.tag] if query.tag else [])
    return say(
        ResidentCount(
            residents=found.residents,
            mobiles=found.mobiles,
            landlines=found.landlines,
            opted_out=found.opted_out,
            wrong_numbers=found.wrong_numbers,
            away_unasked=found.away_unasked,
            away_refused=found.away_refused,
            without_phone=found.without_phone,
            routine=found.routine,
            emergency=found.emergency,
        )
    )


def _path(region: str | None) -> str:
    if region is None:
        return ""
    with reading() as session:
        return regions.get_region(session, actor(), region, Permission.SEE_RESIDENTS).path


def _after(word: str) -> searching.After | None:
    """Return where the page before ended. A cursor holds an id alone: a name has no place in an address."""
    if not word:
        return None
    resident_id = place_of(word, lambda text: UUID(str(text)))
    try:
        with reading() as session:
            last = service.get_resident(session, actor(), resident_id)
    except NotFound:
        raise BadInput("cursor_malformed", field="cursor") from None
    return last.region_path, last.name, last.id


def _phone(phone: Phone, blocked: dict[bytes, BlockReason]) -> PhoneOut:
    return PhoneOut(masked=phone.masked, kind=phone.kind, blocked=blocked.get(phone.index))

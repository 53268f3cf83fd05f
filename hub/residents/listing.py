"""Residents as their pages show them: with the names of their places, and the counts on top."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from hub.core.actor import Actor, Permission
from hub.core.errors import HubError
from hub.regions import service as regions
from hub.regions.tree import Level, codes_in
from hub.residents import blocking, searching, service
from hub.residents.forms import Filter
from hub.residents.models import BlockReason, Resident
from hub.residents.phones import PhoneSafe, normalise
from hub.residents.reach import Reach, reachable_counts
from hub.residents.searching import After

LIVED_IN = frozenset({Level.VILLAGE, Level.GROUP})
FILTERED = frozenset({Level.TOWNSHIP, Level.VILLAGE})


@dataclass(frozen=True, slots=True)
class ResidentList:
    """One page of residents. `places` names their villages and groups; `after` says where to go on (None: the end)."""

    residents: tuple[Resident, ...]
    blocked: dict[bytes, BlockReason]
    places: dict[str, str]
    after: UUID | None
    total: int
    reach: Reach
    """Of the chosen place and tag, whatever name is searched for."""
    regions: list[tuple[str, str]]
    tags: list[str]


def page(session: Session, actor: Actor, wanted: Filter, *, safe: PhoneSafe) -> ResidentList:
    """Return one page of what the filter asks for."""
    path = service.visible_region(session, actor, wanted.region).path if wanted.region else ""
    found = searching.list_residents(
        session,
        actor,
        safe=safe,
        region_path=path,
        query=wanted.query,
        tag=wanted.tag,
        without_mobile=wanted.without_mobile,
        after=_place_of(session, actor, wanted.after),
    )
    below = [path] if path else list(actor.paths(Permission.SEE_RESIDENTS))
    return ResidentList(
        residents=found.residents,
        blocked=found.blocked,
        places=places(session, found.residents),
        after=found.after[2] if found.after else None,
        total=searching.count_residents(
            session,
            actor,
            safe=safe,
            region_path=path,
            query=wanted.query,
            tag=wanted.tag,
            without_mobile=wanted.without_mobile,
        ),
        reach=reachable_counts(session, below, [wanted.tag] if wanted.tag else ()),
        regions=regions.choices(session, actor, Permission.SEE_RESIDENTS, levels=FILTERED),
        tags=searching.tags_in_use(session, actor),
    )


def by_number(session: Session, actor: Actor, number: str, *, safe: PhoneSafe) -> tuple[Resident, ...]:
    """Return everybody the actor may see who has that number; BadInput when it is none."""
    return searching.list_residents(session, actor, safe=safe, query=normalise(number).e164).residents


def just_these(session: Session, page: ResidentList, found: tuple[Resident, ...]) -> ResidentList:
    """Return the page with these residents instead of its own."""
    return replace(
        page, residents=found, places=places(session, found), blocked=blocking.blocks(session, found), after=None
    )


def places(session: Session, residents: Sequence[Resident]) -> dict[str, str]:
    """Return region path → 青石镇 石桥村 三组 for some residents."""
    return place_names(session, {resident.region_path for resident in residents})


def place_names(session: Session, paths: set[str]) -> dict[str, str]:
    """Return region path → 青石镇 石桥村 三组 for some places."""
    names = regions.names(session, {code for path in paths for code in codes_in(path)})
    return {path: " ".join(names.get(code, code) for code in codes_in(path)[1:] or codes_in(path)) for path in paths}


def homes(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """Return (code, name) of every place whose residents the actor may change."""
    return regions.choices(session, actor, Permission.EDIT_RESIDENTS, levels=LIVED_IN)


def _place_of(session: Session, actor: Actor, resident_id: UUID | None) -> After | None:
    if resident_id is None:
        return None
    try:
        last = service.get_resident(session, actor, resident_id)
    except HubError:
        return None
    return last.region_path, last.name, last.id

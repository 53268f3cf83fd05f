"""Look through the list of residents: by place, name, number or tag."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, selectinload

from hub.core.actor import Actor, Permission
from hub.core.below import below
from hub.core.errors import HubError
from hub.residents import blocking
from hub.residents.models import BlockReason, NumberKind, Phone, Resident, ResidentTag
from hub.residents.phones import PhoneSafe, normalise

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
        blocked=blocking.among(session, (phone.index for resident in page for phone in resident.phones)),
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
    conditions: list[ColumnElement[bool]] = [or_(*(below(Resident.region_path, path) for path in paths))]
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
    inside = or_(*(below(Resident.region_path, path) for path in paths))
    return list(session.scalars(select(ResidentTag.tag).join(Resident).where(inside).distinct().order_by("tag")))


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

"""The rules of approval as their page shows them."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from broadcasts.approvals import service
from broadcasts.approvals.models import ApprovalRule
from hub.accounts import role_book
from hub.accounts.listing import places_to_staff
from hub.accounts.role_book import RoleLine
from hub.core.actor import Actor, Permission
from hub.regions import service as regions


@dataclass(frozen=True, slots=True)
class Line:
    """One rule, the place it holds for, and whether the actor may take it out."""

    rule: ApprovalRule
    place: str
    changeable: bool


@dataclass(frozen=True, slots=True)
class Page:
    """The rules, and what the form for another one offers."""

    lines: tuple[Line, ...]
    places: list[tuple[str, str]]
    roles: tuple[RoleLine, ...]


def page(session: Session, actor: Actor) -> Page:
    """Return what the actor may see and set."""
    lines = tuple(
        Line(rule, regions.full_name(session, rule.region_path), actor.may(service.RIGHT, rule.region_path))
        for rule in service.every(session, actor)
    )
    roles = tuple(role for role in role_book.every(session) if Permission.APPROVE in role.permissions)
    return Page(lines, places_to_staff(session, actor), roles)

"""Whom a choice of regions and tags would reach by text message; counted by the database, no number is opened."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, distinct, func, or_, select
from sqlalchemy.orm import Session

from hub.core.db import like_below
from hub.residents.models import BlockedNumber, BlockReason, NumberKind, Phone, Resident, ResidentTag


@dataclass(frozen=True, slots=True)
class Reach:
    """How many are meant. Numbers are counted once, however many residents share them."""

    residents: int
    mobiles: int
    """Different mobile numbers, blocked ones included."""
    landlines: int
    """Different numbers that cannot take a text message."""
    opted_out: int
    """Of the mobiles: want nothing but emergencies."""
    wrong_numbers: int
    """Of the mobiles: known to be wrong, get nothing at all."""

    @property
    def routine(self) -> int:
        """Numbers an ordinary message goes to."""
        return self.mobiles - self.opted_out - self.wrong_numbers

    @property
    def emergency(self) -> int:
        """Numbers an emergency message goes to."""
        return self.mobiles - self.wrong_numbers


def meant(paths: Sequence[str], tags: Sequence[str] = ()) -> list[ColumnElement[bool]]:
    """Return the conditions on Resident for everybody below one of `paths` who carries one of `tags` (none: all)."""
    conditions: list[ColumnElement[bool]] = [or_(*(Resident.region_path.like(like_below(path)) for path in paths))]
    if tags:
        conditions.append(
            select(ResidentTag.tag).where(ResidentTag.resident_id == Resident.id, ResidentTag.tag.in_(tags)).exists()
        )
    return conditions


def reachable_counts(session: Session, paths: Sequence[str], tags: Sequence[str] = ()) -> Reach:
    """Count residents and numbers below `paths`. Checks no permission: the caller has checked the audience."""
    if not paths:
        return Reach(0, 0, 0, 0, 0)
    conditions = meant(paths, tags)
    residents = session.scalar(select(func.count()).select_from(Resident).where(*conditions)) or 0
    rows = session.execute(
        select(Phone.kind, BlockedNumber.reason, func.count(distinct(Phone.index)))
        .join(Resident, Resident.id == Phone.resident_id)
        .outerjoin(BlockedNumber, BlockedNumber.index == Phone.index)
        .where(*conditions)
        .group_by(Phone.kind, BlockedNumber.reason)
    ).all()
    mobile = {reason: count for kind, reason, count in rows if kind is NumberKind.MOBILE}
    return Reach(
        residents=residents,
        mobiles=sum(mobile.values()),
        landlines=sum(count for kind, _, count in rows if kind is not NumberKind.MOBILE),
        opted_out=mobile.get(BlockReason.OPTED_OUT, 0),
        wrong_numbers=mobile.get(BlockReason.WRONG_NUMBER, 0),
    )

"""Whom a choice of residents would reach by text message; counted by the database, no number is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from hub.core.below import below
from hub.residents.models import (
    AwayConsent,
    BlockedNumber,
    BlockReason,
    ExtraNumber,
    NumberKind,
    Phone,
    Resident,
    ResidentTag,
    TopicOptOut,
)
from hub.residents.wanted import Away, Wanted

NEVER, ORDINARY = 2, 1
"""What a number does not get because its owners are away: nothing, or ordinary messages only."""


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
    away_unasked: int = 0
    """Of the other mobiles: away from home and not yet asked, get emergencies only."""
    away_refused: int = 0
    """Of the other mobiles: away from home and want nothing from there."""
    without_phone: int = 0
    """Residents of whom no number is known."""

    @property
    def routine(self) -> int:
        """Numbers an ordinary message goes to."""
        return self.emergency - self.opted_out - self.away_unasked

    @property
    def emergency(self) -> int:
        """Numbers an emergency message goes to."""
        return self.mobiles - self.wrong_numbers - self.away_refused

    @property
    def unreached(self) -> int:
        """Landlines, wrong numbers, who is away and wants nothing, and who has no telephone: to be told otherwise."""
        return self.landlines + self.wrong_numbers + self.away_refused + self.without_phone


def meant(wanted: Wanted) -> list[ColumnElement[bool]]:
    """Return the conditions on Resident for everybody who is meant."""
    conditions: list[ColumnElement[bool]] = [or_(*(below(Resident.region_path, p) for p in wanted.paths))]
    if wanted.tags and wanted.every_tag:
        conditions += [_carries([tag]) for tag in wanted.tags]
    elif wanted.tags:
        conditions.append(_carries(wanted.tags))
    if wanted.without_tags:
        conditions.append(~_carries(wanted.without_tags))
    if wanted.away is not Away.TOO:
        conditions.append(Resident.away.is_(wanted.away is Away.ONLY))
    return conditions


def kept_out(wanted: Wanted) -> ColumnElement[bool] | None:
    """Return the condition on Phone that its number belongs to somebody who was left out; None when nobody was."""
    if not wanted.without_tags:
        return None
    other, phone = aliased(Resident), aliased(Phone)
    return (
        select(literal(1))
        .select_from(phone)
        .join(other, other.id == phone.resident_id)
        .join(ResidentTag, ResidentTag.resident_id == other.id)
        .where(phone.index == Phone.index, ResidentTag.tag.in_(wanted.without_tags))
        .where(or_(*(below(other.region_path, path) for path in wanted.paths)))
        .exists()
    )


def withheld() -> ColumnElement[int]:
    """Return what somebody does not get because they are away: NEVER, ORDINARY or 0."""
    consent = Resident.away_consent
    return case(
        (and_(Resident.away, consent == AwayConsent.NO), literal(NEVER)),
        (and_(Resident.away, consent == AwayConsent.UNASKED), literal(ORDINARY)),
        else_=literal(0),
    )


def reach_of(session: Session, wanted: Wanted, *, topic: str = "") -> Reach:
    """Count residents and numbers. Checks no permission: the caller has checked who is meant."""
    if not wanted.paths:
        return Reach(0, 0, 0, 0, 0)
    conditions = meant(wanted)
    residents = without = 0
    if wanted.people:
        unknown = ~select(Phone.id).where(Phone.resident_id == Resident.id).exists()
        residents, without = session.execute(
            select(func.count(), func.sum(case((unknown, 1), else_=0))).select_from(Resident).where(*conditions)
        ).one()
    counts = _Counts()
    for kind, reason, topical, away, count in session.execute(_by_fate(wanted, conditions, topic)):
        counts.add(kind, reason, topical, away, count)
    return Reach(
        residents=residents or 0,
        mobiles=counts.mobiles,
        landlines=counts.landlines,
        opted_out=counts.opted_out,
        wrong_numbers=counts.wrong,
        away_unasked=counts.unasked,
        away_refused=counts.refused,
        without_phone=without or 0,
    )


def reachable_counts(session: Session, paths: Sequence[str], tags: Sequence[str] = ()) -> Reach:
    """Count everybody below `paths`, or those of them who carry one of `tags`."""
    return reach_of(session, Wanted(tuple(paths), tuple(tags)))


@dataclass(slots=True)
class _Counts:
    mobiles: int = 0
    landlines: int = 0
    opted_out: int = 0
    wrong: int = 0
    unasked: int = 0
    refused: int = 0

    def add(self, kind: NumberKind, reason: BlockReason | None, topical: bool, away: int, count: int) -> None:
        if kind is not NumberKind.MOBILE:
            self.landlines += count
            return
        self.mobiles += count
        if reason is BlockReason.WRONG_NUMBER:
            self.wrong += count
        elif away == NEVER:
            self.refused += count
        elif reason is BlockReason.OPTED_OUT or topical:
            self.opted_out += count
        elif away == ORDINARY:
            self.unasked += count


def _by_fate(wanted: Wanted, conditions: list[ColumnElement[bool]], topic: str) -> Select[Any]:
    """Count different numbers by everything that decides whether they get a message."""
    numbers = wanted_numbers(wanted, conditions)
    each = (
        select(numbers.c.index, func.min(numbers.c.kind).label("kind"), func.min(numbers.c.withheld).label("withheld"))
        .group_by(numbers.c.index)
        .subquery()
    )
    topical = TopicOptOut.index.is_not(None)
    return (
        select(each.c.kind.label("kind"), BlockedNumber.reason, topical, each.c.withheld, func.count())
        .select_from(each)
        .outerjoin(BlockedNumber, BlockedNumber.index == each.c.index)
        .outerjoin(TopicOptOut, and_(TopicOptOut.index == each.c.index, TopicOptOut.topic == topic))
        .group_by(each.c.kind, BlockedNumber.reason, topical, each.c.withheld)
    )


def wanted_numbers(wanted: Wanted, conditions: list[ColumnElement[bool]]) -> Any:
    """Return a subquery of the numbers meant, one row a resident: index, kind, withheld."""
    parts: list[Any] = []
    if wanted.people:
        theirs = select(Phone.index, Phone.kind, withheld().label("withheld")).join(Resident, _from_residents())
        out = kept_out(wanted)
        parts.append(theirs.where(*conditions) if out is None else theirs.where(*conditions, ~out))
    if wanted.numbers or not parts:
        extra = select(ExtraNumber.index, ExtraNumber.kind, literal(0).label("withheld"))
        parts.append(extra.where(ExtraNumber.index.in_(wanted.numbers)))
    return (parts[0].union_all(*parts[1:]) if len(parts) > 1 else parts[0]).subquery()


def _from_residents() -> ColumnElement[bool]:
    """Join numbers to their owners, beginning with the owners.

    SQLite would begin with all numbers of the county, in the order in which they are to be counted, also for a village.
    A key it cannot look up keeps it from that; PostgreSQL sees through it.
    """
    return func.coalesce(Resident.id, None) == Phone.resident_id


def _carries(tags: Sequence[str]) -> ColumnElement[bool]:
    return select(ResidentTag.tag).where(ResidentTag.resident_id == Resident.id, ResidentTag.tag.in_(tags)).exists()

"""What messages cost: through whom each really went, at the price and by the counting of the day it was planned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypedDict

from sqlalchemy import ColumnElement, Row, func, literal, select
from sqlalchemy.orm import Session

from broadcasts.sms.models import SmsAttempt, SmsMessage, SmsRun
from broadcasts.sms.segments import cost_fen, parts_of
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import BILLED


class Priced(TypedDict):
    """The columns of a run that say what its messages will cost."""

    parts: int
    price_hundredths: int
    tariff: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Share:
    """What one provider bills."""

    parts: int
    fen: int


@dataclass(frozen=True, slots=True)
class Bill:
    """What the providers bill at most: whatever they took, and what they may have taken.

    `by` says who of them, when the text costs differently at each; otherwise it is empty.
    """

    parts: int = 0
    fen: int = 0
    by: Mapping[str, Share] = field(default_factory=dict)


def priced(whole: str, settings: SmsSettings) -> Priced:
    """Return what a whole text costs through the preferred provider, and where it costs something else."""
    names = [name for rank in settings.ranks for name, _ in rank]
    each = {name: [parts_of(whole, settings.counting_of(name)), int(settings.price_of(name) * 100)] for name in names}
    parts, hundredths = each[names[0]]
    tariff = {name: rate for name, rate in each.items() if rate != [parts, hundredths]}
    return Priced(parts=parts, price_hundredths=hundredths, tariff=tariff)


def billed(session: Session, runs: ColumnElement[bool], *where: ColumnElement[bool]) -> Bill:
    """Add up the messages of some runs, those that `where` (about SmsMessage) leaves. The caller has checked who asks.

    A message that was sent again after a try of unknown fate may be on two bills, so both tries count.
    """
    rates = {row.broadcast_id: row for row in session.execute(_RATES.where(runs))}
    differs = any(row.tariff for row in rates.values())
    # With one price for all, nobody has to look up through whom each message went: the index alone can count.
    who = SmsMessage.provider if differs else literal("")
    last = (
        select(SmsMessage.broadcast_id, who.label("provider"), func.count().label("people"))
        .join(SmsRun, SmsRun.broadcast_id == SmsMessage.broadcast_id)
        .where(runs, SmsMessage.state.in_(BILLED), *where)
    )
    before = (
        select(SmsAttempt.broadcast_id, SmsAttempt.provider, func.count().label("people"))
        .join(SmsRun, SmsRun.broadcast_id == SmsAttempt.broadcast_id)
        .join(SmsMessage, SmsMessage.id == SmsAttempt.message_id)
        .where(runs, SmsAttempt.state.in_(BILLED), *where)
    )
    parts: dict[str, int] = {}
    hundredths: dict[str, int] = {}
    for row in (
        *session.execute(last.group_by(SmsMessage.broadcast_id, who)),
        *session.execute(before.group_by(SmsAttempt.broadcast_id, SmsAttempt.provider)),
    ):
        if row.broadcast_id not in rates:
            continue  # planned since then: PostgreSQL shows each statement what is there by now
        each, price = _rate(rates[row.broadcast_id], row.provider)
        parts[row.provider] = parts.get(row.provider, 0) + row.people * each
        hundredths[row.provider] = hundredths.get(row.provider, 0) + row.people * each * price
    by = {name: Share(parts[name], _fen(hundredths[name])) for name in sorted(parts)} if differs else {}
    return Bill(sum(parts.values()), _fen(sum(hundredths.values())), by)


_RATES: Any = select(SmsRun.broadcast_id, SmsRun.parts, SmsRun.price_hundredths, SmsRun.tariff)


def _rate(run: Row[Any], provider: str) -> tuple[int, int]:
    """Return parts for each person and the price of a part. Whoever was configured later counts as the preferred."""
    parts, hundredths = run.tariff.get(provider, (run.parts, run.price_hundredths))
    return parts, hundredths


def _fen(hundredths: int) -> int:
    return cost_fen(1, Decimal(hundredths) / 100)

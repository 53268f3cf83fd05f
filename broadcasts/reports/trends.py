"""How the rates of a place went: one value a week of a quarter, one a month of a year."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from broadcasts.delivery.quiet import QuietHours
from broadcasts.reports.counted import Figures, Window
from broadcasts.reports.figures import gather
from broadcasts.reports.periods import Period, Span
from broadcasts.reports.scoring import Metric, Rule
from broadcasts.reports.service import rules_of
from hub.core.actor import Actor
from hub.regions import service as regions

DRAWN: Final = (Metric.ONLINE, Metric.PLAYED, Metric.ANSWERED, Metric.FAULTY)
LONG: Final = frozenset({Span.QUARTER, Span.YEAR})
"""A single rate of a shorter time says little about where it goes."""
STEP = 10
"""The scale begins and ends at so many per cent."""


@dataclass(frozen=True, slots=True)
class Trend:
    """One rate over the parts of a period, in per cent; None where nothing was measured or the time has not come.

    Drawn between `low` and `high`; `good` is from where on it gets all points.
    """

    metric: Metric
    points: Sequence[tuple[Period, float | None]]
    low: int
    high: int
    good: float


def trends(
    session: Session, actor: Actor, code: str, period: Period, *, zone: ZoneInfo, quiet: QuietHours, now: datetime
) -> Sequence[Trend]:
    """Return the rates of a place the actor may see, nothing for a month or less. Raises NotFound."""
    if period.span not in LONG:
        return ()
    top = regions.get_region(session, actor, code)
    values = [(part, _values(session, top.path, part, zone, quiet, now)) for part in period.parts()]
    rules = {rule.metric: rule for rule in rules_of(session)}
    return [_trend(metric, values, rules[metric]) for metric in DRAWN]


def _values(
    session: Session, path: str, part: Period, zone: ZoneInfo, quiet: QuietHours, now: datetime
) -> dict[Metric, float | None]:
    start, end = part.bounds(zone)
    window = Window(start, end, now)
    if not window.seconds:
        return {}
    whole = Figures(period_s=window.seconds)
    for figures in gather(session, [path], window, quiet).values():
        whole.add(figures)
    return whole.values()


def _trend(metric: Metric, values: Sequence[tuple[Period, dict[Metric, float | None]]], rule: Rule) -> Trend:
    points = [(part, _per_cent(found.get(metric))) for part, found in values]
    good = rule.good * 100
    known = [value for _, value in points if value is not None] + [good]
    low, high = floor(min(known) / STEP) * STEP, ceil(max(known) / STEP) * STEP
    return Trend(metric, points, min(low, high - STEP), high, good)


def _per_cent(value: float | None) -> float | None:
    return None if value is None else round(value * 100, 1)

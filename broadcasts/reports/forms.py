"""What the pages of the reports are asked for."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Protocol

from broadcasts.reports.gaps import PlanWish
from broadcasts.reports.periods import Period, Span
from broadcasts.reports.scoring import Metric, Rule
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotFound, Problems
from hub.regions.tree import codes_in

EARLIEST, LATEST = date(2000, 1, 1), date(2099, 12, 31)
SHARES = frozenset({Metric.ONLINE, Metric.POWERED, Metric.PLAYED, Metric.ANSWERED, Metric.FAULTY})
"""Shown and typed in per cent."""


class Asked(Protocol):
    """What Flask calls a multi-dict, as far as it is needed here."""

    def get(self, key: str, /) -> str | None:
        """Return one value."""
        ...


def period_of(asked: Asked, today: date) -> Period:
    """Return the period that is asked for; this month where nothing sensible is asked."""
    try:
        span = Span(asked.get("span") or "month")
        day = date.fromisoformat(asked.get("day") or today.isoformat())
    except ValueError:
        span, day = Span.MONTH, today
    return Period.around(span, min(max(day, EARLIEST), LATEST))


def place_of(asked: Asked, actor: Actor) -> str:
    """Return the place that is asked for, else the topmost the person sees."""
    given = asked.get("region") or ""
    if given:
        return given
    paths = actor.paths(Permission.SEE)
    codes = codes_in(paths[0]) if paths else ()
    if not codes:
        raise NotFound("region_unknown", code_given="")
    return codes[-1]


def rules_from(form: Mapping[str, str]) -> list[Rule]:
    """Read the form of the rules. Raises Problems with every wrong field."""
    problems: list[BadInput] = []
    rules = []
    for metric in Metric:
        factor = 100 if metric in SHARES else 1
        numbers = [_number(form, f"{part}-{metric.value}", problems) for part in ("weight", "good", "bad")]
        name = f"alarm-{metric.value}"
        alarm = _number(form, name, problems) / factor if form.get(name, "").strip() else None
        rules.append(Rule(metric, int(numbers[0]), numbers[1] / factor, numbers[2] / factor, alarm))
    if problems:
        raise Problems(problems)
    return rules


def plan_from(form: Mapping[str, str]) -> PlanWish:
    """Read what is planned for a gap; a day that is none is as good as no day."""
    try:
        due = date.fromisoformat(form.get("due", ""))
    except ValueError:
        due = None
    return PlanWish(form.get("person", ""), form.get("what", ""), due)


def _number(form: Mapping[str, str], name: str, problems: list[BadInput]) -> float:
    try:
        value = float(form.get(name, ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or not 0 <= value <= 10_000:
        problems.append(BadInput("score_number", field=name))
        return 0.0
    return value

"""Reports of a place and a period, and the county's rules for points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.alerts import drilling
from broadcasts.alerts.drilling import Sheet as Drill
from broadcasts.delivery.quiet import QuietHours
from broadcasts.reports.counted import Figures, Window
from broadcasts.reports.figures import approvals, gather
from broadcasts.reports.models import ScoreRule
from broadcasts.reports.periods import Period
from broadcasts.reports.scoring import DEFAULTS, Metric, Rule, score
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, Problems
from hub.regions import service as regions
from hub.regions.service import Node
from hub.regions.tree import Level, contains

HIGHEST = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One place of a report. `points` out of 100; `rank` among its neighbours, 0 when nothing was measured."""

    code: str
    name: str
    path: str
    level: Level
    villages: int
    figures: Figures
    values: Mapping[Metric, float | None]
    points: float | None
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """A place, what lies directly below it, the best first, and how the time went."""

    place: Line
    lines: Sequence[Line]
    rules: Sequence[Rule]
    by_part: Sequence[tuple[Period, int]]
    """How many broadcasts sounded in each day of it, or each week, or month, where it is long."""
    drills: Sequence[Drill]
    """Drills of the period with their points; they count nowhere else."""


def report(
    session: Session, actor: Actor, code: str, period: Period, *, zone: ZoneInfo, quiet: QuietHours, now: datetime
) -> Report:
    """Return the report of a place the actor may see. Raises NotFound."""
    top = regions.subtree(session, actor, code)
    start, end = period.bounds(zone)
    counted = _Counted(session, top, Window(start, end, now), quiet)
    below = [counted.line(node) for node in top.children]
    ranked = sorted(below, key=lambda line: (line.points is None, -(line.points or 0.0), line.code))
    lines = [_ranked(line, number) for number, line in enumerate(ranked, start=1)]
    whole = counted.line(top)
    parts = [(part, sum(whole.figures.by_day.get(day, 0) for day in part.days())) for part in period.parts()]
    return Report(whole, lines, counted.rules, parts, counted.drills)


def lines_within(session: Session, top: Node, window: Window, quiet: QuietHours) -> list[Line]:
    """Return the lines of the townships and villages below a place, in the order of the tree."""
    counted = _Counted(session, top, window, quiet)
    return [counted.line(node) for node in top.walk() if node is not top and node.level is not Level.GROUP]


class _Counted:
    """Everything that was counted below a place in a time, for one line after the other."""

    def __init__(self, session: Session, top: Node, window: Window, quiet: QuietHours) -> None:
        self.window, self.rules = window, rules_of(session)
        self.places = gather(session, [top.path], window, quiet)
        for home, waits in approvals(session, [top.path], window).items():
            self.places[home].waits_min += waits
        self.drills = drilling.between(session, top.path, window.start, window.end)

    def line(self, node: Node) -> Line:
        figures = Figures(period_s=self.window.seconds)
        for path, found in self.places.items():
            if contains(node.path, path):
                figures.add(found)
        for drill in self.drills:
            home = drill.alert.home_path
            if drill.points and (contains(node.path, home) or contains(home, node.path)):
                figures.drills.append(drill.points.all)
        return _line(node, figures, self.rules)


def _line(node: Node, figures: Figures, rules: Sequence[Rule]) -> Line:
    villages = sum(1 for each in node.walk() if each.level is Level.VILLAGE) or 1
    values = figures.values(villages)
    measured = values if figures.speakers or figures.meant else {}
    return Line(
        node.code, node.name, node.path, node.level, villages, figures, values, score(measured, rules)
    )  # fmt: skip


def _ranked(line: Line, number: int) -> Line:
    rank = number if line.points is not None else 0
    return Line(
        line.code, line.name, line.path, line.level, line.villages, line.figures, line.values, line.points, rank
    )


def rules_of(session: Session) -> Sequence[Rule]:
    """Return the county's rules, defaults where it settled nothing."""
    settled = {
        row.metric: Rule(row.metric, row.weight, row.good, row.bad, row.alarm)
        for row in session.scalars(select(ScoreRule))
    }
    return [settled.get(rule.metric, rule) for rule in DEFAULTS]


def set_rules(session: Session, actor: Actor, wanted: Sequence[Rule], *, now: datetime) -> None:
    """Settle rules for the whole county; whoever administers less may not. Raises Problems."""
    roots = regions.roots(session)
    for root in roots:
        actor.require(Permission.EDIT_ACCOUNTS, root)
    problems = [p for rule in wanted for p in _problems(rule)]
    if not sum(rule.weight for rule in wanted):
        problems.append(BadInput("score_weights_none", field="weight-online"))
    if problems:
        raise Problems(problems)
    before = {rule.metric: rule for rule in rules_of(session)}
    for rule in wanted:
        if before[rule.metric] == rule:
            continue
        row = session.get(ScoreRule, rule.metric) or ScoreRule(metric=rule.metric)
        row.weight, row.good, row.bad, row.alarm = rule.weight, rule.good, rule.bad, rule.alarm
        row.changed_at, row.changed_by_name = now, actor.name
        session.add(row)
        log.record(
            session,
            actor,
            "score.change",
            f"score:{rule.metric.value}",
            roots[0] if roots else "",
            now,
            before=_told(before[rule.metric]),
            after=_told(rule),
        )


def _told(rule: Rule) -> str:
    alarm = "" if rule.alarm is None else f" / {rule.alarm:g}"
    return f"{rule.weight} / {rule.good:g} / {rule.bad:g}{alarm}"


def _problems(rule: Rule) -> list[BadInput]:
    found = []
    if not 0 <= rule.weight <= HIGHEST:
        found.append(BadInput("score_weight", field=f"weight-{rule.metric.value}", most=HIGHEST))
    if rule.good == rule.bad:
        found.append(BadInput("score_bounds", field=f"good-{rule.metric.value}"))
    return found

"""Reports of a place and a period, the county's rules for points, and where nobody can be reached."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
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
from hub.core.db import like_below
from hub.core.errors import BadInput, Problems
from hub.regions import service as regions
from hub.regions.service import Node
from hub.regions.tree import Level, contains
from hub.residents.models import NumberKind, Phone, Resident
from hub.speakers.models import Speaker, SpeakerState

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
    """A place, what lies directly below it, the best first, and how the days went."""

    place: Line
    lines: Sequence[Line]
    rules: Sequence[Rule]
    by_day: Sequence[tuple[date, int]]
    drills: Sequence[Drill]
    """Drills of the period with their points; they count nowhere else."""


def report(
    session: Session, actor: Actor, code: str, period: Period, *, zone: ZoneInfo, quiet: QuietHours, now: datetime
) -> Report:
    """Return the report of a place the actor may see. Raises NotFound."""
    top = regions.subtree(session, actor, code)
    start, end = period.bounds(zone)
    window = Window(start, end, now)
    places = gather(session, [top.path], window, quiet)
    for home, waits in approvals(session, [top.path], window).items():
        places[home].waits_min += waits
    rules = rules_of(session)
    below = [_line(node, places, rules, window) for node in top.children]
    ranked = sorted(below, key=lambda line: (line.points is None, -(line.points or 0.0), line.code))
    lines = [_ranked(line, number) for number, line in enumerate(ranked, start=1)]
    whole = _line(top, places, rules, window)
    by_day = [(day, whole.figures.by_day.get(day, 0)) for day in period.days()]
    return Report(whole, lines, rules, by_day, drilling.between(session, top.path, start, end))


def _line(node: Node, places: Mapping[str, Figures], rules: Sequence[Rule], window: Window) -> Line:
    figures = Figures(period_s=window.seconds)
    for path, found in places.items():
        if contains(node.path, path):
            figures.add(found)
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
        row.metric: Rule(row.metric, row.weight, row.good, row.bad) for row in session.scalars(select(ScoreRule))
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
        row.weight, row.good, row.bad = rule.weight, rule.good, rule.bad
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
    return f"{rule.weight} / {rule.good:g} / {rule.bad:g}"


def _problems(rule: Rule) -> list[BadInput]:
    found = []
    if not 0 <= rule.weight <= HIGHEST:
        found.append(BadInput("score_weight", field=f"weight-{rule.metric.value}", most=HIGHEST))
    if rule.good == rule.bad:
        found.append(BadInput("score_bounds", field=f"good-{rule.metric.value}"))
    return found


@dataclass(frozen=True, slots=True)
class Gap:
    """A village in which somebody cannot be reached. `silent`: loudspeakers that do not report now."""

    code: str
    name: str
    speakers: int
    silent: int
    residents: int
    without_phone: int

    @property
    def dumb(self) -> bool:
        """Whether no loudspeaker of it works."""
        return self.silent >= self.speakers


def gaps(session: Session, actor: Actor, code: str) -> list[Gap]:
    """Return villages without a working loudspeaker, or with residents no text message reaches; the worst first."""
    top = regions.subtree(session, actor, code)
    villages = [node for node in top.walk() if node.level is Level.VILLAGE]
    horns, silent = _horns(session, top.path), _horns(session, top.path, silent=True)
    people, reached = _people(session, top.path), _people(session, top.path, reached=True)
    found = []
    for node in villages:
        mine = [path for path in {*horns, *people} if contains(node.path, path)]
        gap = Gap(
            node.code,
            node.name,
            sum(horns.get(path, 0) for path in mine),
            sum(silent.get(path, 0) for path in mine),
            sum(people.get(path, 0) for path in mine),
            sum(people.get(path, 0) - reached.get(path, 0) for path in mine),
        )
        if gap.dumb or gap.without_phone:
            found.append(gap)
    return sorted(found, key=lambda gap: (not gap.dumb, -gap.without_phone, gap.code))


def _horns(session: Session, path: str, *, silent: bool = False) -> dict[str, int]:
    query = select(Speaker.region_path, func.count()).where(
        Speaker.state == SpeakerState.ACTIVE, Speaker.drill.is_(False), Speaker.region_path.like(like_below(path))
    )
    if silent:
        query = query.where(Speaker.online.is_(False))
    return _counted(session, query.group_by(Speaker.region_path))


def _people(session: Session, path: str, *, reached: bool = False) -> dict[str, int]:
    query = select(Resident.region_path, func.count()).where(Resident.region_path.like(like_below(path)))
    if reached:
        mobile = select(Phone.id).where(Phone.resident_id == Resident.id, Phone.kind == NumberKind.MOBILE)
        query = query.where(mobile.exists())
    return _counted(session, query.group_by(Resident.region_path))


def _counted(session: Session, query: object) -> dict[str, int]:
    counted: dict[str, int] = defaultdict(int)
    for path, count in session.execute(query):  # type: ignore[call-overload]
        counted[path] += count
    return counted

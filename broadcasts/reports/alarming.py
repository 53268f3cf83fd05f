"""Tell whoever is responsible that a figure of their place has become too bad: once, until it is better again.

Every morning the last seven days of each township and each village are counted. The first on the place's roster gets a
text message, one for all villages that are new; the overview shows it to whoever looks after loudspeakers or approves
there, and webhooks are told. What a township was told of its own figure it is not told again for its villages.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.delivery.desk import Press, Pressing
from broadcasts.delivery.rules import Rules
from broadcasts.reports.counted import Window
from broadcasts.reports.forms import SHARES
from broadcasts.reports.models import FigureAlarm
from broadcasts.reports.scoring import Metric, Rule
from broadcasts.reports.service import Line, lines_within, rules_of
from broadcasts.sms.sending import direct
from hub.core.actor import SYSTEM, Actor, Permission
from hub.core.clock import Clock
from hub.core.db import Sessions, like_below
from hub.duty import service as duty
from hub.duty.models import DutyPerson
from hub.regions import service as regions
from hub.regions.tree import codes_in, common
from hub.webhooks import events
from hub.webhooks.models import EventKind

FILE: Final = Path(__file__).resolve().parents[2] / "templates" / "messages" / "figures.toml"
DAYS: Final = 7
FROM, UNTIL = time(8), time(20)
"""Nobody is written to at night because of a figure."""
LOOK_AGAIN_S: Final = 600.0
VALID: Final = timedelta(hours=8)
TOLD: Final = (Permission.EDIT_SPEAKERS, Permission.APPROVE)
"""Who sees it on the overview."""


@dataclass
class FigureWatch:
    """Looks once a day. Another look on the same day finds the same, and tells nobody twice."""

    sessions: Sessions
    rules: Rules
    clock: Clock
    base_url: Callable[[], str]
    looked_on: date | None = None

    def step(self) -> float:
        """Look if it is time; return how long to rest."""
        now = self.clock()
        local = now.astimezone(self.rules.zone)
        if FROM <= local.time() < UNTIL and self.looked_on != local.date():
            self.look(now)
            self.looked_on = local.date()
        return LOOK_AGAIN_S

    def look(self, now: datetime) -> list[UUID]:
        """Count, tell, and close what is better again; return the alarms that are new."""
        today = now.astimezone(self.rules.zone).date()
        first, last = today - timedelta(days=DAYS), today - timedelta(days=1)
        start = datetime.combine(first, time(), tzinfo=self.rules.zone)
        window = Window(start, datetime.combine(today, time(), tzinfo=self.rules.zone), now)
        with self.sessions.read() as session:
            bounds = [rule for rule in rules_of(session) if rule.alarm is not None]
            tops = regions.forest(session, SYSTEM)
            lines = [line for top in tops for line in lines_within(session, top, window, self.rules.quiet)]
        with self.sessions.begin() as session:
            fresh = _settle(session, lines, bounds, (first, last), now)
            for alarm in fresh:
                self._note(session, alarm, now)
            for person, theirs in _by_person(session, fresh, now):
                self._tell(session, person, theirs, now)
            return [alarm.id for alarm in fresh]

    def _note(self, session: Session, alarm: FigureAlarm, now: datetime) -> None:
        events.note(
            session,
            EventKind.FIGURE,
            alarm.region_path,
            now,
            place=alarm.region_code,
            figure=alarm.metric.value,
            value=alarm.value,
            bound=alarm.bound,
            page=_page(alarm),
        )

    def _tell(self, session: Session, person: DutyPerson, alarms: Sequence[FigureAlarm], now: datetime) -> None:
        direct.write_to(
            session,
            run_id=alarms[0].id,
            text=_text(session, alarms, f"{self.base_url()}{_page(*alarms)}"),
            phone=(person.phone_index, person.sealed, person.masked),
            person_id=person.id,
            region_path=person.region_path,
            expires_at=now + VALID,
            settings=self.rules.sms,
            now=now,
        )


def pressing(session: Session, actor: Actor) -> list[Pressing]:
    """Return one line for the figures that are too bad in the actor's part of the tree."""
    found = open_alarms(session, actor)
    if not found:
        return []
    worst = found[0]
    name = regions.names(session, {worst.region_code}).get(worst.region_code, worst.region_code)
    return [Pressing(Press.FIGURES, name, worst.metric.value, len(found), worst.since, target=worst.region_code)]


def open_alarms(session: Session, actor: Actor) -> Sequence[FigureAlarm]:
    """Return the figures that are too bad where the actor could do something about them; townships before villages."""
    paths = sorted({path for permission in TOLD for path in actor.paths(permission)})
    if not paths:
        return []
    mine = or_(*(FigureAlarm.region_path.like(like_below(path)) for path in paths))
    query = select(FigureAlarm).where(FigureAlarm.ended_at.is_(None), mine)
    found = session.scalars(query.order_by(FigureAlarm.since.desc(), FigureAlarm.id)).all()
    return sorted(found, key=lambda alarm: len(codes_in(alarm.region_path)))


def _settle(
    session: Session, lines: Sequence[Line], bounds: Sequence[Rule], days: tuple[date, date], now: datetime
) -> list[FigureAlarm]:
    query = select(FigureAlarm).where(FigureAlarm.ended_at.is_(None)).with_for_update()
    known = {(alarm.region_code, alarm.metric): alarm for alarm in session.scalars(query)}
    fresh = []
    bad = {(line.code, rule.metric): (line, rule) for line in lines for rule in bounds if _is_bad(line, rule)}
    for key, alarm in known.items():
        if key not in bad:
            alarm.ended_at = now
    for key, (line, rule) in bad.items():
        if key in known:
            continue
        alarm = FigureAlarm(
            region_code=line.code,
            region_path=line.path,
            metric=rule.metric,
            value=float(line.values.get(rule.metric) or 0.0),
            bound=float(rule.alarm or 0.0),
            first_day=days[0],
            last_day=days[1],
            since=now,
        )
        session.add(alarm)
        fresh.append(alarm)
    session.flush()
    return fresh


def _is_bad(line: Line, rule: Rule) -> bool:
    value = line.values.get(rule.metric)
    return value is not None and line.points is not None and rule.alarms(value)


def _by_person(
    session: Session, fresh: Sequence[FigureAlarm], now: datetime
) -> list[tuple[DutyPerson, list[FigureAlarm]]]:
    """Return who is told of what: everything of one figure in one message, and nothing of a place inside another one.

    A village whose township is as bad is on the page that the township's message leads to.
    """
    bad = session.execute(select(FigureAlarm.region_path, FigureAlarm.metric).where(FigureAlarm.ended_at.is_(None)))
    places = {(path, metric) for path, metric in bad}
    found: dict[tuple[bytes, Metric], tuple[DutyPerson, list[FigureAlarm]]] = {}
    for alarm in fresh:
        above = alarm.region_path[: -len(alarm.region_code) - 1]
        people = duty.on_call(session, alarm.region_path, now=now)[:1]
        if (above, alarm.metric) in places or not people:
            continue
        found.setdefault((people[0].phone_index, alarm.metric), (people[0], []))[1].append(alarm)
    return [(person, sorted(alarms, key=_how_bad, reverse=True)) for person, alarms in found.values()]


def _how_bad(alarm: FigureAlarm) -> float:
    return abs(alarm.value - alarm.bound)


def _page(*alarms: FigureAlarm) -> str:
    """Return the report of a place, or of the one that holds them all."""
    region = codes_in(common([alarm.region_path for alarm in alarms]))[-1]
    return f"/coverage?region={region}&span=week&day={alarms[0].last_day}"


def _text(session: Session, alarms: Sequence[FigureAlarm], link: str) -> str:
    written = tomllib.loads(FILE.read_text(encoding="utf-8"))
    words, names = written["words"], written["names"]
    alarm = alarms[0]
    place = regions.names(session, {alarm.region_code}).get(alarm.region_code, alarm.region_code)
    kind = ("below" if alarm.value < alarm.bound else "above") + ("_several" if alarms[1:] else "")
    value, bound = (_shown(alarm.metric, one) for one in (alarm.value, alarm.bound))
    return str(words[kind]).format(
        place=place, n=len(alarms), what=names[alarm.metric.value], value=value, bound=bound, link=link
    )


def _shown(metric: Metric, value: float) -> str:
    share = metric in SHARES
    return f"{value * 100 if share else value:.1f}".removesuffix(".0") + ("%" if share else "")

"""The timetable: a week at a glance, day by day, and what the coming time would bring."""

from datetime import date, datetime, time, timedelta
from itertools import groupby
from uuid import UUID

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from broadcasts.announcements import service as announcements
from broadcasts.announcements.timing import Timetable
from broadcasts.delivery.rules import Rules
from hub.core.actor import Permission
from hub.core.errors import WrongState
from hub.core.runtime import Runtime, runtime
from hub.regions.tree import path_of
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work
from schedules import grid, rehearsal
from schedules import week as weeks
from schedules.campaigns import listing as campaigns
from schedules.campaigns.outlook import Desk
from schedules.rehearsal import Rehearsal, Showing, Stage
from schedules.sheets import desk, listing
from schedules.sheets.forms import as_day

bp = Blueprint("timetable", __name__)
AHEAD = timedelta(days=7)
BACK = timedelta(hours=24)
DAY = timedelta(days=1)
MOST_SHOWN = 400


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="timetable",
            label=lazy_gettext("节目单"),
            icon="calendar-month",
            endpoint="timetable.week",
            permission=Permission.SEE,
            group=1,
            position=3,
        )
    )


@bp.get("/timetable")
@permission_required(Permission.SEE)
def week() -> ResponseReturnValue:
    """Show a week, and day by day what was, is and will be."""
    rules, moment = runtime().get(Rules), now()
    chosen = as_day(request.args.get("week", ""))
    monday = _monday(chosen or moment.astimezone(rules.zone).date())
    starts = datetime.combine(monday, time(), tzinfo=rules.zone)
    since, until = (starts, starts + AHEAD) if chosen else (moment - BACK, moment + AHEAD)
    with reading() as session:
        places = desk.places(session, actor(), Permission.SEE)
        below = _place(places)
        run = rehearsal.rehearse(
            session,
            actor(),
            runtime().get(Stage),
            since=min(since, starts),
            until=max(until, starts + AHEAD),
            below=below,
        )
        waiting = campaigns.waiting_lines(
            session,
            actor(),
            since=max(starts, moment),
            until=starts + AHEAD,
            desk=Desk(rules, runtime().get(Timetable)),
            now=moment,
        )
        table = grid.build(
            session, actor(), run, monday=monday, below=below, quiet=rules.quiet, now=moment, campaigns=waiting
        )
        shown = weeks.week(session, actor(), run, since=since, until=until, now=moment, zone=rules.zone)
    return render_template(
        "schedules/week.html",
        days=shown.days,
        busy=shown.busy,
        grid=table,
        run=run,
        places=places,
        place=request.args.get("place", ""),
        chosen=chosen is not None,
        week=timedelta(days=7),
        quiet=rules.quiet,
        explain_code=lambda code: sentence(code, language()),
        has_detail="announcements.detail" in current_app.view_functions,
        may_compose=actor().may_somewhere(Permission.COMPOSE),
    )


@bp.get("/timetable/rehearsal")
@permission_required(Permission.SEE)
def rehearse() -> ResponseReturnValue:
    """Show what the next day or the next week would bring, on the loudspeakers there are."""
    rules, moment = runtime().get(Rules), now()
    span = "day" if request.args.get("span") == "day" else "week"
    first = as_day(request.args.get("first", "")) or listing.week_after(moment.astimezone(rules.zone).date())[0]
    since = moment if span == "day" else datetime.combine(first, time(), tzinfo=rules.zone)
    until = since + (DAY if span == "day" else AHEAD)
    with reading() as session:
        places = desk.places(session, actor(), Permission.SEE)
        run = rehearsal.rehearse(session, actor(), runtime().get(Stage), since=since, until=until, below=_place(places))
    return render_template(
        "schedules/rehearsal.html",
        run=run,
        by_day=_by_day(run),
        span=span,
        first=first,
        places=places,
        place=request.args.get("place", ""),
        explain_code=lambda code: sentence(code, language()),
    )


@bp.post("/timetable/<uuid:announcement_id>/withdraw")
@permission_required(Permission.SEE)
def withdraw(announcement_id: UUID) -> ResponseReturnValue:
    """Take an announcement out for good. Pressing twice does no harm."""
    try:
        with work() as session:
            door = runtime().get(Timetable)
            announcements.withdraw(session, actor(), announcement_id, timetable=door, now=now())
        flash(gettext("撤下来了，不会再播。"), "ok")
    except WrongState as error:
        flash(explain(error, language()), "warn")
    return redirect(url_for("timetable.week"))


def _place(places: list[tuple[str, str]]) -> str:
    """Return the path of the place that was asked for, if the person sees it."""
    wanted = request.args.get("place", "")
    return path_of(wanted) if any(code == wanted for code, _ in places) else ""


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _by_day(run: Rehearsal) -> list[tuple[date, list[Showing]]]:
    """Return what is listed of a rehearsal, day by day."""
    zone = runtime().zone
    shown = groupby(run.showings[:MOST_SHOWN], key=lambda one: one.line.due_at.astimezone(zone).date())
    return [(day, list(showings)) for day, showings in shown]

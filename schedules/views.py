"""The timetable: what will be heard in the next days, and what became of the last."""

from datetime import timedelta
from uuid import UUID

from flask import Blueprint, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from broadcasts.announcements import service as announcements
from broadcasts.announcements.timing import Timetable
from broadcasts.delivery.rules import Rules
from hub.core.actor import Permission
from hub.core.errors import WrongState
from hub.core.runtime import Runtime, runtime
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work
from schedules import week as weeks

bp = Blueprint("timetable", __name__)
AHEAD = timedelta(days=7)
BACK = timedelta(hours=24)


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
    """Show a week, day by day, and the day behind us."""
    rules = runtime().get(Rules)
    with reading() as session:
        shown = weeks.week(session, actor(), since=now() - BACK, until=now() + AHEAD, now=now(), zone=rules.zone)
    return render_template(
        "schedules/week.html",
        days=shown.days,
        busy=shown.busy,
        quiet=rules.quiet,
        explain_code=lambda code: sentence(code, language()),
        has_detail="announcements.detail" in current_app.view_functions,
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

"""Quiet hours and how much a village hears: what holds here, and who can change it."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext

from hub.core.actor import Permission
from hub.core.runtime import Runtime, runtime
from hub.web.guards import permission_required
from hub.web.menu import SETTINGS, Entry, Menu, Part
from schedules.rehearsal import Stage

bp = Blueprint("quiet_hours", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put the page among the settings."""
    runtime.get(Menu).add(
        Entry(
            key="quiet",
            label=lazy_gettext("安静时段"),
            icon="moon",
            endpoint="quiet_hours.shown",
            permission=Permission.SEE,
            group=SETTINGS,
            position=22,
            part=Part.QUIET,
            about=lazy_gettext("哪几个小时喇叭不响，一个村一天最多听多久"),
        )
    )


@bp.get("/settings/quiet")
@permission_required(Permission.SEE)
def shown() -> ResponseReturnValue:
    """Show what holds."""
    stage = runtime().get(Stage)
    return render_template("schedules/quiet_hours.html", quiet=stage.rules.quiet, limits=stage.limits)

"""Drills: the same steps at another address, on drill loudspeakers alone, with a result sheet at the end."""

from uuid import UUID

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from broadcasts.alerts import drilling, rooms
from broadcasts.alerts.paging import frame_of
from broadcasts.kinds import Mode
from hub.core.actor import Permission
from hub.core.runtime import Runtime
from hub.web.guards import permission_required
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.work import actor, reading

bp = Blueprint("drills", __name__, url_prefix="/drill")
rooms.furnish(bp, Mode.DRILL)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="drill",
            label=lazy_gettext("演练"),
            icon="school",
            endpoint="drills.desk",
            permission=Permission.DRILL,
            group=2,
            position=9,
        )
    )


@bp.get("/log")
@permission_required(Permission.DRILL)
def every() -> ResponseReturnValue:
    """List drills with what they came to; they stand in no other list."""
    with reading() as session:
        found = drilling.latest(session, actor())
    return render_template("broadcasts/alerts/drills.html", sheets=found, **frame_of(Mode.DRILL))


@bp.get("/<uuid:alert_id>/sheet")
@permission_required(Permission.DRILL)
def sheet(alert_id: UUID) -> ResponseReturnValue:
    """Show the result sheet of a drill."""
    with reading() as session:
        found = drilling.sheet(session, actor(), alert_id)
    return render_template("broadcasts/alerts/drill_sheet.html", sheet=found, **frame_of(Mode.DRILL))

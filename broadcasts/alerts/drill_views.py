"""Drills: the same steps at another address, on drill loudspeakers alone, with a result sheet at the end."""

from uuid import UUID

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from broadcasts.alerts import drilling, paging
from broadcasts.alerts.paging import frame_of
from broadcasts.kinds import Act, Mode
from hub.core.actor import Permission
from hub.core.runtime import Runtime
from hub.web.guards import permission_required, signed_in
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.work import actor, reading

bp = Blueprint("drills", __name__, url_prefix="/drill")


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


@bp.get("")
@permission_required(Permission.DRILL)
def desk() -> ResponseReturnValue:
    """Show what can be practised, and on which loudspeakers."""
    return paging.desk(Mode.DRILL)


@bp.post("")
@permission_required(Permission.DRILL)
def arm() -> ResponseReturnValue:
    """Begin the drill's countdown."""
    return paging.arm(Mode.DRILL)


@bp.get("/<uuid:alert_id>")
@signed_in
def show(alert_id: UUID) -> ResponseReturnValue:
    """Show the countdown, and afterwards how far it is."""
    return paging.show(alert_id, Mode.DRILL)


@bp.get("/<uuid:alert_id>/progress")
@signed_in
def show_progress(alert_id: UUID) -> ResponseReturnValue:
    """Answer the page that asks again."""
    return paging.show_progress(alert_id, Mode.DRILL)


@bp.post("/<uuid:alert_id>/cancel")
@permission_required(Permission.DRILL)
def cancel(alert_id: UUID) -> ResponseReturnValue:
    """Call it off in the countdown."""
    return paging.cancel(alert_id, Mode.DRILL)


@bp.post("/<uuid:alert_id>/stop")
@permission_required(Permission.DRILL)
def stop(alert_id: UUID) -> ResponseReturnValue:
    """Silence the drill loudspeakers."""
    return paging.stop(alert_id, Mode.DRILL)


@bp.post("/<uuid:alert_id>/take-back")
@permission_required(Permission.DRILL)
def take_back(alert_id: UUID) -> ResponseReturnValue:
    """Practise taking it back."""
    return paging.end(alert_id, Mode.DRILL, Act.CORRECTION)


@bp.post("/<uuid:alert_id>/all-clear")
@permission_required(Permission.DRILL)
def clear(alert_id: UUID) -> ResponseReturnValue:
    """Practise the all-clear."""
    return paging.end(alert_id, Mode.DRILL, Act.ALL_CLEAR)


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

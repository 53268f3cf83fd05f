"""The emergency desk: choose, confirm by number, count down, watch, stop, take back."""

from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue

from broadcasts.alerts import paging
from broadcasts.kinds import Act, Mode
from hub.core.actor import Permission
from hub.core.runtime import Runtime
from hub.web.guards import permission_required, signed_in, urgent
from hub.web.menu import Entry, Menu, lazy_gettext

bp = Blueprint("alerts", __name__)
urgent(bp)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="emergency",
            label=lazy_gettext("应急播发"),
            icon="urgent",
            endpoint="alerts.desk",
            permission=Permission.EMERGENCY,
            group=0,
            position=2,
            primary="emergency",
        )
    )


@bp.get("/emergency")
@permission_required(Permission.EMERGENCY)
def desk() -> ResponseReturnValue:
    """Show what can be chosen, and what would be said to whom."""
    return paging.desk(Mode.LIVE)


@bp.post("/emergency")
@permission_required(Permission.EMERGENCY)
def arm() -> ResponseReturnValue:
    """Start the countdown, or ask for a second person."""
    return paging.arm(Mode.LIVE)


@bp.get("/emergency/<uuid:alert_id>")
@signed_in
def show(alert_id: UUID) -> ResponseReturnValue:
    """Show the countdown, and afterwards how far it is."""
    return paging.show(alert_id, Mode.LIVE)


@bp.get("/emergency/<uuid:alert_id>/progress")
@signed_in
def show_progress(alert_id: UUID) -> ResponseReturnValue:
    """Answer the page that asks again."""
    return paging.show_progress(alert_id, Mode.LIVE)


@bp.post("/emergency/<uuid:alert_id>/cancel")
@signed_in
def cancel(alert_id: UUID) -> ResponseReturnValue:
    """Call it off before it is sent."""
    return paging.cancel(alert_id, Mode.LIVE)


@bp.post("/emergency/<uuid:alert_id>/stop")
@signed_in
def stop(alert_id: UUID) -> ResponseReturnValue:
    """Silence it, at one press."""
    return paging.stop(alert_id, Mode.LIVE)


@bp.post("/emergency/<uuid:alert_id>/take-back")
@signed_in
def take_back(alert_id: UUID) -> ResponseReturnValue:
    """Stop it and tell exactly those who heard it that it was wrong, at one press."""
    return paging.end(alert_id, Mode.LIVE, Act.CORRECTION)


@bp.post("/emergency/<uuid:alert_id>/all-clear")
@signed_in
def clear(alert_id: UUID) -> ResponseReturnValue:
    """Tell those who heard it that it is over."""
    return paging.end(alert_id, Mode.LIVE, Act.ALL_CLEAR)


@bp.post("/emergency/<uuid:alert_id>/confirm")
@permission_required(Permission.EMERGENCY)
def confirm(alert_id: UUID) -> ResponseReturnValue:
    """Stand by somebody else's words: the countdown begins."""
    return paging.confirm(alert_id, alone=False)


@bp.post("/emergency/<uuid:alert_id>/alone")
@permission_required(Permission.EMERGENCY)
def go_alone(alert_id: UUID) -> ResponseReturnValue:
    """Send one's own words without a second person, where that is allowed."""
    return paging.confirm(alert_id, alone=True)

"""The emergency desk: choose, confirm by number, count down, watch, stop, take back."""

from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue

from broadcasts.alerts import paging, rooms
from broadcasts.kinds import Mode
from hub.core.actor import Permission
from hub.core.runtime import Runtime
from hub.web.guards import permission_required, urgent
from hub.web.menu import Entry, Menu, lazy_gettext

bp = Blueprint("alerts", __name__, url_prefix="/emergency")
urgent(bp)
rooms.furnish(bp, Mode.LIVE)


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


@bp.post("/<uuid:alert_id>/confirm")
@permission_required(Permission.EMERGENCY)
def confirm(alert_id: UUID) -> ResponseReturnValue:
    """Stand by somebody else's words: the countdown begins."""
    return paging.confirm(alert_id, alone=False)


@bp.post("/<uuid:alert_id>/alone")
@permission_required(Permission.EMERGENCY)
def go_alone(alert_id: UUID) -> ResponseReturnValue:
    """Send one's own words without a second person, where that is allowed."""
    return paging.confirm(alert_id, alone=True)

"""What can be done at the addresses of emergencies and of drills: the same steps, in two rooms that never meet."""

from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue

from broadcasts.alerts import paging, service
from broadcasts.kinds import Act, Mode
from hub.web.guards import permission_required, signed_in


def furnish(bp: Blueprint, mode: Mode) -> None:
    """Give a room its steps: choose, count down, watch, call off, stop, take back, say that it is over.

    Who may stop something real is asked of the emergency itself; a drill is for those who may hold drills.
    """
    calls = permission_required(service.permission_for(mode))

    @bp.get("")
    @calls
    def desk() -> ResponseReturnValue:
        """Show what can be chosen, and what would be said to whom."""
        return paging.desk(mode)

    @bp.post("")
    @calls
    def arm() -> ResponseReturnValue:
        """Start the countdown, or ask for a second person."""
        return paging.arm(mode)

    @bp.get("/<uuid:alert_id>")
    @signed_in
    def show(alert_id: UUID) -> ResponseReturnValue:
        """Show the countdown, and afterwards how far it is."""
        return paging.show(alert_id, mode)

    @bp.get("/<uuid:alert_id>/progress")
    @signed_in
    def show_progress(alert_id: UUID) -> ResponseReturnValue:
        """Answer the page that asks again."""
        return paging.show_progress(alert_id, mode)

    _furnish_with_buttons(bp, mode)


def _furnish_with_buttons(bp: Blueprint, mode: Mode) -> None:
    acts = signed_in if mode is Mode.LIVE else permission_required(service.permission_for(mode))

    @bp.post("/<uuid:alert_id>/cancel")
    @acts
    def cancel(alert_id: UUID) -> ResponseReturnValue:
        """Call it off before it is sent."""
        return paging.cancel(alert_id, mode)

    @bp.post("/<uuid:alert_id>/stop")
    @acts
    def stop(alert_id: UUID) -> ResponseReturnValue:
        """Silence it, at one press."""
        return paging.stop(alert_id, mode)

    @bp.post("/<uuid:alert_id>/take-back")
    @acts
    def take_back(alert_id: UUID) -> ResponseReturnValue:
        """Stop it and tell exactly those who heard it that it was wrong, at one press."""
        return paging.end(alert_id, mode, Act.CORRECTION)

    @bp.post("/<uuid:alert_id>/all-clear")
    @acts
    def clear(alert_id: UUID) -> ResponseReturnValue:
        """Tell those who heard it that it is over."""
        return paging.end(alert_id, mode, Act.ALL_CLEAR)

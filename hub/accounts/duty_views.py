"""The computer on duty: four digits unlock it, straight to the emergency desk."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from hub.accounts import sessions
from hub.accounts.sessions import PIN_LENGTH, StillLocked
from hub.accounts.views import signed_out
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime
from hub.web.errors import mistakes
from hub.web.guards import never_held, permission_required, signed_in
from hub.web.i18n import language
from hub.web.words import sentence
from hub.web.work import COOKIE, actor, now, origin, visitor, work

bp = Blueprint("duty", __name__)
EMERGENCY = "/emergency"
"""Where unlocking leads. The desk stands in a room above this one, at an address that people may know by heart."""


def add_to_menu(runtime: Runtime) -> None:
    """The line stands in the account's own menu, on a computer on duty alone."""


@bp.post("/duty/lock")
@signed_in
def lock() -> ResponseReturnValue:
    """Lock the screen."""
    with work() as session:
        sessions.lock(session, request.cookies.get(COOKIE, ""), now=now())
    return redirect(url_for("duty.locked"))


@bp.get("/duty")
@never_held
@signed_in
def locked() -> ResponseReturnValue:
    """Ask for the four digits."""
    person = visitor()
    if person is None or person.held_at != "duty.locked":
        return redirect(_onwards())
    return _locked_page("")


@bp.post("/duty")
@never_held
@signed_in
def unlock() -> ResponseReturnValue:
    """Unlock the screen and go to the emergency desk."""
    person = visitor()
    if person is None or not person.on_duty:
        return redirect(_onwards())
    token, pin = request.cookies.get(COOKIE, ""), request.form.get("pin", "").strip()
    with work() as session:
        result = sessions.unlock(session, token, pin, origin=origin(), now=now())
    if isinstance(result, StillLocked):
        if not result.left:
            flash(sentence("pin_used_up", language()), "bad")
            return signed_out()
        return _locked_page(sentence("pin_wrong", language(), left=result.left)), 401
    return redirect(_onwards())


@bp.get("/duty/pin")
@never_held
@permission_required(Permission.EMERGENCY)
def choose_pin() -> ResponseReturnValue:
    """Ask for four digits of one's own."""
    return render_template("hub/accounts/pin.html", errors={}, digits=PIN_LENGTH)


@bp.post("/duty/pin")
@never_held
@permission_required(Permission.EMERGENCY)
def keep_pin() -> ResponseReturnValue:
    """Keep the four digits."""
    try:
        with work() as session:
            sessions.set_pin(session, actor(), request.form.get("pin", "").strip(), now=now())
    except BadInput as error:
        return render_template("hub/accounts/pin.html", errors=mistakes(error), digits=PIN_LENGTH), 422
    flash(gettext("解锁数字设好了。"), "ok")
    return redirect(_onwards())


def _locked_page(error: str) -> str:
    return render_template("hub/accounts/locked.html", error=error, digits=PIN_LENGTH)


def _onwards() -> str:
    person = visitor()
    on_duty = person is not None and person.on_duty and person.actor.may_somewhere(Permission.EMERGENCY)
    return EMERGENCY if on_duty else "/"

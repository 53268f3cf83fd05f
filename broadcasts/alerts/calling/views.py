"""Where a link in a call leads, the button of those who are signed in, and errands that are done."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcasts.alerts.calling import answering, listing, tokens
from broadcasts.alerts.calling.models import How
from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound, WrongState
from hub.core.runtime import Runtime, runtime
from hub.web.guards import csrf, permission_required, signed_in
from hub.web.i18n import language
from hub.web.words import explain
from hub.web.work import actor, now, origin, reading, work

bp = Blueprint("calling", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put nothing into the menu: one comes here by a link."""


@bp.get("/c/<token>")
def look(token: str) -> ResponseReturnValue:
    """Show what it is about. Looking confirms nothing: previews of messages look too."""
    with reading() as session:
        shown = listing.of_try(session, _try(token))
    return render_template("broadcasts/alerts/calling/call.html", shown=shown, token=token)


@bp.post("/c/<token>")
def confirm(token: str) -> ResponseReturnValue:
    """Take the confirmation."""
    with work() as session:
        answering.answer(session, _try(token), How.LINK, origin=origin(), now=now())
    return redirect(url_for("calling.look", token=token))


csrf.exempt(confirm)


@bp.post("/calls/<uuid:call_id>/answer")
@signed_in
def press(call_id: UUID) -> ResponseReturnValue:
    """Confirm one's own call while signed in."""
    with work() as session:
        call = answering.press(session, actor(), call_id, now=now())
        alert_id = call.alert_id
    return redirect(url_for("alerts.show", alert_id=alert_id))


@bp.post("/errands/<uuid:errand_id>/done")
@permission_required(Permission.STOP)
def done(errand_id: UUID) -> ResponseReturnValue:
    """Close an errand: somebody was spoken to."""
    try:
        with work() as session:
            errand = answering.finish(session, actor(), errand_id, request.form.get("result", ""), now=now())
            incident_id = errand.incident_id
    except (BadInput, WrongState) as error:
        flash(explain(error, language()), "bad")
        with reading() as session:
            incident_id = listing.incident_of(session, actor(), errand_id)
    if incident_id is None:
        raise NotFound("incident_unknown")
    return redirect(url_for("incidents.show", incident_id=incident_id))


def _try(token: str) -> UUID:
    found = tokens.try_of(token, runtime().secrets.session_key)
    if found is None:
        raise NotFound("call_unknown")
    return found

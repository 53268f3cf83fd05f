"""Official warnings on the desk: what waits, what came of the others, one of them whole."""

from uuid import UUID, uuid4

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.alerts import service as alerts
from broadcasts.bulletins import deciding, listing
from broadcasts.bulletins.api import spoken_for
from broadcasts.bulletins.deciding import Passing
from broadcasts.bulletins.listing import Sheet
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour
from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound
from hub.core.runtime import Runtime, runtime
from hub.web.guards import permission_required, signed_in
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work

bp = Blueprint("bulletins", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="bulletins",
            label=lazy_gettext("收到的预警"),
            icon="cloud-storm",
            endpoint="bulletins.every",
            permission=Permission.EMERGENCY,
            group=1,
            position=35,
            badge=lambda session, actor: deciding.waiting(session, actor, now=now()),
        )
    )


@bp.get("/warnings")
@signed_in
def every() -> ResponseReturnValue:
    """List what came in, by event, what waits first."""
    with reading() as session:
        found = listing.events(session, actor(), now=now())
        refused = listing.refused(session, actor(), now=now()) if actor().may_somewhere(Permission.EMERGENCY) else []
    return render_template(
        "broadcasts/bulletins/list.html",
        events=found,
        refused=refused,
        say=_say,
        may_arrange=actor().may_somewhere(Permission.EDIT_ACCOUNTS),
    )


@bp.get("/warnings/<uuid:bulletin_id>")
@signed_in
def show(bulletin_id: UUID) -> ResponseReturnValue:
    """Show one warning, what would be said, and whom it would reach."""
    return _page(_sheet(bulletin_id), {})


@bp.post("/warnings/<uuid:bulletin_id>/take")
@permission_required(Permission.EMERGENCY)
def take(bulletin_id: UUID) -> ResponseReturnValue:
    """Start the countdown if everything is as it was shown; else show the page again, with nothing sent."""
    try:
        passing = _passing()
        spoken = spoken_for(bulletin_id, passing)
        with work() as session:
            rules = runtime().get(Rules)
            alert = deciding.take(session, actor(), bulletin_id, passing, spoken, rules=rules, now=now())
    except (NotAllowed, NotFound):
        raise
    except HubError as error:
        field = error.field if isinstance(error, BadInput) and error.field else "speakers"
        return _page(_sheet(bulletin_id), {field: explain(error, language())}), error.status
    return redirect(url_for("alerts.show", alert_id=alert.id))


@bp.post("/warnings/<uuid:bulletin_id>/dismiss")
@permission_required(Permission.EMERGENCY)
def dismiss(bulletin_id: UUID) -> ResponseReturnValue:
    """Leave it, and say why."""
    try:
        with work() as session:
            deciding.dismiss(session, actor(), bulletin_id, reason=request.form.get("reason", ""), now=now())
    except BadInput as error:
        return _page(_sheet(bulletin_id), {error.field: explain(error, language())}), error.status
    flash(gettext("这条不播了。"), "ok")
    return redirect(url_for("bulletins.every"))


@bp.post("/warnings/<uuid:bulletin_id>/split")
@permission_required(Permission.EMERGENCY)
def split(bulletin_id: UUID) -> ResponseReturnValue:
    """Say that it is another event."""
    with work() as session:
        deciding.split(session, actor(), bulletin_id, now=now())
    flash(gettext("分开了，这条单独算一件事。"), "ok")
    return redirect(url_for("bulletins.show", bulletin_id=bulletin_id))


@bp.get("/warnings/documents/<uuid:document_id>")
@signed_in
def document(document_id: UUID) -> ResponseReturnValue:
    """Show the verdicts on one document, every remark with its place in it."""
    with reading() as session:
        found = listing.document(session, actor(), document_id)
        inside = listing.bulletins_in(session, actor(), document_id)
    return render_template(
        "broadcasts/bulletins/document.html",
        document=found,
        findings=listing.findings_of(found),
        bulletins=inside,
        say=_say,
    )


@bp.get("/warnings/documents/<uuid:document_id>/raw")
@signed_in
def raw(document_id: UUID) -> ResponseReturnValue:
    """Hand out a document as it came, to be saved: never to be opened by a browser as a page."""
    with reading() as session:
        found = listing.document(session, actor(), document_id)
    name = f"warning-{found.id.hex[:12]}"
    ending, kind = (".json", "application/json") if found.raw[:1] == b"{" else (".xml", "application/octet-stream")
    return Response(found.raw, mimetype=kind, headers={"Content-Disposition": f"attachment; filename={name}{ending}"})


def _sheet(bulletin_id: UUID) -> Sheet:
    given = request.values.get("colour", "")
    colour = Colour(given) if given in set(Colour) else None
    rules = runtime().get(Rules)
    with reading() as session:
        bulletin = deciding.get(session, actor(), bulletin_id)
        shade = bulletin.colour or colour or Colour.YELLOW
        hushed = alerts.hushed(shade, rules, now())
        return listing.sheet(session, actor(), bulletin_id, colour=colour, hushed=hushed, now=now())


def _passing() -> Passing:
    key, colour = request.form.get("form_key", ""), request.form.get("colour", "")
    typed = "".join(request.form.get("speakers", "").split())
    if not 8 <= len(key) <= 40 or colour not in set(Colour):
        raise BadInput("form_too_old")
    if not typed:
        raise BadInput("alert_number_missing", field="speakers")
    if not (typed.isdecimal() and len(typed) <= 7):
        raise BadInput("number_malformed", field="speakers")
    return Passing(key, Colour(colour), int(typed), sms=request.form.get("sms") == "1")


def _page(sheet: Sheet, errors: dict[str, str]) -> str:
    return render_template(
        "broadcasts/bulletins/one.html",
        sheet=sheet,
        errors=errors,
        form_key=str(uuid4()),
        hushed=alerts.hushed(sheet.colour, runtime().get(Rules), now()),
        say=_say,
        now_=now(),
    )


def _say(code: str, params: dict[str, object]) -> str:
    return sentence(code, language(), **params)

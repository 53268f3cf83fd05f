"""The pages of incidents: the list, the time line, notes, what is to be done, the evidence."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcasts.alerts.calling import answering, listing
from broadcasts.alerts.calling.answering import Reachable
from broadcasts.alerts.incidents import service
from broadcasts.alerts.record import closing, export, timeline
from broadcasts.kinds import Mode
from broadcasts.studio import Studio
from hub.audit import log
from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound, WrongState
from hub.core.runtime import Runtime, runtime
from hub.residents.phones import PhoneSafe
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.words import explain
from hub.web.work import actor, now, reading, work

bp = Blueprint("incidents", __name__)
PAGES = "broadcasts/alerts/record"
A_PAGE = 30


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="incidents",
            label=lazy_gettext("应急经过"),
            icon="history",
            endpoint="incidents.every",
            permission=Permission.SEE,
            group=1,
            position=4,
            badge=answering.open_errands,
        )
    )


@bp.get("/incidents")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List incidents, the latest first."""
    before = _moment(request.args.get("before", ""))
    with reading() as session:
        found = service.page(session, actor(), mode=Mode.LIVE, limit=A_PAGE + 1, before=before)
    more = found[A_PAGE - 1].opened_at.isoformat() if len(found) > A_PAGE else ""
    return render_template(f"{PAGES}/every.html", incidents=found[:A_PAGE], more=more, first=before is None)


@bp.get("/incidents/<uuid:incident_id>")
@permission_required(Permission.SEE)
def show(incident_id: UUID) -> ResponseReturnValue:
    """Show the time line."""
    return _page(incident_id, None, ())


@bp.post("/errands/<uuid:errand_id>/numbers")
@permission_required(Permission.STOP)
def numbers(errand_id: UUID) -> ResponseReturnValue:
    """Show whom to phone about a place, with their numbers."""
    try:
        with work() as session:
            errand, people = answering.numbers_for(
                session, actor(), errand_id, safe=runtime().get(PhoneSafe), now=now()
            )
            incident_id = errand.incident_id
    except WrongState as error:
        flash(explain(error, language()), "bad")
        people = []
        with reading() as session:
            incident_id = listing.incident_of(session, actor(), errand_id)
    if incident_id is None:
        raise NotFound("incident_unknown")
    return _page(incident_id, errand_id, people)


def _page(incident_id: UUID, asked: UUID | None, people: Sequence[Reachable]) -> str:
    with reading() as session:
        record = timeline.record_of(session, actor(), incident_id)
    return render_template(f"{PAGES}/one.html", record=record, now=now(), asked=asked, people=people)


@bp.post("/incidents/<uuid:incident_id>/notes")
@permission_required(Permission.STOP)
def note(incident_id: UUID) -> ResponseReturnValue:
    """Write something into the time line."""
    try:
        with work() as session:
            service.add_note(session, actor(), incident_id, request.form.get("text", ""), now=now())
    except (BadInput, WrongState) as error:
        flash(explain(error, language()), "bad")
    return redirect(url_for("incidents.show", incident_id=incident_id))


@bp.post("/incidents/<uuid:incident_id>/close")
@permission_required(Permission.SEE)
def close(incident_id: UUID) -> ResponseReturnValue:
    """Note that it is over."""
    try:
        with work() as session:
            closing.close(session, actor(), incident_id, now=now())
    except WrongState as error:
        flash(explain(error, language()), "bad")
    return redirect(url_for("incidents.show", incident_id=incident_id))


@bp.get("/incidents/<uuid:incident_id>/evidence.zip")
@permission_required(Permission.SEE_AUDIT)
def evidence(incident_id: UUID) -> ResponseReturnValue:
    """Hand out everything in one file. Whoever takes it is noted, with the hash of what they took."""
    library = runtime().get(Studio).library
    with work() as session:
        record = timeline.record_of(session, actor(), incident_id)
        whole, digest = export.packed(export.gather(session, record, library.path_of))
        subject, home = f"incident:{incident_id}", record.incident.home_path
        log.record(session, actor(), "incident.export", subject, home, now(), content=digest)
    name = f"incident-{incident_id}.zip"
    return Response(
        whole,
        mimetype="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Evidence-SHA256": digest},
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None

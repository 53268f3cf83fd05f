"""我的班 and 交接班: what happened on one's shift, and the note that one officer leaves to the next."""

from datetime import datetime
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, NotFound
from hub.core.runtime import Runtime, runtime
from hub.duty import handing_over, shift
from hub.duty.shift import ShiftEvent, ShiftSources, ShiftTopic
from hub.regions import service as regions
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.paging import as_address, place_in_address
from hub.web.words import explain
from hub.web.work import actor, now, reading, work

bp = Blueprint("shift", __name__)
PAGE = 20
watches = permission_required(Permission.EMERGENCY)


def add_to_menu(runtime_: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime_.get(Menu).add(
        Entry(
            key="shift",
            label=lazy_gettext("我的班"),
            icon="clock",
            endpoint="shift.mine",
            permission=Permission.EMERGENCY,
            group=1,
            position=4,
            badge=lambda session, who: len(handing_over.waiting(session, who)),
        )
    )


@bp.get("/duty/shift")
@watches
def mine() -> ResponseReturnValue:
    """Show what happened since one's shift began, and what is still open."""
    return _page({}, {})


@bp.get("/duty/handovers")
@permission_required(Permission.SEE)
def notes() -> ResponseReturnValue:
    """List hand-over notes, the newest first."""
    with reading() as session:
        before = place_in_address(request.args.get("before", ""))
        found = handing_over.notes(session, actor(), before=before, limit=PAGE + 1)
        names = regions.names(session, {one.handover.region_code for one in found})
    last = found[PAGE - 1].handover if len(found) > PAGE else None
    more = as_address(last.written_at, last.id) if last else ""
    return render_template("hub/duty/notes.html", notes=found[:PAGE], names=names, more=more, first=before is None)


@bp.get("/duty/handovers/<uuid:handover_id>")
@permission_required(Permission.SEE)
def note(handover_id: UUID) -> ResponseReturnValue:
    """Show one note with what came to it."""
    return _note_page(handover_id, {})


@bp.post("/duty/handovers")
@watches
def write() -> ResponseReturnValue:
    """Leave a note to whoever comes next."""
    form = request.form
    try:
        began = _moment(form.get("began", ""))
        with work() as session:
            made = handing_over.write(
                session,
                actor(),
                region=form.get("region", ""),
                happened=form.get("happened", ""),
                open_matters=form.get("open_matters", ""),
                began_at=began,
                now=now(),
            )
    except BadInput as error:
        return _page(form.to_dict(), mistakes(error)), 422
    flash(gettext("交班记录写好了，不能再改。等接班的人确认。"), "ok")
    return redirect(url_for("shift.note", handover_id=made.id))


@bp.post("/duty/handovers/<uuid:handover_id>/confirm")
@watches
def confirm(handover_id: UUID) -> ResponseReturnValue:
    """Take over."""
    try:
        with work() as session:
            handing_over.confirm(session, actor(), handover_id, text=request.form.get("text", ""), now=now())
        flash(gettext("接班了。"), "ok")
    except NotFound:
        raise
    except HubError as error:
        return _note_page(handover_id, {"": explain(error, language())}), error.status
    return redirect(url_for("shift.note", handover_id=handover_id))


@bp.post("/duty/handovers/<uuid:handover_id>/additions")
@watches
def add(handover_id: UUID) -> ResponseReturnValue:
    """Add what was wrong or forgotten."""
    try:
        with work() as session:
            handing_over.add(session, actor(), handover_id, request.form.get("text", ""), now=now())
    except BadInput as error:
        return _note_page(handover_id, mistakes(error)), 422
    flash(gettext("补上了。"), "ok")
    return redirect(url_for("shift.note", handover_id=handover_id))


def _note_page(handover_id: UUID, errors: dict[str, str]) -> str:
    with reading() as session:
        found = handing_over.note_of(session, actor(), handover_id)
        names = regions.names(session, {found.handover.region_code})
    may = actor().may(Permission.EMERGENCY, found.handover.region_path)
    own = found.handover.written_by == actor().id
    return render_template("hub/duty/note.html", note=found, names=names, may=may, own=own, errors=errors)


def _page(typed: dict[str, str], errors: dict[str, str]) -> str:
    asked = _since()
    with reading() as session:
        since = asked or handing_over.began_of(session, actor(), now=now())
        events = shift.gather(session, actor(), runtime().get(ShiftSources), since=since, until=now())
        waiting = handing_over.waiting(session, actor())
        places = regions.choices(session, actor(), Permission.EMERGENCY, levels=handing_over.WATCHED)
        names = regions.names(session, {one.handover.region_code for one in waiting})
    return render_template(
        "hub/duty/shift.html",
        since=since,
        since_local=since.astimezone(runtime().zone).strftime("%Y-%m-%dT%H:%M"),
        now=now(),
        topics=[(topic.value, found) for topic in ShiftTopic if (found := [e for e in events if e.topic is topic])],
        events=events,
        address=_address,
        waiting=waiting,
        names=names,
        places=places,
        typed=typed,
        errors=errors,
    )


def _address(event: ShiftEvent) -> str:
    return url_for(event.endpoint, **dict(event.values)) if event.endpoint else ""  # type: ignore[arg-type]


def _since() -> datetime | None:
    try:
        asked = _moment(request.args.get("since", ""))
    except BadInput:
        return None
    return asked if asked is None or asked < now() else None


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=runtime().zone)
    except ValueError:
        raise BadInput("duty_time_malformed", field="began") from None

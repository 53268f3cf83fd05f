"""Beside the approvals: return, reject, take one's own back to change it, and look at every version and verdict."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.announcements import forms, history, review, service
from broadcasts.announcements.timing import Timetable
from broadcasts.announcements.views import approvals_page
from hub.core.actor import Permission
from hub.core.errors import BadInput, WrongState
from hub.core.runtime import Runtime, runtime
from hub.web.guards import permission_required, signed_in
from hub.web.i18n import language
from hub.web.words import explain
from hub.web.work import actor, now, reading, work

bp = Blueprint("reviews", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """These pages are found from the announcements."""


@bp.post("/approvals/<uuid:announcement_id>/return")
@permission_required(Permission.APPROVE)
def give_back(announcement_id: UUID) -> ResponseReturnValue:
    """Return it to its author with a reason."""
    reason = forms.reason(request.form)
    try:
        with work() as session:
            service.give_back(session, actor(), announcement_id, reason, now=now())
    except (BadInput, WrongState) as error:
        return approvals_page({str(announcement_id): explain(error, language())}, status=error.status)
    flash(gettext("退回去了，作者能看到原因。"), "ok")
    return redirect(url_for("announcements.approvals"))


@bp.post("/approvals/<uuid:announcement_id>/reject")
@permission_required(Permission.APPROVE)
def reject(announcement_id: UUID) -> ResponseReturnValue:
    """End it for good, with a reason."""
    try:
        with work() as session:
            review.reject(session, actor(), announcement_id, forms.reason(request.form), now=now())
    except (BadInput, WrongState) as error:
        flash(explain(error, language()), "bad")
        return redirect(url_for("announcements.approvals"))
    flash(gettext("作废了，作者能看到原因。"), "ok")
    return redirect(url_for("announcements.approvals"))


@bp.post("/announcements/<uuid:announcement_id>/reopen")
@signed_in
def reopen(announcement_id: UUID) -> ResponseReturnValue:
    """Take one's own approved announcement back to change it."""
    with work() as session:
        review.reopen(session, actor(), announcement_id, timetable=runtime().get(Timetable), now=now())
    flash(gettext("拿回来了，已经从节目单里去掉。改好要重新审批。"), "ok")
    return redirect(url_for("announcements.edit", announcement_id=announcement_id))


@bp.get("/announcements/<uuid:announcement_id>/history")
@signed_in
def versions(announcement_id: UUID) -> ResponseReturnValue:
    """Show what was handed in each time, what changed, and who said what."""
    with reading() as session:
        page = history.of(session, actor(), announcement_id)
    return render_template("broadcasts/announcements/history.html", page=page)

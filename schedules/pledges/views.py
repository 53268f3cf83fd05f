"""村规民约: which village has one, where it can be written, when it was heard."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from hub.core.actor import Permission
from hub.web.guards import permission_required
from hub.web.work import actor, now, reading, work
from schedules.campaigns.views import today
from schedules.pledges import service

bp = Blueprint("pledges", __name__)


@bp.get("/pledges")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List the villages."""
    with reading() as session:
        lines = service.lines(session, actor(), today=today())
    return render_template("schedules/pledges/every.html", lines=lines, tag=service.tag())


@bp.post("/pledges/<code>/write")
@permission_required(Permission.COMPOSE)
def write(code: str) -> ResponseReturnValue:
    """Start a village's own."""
    with work() as session:
        made = service.write(session, actor(), code, now=now())
    flash(gettext("照本村墙上写的改一改，再提交审批。"), "ok")
    return redirect(url_for("materials.edit", material_id=made.id))

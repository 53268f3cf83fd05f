"""Look at emergencies afterwards."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from broadcasts.afterwards import service
from broadcasts.afterwards.settings import ApprovalSettings
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.menu import Entry, Menu
from hub.web.work import actor, now, reading, work

bp = Blueprint("afterwards", __name__)


def add_to_menu(runtime_: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime_.get(Menu).add(
        Entry(
            key="afterwards",
            label=lazy_gettext("应急补审"),
            icon="shield",
            endpoint="afterwards.every",
            permission=Permission.APPROVE,
            group=1,
            position=3,
            badge=service.badge(runtime_),
        )
    )


@bp.get("/approvals/after")
@permission_required(Permission.APPROVE)
def every() -> ResponseReturnValue:
    """List emergencies, those nobody has looked at first."""
    return _page({})


@bp.post("/approvals/after/<uuid:alert_id>")
@permission_required(Permission.APPROVE)
def review(alert_id: UUID) -> ResponseReturnValue:
    """Say whether it was right."""
    try:
        with work() as session:
            proper = request.form.get("proper") == "1"
            service.review(session, actor(), alert_id, proper=proper, note=request.form.get("note", ""), now=now())
    except BadInput as error:
        return _page({str(alert_id): mistakes(error).get("note", "")}), 422
    flash(gettext("补审记下了。"), "ok")
    return redirect(url_for("afterwards.every"))


def _page(errors: dict[str, str]) -> str:
    settings = runtime().config.section(ApprovalSettings)
    with reading() as session:
        found = service.due(session, actor(), within=settings.within, now=now())
    return render_template(
        "broadcasts/afterwards/every.html", found=found, errors=errors, hours=settings.after_review_hours
    )

"""The log of who did what."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext

from hub.audit import log
from hub.audit.describing import codes_of, describe
from hub.audit.places import PlaceNames
from hub.core.actor import Permission
from hub.core.runtime import Runtime, runtime
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu
from hub.web.work import actor, reading

bp = Blueprint("audit", __name__)
PAGE = 50


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="audit",
            label=lazy_gettext("操作日志"),
            icon="history",
            endpoint="audit.latest",
            permission=Permission.SEE_AUDIT,
            group=3,
            position=30,
        )
    )


@bp.get("/audit")
@permission_required(Permission.SEE_AUDIT)
def latest() -> ResponseReturnValue:
    """Show the log, newest first."""
    before = request.args.get("before", type=int)
    with reading() as session:
        entries = log.latest(session, actor(), before=before, limit=PAGE + 1)
        places = runtime().get(PlaceNames).of(session, codes_of(entries))
    lines = [describe(entry, places, language()) for entry in entries[:PAGE]]
    return render_template("hub/audit/latest.html", lines=lines, more=len(entries) > PAGE, paged=before is not None)

"""The log of who did what."""

from datetime import date

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext

from hub.audit import anchoring, log, sheet
from hub.audit.describing import codes_of, describe, topic_names
from hub.audit.forms import SearchForm
from hub.audit.places import PlaceNames
from hub.core.actor import Permission
from hub.core.errors import NotFound
from hub.core.runtime import Runtime, runtime
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu
from hub.web.work import actor, now, reading, work

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
    """Show the log, or what of it somebody looks for, newest first."""
    before = request.args.get("before", type=int)
    form = SearchForm.read(request.args)
    with reading() as session:
        entries = log.latest(session, actor(), search=form.search(runtime().zone), before=before, limit=PAGE + 1)
        places = runtime().get(PlaceNames).of(session, codes_of(entries))
        standing = anchoring.standing(session, runtime())
    return render_template(
        "hub/audit/latest.html",
        lines=[describe(entry, places, language()) for entry in entries[:PAGE]],
        more=len(entries) > PAGE,
        paged=before is not None,
        form=form,
        topics=topic_names(language()),
        standing=standing,
    )


@bp.post("/audit/export")
@permission_required(Permission.SEE_AUDIT)
def export() -> ResponseReturnValue:
    """Answer what was looked for as a file; the log says who took it."""
    form = SearchForm.read(request.form)
    kind = "csv" if request.form.get("form") == "csv" else "xlsx"
    with work() as session:
        entries = log.export(session, actor(), form.search(runtime().zone), form=kind, now=now())
        places = runtime().get(PlaceNames).of(session, codes_of(entries))
    data = sheet.write(entries, places, form=kind, language=language(), zone=runtime().zone)
    return _file(data, sheet.TYPES[kind], f"cunxiang-log-{_today()}.{kind}")


@bp.get("/audit/anchors")
@permission_required(Permission.SEE_AUDIT)
def anchors() -> ResponseReturnValue:
    """Answer the file of daily lines, to be kept elsewhere. It holds hashes, no names."""
    path = anchoring.file_of(runtime())
    if not path.exists():
        raise NotFound("anchors_none")
    return _file(path.read_bytes(), "text/plain", f"audit-anchors-{_today()}.txt")


def _today() -> date:
    return now().astimezone(runtime().zone).date()


def _file(data: bytes, kind: str, name: str) -> Response:
    return Response(data, mimetype=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})

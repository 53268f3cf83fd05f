"""The region tree: look, add below, rename."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.regions import geojson, service, shapes
from hub.regions.facts import LoudspeakerCounts, silencing_of
from hub.regions.tree import BELOW
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.menu import Entry, Menu, Part
from hub.web.work import actor, now, reading, work

bp = Blueprint("regions", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="regions",
            label=lazy_gettext("区划"),
            icon="map-2",
            endpoint="regions.tree",
            permission=Permission.EDIT_REGIONS,
            group=4,
            position=10,
            part=Part.UNIT,
            about=lazy_gettext("县、镇、村、组的名字和编码"),
        )
    )


@bp.app_template_global()
def may_edit_regions() -> bool:
    """Return whether whoever reads a page may add villages: where there are none, it says how."""
    return actor().may_somewhere(Permission.EDIT_REGIONS)


@bp.get("/regions")
@permission_required(Permission.EDIT_REGIONS)
def tree() -> ResponseReturnValue:
    """Show the tree."""
    with reading() as session:
        forest = service.forest(session, actor(), Permission.EDIT_REGIONS)
        counts = _counts().by_region(session, actor())
        bordered = shapes.count(session, actor())
    return render_template("hub/regions/tree.html", forest=forest, counts=counts, bordered=bordered)


@bp.post("/regions/borders")
@permission_required(Permission.EDIT_REGIONS)
def import_borders() -> ResponseReturnValue:
    """Keep the borders in a GeoJSON file, all of them or none."""
    sent = request.files.get("file")
    try:
        found = geojson.borders(sent.read() if sent is not None else b"")
        with work() as session:
            count = shapes.keep(session, actor(), found, now=now())
    except BadInput as error:
        flash(mistakes(error)[error.field], "bad")
    else:
        flash(gettext("存了 %(num)s 个地方的边界。", num=count), "ok")
    return redirect(url_for("regions.tree"))


@bp.get("/regions/<code>")
@permission_required(Permission.EDIT_REGIONS)
def one(code: str) -> ResponseReturnValue:
    """Show one region, with the forms to rename it and to add one below."""
    return _page(code, {})


@bp.post("/regions/<code>/name")
@permission_required(Permission.EDIT_REGIONS)
def rename(code: str) -> ResponseReturnValue:
    """Give it another name."""
    name = request.form.get("new_name", "")
    try:
        with work() as session:
            service.rename_region(session, actor(), code, name=name, now=now())
    except BadInput as error:
        wrong = {"new_name": mistakes(error)[error.field]}
        return _page(code, wrong, {"new_name": name}), 422
    flash(gettext("改好了，现在叫%(name)s。", name=name.strip()), "ok")
    return redirect(url_for("regions.one", code=code))


@bp.post("/regions/<code>/below")
@permission_required(Permission.EDIT_REGIONS)
def add(code: str) -> ResponseReturnValue:
    """Add a region below this one."""
    given = {"code": request.form.get("code", "").strip(), "name": request.form.get("name", "")}
    try:
        with work() as session:
            service.add_below(session, actor(), code, code=given["code"], name=given["name"], now=now())
    except BadInput as error:
        return _page(code, mistakes(error), given), 422
    flash(gettext("%(name)s加上了。", name=given["name"].strip()), "ok")
    return redirect(url_for("regions.one", code=code))


def _page(code: str, errors: dict[str, str], given: dict[str, str] | None = None) -> str:
    with reading() as session:
        node = service.subtree(session, actor(), code, Permission.EDIT_REGIONS)
        above = service.full_name(session, node.path)
        suggestion = service.next_code(session, code) if node.level in BELOW else ""
        counts = _counts().by_region(session, actor())
    return render_template(
        "hub/regions/one.html",
        node=node,
        above=above,
        below=BELOW.get(node.level),
        counts=counts,
        silence=silencing_of(runtime(), actor(), node.path),
        errors=errors,
        given={"code": suggestion, "name": "", "new_name": node.name} | (given or {}),
    )


def _counts() -> LoudspeakerCounts:
    return runtime().get(LoudspeakerCounts)

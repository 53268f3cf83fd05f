"""村民扫码页: which villages have a page for everybody, and the paper with its QR code."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from broadcasts.village_pages import service
from hub.core.actor import Permission
from hub.core.runtime import Runtime, runtime
from hub.regions import service as regions
from hub.regions.tree import Level
from hub.web.guards import permission_required
from hub.web.menu import SETTINGS, Entry, Menu, Part, lazy_gettext
from hub.web.qr import picture
from hub.web.work import actor, now, reading, work

bp = Blueprint("village_desk", __name__)
A_PAGE = 50
MANY = frozenset({Level.COUNTY, Level.TOWNSHIP})


def add_to_menu(runtime_: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime_.get(Menu).add(
        Entry(
            key="village-pages",
            label=lazy_gettext("村民扫码页"),
            icon="eye",
            endpoint="village_desk.every",
            permission=Permission.ANSWER,
            group=SETTINGS,
            position=35,
            part=Part.UNIT,
            about=lazy_gettext("贴在村口的二维码，村民扫了能重听"),
        )
    )


@bp.get("/village-pages")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List villages and their pages."""
    with reading() as session:
        lines = service.lines(session, actor())
        many = regions.choices(session, actor(), Permission.EDIT_REGIONS, levels=MANY)
    first = max(request.args.get("from", 0, type=int), 0)
    return render_template(
        "broadcasts/village_pages/every.html",
        lines=lines[first : first + A_PAGE],
        first=first,
        whole=len(lines),
        opened=sum(1 for line in lines if line.open),
        following=first + A_PAGE if first + A_PAGE < len(lines) else 0,
        many=many,
        reachable=bool(runtime().settings.public_url),
    )


@bp.post("/village-pages")
@permission_required(Permission.EDIT_REGIONS)
def change() -> ResponseReturnValue:
    """Open or close the pages of a place, or give a village's page another address."""
    code, deed = request.form.get("region", ""), request.form.get("deed", "")
    with work() as session:
        if deed == "renew":
            service.renew(session, actor(), code, now=now())
            words = gettext("地址换了，旧的二维码扫不开了。请重新打印，贴上新的。")
        else:
            count = service.set_open(session, actor(), code, open_=deed == "open", now=now())
            words = (
                ngettext("%(num)s 个村的扫码页开了。", "%(num)s 个村的扫码页开了。", count)
                if deed == "open"
                else ngettext("%(num)s 个村的扫码页关了。", "%(num)s 个村的扫码页关了。", count)
            )
    flash(words, "ok")
    return redirect(url_for("village_desk.every"))


@bp.get("/village-pages/<code>/paper")
@permission_required(Permission.SEE)
def paper(code: str) -> ResponseReturnValue:
    """Show the QR code on a sheet of A4, to be put up in the village."""
    with reading() as session:
        region, page = service.to_print(session, actor(), code)
    address = f"{runtime().base_url}/v/{page.token}"
    reachable = bool(runtime().settings.public_url)
    return render_template(
        "broadcasts/village_pages/paper.html",
        region=region,
        address=address,
        token=page.token,
        svg=picture(address),
        reachable=reachable,
    )

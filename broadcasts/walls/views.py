"""The wall display itself, and the page where screens are let in and sent away."""

from collections.abc import Mapping

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.delivery.desk import Upcoming
from broadcasts.walls import service
from broadcasts.walls.models import WallScreen
from broadcasts.walls.showing import wall
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.core.typed import shown
from hub.regions import service as regions
from hub.regions.tree import Level
from hub.web.errors import is_fragment, mistakes
from hub.web.guards import never_held, permission_required
from hub.web.menu import Entry, Menu, Part, lazy_gettext
from hub.web.work import actor, now, origin, reading, work

bp = Blueprint("walls", __name__)
COOKIE = "cunxiang_wall"
KEPT_S = 400 * 24 * 3600
PAGES = "broadcasts/walls"
manage = permission_required(Permission.EDIT_ACCOUNTS)
PLACES = frozenset({Level.COUNTY, Level.TOWNSHIP, Level.VILLAGE})


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line behind 设置."""
    runtime.get(Menu).add(
        Entry(
            key="walls",
            label=lazy_gettext("大屏"),
            icon="chart-bar",
            endpoint="walls.every",
            permission=Permission.EDIT_ACCOUNTS,
            group=4,
            position=70,
            part=Part.UNIT,
            about=lazy_gettext("大厅里挂的屏，只能看"),
        )
    )


@bp.get("/wall")
@never_held
def show() -> ResponseReturnValue:
    """Show the place this browser was let in for, or the code to let it in by."""
    token = request.cookies.get(COOKIE, "")
    with reading() as session:
        screen = service.find(session, token, now=now())
    if screen is None:
        if is_fragment():
            return Response(headers={"HX-Refresh": "true"})  # it was sent away, or waited too long: begin anew
        with work() as session:
            token, screen = service.ask(session, origin=origin(), now=now())
        answer = make_response(render_template(f"{PAGES}/waiting.html", code=shown(screen.code)))
        secure = runtime().settings.public_url.startswith("https://")
        answer.set_cookie(COOKIE, token, max_age=KEPT_S, httponly=True, samesite="Lax", secure=secure)
        return answer
    if screen.made_at is None:
        return ("", 204) if is_fragment() else render_template(f"{PAGES}/waiting.html", code=shown(screen.code))
    if request.args.get("waiting"):
        return Response(headers={"HX-Refresh": "true"}) if is_fragment() else redirect(url_for("walls.show"))
    return _wall(screen)


def _wall(screen: WallScreen) -> ResponseReturnValue:
    with reading() as session:
        found = wall(session, service.looker(screen), screen.region_path, runtime().find(Upcoming), now=now())
    part = is_fragment()
    if not part:
        with work() as session:
            service.touch(session, screen.token_hash, now=now())
    answer = make_response(render_template(f"{PAGES}/{'_wall' if part else 'wall'}.html", wall=found, now=now()))
    answer.headers["Cache-Control"] = "private, no-cache"
    if part:
        answer.add_etag()
        return answer.make_conditional(request)
    return answer


@bp.get("/settings/walls")
@manage
def every() -> ResponseReturnValue:
    """List the screens, with the form to let one in."""
    return _page({}, {})


@bp.post("/settings/walls")
@manage
def let_in() -> ResponseReturnValue:
    """Let in the screen that shows this code."""
    given = {name: request.form.get(name, "") for name in ("code", "name", "region")}
    try:
        with work() as session:
            service.let_in(session, actor(), given["code"], given["region"], given["name"], now=now())
    except BadInput as error:
        return _page(given, mistakes(error)), 422
    flash(gettext("大屏接上了，半分钟内自己会变。"), "ok")
    return redirect(url_for("walls.every"))


@bp.post("/settings/walls/<code>/away")
@manage
def send_away(code: str) -> ResponseReturnValue:
    """Let a screen show nothing any more."""
    with work() as session:
        service.send_away(session, actor(), code, now=now())
    flash(gettext("断开了，那块屏不再显示。"), "ok")
    return redirect(url_for("walls.every"))


def _page(given: Mapping[str, str], errors: Mapping[str, str]) -> str:
    with reading() as session:
        screens = service.every(session, actor())
        places = regions.choices(session, actor(), Permission.EDIT_ACCOUNTS, levels=PLACES)
    address = f"{runtime().settings.public_url or request.host_url}".rstrip("/") + url_for("walls.show")
    return render_template(
        f"{PAGES}/every.html", screens=screens, places=places, given=given, errors=errors, address=address
    )

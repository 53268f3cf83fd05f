"""The frame around every page, the static files' addresses, health, and the language switch."""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import text

from hub.core.runtime import runtime
from hub.web import help_views
from hub.web.ending import to_the_end
from hub.web.guards import never_held
from hub.web.i18n import COOKIE, day, language
from hub.web.menu import SETTINGS, Line, Menu
from hub.web.ways_back import came_from, local_path
from hub.web.work import Identity, actor, now, reading, visitor

bp = Blueprint("shell", __name__)
STATIC = Path(__file__).resolve().parents[1] / "static"
YEAR_S = 31_536_000
THEMES = ("light", "dark")
THEME_COOKIE = "theme"
WORTH_PACKING = 1_000
PACKED_TYPES = ("text/", "application/json", "application/problem+json", "image/svg+xml", "application/javascript")


def install(app: Flask) -> None:
    """Give every template its frame."""
    app.register_blueprint(bp)
    app.register_blueprint(help_views.bp)
    app.context_processor(_frame)
    app.jinja_env.globals["asset"] = asset
    app.after_request(_static_for_ever)
    app.after_request(_pack)


@bp.get("/healthz")
@never_held
@to_the_end
def health() -> ResponseReturnValue:
    """Say whether the database answers."""
    with reading() as session:
        session.execute(text("SELECT 1"))
    return jsonify(status="ok")


@bp.get("/settings")
def settings() -> ResponseReturnValue:
    """Show everything that is set once and then seldom, as far as this person may."""
    with reading() as session:
        parts = runtime().get(Menu).shown_to(session, actor()).tabs
    return render_template("hub/web/settings.html", parts=parts)


@bp.post("/language")
@never_held
def switch_language() -> ResponseReturnValue:
    """Switch between Chinese and English and go back to where the person was."""
    chosen = "en" if request.form.get("language") == "en" else "zh"
    person = visitor()
    if person is not None:
        runtime().get(Identity).remember_language(person.actor, chosen)
    answer = redirect(_where_from())
    answer.set_cookie(COOKIE, chosen, max_age=YEAR_S, samesite="Lax", httponly=True)
    return answer


@bp.post("/theme")
@never_held
def switch_theme() -> ResponseReturnValue:
    """Switch to light, dark, or as the device is (empty), and go back to where the person was."""
    wanted = request.form.get("theme", "")
    chosen = wanted if wanted in THEMES else ""
    person = visitor()
    if person is not None:
        runtime().get(Identity).remember_theme(person.actor, chosen or "auto")
    answer = redirect(_where_from())
    # Not httponly: the page's script reads and writes it, so that the switch works at once.
    answer.set_cookie(THEME_COOKIE, chosen, max_age=YEAR_S if chosen else 0, samesite="Lax")
    return answer


def _where_from() -> str:
    """Return the page a form was sent from: what the form says, else what the browser says."""
    return local_path(request.form.get("back", ""), came_from())


def asset(name: str) -> str:
    """Return the address of a static file with its content's hash, so that it may be kept for ever."""
    return url_for("static", filename=name, v=_digest(name))


@cache
def _digest(name: str) -> str:
    path = STATIC / name
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else "0"


def _frame() -> dict[str, Any]:
    return {"shell": _shell(), "language": language(), "theme": _theme()}


def _theme() -> str:
    """Return `light`, `dark` or nothing (as the device is): the account's choice, else this browser's."""
    person = visitor()
    chosen = person.theme if person else request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def _shell() -> dict[str, Any]:
    person = visitor()
    frame: dict[str, Any] = {
        "account_name": person.name if person else "",
        "unit_name": person.unit_name if person else "",
        "county_name": person.county_name if person else "",
        "mode": "demo" if runtime().settings.mode == "demo" else "live",
        "now_text": day(now()),
        "language": language(),
        "language_url": url_for("shell.switch_language"),
        "theme": _theme(),
        "theme_url": url_for("shell.switch_theme"),
        "menu": [],
        "active": "",
        "page": "",
        "tabs": [],
    }
    if person is not None:
        frame["account_href"] = url_for("own.account")
        frame["sign_out_url"] = url_for("accounts.sign_out")
        frame["lock_url"] = url_for("duty.lock") if person.on_duty else ""
    if person is not None and request.headers.get("HX-Request") != "true":
        with reading() as session:
            shown = runtime().get(Menu).shown_to(session, person.actor)
        frame["menu"] = shown.lines
        nearest = _open_line([*shown.lines, *shown.settings])
        folded = nearest["group"] == SETTINGS
        frame["page"] = nearest["key"]
        frame["active"] = "settings" if folded else nearest["key"]
        frame["tabs"] = shown.tabs if folded else []
    return frame


def _open_line(menu: list[Line]) -> Line:
    """Return the menu line whose address is nearest above the page's."""
    path = request.path
    above = [line for line in menu if path == line["href"] or path.startswith(f"{line['href']}/".replace("//", "/"))]
    homes = [line for line in above if line["href"] != "/" or path == "/"]
    return max(homes, key=lambda line: len(str(line["href"])), default={"key": "", "group": 0})


def _static_for_ever(response: Response) -> Response:
    if request.endpoint == "static" and request.args.get("v"):
        response.cache_control.public = True
        response.cache_control.no_cache = None
        response.cache_control.max_age = YEAR_S
        response.cache_control.immutable = True
    return response


def _pack(response: Response) -> Response:
    """Compress text; waitress does not, and a page over a bad line is mostly text."""
    wanted = "gzip" in request.headers.get("Accept-Encoding", "") and response.status_code == 200
    if not wanted or "Content-Encoding" in response.headers or not (response.mimetype or "").startswith(PACKED_TYPES):
        return response
    response.direct_passthrough = False
    body = response.get_data()
    if len(body) < WORTH_PACKING:
        return response
    response.set_data(gzip.compress(body, compresslevel=5, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    response.headers.add("Vary", "Accept-Encoding")
    return response

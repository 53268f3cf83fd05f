"""Sign in, sign out, one's own keys."""

from uuid import UUID

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from hub.accounts import service
from hub.core.runtime import Runtime, runtime
from hub.web.guards import signed_in
from hub.web.i18n import language
from hub.web.shell import local_path
from hub.web.words import sentence
from hub.web.work import COOKIE, actor, now, origin, reading, work

bp = Blueprint("accounts", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Show the sign-in page; a demo shows its accounts."""
    return _sign_in_page("", request.args.get("next", ""))


@bp.post("/sign-in")
def do_sign_in() -> ResponseReturnValue:
    """Check the password and set the cookie."""
    login, back = request.form.get("login", ""), request.form.get("next", "")
    with work() as session:
        result = service.sign_in(session, login, request.form.get("password", ""), origin=origin(), now=now())
    if isinstance(result, service.SignInRefused):
        words = sentence(result.code, language(), seconds=result.wait_s)
        return _sign_in_page(login, back, words), 401
    answer = make_response(redirect(local_path(back)))
    secure = runtime().settings.public_url.startswith("https://")
    age = int(service.SESSION_LENGTH.total_seconds())
    answer.set_cookie(COOKIE, result.token, max_age=age, httponly=True, samesite="Lax", secure=secure)
    return answer


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session."""
    with work() as session:
        service.sign_out(session, request.cookies.get(COOKIE, ""), now=now())
    answer = make_response(redirect(url_for("accounts.sign_in")))
    answer.delete_cookie(COOKIE)
    return answer


@bp.get("/settings/keys")
@signed_in
def keys() -> ResponseReturnValue:
    """List one's own API keys."""
    return _keys_page()


@bp.post("/settings/keys")
@signed_in
def make_key() -> ResponseReturnValue:
    """Make a key and show it once."""
    days = int(request.form["days"]) if request.form.get("days", "").isdigit() else 365
    with work() as session:
        token = service.issue_token(session, actor(), name=request.form.get("name", ""), days=days, now=now())
    return _keys_page(fresh=token)


@bp.post("/settings/keys/<uuid:token_id>/revoke")
@signed_in
def revoke_key(token_id: UUID) -> ResponseReturnValue:
    """Switch a key off."""
    with work() as session:
        service.revoke_token(session, actor(), token_id, now=now())
    return redirect(url_for("accounts.keys"))


def _keys_page(fresh: str = "") -> str:
    with reading() as session:
        return render_template("hub/accounts/keys.html", tokens=service.tokens_of(session, actor()), fresh=fresh)


def _sign_in_page(login: str, back: str, error: str = "") -> str:
    demo: list[tuple[str, str]] = []
    if runtime().settings.mode == "demo":
        with reading() as session:
            demo = service.demo_sign_ins(session)
    return render_template("hub/accounts/sign_in.html", login=login, next=back, error=error, demo=demo)

"""Passkeys on the pages: make one, see which there are, take one off, sign in with one."""

from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from hub.accounts import passkeys
from hub.accounts.passkeys import Challenges, Site
from hub.accounts.signing_in import SignInRefused
from hub.accounts.throttle import Door
from hub.accounts.views import enter, sign_in_page, why
from hub.core.errors import BadInput, WrongState
from hub.core.runtime import Runtime, runtime
from hub.web.errors import mistakes
from hub.web.guards import never_held, signed_in
from hub.web.work import actor, now, origin, reading, work

bp = Blueprint("passkeys", __name__)


def add_to_menu(_runtime: Runtime) -> None:
    """These pages are found by one's own account and the sign-in page."""


@bp.get("/account/passkeys")
@signed_in
def every() -> ResponseReturnValue:
    """Show one's own passkeys."""
    return _page({})


@bp.get("/account/passkeys/new")
@signed_in
def options() -> ResponseReturnValue:
    """Tell the browser what kind of passkey to make."""
    with reading() as session:
        return _json(passkeys.enrolment(session, actor(), _site(), _challenges(), now=now()))


@bp.post("/account/passkeys")
@signed_in
def add() -> ResponseReturnValue:
    """Keep the passkey that the browser has made."""
    answer, name = request.form.get("credential", ""), request.form.get("name", "")
    try:
        with work() as session:
            passkeys.enrol(session, actor(), _site(), _challenges(), answer, name=name, now=now())
    except BadInput as error:
        return _page(mistakes(error)), 422
    flash(gettext("通行密钥加好了，下次登录不用打密码。"), "ok")
    return redirect(url_for("passkeys.every"))


@bp.post("/account/passkeys/<uuid:passkey_id>/remove")
@signed_in
def remove(passkey_id: UUID) -> ResponseReturnValue:
    """Take one off."""
    with work() as session:
        passkeys.remove(session, actor(), passkey_id, now=now())
    flash(gettext("这个通行密钥不能再登录了。手机或电脑里的那一份，请在它的设置里删。"), "ok")
    return redirect(url_for("passkeys.every"))


@bp.get("/sign-in/passkey")
@never_held
def invitation() -> ResponseReturnValue:
    """Tell the browser what to sign."""
    return _json(passkeys.invitation(_site(), _challenges(), now=now()))


@bp.post("/sign-in/passkey")
@never_held
def sign_in() -> ResponseReturnValue:
    """Let in whoever has the passkey."""
    answer, back, duty = (request.form.get(name, "") for name in ("credential", "next", "duty"))
    here = Door(origin=origin(), agent=request.user_agent.string)
    with work() as session:
        result = passkeys.sign_in(session, _site(), _challenges(), answer, door=here, now=now(), duty=duty == "1")
    if isinstance(result, SignInRefused):
        return sign_in_page("", back, why(result)), 401
    return enter(result, back)


def _page(errors: dict[str, str]) -> str:
    site, account_id = passkeys.site_of(runtime()), actor().id
    with reading() as session:
        found = passkeys.mine(session, account_id) if account_id else ()
        return render_template(
            "hub/accounts/passkeys.html",
            found=found,
            errors=errors,
            site=site,
            here=site is not None and request.host == site.netloc,
            most=passkeys.MOST,
        )


def _site() -> Site:
    site = passkeys.site_of(runtime())
    if site is None:
        raise WrongState("passkeys_need_https")
    return site


def _challenges() -> Challenges:
    return runtime().get(Challenges)


def _json(text: str) -> Response:
    return Response(text, mimetype="application/json", headers={"Cache-Control": "no-store"})

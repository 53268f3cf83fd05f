"""Sign in and out; the first password by a one-time code."""

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from hub.accounts import inviting, passkeys, passwords, service, sessions, signing_in
from hub.accounts.second import Vault
from hub.accounts.signing_in import SecondNeeded, SignedIn, SignInRefused
from hub.accounts.throttle import Door, Marks
from hub.core.errors import BadInput, HubError
from hub.core.runtime import Runtime, runtime
from hub.web.errors import mistakes
from hub.web.guards import never_held
from hub.web.i18n import language
from hub.web.ways_back import local_path
from hub.web.words import explain, sentence
from hub.web.work import COOKIE, now, origin, reading, work

bp = Blueprint("accounts", __name__)
TICKET_COOKIE = "cunxiang_step"
MARK_COOKIE = "cunxiang_known"
MARK_S = 180 * 24 * 3600


def add_to_menu(runtime: Runtime) -> None:
    """These pages are found without the menu."""


@bp.get("/sign-in")
@never_held
def sign_in() -> ResponseReturnValue:
    """Show the sign-in page; a demo shows its accounts, and a hub that nobody uses yet asks who comes first."""
    with reading() as session:
        first = not service.any_account(session)
    if first:
        return redirect(url_for("first_run.begin"))
    return sign_in_page("", request.args.get("next", ""))


@bp.post("/sign-in")
@never_held
def do_sign_in() -> ResponseReturnValue:
    """Check the password; set the cookie, or ask for the second factor."""
    login, back = request.form.get("login", ""), request.form.get("next", "")
    duty = request.form.get("duty") == "1"
    with work() as session:
        password = request.form.get("password", "")
        result = signing_in.sign_in(session, login, password, door=door(login), now=now(), duty=duty)
    if isinstance(result, SignInRefused):
        return sign_in_page(login, back, why(result)), 401
    if isinstance(result, SecondNeeded):
        answer = make_response(redirect(url_for("accounts.second", next=local_path(back))))
        _set(answer, TICKET_COOKIE, result.ticket, int(signing_in.SECOND_WITHIN.total_seconds()))
        return answer
    return enter(result, back)


@bp.get("/sign-in/second")
@never_held
def second() -> ResponseReturnValue:
    """Ask for the second factor."""
    if not request.cookies.get(TICKET_COOKIE):
        return redirect(url_for("accounts.sign_in"))
    return _second_page()


@bp.post("/sign-in/second")
@never_held
def do_second() -> ResponseReturnValue:
    """Check the code and set the cookie."""
    ticket = request.cookies.get(TICKET_COOKIE, "")
    with work() as session:
        here = door(signing_in.login_of(session, ticket))
        code = request.form.get("code", "")
        result = signing_in.second_step(session, ticket, code, door=here, vault=runtime().get(Vault), now=now())
    if isinstance(result, SignInRefused):
        if result.code == "second_too_late":
            return sign_in_page("", request.form.get("next", ""), why(result)), 401
        return _second_page(why(result)), 401
    answer = enter(result, request.form.get("next", ""))
    answer.delete_cookie(TICKET_COOKIE)
    return answer


@bp.post("/sign-out")
@never_held
def sign_out() -> ResponseReturnValue:
    """End the session."""
    with work() as session:
        sessions.sign_out(session, request.cookies.get(COOKIE, ""), now=now())
    return signed_out()


# ---- the first password, or a new one for who forgot it


@bp.get("/welcome")
@never_held
def welcome() -> ResponseReturnValue:
    """Ask for the one-time code and a password. In a link the code stands behind the #, where only the page sees it."""
    return _welcome_page("", {})


@bp.post("/welcome")
@never_held
def do_welcome() -> ResponseReturnValue:
    """Choose a password by a one-time code."""
    code, password = request.form.get("code", ""), request.form.get("password", "")
    if password != request.form.get("again", password):
        return _welcome_page(code, {"again": sentence("passwords_differ", language())}), 422
    with work() as session:
        result = inviting.accept(session, code, password, door=Door(origin=origin()), now=now())
    if isinstance(result, HubError):
        found = mistakes(result) if isinstance(result, BadInput) else {"": explain(result, language())}
        return _welcome_page(code, found), result.status
    flash(gettext("密码设好了。你的登录账号是 %(login)s，现在登录。", login=result.login), "ok")
    return sign_in_page(result.login, "")


def _welcome_page(code: str, errors: dict[str, str]) -> str:
    return render_template("hub/accounts/welcome.html", code=code, errors=errors, least=passwords.SHORTEST)


def door(login: str) -> Door:
    """Return where the person stands who wants in as `login`."""
    mark = runtime().get(Marks).proved(request.cookies.get(MARK_COOKIE, ""), login)
    return Door(origin=origin(), agent=request.user_agent.string, mark=mark)


def signed_out() -> Response:
    """Return the way to the sign-in page, without the cookie."""
    answer = make_response(redirect(url_for("accounts.sign_in")))
    answer.delete_cookie(COOKIE)
    return answer


def why(refused: SignInRefused) -> str:
    """Return why somebody was not let in."""
    return sentence(refused.code, language(), seconds=refused.wait_s)


def enter(result: SignedIn, back: str) -> Response:
    """Return the way in, with the cookies of the session and of a known browser."""
    answer = make_response(redirect(local_path(back)))
    _set(answer, COOKIE, result.token, int(sessions.SESSION_LENGTH.total_seconds()))
    login = result.account.login
    if not runtime().get(Marks).proved(request.cookies.get(MARK_COOKIE, ""), login):
        _set(answer, MARK_COOKIE, runtime().get(Marks).new(login), MARK_S)
    return answer


def _set(answer: Response, name: str, value: str, seconds: int) -> None:
    secure = runtime().settings.public_url.startswith("https://")
    answer.set_cookie(name, value, max_age=seconds, httponly=True, samesite="Lax", secure=secure)


def _second_page(error: str = "") -> str:
    back = request.values.get("next", "")
    return render_template("hub/accounts/second_step.html", next=back, error=error, passkeys=_offers_passkeys())


def _offers_passkeys() -> bool:
    """Return whether a browser that came by this address could sign in with one."""
    site = passkeys.site_of(runtime())
    return site is not None and request.host == site.netloc


def sign_in_page(login: str, back: str, error: str = "") -> str:
    """Return the sign-in page."""
    demo: list[tuple[str, str]] = []
    if runtime().settings.mode == "demo":
        with reading() as session:
            demo = service.demo_sign_ins(session)
    return render_template(
        "hub/accounts/sign_in.html",
        login=login,
        next=back,
        error=error,
        demo=demo,
        demo_password=passwords.DEMO,
        passkeys=_offers_passkeys(),
    )

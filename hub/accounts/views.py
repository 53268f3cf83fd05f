"""Sign in, sign out, one's own account and keys; for administrators all accounts of their region."""

from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from hub.accounts import listing, passwords, service
from hub.accounts.forms import NewAccount, NewKey
from hub.accounts.roles import Role
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.regions import service as regions
from hub.web.errors import mistakes
from hub.web.guards import permission_required, signed_in
from hub.web.i18n import language
from hub.web.menu import Entry, Menu
from hub.web.shell import local_path
from hub.web.words import sentence
from hub.web.work import COOKIE, actor, now, origin, reading, work

bp = Blueprint("accounts", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""
    menu = runtime.get(Menu)
    menu.add(
        Entry(
            key="accounts",
            label=lazy_gettext("账号"),
            icon="user",
            endpoint="accounts.staff",
            permission=Permission.EDIT_ACCOUNTS,
            group=3,
            position=20,
        )
    )
    menu.add(
        Entry(
            key="keys",
            label=lazy_gettext("接口密钥"),
            icon="key",
            endpoint="accounts.keys",
            permission=Permission.SEE,
            group=3,
            position=40,
        )
    )


# ---- in and out


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
        return _sign_in_page(login, back, _why(result)), 401
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
    return _signed_out()


def _sign_in_page(login: str, back: str, error: str = "") -> str:
    demo: list[tuple[str, str]] = []
    if runtime().settings.mode == "demo":
        with reading() as session:
            demo = service.demo_sign_ins(session)
    return render_template(
        "hub/accounts/sign_in.html", login=login, next=back, error=error, demo=demo, demo_password=passwords.DEMO
    )


def _signed_out() -> ResponseReturnValue:
    answer = make_response(redirect(url_for("accounts.sign_in")))
    answer.delete_cookie(COOKIE)
    return answer


def _why(refused: service.SignInRefused) -> str:
    return sentence(refused.code, language(), seconds=refused.wait_s)


# ---- one's own account


@bp.get("/account")
@signed_in
def own() -> ResponseReturnValue:
    """Show one's own account."""
    return _own_page({})


@bp.post("/account")
@signed_in
def change_password() -> ResponseReturnValue:
    """Give oneself a new password, then ask for it."""
    new = request.form.get("password", "")
    try:
        with work() as session:
            refused = service.change_own_password(
                session, actor(), old=request.form.get("old", ""), new=new, origin=origin(), now=now()
            )
    except BadInput as error:
        return _own_page(mistakes(error)), 422
    if refused is not None:
        return _own_page({"old": _why(refused)}), 422
    flash(gettext("密码改好了。请用新密码登录。"), "ok")
    return _signed_out()


def _own_page(errors: dict[str, str]) -> str:
    with reading() as session:
        line = listing.line(session, service.own_account(session, actor()), now=now())
    return render_template("hub/accounts/own.html", line=line, errors=errors, least=passwords.SHORTEST)


# ---- keys for programs


@bp.get("/settings/keys")
@signed_in
def keys() -> ResponseReturnValue:
    """List one's own API keys."""
    return _keys_page(NewKey(), {})


@bp.post("/settings/keys")
@signed_in
def make_key() -> ResponseReturnValue:
    """Make a key and show it once."""
    form = NewKey.read(request.form)
    try:
        with work() as session:
            token = service.issue_token(session, actor(), name=form.name, days=form.chosen_days(), now=now())
    except BadInput as error:
        return _keys_page(form, mistakes(error)), 422
    return _keys_page(NewKey(), {}, fresh=token)


@bp.post("/settings/keys/<uuid:token_id>/revoke")
@signed_in
def revoke_key(token_id: UUID) -> ResponseReturnValue:
    """Switch a key off."""
    with work() as session:
        service.revoke_token(session, actor(), token_id, now=now())
    flash(gettext("密钥停用了，用它的程序马上连不上。"), "ok")
    return redirect(url_for("accounts.keys"))


def _keys_page(form: NewKey, errors: dict[str, str], fresh: str = "") -> str:
    with reading() as session:
        tokens = service.tokens_of(session, actor())
    return render_template(
        "hub/accounts/keys.html",
        tokens=tokens,
        fresh=fresh,
        form=form,
        errors=errors,
        day_choices=service.KEY_DAYS,
        now=now(),
    )


# ---- everybody's accounts, for administrators


@bp.get("/accounts")
@permission_required(Permission.EDIT_ACCOUNTS)
def staff() -> ResponseReturnValue:
    """List the accounts one may edit."""
    with reading() as session:
        lines = listing.accounts_of(session, actor(), now=now())
    return render_template("hub/accounts/staff.html", lines=lines, me=actor().id)


@bp.get("/accounts/new")
@permission_required(Permission.EDIT_ACCOUNTS)
def new() -> ResponseReturnValue:
    """Show the form for a new account."""
    return _new_page(NewAccount(region=request.args.get("region", "")), {})


@bp.post("/accounts/new")
@permission_required(Permission.EDIT_ACCOUNTS)
def add() -> ResponseReturnValue:
    """Make an account."""
    form = NewAccount.read(request.form)
    try:
        with work() as session:
            place = regions.get_region(session, actor(), form.region, Permission.EDIT_ACCOUNTS)
            grants = [(form.chosen_role(), place.path)]
            service.create_account(
                session, actor(), login=form.login, name=form.name, password=form.password, grants=grants, now=now()
            )
    except BadInput as error:
        return _new_page(form, mistakes(error)), 422
    flash(gettext("账号 %(login)s 开好了，把密码告诉本人，让他登录后自己改。", login=form.login), "ok")
    return redirect(url_for("accounts.staff"))


def _new_page(form: NewAccount, errors: dict[str, str]) -> str:
    with reading() as session:
        places = listing.places_to_staff(session, actor())
    return render_template(
        "hub/accounts/new.html", form=form, errors=errors, places=places, roles=tuple(Role), least=passwords.SHORTEST
    )


@bp.get("/accounts/<uuid:account_id>")
@permission_required(Permission.EDIT_ACCOUNTS)
def one(account_id: UUID) -> ResponseReturnValue:
    """Show one account."""
    return _one_page(account_id, {})


@bp.post("/accounts/<uuid:account_id>/password")
@permission_required(Permission.EDIT_ACCOUNTS)
def reset_password(account_id: UUID) -> ResponseReturnValue:
    """Give somebody a new password."""
    try:
        with work() as session:
            login = service.get_account(session, actor(), account_id).login
            service.set_password(session, actor(), login, request.form.get("password", ""), now=now())
    except BadInput as error:
        return _one_page(account_id, mistakes(error)), 422
    flash(gettext("%(login)s 的新密码设好了，原来登录着的地方都退出了。", login=login), "ok")
    return redirect(url_for("accounts.one", account_id=account_id))


@bp.post("/accounts/<uuid:account_id>/active")
@permission_required(Permission.EDIT_ACCOUNTS)
def switch(account_id: UUID) -> ResponseReturnValue:
    """Switch an account on or off."""
    active = request.form.get("active") == "1"
    with work() as session:
        login = service.get_account(session, actor(), account_id).login
        service.set_active(session, actor(), login, active, now=now())
    words = gettext("%(login)s 又能登录了。", login=login) if active else gettext("%(login)s 停用了。", login=login)
    flash(words, "ok")
    return redirect(url_for("accounts.one", account_id=account_id))


def _one_page(account_id: UUID, errors: dict[str, str]) -> str:
    with reading() as session:
        line = listing.line(session, service.get_account(session, actor(), account_id), now=now())
    return render_template("hub/accounts/one.html", line=line, errors=errors, me=actor().id, least=passwords.SHORTEST)

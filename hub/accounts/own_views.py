"""One's own account: password, where one is signed in, the second factor, keys for programs."""

from collections.abc import Sequence
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from hub.accounts import listing, passwords, second, service, sessions, tokens
from hub.accounts.forms import NewKey
from hub.accounts.second import Vault
from hub.accounts.views import door, signed_out, why
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.web.errors import mistakes
from hub.web.guards import never_held, signed_in
from hub.web.menu import Entry, Menu, Part
from hub.web.qr import picture
from hub.web.work import COOKIE, actor, now, reading, work

bp = Blueprint("own", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="keys",
            label=lazy_gettext("接口密钥"),
            icon="key",
            endpoint="own.keys",
            permission=Permission.SEE,
            group=4,
            position=40,
            part=Part.PROGRAMS,
            about=lazy_gettext("让别的程序用村响"),
        )
    )


@bp.get("/account")
@signed_in
def account() -> ResponseReturnValue:
    """Show one's own account."""
    return _page({})


@bp.post("/account")
@signed_in
def change_password() -> ResponseReturnValue:
    """Give oneself a new password, then ask for it."""
    errors = _change_password()
    return (_page(errors), 422) if errors else _sign_in_anew()


@bp.get("/account/renew")
@never_held
@signed_in
def renew() -> ResponseReturnValue:
    """Ask for a password of one's own: somebody else set the present one."""
    return _renew_page({})


@bp.post("/account/renew")
@never_held
@signed_in
def do_renew() -> ResponseReturnValue:
    """Take the new password, then ask for it."""
    errors = _change_password()
    if errors:
        return _renew_page(errors), 422
    return _sign_in_anew()


def _renew_page(errors: dict[str, str]) -> str:
    urgent = actor().may_somewhere(Permission.EMERGENCY)
    return render_template("hub/accounts/renew.html", errors=errors, least=passwords.SHORTEST, urgent=urgent)


@bp.post("/account/sessions/<uuid:sign_in_id>/end")
@signed_in
def end_session(sign_in_id: UUID) -> ResponseReturnValue:
    """Sign out somewhere else."""
    with work() as session:
        sessions.end_own(session, actor(), sign_in_id, now=now())
    flash(gettext("那边退出了。"), "ok")
    return redirect(url_for("own.account"))


@bp.post("/account/sessions/end-others")
@signed_in
def end_others() -> ResponseReturnValue:
    """Sign out everywhere but here."""
    with work() as session:
        found = sessions.find_session(session, request.cookies.get(COOKIE, ""), now=now())
        sessions.end_others(session, actor(), found[1].id if found else None, now=now())
    flash(gettext("别处都退出了，这里还登录着。"), "ok")
    return redirect(url_for("own.account"))


def _change_password() -> dict[str, str]:
    """Change it; return what is wrong, field by field."""
    new = request.form.get("password", "")
    try:
        with work() as session:
            login = service.own_account(session, actor()).login
            refused = service.change_own_password(
                session, actor(), old=request.form.get("old", ""), new=new, door=door(login), now=now()
            )
    except BadInput as error:
        return mistakes(error)
    return {"old": why(refused)} if refused is not None else {}


def _sign_in_anew() -> ResponseReturnValue:
    flash(gettext("密码改好了。请用新密码登录。"), "ok")
    return signed_out()


def _page(errors: dict[str, str]) -> str:
    with reading() as session:
        mine = service.own_account(session, actor())
        here = sessions.find_session(session, request.cookies.get(COOKIE, ""), now=now())
        return render_template(
            "hub/accounts/own.html",
            line=listing.line(session, mine, now=now()),
            errors=errors,
            least=passwords.SHORTEST,
            open_sessions=sessions.open_of(session, mine.id, now=now()),
            here=here[1].id if here else None,
            codes_left=second.codes_left(session, mine.id),
            may_have_pin=actor().may_somewhere(Permission.EMERGENCY),
            pin_digits=sessions.PIN_LENGTH,
        )


# ---- the second factor


@bp.get("/account/second")
@signed_in
def second_factor() -> ResponseReturnValue:
    """Show how to set it up, or what can be done about it."""
    return _second_page({})


@bp.post("/account/second/begin")
@signed_in
def begin_second() -> ResponseReturnValue:
    """Show the QR code. Nothing is on before a first right code."""
    with work() as session:
        secret, address = second.begin(session, actor(), _vault())
    return _second_page({}, secret=secret, address=address)


@bp.post("/account/second/confirm")
@signed_in
def confirm_second() -> ResponseReturnValue:
    """Switch it on with a first code, and show the codes for paper once."""
    try:
        with work() as session:
            codes = second.confirm(session, actor(), _vault(), request.form.get("code", ""), now=now())
    except BadInput as error:
        with work() as session:
            secret, address = second.begin(session, actor(), _vault())
        return _second_page(mistakes(error), secret=secret, address=address), 422
    return _second_page({}, codes=codes)


@bp.post("/account/second/codes")
@signed_in
def renew_codes() -> ResponseReturnValue:
    """Make new codes for paper."""
    try:
        with work() as session:
            codes = second.renew_codes(session, actor(), _vault(), request.form.get("code", ""), now=now())
    except BadInput as error:
        return _second_page(mistakes(error)), 422
    return _second_page({}, codes=codes)


@bp.post("/account/second/off")
@signed_in
def switch_second_off() -> ResponseReturnValue:
    """Switch it off with one last code."""
    try:
        with work() as session:
            second.switch_off(session, actor(), _vault(), request.form.get("code", ""), now=now())
    except BadInput as error:
        return _second_page(mistakes(error)), 422
    flash(gettext("第二验证关掉了，以后只要密码。"), "ok")
    return redirect(url_for("own.account"))


def _second_page(errors: dict[str, str], *, secret: str = "", address: str = "", codes: Sequence[str] = ()) -> str:
    with reading() as session:
        mine = service.own_account(session, actor())
        left = second.codes_left(session, mine.id)
    return render_template(
        "hub/accounts/second.html",
        on=mine.second_on,
        login=mine.login,
        left=left,
        errors=errors,
        codes=codes,
        secret=" ".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        qr=picture(address) if address else "",
    )


def _vault() -> Vault:
    return runtime().get(Vault)


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
    form = NewKey.read(request.form, request.form.getlist("permissions"))
    try:
        with work() as session:
            token = tokens.issue_token(
                session,
                actor(),
                name=form.name,
                days=form.chosen_days(),
                now=now(),
                permissions=form.chosen_permissions(),
                test=form.test,
            )
    except BadInput as error:
        return _keys_page(form, mistakes(error)), 422
    return _keys_page(NewKey(), {}, fresh=token)


@bp.post("/settings/keys/<uuid:token_id>/revoke")
@signed_in
def revoke_key(token_id: UUID) -> ResponseReturnValue:
    """Switch a key off."""
    with work() as session:
        tokens.revoke_token(session, actor(), token_id, now=now())
    flash(gettext("密钥停用了，用它的程序马上连不上。"), "ok")
    return redirect(url_for("own.keys"))


def _keys_page(form: NewKey, errors: dict[str, str], fresh: str = "") -> str:
    with reading() as session:
        found = tokens.tokens_of(session, actor())
    return render_template(
        "hub/accounts/keys.html",
        tokens=found,
        fresh=fresh,
        form=form,
        errors=errors,
        day_choices=tokens.KEY_DAYS,
        held=[permission for permission in Permission if actor().may_somewhere(permission)],
        now=now(),
    )

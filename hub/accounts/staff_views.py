"""For administrators: everybody's accounts, invitations, and what each role may."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from hub.accounts import inviting, listing, passwords, role_book, service
from hub.accounts.forms import NewAccount, RoleForm, posts_of
from hub.accounts.inviting import Invitation
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.core.typed import shown
from hub.regions import service as regions
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.menu import Entry, Menu, Part
from hub.web.qr import picture
from hub.web.work import actor, now, reading, work

bp = Blueprint("staff", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="accounts",
            label=lazy_gettext("用户与权限"),
            icon="user",
            endpoint="staff.every",
            permission=Permission.EDIT_ACCOUNTS,
            group=4,
            position=20,
            part=Part.PEOPLE,
            about=lazy_gettext("谁能登录，能做什么，管哪里"),
        )
    )


@bp.get("/accounts")
@permission_required(Permission.EDIT_ACCOUNTS)
def every() -> ResponseReturnValue:
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
    """Make an account and its invitation."""
    form = NewAccount.read(request.form)
    try:
        with work() as session:
            place = regions.get_region(session, actor(), form.region, Permission.EDIT_ACCOUNTS)
            made = service.create_account(
                session,
                actor(),
                login=form.login,
                name=form.name,
                password=form.password,
                grants=[(form.role, place.path)],
                now=now(),
            )
            invitation = None if form.password else inviting.invite(session, actor(), made.id, now=now())
    except BadInput as error:
        return _new_page(form, mistakes(error)), 422
    if invitation is not None:
        return _invitation_page(invitation)
    flash(gettext("账号 %(login)s 开好了，把密码告诉本人，他登录后要自己改。", login=form.login), "ok")
    return redirect(url_for("staff.every"))


def _new_page(form: NewAccount, errors: dict[str, str]) -> str:
    with reading() as session:
        places = listing.places_to_staff(session, actor())
        roles = role_book.every(session)
    return render_template(
        "hub/accounts/new.html", form=form, errors=errors, places=places, roles=roles, least=passwords.SHORTEST
    )


@bp.get("/accounts/<uuid:account_id>")
@permission_required(Permission.EDIT_ACCOUNTS)
def one(account_id: UUID) -> ResponseReturnValue:
    """Show one account."""
    return _one_page(account_id, {})


@bp.post("/accounts/<uuid:account_id>")
@permission_required(Permission.EDIT_ACCOUNTS)
def change(account_id: UUID) -> ResponseReturnValue:
    """Change name and roles."""
    try:
        with work() as session:
            service.rename(session, actor(), account_id, request.form.get("name", ""), now=now())
            grants = [
                (role, regions.get_region(session, actor(), code, Permission.EDIT_ACCOUNTS).path)
                for role, code in posts_of(request.form.getlist("role"), request.form.getlist("region"))
            ]
            service.change_grants(session, actor(), account_id, grants, now=now())
    except BadInput as error:
        return _one_page(account_id, mistakes(error)), 422
    flash(gettext("改好了，他下一次点开页面就按新的来。"), "ok")
    return redirect(url_for("staff.one", account_id=account_id))


@bp.post("/accounts/<uuid:account_id>/invite")
@permission_required(Permission.EDIT_ACCOUNTS)
def invite(account_id: UUID) -> ResponseReturnValue:
    """Make a one-time code and show it once."""
    with work() as session:
        invitation = inviting.invite(session, actor(), account_id, now=now())
    return _invitation_page(invitation)


@bp.post("/accounts/<uuid:account_id>/uninvite")
@permission_required(Permission.EDIT_ACCOUNTS)
def uninvite(account_id: UUID) -> ResponseReturnValue:
    """Make the code worthless."""
    with work() as session:
        inviting.withdraw(session, actor(), account_id, now=now())
    flash(gettext("发出去的一次性码作废了。"), "ok")
    return redirect(url_for("staff.one", account_id=account_id))


@bp.post("/accounts/<uuid:account_id>/password")
@permission_required(Permission.EDIT_ACCOUNTS)
def reset_password(account_id: UUID) -> ResponseReturnValue:
    """Give somebody a new password, which they must change."""
    try:
        with work() as session:
            login = service.get_account(session, actor(), account_id).login
            service.set_password(session, actor(), login, request.form.get("password", ""), now=now())
    except BadInput as error:
        return _one_page(account_id, mistakes(error)), 422
    flash(gettext("%(login)s 的新密码设好了，原来登录着的地方都退出了；他登录后要自己改一个。", login=login), "ok")
    return redirect(url_for("staff.one", account_id=account_id))


@bp.post("/accounts/<uuid:account_id>/second-off")
@permission_required(Permission.EDIT_ACCOUNTS)
def take_second_off(account_id: UUID) -> ResponseReturnValue:
    """Take the second factor off: the telephone is gone."""
    with work() as session:
        service.take_second_off(session, actor(), account_id, now=now())
    flash(gettext("他的第二验证和通行密钥都关掉了，只用密码就能登录。让他换好手机再打开。"), "ok")
    return redirect(url_for("staff.one", account_id=account_id))


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
    return redirect(url_for("staff.one", account_id=account_id))


def _one_page(account_id: UUID, errors: dict[str, str]) -> str:
    with reading() as session:
        line = listing.line(session, service.get_account(session, actor(), account_id), now=now())
        places = listing.places_to_staff(session, actor())
        roles = role_book.every(session)
    return render_template(
        "hub/accounts/one.html",
        line=line,
        errors=errors,
        me=actor().id,
        places=places,
        roles=roles,
        least=passwords.SHORTEST,
    )


def _invitation_page(invitation: Invitation) -> str:
    address = f"{runtime().base_url}{url_for('accounts.welcome')}"
    return render_template(
        "hub/accounts/invitation.html",
        invitation=invitation,
        code=shown(invitation.code),
        address=address,
        qr=picture(f"{address}#{invitation.code}"),
    )


# ---- what each role may


@bp.get("/accounts/roles")
@permission_required(Permission.EDIT_ACCOUNTS)
def roles() -> ResponseReturnValue:
    """Show all roles side by side."""
    with reading() as session:
        found = role_book.every(session)
    return render_template("hub/accounts/roles.html", roles=found, permissions=tuple(Permission))


@bp.get("/accounts/roles/new")
@permission_required(Permission.EDIT_ACCOUNTS)
def new_role() -> ResponseReturnValue:
    """Show the form for a role of the county's own."""
    return _role_page("", RoleForm(), {})


@bp.post("/accounts/roles/new")
@permission_required(Permission.EDIT_ACCOUNTS)
def add_role() -> ResponseReturnValue:
    """Add a role of the county's own."""
    form = RoleForm.read(request.form, request.form.getlist("permissions"))
    try:
        with work() as session:
            role_book.add(session, actor(), form.name, form.permissions, now=now())
    except BadInput as error:
        return _role_page("", form, mistakes(error)), 422
    flash(gettext("身份“%(name)s”加好了。", name=form.name), "ok")
    return redirect(url_for("staff.roles"))


@bp.get("/accounts/roles/<key>")
@permission_required(Permission.EDIT_ACCOUNTS)
def one_role(key: str) -> ResponseReturnValue:
    """Show what one role may."""
    with reading() as session:
        line = listing.role_line(session, key)
    return _role_page(key, RoleForm(line.name, tuple(sorted(line.permissions))), {})


@bp.post("/accounts/roles/<key>")
@permission_required(Permission.EDIT_ACCOUNTS)
def change_role(key: str) -> ResponseReturnValue:
    """Say what a role may from now on."""
    form = RoleForm.read(request.form, request.form.getlist("permissions"))
    try:
        with work() as session:
            role_book.change(session, actor(), key, form.permissions, now=now(), name=form.name)
    except BadInput as error:
        return _role_page(key, form, mistakes(error)), 422
    flash(gettext("改好了，有这个身份的人马上按新的来。"), "ok")
    return redirect(url_for("staff.roles"))


@bp.post("/accounts/roles/<key>/remove")
@permission_required(Permission.EDIT_ACCOUNTS)
def remove_role(key: str) -> ResponseReturnValue:
    """Take out the county's own role, or give one of the program its own rights back."""
    with work() as session:
        role_book.remove(session, actor(), key, now=now())
    flash(gettext("身份恢复成原来的样子了。") if not key.startswith("own_") else gettext("身份删掉了。"), "ok")
    return redirect(url_for("staff.roles"))


def _role_page(key: str, form: RoleForm, errors: dict[str, str]) -> str:
    with reading() as session:
        line = listing.role_line(session, key) if key else None
    return render_template(
        "hub/accounts/role.html", key=key, line=line, form=form, errors=errors, permissions=tuple(Permission)
    )

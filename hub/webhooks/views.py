"""接口通知: other programs that are told what happens here."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.regions.tree import path_of
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.menu import Entry, Menu, Part
from hub.web.work import actor, now, reading, work
from hub.webhooks import service
from hub.webhooks.models import EventKind
from hub.webhooks.secrets import SecretSafe

bp = Blueprint("webhooks", __name__)
SHOWN = 50
TELLABLE = tuple(kind for kind in EventKind if kind is not EventKind.TEST)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="webhooks",
            label=lazy_gettext("接口通知"),
            icon="send",
            endpoint="webhooks.all_hooks",
            permission=Permission.EDIT_ACCOUNTS,
            group=4,
            position=41,
            part=Part.PROGRAMS,
            about=lazy_gettext("出了事自动告诉别的程序"),
        )
    )


@bp.get("/settings/webhooks")
@permission_required(Permission.EDIT_ACCOUNTS)
def all_hooks() -> ResponseReturnValue:
    """List them."""
    return _page({}, {})


@bp.post("/settings/webhooks")
@permission_required(Permission.EDIT_ACCOUNTS)
def add() -> ResponseReturnValue:
    """Add one and show its secret once."""
    form, chosen = request.form, request.form.getlist("kinds")
    try:
        kinds = [EventKind(kind) for kind in chosen if kind in set(TELLABLE)]
        with work() as session:
            _, secret = service.add(
                session,
                actor(),
                runtime().get(SecretSafe),
                name=form.get("name", ""),
                url=form.get("url", "").strip(),
                home_path=path_of(form.get("region", "")) if form.get("region") else actor_home(),
                kinds=kinds,
                now=now(),
            )
    except BadInput as error:
        return _page({**form.to_dict(), "kinds": chosen}, mistakes(error)), 422
    return _page({}, {}, secret=secret)


def actor_home() -> str:
    """Return the topmost place the person administers."""
    return actor().paths(Permission.EDIT_ACCOUNTS)[0]


@bp.get("/settings/webhooks/<uuid:hook_id>")
@permission_required(Permission.EDIT_ACCOUNTS)
def one(hook_id: UUID) -> ResponseReturnValue:
    """Show what it was told, and every attempt."""
    with reading() as session:
        hook = service.own(session, actor(), hook_id)
        told = service.told(session, actor(), hook_id, limit=SHOWN)
    return render_template("hub/webhooks/one.html", hook=hook, told=told)


@bp.post("/settings/webhooks/<uuid:hook_id>/test")
@permission_required(Permission.EDIT_ACCOUNTS)
def test(hook_id: UUID) -> ResponseReturnValue:
    """Tell it that this is a test."""
    with work() as session:
        service.test(session, actor(), hook_id, now=now())
    flash(gettext("试发一条，几秒后看下面的结果。"), "ok")
    return redirect(url_for("webhooks.one", hook_id=hook_id))


@bp.post("/settings/webhooks/<uuid:hook_id>/switch")
@permission_required(Permission.EDIT_ACCOUNTS)
def switch(hook_id: UUID) -> ResponseReturnValue:
    """Switch it on or off."""
    with work() as session:
        service.switch(session, actor(), hook_id, active=request.form.get("active") == "1", now=now())
    return redirect(url_for("webhooks.one", hook_id=hook_id))


@bp.post("/settings/webhooks/<uuid:hook_id>/remove")
@permission_required(Permission.EDIT_ACCOUNTS)
def remove(hook_id: UUID) -> ResponseReturnValue:
    """Remove it."""
    with work() as session:
        service.remove(session, actor(), hook_id, now=now())
    flash(gettext("删掉了。"), "ok")
    return redirect(url_for("webhooks.all_hooks"))


@bp.post("/settings/webhooks/calls/<uuid:call_id>/again")
@permission_required(Permission.EDIT_ACCOUNTS)
def again(call_id: UUID) -> ResponseReturnValue:
    """Tell it again."""
    with work() as session:
        call = service.again(session, actor(), call_id, now=now())
    return redirect(url_for("webhooks.one", hook_id=call.webhook_id))


def _page(form: dict[str, object], errors: dict[str, str], secret: str = "") -> str:
    with reading() as session:
        hooks = service.list_hooks(session, actor())
    return render_template(
        "hub/webhooks/all.html", hooks=hooks, form=form, errors=errors, secret=secret, kinds=[k.value for k in TELLABLE]
    )

"""宣传日历: the coming awareness days, whether their dates are checked, and the drafts made for them."""

from contextlib import suppress
from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.delivery.rules import Rules
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import runtime
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.words import explain
from hub.web.work import actor, now, reading, work
from schedules.campaigns.views import today
from schedules.occasions import service

bp = Blueprint("occasions", __name__)


@bp.get("/occasions")
@permission_required(Permission.SEE)
def calendar() -> ResponseReturnValue:
    """Show the coming year."""
    with reading() as session:
        page = service.calendar(session, actor(), today=today())
    may_write = actor().may_somewhere(Permission.COMPOSE)
    return render_template("schedules/occasions/calendar.html", page=page, today=today(), may_write=may_write)


@bp.post("/occasions/desk")
@permission_required(Permission.COMPOSE)
def desk() -> ResponseReturnValue:
    """Have drafts made, or no longer."""
    on = request.form.get("on") == "1"
    with work() as session:
        service.keep_drafts(session, actor(), on=on, now=now())
        session.flush()
    if on:
        service.prepare(runtime().sessions, now=now(), quiet=runtime().get(Rules).quiet)
    flash(gettext("好，到日子前会把稿备好，放在“我写的”里。") if on else gettext("不再自动备稿了。"), "ok")
    return redirect(url_for("occasions.calendar"))


@bp.post("/occasions/<ref>")
@permission_required(Permission.COMPOSE)
def settle(ref: str) -> ResponseReturnValue:
    """Keep the days as they were typed."""
    first, last = (_day(request.form.get(name, "")) for name in ("first_day", "last_day"))
    off = request.form.get("off") == "1"
    try:
        with work() as session:
            service.settle(session, actor(), ref, first_day=first, last_day=last, off=off, now=now())
        flash(gettext("记下了。"), "ok")
    except BadInput as error:
        flash(explain(error, language()), "warn")
    return redirect(url_for("occasions.calendar"))


@bp.post("/occasions/<ref>/draft")
@permission_required(Permission.COMPOSE)
def draft(ref: str) -> ResponseReturnValue:
    """Make its draft now, and show it."""
    with work() as session:
        quiet = runtime().get(Rules).quiet
        made = service.draft(session, actor(), ref, today=today(), now=now(), quiet=quiet)
    return redirect(url_for("campaigns.detail", campaign_id=made.id))


@bp.post("/occasions/<ref>/quiet")
@permission_required(Permission.COMPOSE)
def hush(ref: str) -> ResponseReturnValue:
    """Keep its days quiet."""
    with work() as session:
        service.hush(session, actor(), ref, today=today(), now=now())
    flash(gettext("记成安静日了，这几天专题和节目单都不播。"), "ok")
    return redirect(url_for("occasions.calendar"))


def _day(text: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(text)
    return None

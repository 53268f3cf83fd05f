"""The page of special days."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from werkzeug.datastructures import MultiDict

from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import runtime
from hub.regions.tree import path_of
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.work import actor, now, reading, work
from schedules.models import DayKind
from schedules.sheets import desk
from schedules.sheets.forms import as_day
from schedules.special_days import service
from schedules.special_days.service import NewDays

bp = Blueprint("special_days", __name__, url_prefix="/special-days")
PAGE = "schedules/special_days.html"


@bp.get("")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """Show the special days of a year."""
    return _page(request.args)


@bp.post("")
@permission_required(Permission.SEE)
def add() -> ResponseReturnValue:
    """Add a stretch of days."""
    try:
        with work() as session:
            number = service.add(session, actor(), _typed(request.form), now=now())
    except BadInput as error:
        return _page(request.form, errors=mistakes(error), status=error.status)
    flash(ngettext("加了 %(num)s 天。", "加了 %(num)s 天。", number), "ok")
    return redirect(url_for("special_days.every", year=request.form.get("first", "")[:4]))


@bp.post("/<uuid:day_id>/drop")
@permission_required(Permission.SEE)
def drop(day_id: UUID) -> ResponseReturnValue:
    """Take a day out."""
    with work() as session:
        service.drop(session, actor(), day_id, now=now())
    flash(gettext("去掉了。"), "ok")
    return redirect(url_for("special_days.every", year=request.form.get("year", "")))


@bp.post("/refresh")
@permission_required(Permission.SEE)
def refresh() -> ResponseReturnValue:
    """Read the official days of a year in anew."""
    year = _year(request.form)
    with work() as session:
        number = service.refresh(session, actor(), year, now=now())
    flash(gettext("按官方放假安排更新了 %(n)s 天。手工加的没有动。", n=number), "ok")
    return redirect(url_for("special_days.every", year=year))


def _page(
    form: MultiDict[str, str], *, errors: Mapping[str, str] | None = None, status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        shown = service.of_year(session, actor(), _year(form))
        seen = desk.places(session, actor(), Permission.SEE)
        places = [(code, name) for code, name in seen if service.may_change(actor(), path_of(code))]
    return render_template(
        PAGE, shown=shown, places=places, form=form, errors=errors or {}, this_year=_today().year
    ), status


def _typed(form: MultiDict[str, str]) -> NewDays:
    first, last = as_day(form.get("first", "")), as_day(form.get("last", "") or form.get("first", ""))
    if first is None:
        raise BadInput("day_malformed", field="first")
    if last is None:
        raise BadInput("day_malformed", field="last")
    kind = form.get("kind", "")
    return NewDays(
        first,
        last,
        DayKind(kind) if kind in set(DayKind) else DayKind.QUIET,
        form.get("name", ""),
        form.get("region", ""),
    )


def _year(form: Mapping[str, str]) -> int:
    text = form.get("year", "")
    return int(text) if text.isascii() and text.isdigit() and 2000 <= int(text[:4]) <= 2100 else _today().year


def _today() -> date:
    return now().astimezone(runtime().zone).date()

"""Leave one's approvals to a colleague while one is away."""

from datetime import date, datetime, time, timedelta
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from hub.accounts import delegating
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.work import actor, now, reading, work

bp = Blueprint("delegation", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """The page is found from the approvals."""


@bp.get("/approvals/away")
@permission_required(Permission.APPROVE)
def every() -> ResponseReturnValue:
    """Show what is left to whom, and the form."""
    return _page({}, {})


@bp.post("/approvals/away")
@permission_required(Permission.APPROVE)
def give() -> ResponseReturnValue:
    """Leave one's approvals to somebody."""
    form = request.form
    try:
        since, until = _day("since"), _day("until")
        with work() as session:
            delegating.give(
                session,
                actor(),
                _person(form.get("to", "")),
                starts_at=_midnight(since),
                ends_at=_midnight(until + timedelta(days=1)),
                reason=form.get("reason", ""),
                now=now(),
            )
    except BadInput as error:
        return _page(form.to_dict(), mistakes(error)), 422
    flash(gettext("托付好了，到期自动收回。"), "ok")
    return redirect(url_for("delegation.every"))


@bp.post("/approvals/away/<uuid:delegation_id>/end")
@permission_required(Permission.APPROVE)
def end(delegation_id: UUID) -> ResponseReturnValue:
    """End it early."""
    with work() as session:
        delegating.end(session, actor(), delegation_id, now=now())
    flash(gettext("收回了。"), "ok")
    return redirect(url_for("delegation.every"))


def _page(typed: dict[str, str], errors: dict[str, str]) -> str:
    today = now().astimezone(runtime().zone).date()
    with reading() as session:
        lines = delegating.lines(session, actor(), now=now())
        people = [(str(one.id), one.name) for one in delegating.candidates(session, actor())]
    return render_template(
        "hub/accounts/delegation.html",
        lines=lines,
        people=people,
        form={"since": str(today), "until": str(today + timedelta(days=7)), **typed},
        errors=errors,
    )


def _day(field: str) -> date:
    try:
        return date.fromisoformat(request.form.get(field, ""))
    except ValueError:
        raise BadInput("day_malformed", field=field) from None


def _person(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadInput("delegation_to_nobody", field="to") from None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), runtime().zone)

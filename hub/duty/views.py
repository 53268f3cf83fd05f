"""The page of the duty roster: who is called for a place, in which order, who is on duty when."""

from datetime import datetime
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.duty import service
from hub.duty.service import PersonInput
from hub.regions import service as regions
from hub.regions.tree import Level
from hub.residents.phones import PhoneSafe
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.work import actor, now, reading, work

bp = Blueprint("roster", __name__)
HOMES = frozenset({Level.COUNTY, Level.TOWNSHIP, Level.VILLAGE})


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="roster",
            label=lazy_gettext("值班表"),
            icon="phone",
            endpoint="roster.every",
            permission=Permission.SEE,
            group=3,
            position=3,
        )
    )


@bp.get("/roster")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """Show a place's roster."""
    return _page(request.args.get("region", ""))


@bp.post("/roster")
@permission_required(Permission.EDIT_RESIDENTS)
def add() -> ResponseReturnValue:
    """Put somebody on the list."""
    form = request.form
    given = PersonInput(*(form.get(name, "") for name in ("region", "name", "title", "phone", "login")))
    try:
        with work() as session:
            service.add_person(session, actor(), given, safe=runtime().get(PhoneSafe), now=now())
    except BadInput as error:
        return _page(given.region, errors=mistakes(error)), error.status
    return redirect(url_for("roster.every", region=given.region))


@bp.post("/roster/<uuid:person_id>/<any(remove, up):deed>")
@permission_required(Permission.EDIT_RESIDENTS)
def change(person_id: UUID, deed: str) -> ResponseReturnValue:
    """Take somebody off the list, or let them be called earlier."""
    with work() as session:
        verb = service.remove_person if deed == "remove" else service.move_up
        verb(session, actor(), person_id, now=now())
    return redirect(url_for("roster.every", region=request.form.get("region", "")))


@bp.post("/roster/<uuid:person_id>/shifts")
@permission_required(Permission.EDIT_RESIDENTS)
def add_shift(person_id: UUID) -> ResponseReturnValue:
    """Say when somebody is on duty."""
    region = request.form.get("region", "")
    try:
        starts, ends = _moment("starts"), _moment("ends")
        with work() as session:
            service.add_shift(session, actor(), person_id, starts_at=starts, ends_at=ends, now=now())
    except BadInput as error:
        return _page(region, errors=mistakes(error), whose=person_id), error.status
    return redirect(url_for("roster.every", region=region))


@bp.post("/roster/shifts/<uuid:shift_id>/drop")
@permission_required(Permission.EDIT_RESIDENTS)
def drop_shift(shift_id: UUID) -> ResponseReturnValue:
    """Take a shift back."""
    with work() as session:
        service.drop_shift(session, actor(), shift_id, now=now())
    return redirect(url_for("roster.every", region=request.form.get("region", "")))


def _moment(name: str) -> datetime:
    try:
        return datetime.fromisoformat(request.form.get(name, "")).replace(tzinfo=runtime().zone)
    except ValueError:
        raise BadInput("duty_time_malformed", field=name) from None


def _page(region: str, *, errors: dict[str, str] | None = None, whose: UUID | None = None) -> str:
    with reading() as session:
        homes = regions.choices(session, actor(), Permission.SEE, levels=HOMES)
        codes = [code for code, _ in homes]
        chosen = region if region in codes else codes[0] if codes else ""
        entries = service.roster(session, actor(), chosen, now=now()) if chosen else []
        may_edit = bool(chosen) and any(
            code == chosen for code, _ in regions.choices(session, actor(), Permission.EDIT_RESIDENTS, levels=HOMES)
        )
    return render_template(
        "hub/duty/every.html",
        homes=homes,
        region=chosen,
        entries=entries,
        errors=errors or {},
        typed=request.form if errors else {},
        whose=whose,
        may_edit=may_edit,
    )

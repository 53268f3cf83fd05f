"""The pages of programme sheets."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.delivery.rules import Rules
from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, NotFound, WrongState
from hub.core.runtime import runtime
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work
from schedules.models import SheetState, SlotKind
from schedules.rehearsal import Stage
from schedules.sheets import desk, ical, listing, service
from schedules.sheets.forms import HeadForm, SlotForm
from schedules.sources import Sources

bp = Blueprint("sheets", __name__, url_prefix="/sheets")
PAGES = "schedules/sheets"


@bp.get("")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List the sheets that run or are being written."""
    with reading() as session:
        rows = listing.every(session, actor())
    return render_template(f"{PAGES}/every.html", rows=rows, may_write=actor().may_somewhere(Permission.COMPOSE))


@bp.get("/new")
@permission_required(Permission.COMPOSE)
def new() -> ResponseReturnValue:
    """Show an empty head."""
    return _head_page(HeadForm.typed(request.args))


@bp.post("")
@permission_required(Permission.COMPOSE)
def begin() -> ResponseReturnValue:
    """Start a sheet."""
    form = HeadForm.typed(request.form)
    try:
        with work() as session:
            sheet = service.begin(session, actor(), form.head(), today=_today(), now=now())
    except BadInput as error:
        return _head_page(form, errors=mistakes(error), status=error.status)
    return redirect(url_for("sheets.detail", sheet_id=sheet.id))


@bp.get("/<uuid:sheet_id>")
@permission_required(Permission.SEE)
def detail(sheet_id: UUID) -> ResponseReturnValue:
    """Show a sheet: its day, what next week would bring, and what may be done with it."""
    return _detail(sheet_id)


@bp.get("/<uuid:sheet_id>/head")
@permission_required(Permission.COMPOSE)
def head(sheet_id: UUID) -> ResponseReturnValue:
    """Show the head to be changed."""
    with reading() as session:
        sheet = service.get(session, actor(), sheet_id)
    return _head_page(HeadForm.of(sheet), sheet_id)


@bp.post("/<uuid:sheet_id>/head")
@permission_required(Permission.COMPOSE)
def rename(sheet_id: UUID) -> ResponseReturnValue:
    """Keep a changed head."""
    form = HeadForm.typed(request.form)
    try:
        with work() as session:
            service.rename(session, actor(), sheet_id, form.head(), today=_today(), now=now())
    except (BadInput, WrongState) as error:
        return _head_page(form, sheet_id, errors=_errors(error), status=error.status)
    return redirect(url_for("sheets.detail", sheet_id=sheet_id))


@bp.get("/<uuid:sheet_id>/slots/new")
@permission_required(Permission.COMPOSE)
def new_slot(sheet_id: UUID) -> ResponseReturnValue:
    """Show an empty slot of a kind."""
    return _slot_page(sheet_id, None, SlotForm.typed(request.args, _kind(request.args.get("kind", ""))))


@bp.get("/<uuid:sheet_id>/slots/<uuid:slot_id>")
@permission_required(Permission.COMPOSE)
def slot(sheet_id: UUID, slot_id: UUID) -> ResponseReturnValue:
    """Show a slot to be changed."""
    with reading() as session:
        form = desk.slot_form(session, actor(), sheet_id, slot_id)
    if at := request.args.get("at", ""):  # a time that was offered on the sheet
        form = replace(form, at=at)
    return _slot_page(sheet_id, slot_id, form)


@bp.post("/<uuid:sheet_id>/slots")
@bp.post("/<uuid:sheet_id>/slots/<uuid:slot_id>")
@permission_required(Permission.COMPOSE)
def put_slot(sheet_id: UUID, slot_id: UUID | None = None) -> ResponseReturnValue:
    """Keep a slot."""
    form = SlotForm.typed(request.form, _kind(request.form.get("kind", "")))
    sources, rules = runtime().get(Sources), runtime().get(Rules)
    try:
        draft = form.draft()
        with work() as session:
            service.put_slot(session, actor(), sheet_id, slot_id, draft, sources=sources, rules=rules, now=now())
    except (BadInput, WrongState) as error:
        return _slot_page(sheet_id, slot_id, form, errors=_errors(error), status=error.status)
    return redirect(url_for("sheets.detail", sheet_id=sheet_id))


@bp.post("/<uuid:sheet_id>/slots/<uuid:slot_id>/drop")
@permission_required(Permission.COMPOSE)
def drop_slot(sheet_id: UUID, slot_id: UUID) -> ResponseReturnValue:
    """Take a slot out."""
    with work() as session:
        service.drop_slot(session, actor(), sheet_id, slot_id, now=now())
    return redirect(url_for("sheets.detail", sheet_id=sheet_id))


@bp.post("/<uuid:sheet_id>/submit")
@permission_required(Permission.COMPOSE)
def submit(sheet_id: UUID) -> ResponseReturnValue:
    """Hand it in."""
    hub = runtime()
    try:
        with work() as session:
            service.submit(session, actor(), sheet_id, sources=hub.get(Sources), rules=hub.get(Rules), now=now())
    except (BadInput, WrongState) as error:
        return _detail(sheet_id, errors=_errors(error), status=error.status)
    flash(gettext("交上去了，别人通过后就照这张播。"), "ok")
    return redirect(url_for("sheets.detail", sheet_id=sheet_id))


@bp.post("/<uuid:sheet_id>/approve")
@permission_required(Permission.APPROVE)
def approve(sheet_id: UUID) -> ResponseReturnValue:
    """Let it run as it was seen."""
    try:
        with work() as session:
            seen, step = request.form.get("seen_hash") or "-", request.form.get("seen_step", type=int)
            sheet = service.approve(session, actor(), sheet_id, seen_hash=seen, seen_step=step, now=now())
            running = sheet.state is SheetState.RUNNING
    except WrongState as error:
        return _detail(sheet_id, errors=_errors(error), status=error.status)
    flash(gettext("通过了，从现在起照这张播。") if running else gettext("你这一审过了，等下一个人审。"), "ok")
    return redirect(url_for("sheets.detail", sheet_id=sheet_id))


@bp.post("/<uuid:sheet_id>/return")
@permission_required(Permission.APPROVE)
def give_back(sheet_id: UUID) -> ResponseReturnValue:
    """Return it with a reason."""
    try:
        with work() as session:
            service.give_back(session, actor(), sheet_id, request.form.get("reason", ""), now=now())
    except (BadInput, WrongState) as error:
        return _detail(sheet_id, errors=_errors(error), status=error.status)
    flash(gettext("退回去了，写的人能看到原因。"), "ok")
    return redirect(url_for("sheets.every"))


@bp.post("/<uuid:sheet_id>/withdraw")
@permission_required(Permission.SEE)
def withdraw(sheet_id: UUID) -> ResponseReturnValue:
    """Take it out for good."""
    try:
        with work() as session:
            service.withdraw(session, actor(), sheet_id, now=now())
        flash(gettext("撤下来了，不会再播。"), "ok")
    except WrongState as error:
        flash(explain(error, language()), "warn")
    return redirect(url_for("sheets.every"))


@bp.post("/<uuid:sheet_id>/next")
@permission_required(Permission.COMPOSE)
def next_version(sheet_id: UUID) -> ResponseReturnValue:
    """Start the version that will replace a running sheet."""
    with work() as session:
        draft = service.next_version(session, actor(), sheet_id, now=now())
    return redirect(url_for("sheets.detail", sheet_id=draft.id))


@bp.get("/<uuid:sheet_id>.ics")
@permission_required(Permission.SEE)
def calendar(sheet_id: UUID) -> ResponseReturnValue:
    """Answer the sheet as a calendar file."""
    with reading() as session:
        text = ical.export(session, service.get(session, actor(), sheet_id), now=now())
    return Response(
        text,
        mimetype="text/calendar",
        headers={"Content-Disposition": f'attachment; filename="sheet-{sheet_id}.ics"'},
    )


def _detail(sheet_id: UUID, *, errors: Mapping[str, str] | None = None, status: int = 200) -> ResponseReturnValue:
    first, _ = listing.week_after(_today())
    stage = runtime().get(Stage)
    since, until = desk.week_from(first, stage)
    with reading() as session:
        page = desk.show(session, actor(), sheet_id, stage, since=since, until=until)
    return render_template(
        f"{PAGES}/detail.html", page=page, errors=errors or {}, explain_code=lambda code: sentence(code, language())
    ), status


def _head_page(
    form: HeadForm, sheet_id: UUID | None = None, *, errors: Mapping[str, str] | None = None, status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        places = desk.places(session, actor())
    return render_template(
        f"{PAGES}/head.html", form=form, sheet_id=sheet_id, places=places, errors=errors or {}
    ), status


def _slot_page(
    sheet_id: UUID,
    slot_id: UUID | None,
    form: SlotForm,
    *,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    with reading() as session:
        page = desk.slot_page(session, actor(), sheet_id, form.kind, runtime().get(Sources), today=_today())
    return render_template(
        f"{PAGES}/slot.html",
        page=page,
        form=form,
        slot_id=slot_id,
        quiet=runtime().get(Rules).quiet,
        errors=errors or {},
    ), status


def _kind(text: str) -> SlotKind:
    if text and text not in set(SlotKind):
        raise NotFound("slot_kind_unknown")
    return SlotKind(text) if text else SlotKind.ANNOUNCEMENT


def _errors(error: HubError) -> dict[str, str]:
    return mistakes(error) if isinstance(error, BadInput) else {"": explain(error, language())}


def _today() -> date:
    moment: Any = now()
    today: date = moment.astimezone(runtime().zone).date()
    return today

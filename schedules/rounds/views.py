"""值班巡逻: rosters, who is due, who came."""

from collections.abc import Mapping
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from broadcasts.approvals import rounds
from broadcasts.approvals.queue import Desk, Queue
from broadcasts.delivery.rules import Rules
from hub.core.actor import Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime, runtime
from hub.regions import service as regions
from hub.regions.tree import Level
from hub.residents import searching as residents
from hub.residents.shown import shows_residents
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.words import explain
from hub.web.work import actor, now, reading, work
from schedules.campaigns.views import today
from schedules.rounds import agreed, forms, service
from schedules.rounds.forms import Typed
from schedules.rounds.models import Round, RoundKind, RoundState

bp = Blueprint("rounds", __name__)
PAGES = "schedules/rounds"
PLACES = frozenset({Level.TOWNSHIP, Level.VILLAGE})


def add_to_desk(runtime: Runtime) -> None:
    """Put rosters that wait on the desk of who approves."""
    runtime.get(Queue).add(Desk("rounds", "rounds.one", "round_id", service.waiting))


@bp.get("/rounds")
@permission_required(Permission.SEE_RESIDENTS)
def every() -> ResponseReturnValue:
    """List rosters."""
    with reading() as session:
        rows = [(found, service.counts(found, today())) for found in service.every(session, actor())]
    may_write = actor().may_somewhere(Permission.COMPOSE)
    return render_template(f"{PAGES}/every.html", rows=rows, today=today(), may_write=may_write)


@bp.get("/rounds/new")
@permission_required(Permission.COMPOSE)
def new() -> ResponseReturnValue:
    """Show an empty form, with the people of a group once it is chosen."""
    kind = request.args.get("kind", "")
    chosen = RoundKind(kind) if kind in set(RoundKind) else RoundKind.PATROL
    given = {"kind": chosen.value, "first_day": str(today()), **forms.usual(chosen), **request.args.to_dict()}
    return _form(forms.typed(MultiDict(given)))


@bp.post("/rounds")
@permission_required(Permission.COMPOSE)
def add() -> ResponseReturnValue:
    """Keep a roster, or show the people of another group."""
    typed = forms.typed(request.form)
    if request.form.get("do") == "people":
        return _form(typed)
    try:
        with work() as session:
            made = service.create(session, actor(), typed.draft, rules=runtime().get(Rules), now=now())
    except BadInput as error:
        return _form(typed, errors=mistakes(error), status=error.status)
    flash(gettext("排好了。别人看过同意了，才开始发短信。"), "ok")
    return redirect(url_for("rounds.one", round_id=made.id))


@bp.get("/rounds/<uuid:round_id>/edit")
@permission_required(Permission.COMPOSE)
def edit(round_id: UUID) -> ResponseReturnValue:
    """Show one's own to be written anew."""
    with reading() as session:
        found = service.get(session, actor(), round_id)
        typed = forms.of(found)
    if not service.may_edit(actor(), found):
        return redirect(url_for("rounds.one", round_id=round_id))
    return _form(typed, found)


@bp.post("/rounds/<uuid:round_id>/edit")
@permission_required(Permission.COMPOSE)
def change(round_id: UUID) -> ResponseReturnValue:
    """Write it anew and hand it in again."""
    typed = forms.typed(request.form)
    with reading() as session:
        found = service.get(session, actor(), round_id)
    if request.form.get("do") == "people":
        return _form(typed, found)
    try:
        with work() as session:
            service.save(session, actor(), round_id, typed.draft, rules=runtime().get(Rules), now=now())
            service.hand_in(session, actor(), round_id, now=now())
    except BadInput as error:
        return _form(typed, found, errors=mistakes(error), status=error.status)
    except WrongState as error:
        flash(explain(error, language()), "warn")
        return redirect(url_for("rounds.one", round_id=round_id))
    flash(gettext("改好了，再请别人看。"), "ok")
    return redirect(url_for("rounds.one", round_id=round_id))


@bp.get("/rounds/<uuid:round_id>")
@permission_required(Permission.SEE)
@shows_residents("round.look")
def one(round_id: UUID) -> ResponseReturnValue:
    """Show who is due, and who came."""
    with reading() as session:
        found = service.get(session, actor(), round_id)
        counts = service.counts(found, today())
        home = regions.full_name(session, found.home_path)
        standing = rounds.standing(session, actor(), agreed.subject_of(found))
    person = actor()
    return render_template(
        f"{PAGES}/one.html",
        found=found,
        counts=counts,
        home=home,
        today=today(),
        others=sorted({(c.resident_id, c.name) for c in found.calls}, key=lambda pair: pair[1]),
        standing=standing,
        may_approve=found.state is RoundState.WAITING and not standing.refusal,
        may_edit=service.may_edit(person, found),
        may_note=person.may(Permission.COMPOSE, found.home_path),
        may_stop=found.written_by == person.id or person.may(Permission.STOP, found.home_path),
        own=found.written_by == person.id,
    )


@bp.post("/rounds/<uuid:round_id>/approve")
@permission_required(Permission.APPROVE)
def approve(round_id: UUID) -> ResponseReturnValue:
    """Pass it on, or let reminders go out."""
    seen, step = request.form.get("seen_hash", ""), request.form.get("seen_step", type=int)
    try:
        with work() as session:
            found = service.approve(session, actor(), round_id, seen_hash=seen, seen_step=step, now=now())
        on = found.state is RoundState.ON
        flash(gettext("同意了，到时间就发短信提醒。") if on else gettext("通过了，等下一个人审。"), "ok")
    except (WrongState, NotAllowed) as error:
        flash(explain(error, language()), "warn")
    return _after_verdict(round_id)


@bp.post("/rounds/<uuid:round_id>/return")
@permission_required(Permission.APPROVE)
def give_back(round_id: UUID) -> ResponseReturnValue:
    """Return it to its writer, saying why."""
    try:
        with work() as session:
            service.give_back(session, actor(), round_id, request.form.get("reason", ""), now=now())
        flash(gettext("退回了。"), "ok")
    except (BadInput, WrongState) as error:
        flash(explain(error, language()), "warn")
    return _after_verdict(round_id)


@bp.post("/rounds/<uuid:round_id>/stop")
@permission_required(Permission.SEE_RESIDENTS)
def stop(round_id: UUID) -> ResponseReturnValue:
    """Remind nobody any more."""
    try:
        with work() as session:
            service.stop(session, actor(), round_id, now=now())
        flash(gettext("停了，后面不再发短信。"), "ok")
    except WrongState as error:
        flash(explain(error, language()), "warn")
    return redirect(url_for("rounds.one", round_id=round_id))


@bp.post("/rounds/turns/<uuid:call_id>/confirm")
@permission_required(Permission.COMPOSE)
def confirm(call_id: UUID) -> ResponseReturnValue:
    """Note by hand that somebody came."""
    with work() as session:
        call = service.confirm(session, actor(), call_id, now=now())
    return redirect(url_for("rounds.one", round_id=call.round_id))


@bp.post("/rounds/turns/<uuid:call_id>/swap")
@permission_required(Permission.COMPOSE)
def swap(call_id: UUID) -> ResponseReturnValue:
    """Let somebody else take the turn."""
    round_id, other = (forms.as_id(request.form.get(name, "")) for name in ("round", "resident"))
    try:
        with work() as session:
            service.swap(session, actor(), call_id, other, now=now())
        flash(gettext("换好了。"), "ok")
    except (BadInput, WrongState) as error:
        flash(explain(error, language()), "warn")
    return redirect(url_for("rounds.one", round_id=round_id) if round_id else url_for("rounds.every"))


def _after_verdict(round_id: UUID) -> ResponseReturnValue:
    """Go back to the roster, or to the desk for who may look at it only while it waits for them."""
    with reading() as session:
        try:
            service.get(session, actor(), round_id)
        except NotFound:
            return redirect(url_for("announcements.approvals"))
    return redirect(url_for("rounds.one", round_id=round_id))


def _form(
    typed: Typed, found: Round | None = None, *, errors: Mapping[str, str] | None = None, status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        places = regions.choices(session, actor(), Permission.COMPOSE, levels=PLACES)
        region = typed.draft.region or (places[0][0] if places else "")
        tags = residents.tags_in_use(session, actor())
        if typed.tag and region:
            people = service.candidates(session, actor(), region, typed.tag)
        else:
            people = service.people_of(session, actor(), typed.draft)
    return render_template(
        f"{PAGES}/form.html",
        typed=typed,
        found=found,
        region=region,
        places=places,
        tags=tags,
        people=people,
        errors=errors or {},
    ), status

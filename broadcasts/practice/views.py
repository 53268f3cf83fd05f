"""The pages of practice, in the frame of drills: one's own tasks, the pieces of practice, and who has done what."""

from collections.abc import Mapping
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.alerts.hazards import wording
from broadcasts.alerts.paging import frame_of
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour, Mode
from broadcasts.loudspeaker.orders import Sound
from broadcasts.practice import service, tasks
from broadcasts.practice.models import PracticeWork
from broadcasts.practice.service import Notice
from broadcasts.pumps import Pumps
from broadcasts.speech.engine import SpeechFailed
from broadcasts.speech.signals import Signal
from broadcasts.studio import Studio
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.work import actor, now, reading, work

bp = Blueprint("practice", __name__, url_prefix="/practice")
PAGES = "broadcasts/practice"


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="practice",
            label=lazy_gettext("练习任务"),
            icon="list-check",
            endpoint="practice.mine",
            permission=Permission.SEE,
            group=2,
            position=9,
        )
    )


@bp.get("")
@permission_required(Permission.SEE)
def mine() -> ResponseReturnValue:
    """Show one's own tasks, and the notices that wait for somebody else."""
    with reading() as session:
        standing = tasks.of_person(session, actor())
        waiting = service.waiting_for(session, actor())
    return _page("mine", standing=standing, waiting=waiting, leads=actor().may_somewhere(Permission.SEE_AUDIT))


@bp.get("/people")
@permission_required(Permission.SEE_AUDIT)
def people() -> ResponseReturnValue:
    """Show who has done which task."""
    with reading() as session:
        found = tasks.of_people(session, actor())
    return _page("people", people=found, tasks=tasks.TASKS)


@bp.get("/notice")
@permission_required(Permission.COMPOSE)
def write() -> ResponseReturnValue:
    """Show the form for a notice."""
    return _page("write", given={}, errors={})


@bp.post("/notice")
@permission_required(Permission.COMPOSE)
def hand_in() -> ResponseReturnValue:
    """Hand the notice in."""
    given = {"title": request.form.get("title", ""), "text": request.form.get("text", "")}
    try:
        with work() as session:
            service.hand_in(session, actor(), Notice(**given), now=now())
    except BadInput as error:
        return _page("write", given=given, errors=mistakes(error)), 422
    flash(gettext("交上去了，等别人批。自己写的自己不能批，真的也一样。"), "ok")
    return redirect(url_for("practice.mine"))


@bp.post("/notice/<uuid:work_id>/pass")
@permission_required(Permission.APPROVE)
def pass_on(work_id: UUID) -> ResponseReturnValue:
    """Pass somebody else's notice; it sounds on drill loudspeakers."""
    with reading() as session:
        found = service.get(session, actor(), work_id)
    sound = _spoken(found)
    with work() as session:
        broadcast = service.pass_on(session, actor(), work_id, sound, rules=runtime().get(Rules), now=now())
    if broadcast is None:
        flash(gettext("通过了。你这里没有演练喇叭，所以没有响。"), "warn")
    else:
        runtime().get(Pumps).kick()
        flash(gettext("通过了，演练喇叭这就响。"), "ok")
    return redirect(url_for("practice.mine"))


@bp.get("/letter")
@permission_required(Permission.ANSWER)
def letter() -> ResponseReturnValue:
    """Show the letter that waits for an answer, or a new one."""
    with work() as session:
        found = service.take_letter(session, actor(), now=now())
    return _page("letter", letter=found, errors={}, given={})


@bp.post("/letter/<uuid:work_id>")
@permission_required(Permission.ANSWER)
def answer(work_id: UUID) -> ResponseReturnValue:
    """Take the answer, or say what comes first."""
    given = {"act": request.form.get("act", ""), "answer": request.form.get("answer", "")}
    try:
        with work() as session:
            service.answer_letter(session, actor(), work_id, given["act"], given["answer"], now=now())
    except BadInput as error:
        with reading() as session:
            found = service.get(session, actor(), work_id)
        return _page("letter", letter=found, errors=mistakes(error), given=given), 422
    flash(gettext("对了。这封信是编的，什么也没发出去。"), "ok")
    return redirect(url_for("practice.mine"))


def _spoken(found: PracticeWork) -> Sound | None:
    """Return the recording, with the name of a drill before and after; nothing when no voice works."""
    studio, around = runtime().get(Studio), wording().drill
    order = studio.alarm(f"{around}{found.text}{around}", colour=Colour.BLUE, repeats=1, signal=Signal.DRILL)
    try:
        made = studio.render(order)
    except SpeechFailed:
        return None
    return Sound(made.sha256, made.duration_ms, made.bytes)


def _page(name: str, *, errors: Mapping[str, str] | None = None, **given: object) -> str:
    return render_template(f"{PAGES}/{name}.html", errors=errors or {}, **frame_of(Mode.DRILL), **given)

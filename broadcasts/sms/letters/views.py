"""短信收件: what residents wrote, one letter with all that is done about it, and the counts of numbered answers."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from broadcasts.pumps import Pumps
from broadcasts.sms import forms
from broadcasts.sms.letters import inbox, readable, tallying, writing_back
from broadcasts.sms.settings import SmsSettings
from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError
from hub.core.runtime import Runtime, runtime
from hub.regions import service as regions
from hub.residents.phones import PhoneSafe
from hub.residents.shown import shows_residents
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.words import explain
from hub.web.work import actor, now, reading, work

bp = Blueprint("inbox", __name__)
PAGE = 50
answers = permission_required(Permission.ANSWER)
COMPLAINTS = ("too_loud", "unclear", "silent", "wrong_time", "wrong_content", "other")
"""What a letter may be filed as; the room of complaints, which stands above this one, knows them too."""


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    entry = Entry(
        "sms-inbox",
        lazy_gettext("短信收件"),
        "message-2",
        "inbox.every",
        Permission.ANSWER,
        2,
        30,
        badge=inbox.waiting,
    )
    runtime.get(Menu).add(entry)


@bp.get("/sms/inbox")
@answers
@shows_residents("sms_inbound.look")
def every() -> ResponseReturnValue:
    """Show what residents wrote, cries for help first."""
    done, before = request.args.get("done") == "1", forms.identifier(request.args, "before")
    with reading() as session:
        urgent = [] if done or before else inbox.inbox(session, actor(), urgent=True)
        found = inbox.inbox(session, actor(), open_only=not done, before=before, limit=PAGE + 1)
        more = found[PAGE - 1].id if len(found) > PAGE else None
        top = readable.letters(session, urgent)
        rest = readable.letters(session, [m for m in found[:PAGE] if m not in urgent])
        other = None if done or before else runtime().find(inbox.CriesElsewhere)
        elsewhere = other.now(session, actor()) if other else []
    return render_template(
        "broadcasts/sms/inbox.html",
        urgent=top,
        elsewhere=elsewhere,
        letters=rest,
        more=more,
        done=done,
        first=before is None,
    )


@bp.get("/sms/inbox/<uuid:inbound_id>")
@answers
@shows_residents("sms_inbound.look")
def one(inbound_id: UUID) -> ResponseReturnValue:
    """Show one letter, what went to and fro before, and what can be done."""
    return _page(inbound_id)


@bp.post("/sms/inbox/<uuid:inbound_id>/take")
@answers
def take(inbound_id: UUID) -> ResponseReturnValue:
    """Take care of it, so that others need not."""
    with work() as session:
        inbox.take(session, actor(), inbound_id, now=now())
    return redirect(url_for("inbox.one", inbound_id=inbound_id))


@bp.post("/sms/inbox/<uuid:inbound_id>/call")
@answers
def call(inbound_id: UUID) -> ResponseReturnValue:
    """Show the whole number, to be called. The answer is not kept by the browser."""
    try:
        with work() as session:
            number = inbox.number_of(session, actor(), inbound_id, safe=runtime().get(PhoneSafe), now=now())
    except HubError as error:
        return _page(inbound_id, errors={"": explain(error, language())}, status=error.status)
    return _page(inbound_id, number=number)


@bp.post("/sms/inbox/<uuid:inbound_id>/text")
@answers
def text(inbound_id: UUID) -> ResponseReturnValue:
    """Write back."""
    typed = request.form.get("text", "")
    try:
        with work() as session:
            writing_back.answer(session, actor(), inbound_id, typed, settings=_settings(), now=now())
    except BadInput as error:
        return _page(inbound_id, typed=typed, errors=mistakes(error), status=422)
    runtime().get(Pumps).kick()
    flash(gettext("回信交出去了。"), "ok")
    return redirect(url_for("inbox.one", inbound_id=inbound_id))


@bp.post("/sms/inbox/<uuid:inbound_id>/pass-on")
@answers
def pass_on(inbound_id: UUID) -> ResponseReturnValue:
    """Send it to the cadres of the sender's village."""
    try:
        with work() as session:
            people = writing_back.pass_on(session, actor(), inbound_id, settings=_settings(), now=now())
    except BadInput as error:
        return _page(inbound_id, errors=mistakes(error), status=422)
    runtime().get(Pumps).kick()
    flash(ngettext("转给了 %(num)s 个村干部。", "转给了 %(num)s 个村干部。", people), "ok")
    return redirect(url_for("inbox.one", inbound_id=inbound_id))


@bp.post("/sms/inbox/<uuid:inbound_id>/handled")
@answers
def handled(inbound_id: UUID) -> ResponseReturnValue:
    """Note that somebody has dealt with it."""
    note = request.form.get("note", "")
    try:
        with work() as session:
            inbox.handled(session, actor(), inbound_id, now=now(), note=note)
    except BadInput as error:
        return _page(inbound_id, note=note, errors=mistakes(error), status=422)
    return redirect(url_for("inbox.every"))


@bp.post("/sms/inbox/<uuid:inbound_id>/reopen")
@answers
def reopen(inbound_id: UUID) -> ResponseReturnValue:
    """Put it back among those to be dealt with."""
    with work() as session:
        inbox.reopen(session, actor(), inbound_id, now=now())
    return redirect(url_for("inbox.one", inbound_id=inbound_id))


@bp.get("/sms/<uuid:broadcast_id>/answers")
@answers
@shows_residents("sms_inbound.look")
def counted(broadcast_id: UUID) -> ResponseReturnValue:
    """Show who gave which numbered answer, and who has not answered."""
    wanted, after = forms.number(request.args, "choice"), forms.number(request.args, "after")
    with reading() as session:
        found = tallying.tally(session, actor(), broadcast_id)
        people = tallying.who(session, actor(), broadcast_id, wanted, after=after, limit=tallying.PAGE + 1)
        places = regions.village_names(session, (one.region_path for one in people))
    return render_template(
        "broadcasts/sms/answers.html",
        broadcast_id=broadcast_id,
        tally=found,
        people=people[: tallying.PAGE],
        more=people[tallying.PAGE - 1].message_id if len(people) > tallying.PAGE else 0,
        first=after == 0,
        wanted=wanted,
        places=places,
    )


def _page(
    inbound_id: UUID,
    *,
    number: str = "",
    typed: str = "",
    note: str = "",
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    with reading() as session:
        found = inbox.opened(session, actor(), inbound_id)
        (letter,) = readable.letters(session, [found.message])
        cadres = writing_back.cadres_of(session, found.message)
    page = render_template(
        "broadcasts/sms/letter.html",
        page=found,
        letter=letter,
        cadres=cadres,
        number=number,
        typed=typed,
        note=note,
        errors=errors or {},
        kinds=COMPLAINTS,
    )
    return page, status, {"Cache-Control": "no-store"}


def _settings() -> SmsSettings:
    return runtime().config.section(SmsSettings)

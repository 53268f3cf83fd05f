"""Text messages: what went out, what residents wrote, simulated phones."""

from datetime import timedelta
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from broadcasts.pumps import Pumps
from broadcasts.sms import forms, hooks, simulation
from broadcasts.sms.gateways import local_phones
from broadcasts.sms.gateways.local import NAME as LOCAL
from broadcasts.sms.gateways.local import read_switches
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.sending import outbox, records
from broadcasts.sms.sending.records import RunLine
from broadcasts.sms.states import Reason
from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound
from hub.core.runtime import Runtime, runtime
from hub.regions import service as regions
from hub.residents.phones import PhoneSafe
from hub.residents.shown import shows_residents
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work

bp = Blueprint("sms", __name__)
bp.register_blueprint(hooks.bp)
PAGE = 50
PHONES = 12
RESEND_LASTS = timedelta(hours=12)
see_residents = permission_required(Permission.SEE_RESIDENTS)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu; the simulated phones only where there are some."""
    see, menu = Permission.SEE_RESIDENTS, runtime.get(Menu)
    menu.add(Entry("sms", lazy_gettext("短信记录"), "send", "sms.outbox", see, 2, 31))
    if runtime.get(SmsProvider).named(LOCAL):
        menu.add(Entry("sms-phones", lazy_gettext("模拟手机"), "device-mobile", "sms.phones", see, 2, 32))


@bp.get("/sms", endpoint="outbox")
@see_residents
def show_outbox() -> ResponseReturnValue:
    """List what went out, newest first; with the id of a broadcast, go to its messages."""
    wanted, before = forms.identifier(request.args, "broadcast_id"), forms.moment(request.args, "before")
    if wanted is not None:
        return redirect(url_for("sms.show_run", broadcast_id=wanted))
    with reading() as session:
        page = records.runs(session, actor(), before=before)
    return render_template("broadcasts/sms/outbox.html", page=page, first=before is None, **_gateway())


@bp.get("/sms/<uuid:broadcast_id>")
@see_residents
@shows_residents("sms.look")
def show_run(broadcast_id: UUID) -> ResponseReturnValue:
    """Show the messages of one broadcast, person by person."""
    wanted, after = forms.state(request.args), forms.number(request.args, "after")
    with reading() as session:
        line = records.run(session, actor(), broadcast_id)
        found = outbox.messages(session, actor(), broadcast_id, state=wanted, after=after, limit=PAGE + 1)
        places = regions.village_names(session, (m.region_path for m in found))
        tries = records.earlier_tries(session, (m.id for m in found))
    return render_template(
        "broadcasts/sms/run.html",
        tries=tries,
        line=line,
        messages=found[:PAGE],
        after=found[PAGE - 1].id if len(found) > PAGE else 0,
        first=after == 0,
        wanted=wanted or "",
        why=_reasons(),
        pause=_pause(line),
        places=places,
        **_gateway(),
    )


@bp.get("/sms/<uuid:broadcast_id>/summary")
@see_residents
def show_summary(broadcast_id: UUID) -> ResponseReturnValue:
    """Answer the page that asks again while messages go out."""
    with reading() as session:
        line = records.run(session, actor(), broadcast_id)
    answer = make_response(render_template("broadcasts/sms/_summary.html", line=line, pause=_pause(line)))
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.add_etag()
    return answer.make_conditional(request)


@bp.post("/sms/<uuid:broadcast_id>/resume")
@see_residents
def resume(broadcast_id: UUID) -> ResponseReturnValue:
    """Let a run go on that stood still."""
    with work() as session:
        outbox.resume(session, actor(), broadcast_id, now=now())
    runtime().get(Pumps).kick()
    return redirect(url_for("sms.show_run", broadcast_id=broadcast_id))


@bp.post("/sms/<uuid:broadcast_id>/resend")
@see_residents
def resend(broadcast_id: UUID) -> ResponseReturnValue:
    """Send once more to everybody of whom nobody knows whether they got it."""
    with work() as session:
        people = outbox.resend_unknown(session, actor(), broadcast_id, expires_at=now() + RESEND_LASTS, now=now())
    runtime().get(Pumps).kick()
    flash(ngettext("正在给 %(num)s 个人补发。", "正在给 %(num)s 个人补发。", people), "ok")
    return redirect(url_for("sms.show_run", broadcast_id=broadcast_id))


@bp.get("/sms/phones")
@see_residents
def phones() -> ResponseReturnValue:
    """Show the simulated phones."""
    return _phones_page()


@bp.post("/sms/phones/switches")
@see_residents
def throw_switches() -> ResponseReturnValue:
    """Make the simulated network behave otherwise."""
    _local()
    try:
        wanted = simulation.wanted_in(request.form)
    except BadInput as error:
        return _phones_page({error.field: explain(error, language())}), 422
    with work() as session:
        simulation.switch(session, actor(), wanted, demo=_demo(), now=now())
    return redirect(url_for("sms.phones"))


@bp.get("/sms/phones/<key>")
@see_residents
def phone(key: str) -> ResponseReturnValue:
    """Show one simulated phone, with room to write from it."""
    return _phone_page(key)


@bp.post("/sms/phones/<key>/reply")
@see_residents
def reply(key: str) -> ResponseReturnValue:
    """Write to the hub from a simulated phone."""
    _local()
    text = request.form.get("text", "")
    try:
        with work() as session:
            local_phones.answer(session, actor(), key, text, safe=runtime().get(PhoneSafe), now=now())
    except BadInput as error:
        return _phone_page(key, text, {error.field: explain(error, language())}), 422
    return redirect(url_for("sms.phone", key=key))


def _phones_page(errors: dict[str, str] | None = None) -> str:
    _local()
    before = forms.number(request.args, "before")
    with reading() as session:
        found = local_phones.phones(session, actor(), before=before or None, limit=PHONES, each=3)
        places = regions.village_names(session, (p.region_path for p in found))
        switches = read_switches(session)
    return render_template(
        "broadcasts/sms/phones.html",
        phones=found,
        places=places,
        more=found[-1].bubbles[-1].id if len(found) == PHONES else 0,
        first=not before,
        switches=switches,
        typed=request.form,
        may_switch=simulation.may_switch(actor(), demo=_demo()),
        errors=errors or {},
    )


def _phone_page(key: str, text: str = "", errors: dict[str, str] | None = None) -> str:
    _local()
    with reading() as session:
        found = local_phones.phone(session, actor(), key)
        places = regions.village_names(session, [found.region_path])
    return render_template("broadcasts/sms/phone.html", phone=found, places=places, text=text, errors=errors or {})


def _reasons() -> dict[str, str]:
    return {reason.value: sentence(f"sms_reason_{reason.value}", language()) for reason in Reason}


def _pause(line: RunLine) -> str:
    """Return why a run stands still; empty when it does not."""
    if not line.paused_reason:
        return ""
    return sentence(f"sms_paused_{line.paused_reason}", language(), code=line.paused_code)


def _local() -> None:
    if not runtime().get(SmsProvider).named(LOCAL):
        raise NotFound("sms_phone_unknown")


def _demo() -> bool:
    return runtime().settings.mode == "demo"


def _gateway() -> dict[str, object]:
    return {"simulated": runtime().get(SmsProvider).simulated}

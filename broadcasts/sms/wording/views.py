"""短信模板 and 试发手机: ready-made texts with what providers say of them, and the unit's own telephones."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from broadcasts.sms.gateways.filed import spelled
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.segments import measure, signed
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.wording import templates, trying
from broadcasts.sms.wording.objecting import objected
from broadcasts.sms.wording_models import FilingState
from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound
from hub.core.runtime import Runtime, runtime
from hub.residents.phones import PhoneSafe
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, Part, lazy_gettext
from hub.web.work import actor, now, reading, work

bp = Blueprint("sms_wording", __name__)
writes = permission_required(Permission.COMPOSE)
PAGE = "broadcasts/sms/templates.html"


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    entry = Entry(
        "sms-templates",
        lazy_gettext("短信模板"),
        "edit",
        "sms_wording.every",
        Permission.COMPOSE,
        4,
        34,
        part=Part.TEXTS,
        about=lazy_gettext("报给短信公司批过的话，试发用的手机"),
    )
    runtime.get(Menu).add(entry)


@bp.get("/sms/templates")
@writes
def every() -> ResponseReturnValue:
    """List ready-made texts and the unit's own telephones."""
    return _page()


@bp.post("/sms/templates/pack")
@writes
def take_pack() -> ResponseReturnValue:
    """Put the pack in."""
    with work() as session:
        count = templates.start_with_pack(session, actor(), now=now())
    flash(ngettext("加了 %(num)s 条模板。", "加了 %(num)s 条模板。", count), "ok")
    return redirect(url_for("sms_wording.every"))


@bp.get("/sms/templates/<uuid:template_id>")
@writes
def one(template_id: UUID) -> ResponseReturnValue:
    """Show one text to be changed, with what providers say of it."""
    return _one_page(template_id, {})


@bp.post("/sms/templates/save")
@writes
def save() -> ResponseReturnValue:
    """Write a text, or change one."""
    form = request.form
    template_id = UUID(form["id"]) if form.get("id") else None
    try:
        with work() as session:
            found = templates.save(
                session,
                actor(),
                template_id,
                form.get("title", ""),
                form.get("topic", ""),
                form.get("text", ""),
                now=now(),
            )
    except BadInput as error:
        page = _one_page(template_id, mistakes(error)) if template_id else _page(mistakes(error))
        return page, 422
    _forget()
    flash(gettext("存好了。"), "ok")
    return redirect(url_for("sms_wording.one", template_id=found.id))


@bp.post("/sms/templates/<uuid:template_id>/filing")
@writes
def file(template_id: UUID) -> ResponseReturnValue:
    """Note what a provider says."""
    form = request.form
    wanted = form.get("state", "")
    state = FilingState(wanted) if wanted in set(FilingState) else FilingState.DRAFT
    provider = form.get("provider", "")
    gateway = runtime().get(SmsProvider).named(provider)
    if gateway is None:
        raise NotFound("sms_template_unknown")
    try:
        with work() as session:
            templates.file(
                session,
                actor(),
                template_id,
                provider,
                state,
                code=form.get("code", ""),
                note=form.get("note", ""),
                coded=not gateway.caps.free_text,
                now=now(),
            )
    except BadInput as error:
        return _one_page(template_id, mistakes(error)), 422
    _forget()
    flash(gettext("记下了。"), "ok")
    return redirect(url_for("sms_wording.one", template_id=template_id))


@bp.post("/sms/templates/<uuid:template_id>/remove")
@writes
def remove(template_id: UUID) -> ResponseReturnValue:
    """Take a text away."""
    with work() as session:
        templates.remove(session, actor(), template_id, now=now())
    _forget()
    flash(gettext("删掉了。"), "ok")
    return redirect(url_for("sms_wording.every"))


@bp.post("/sms/test-phones")
@writes
def add_phone() -> ResponseReturnValue:
    """Put a telephone into the test group."""
    try:
        with work() as session:
            name, phone = request.form.get("name", ""), request.form.get("phone", "")
            trying.add(session, actor(), name, phone, safe=runtime().get(PhoneSafe), now=now())
    except BadInput as error:
        return _page(mistakes(error)), 422
    flash(gettext("加上了。试发只发到这几部手机。"), "ok")
    return redirect(url_for("sms_wording.every"))


@bp.post("/sms/test-phones/<uuid:phone_id>/remove")
@writes
def remove_phone(phone_id: UUID) -> ResponseReturnValue:
    """Take a telephone out of the test group."""
    with work() as session:
        trying.remove(session, actor(), phone_id, now=now())
    return redirect(url_for("sms_wording.every"))


def _forget() -> None:
    """Let the gateways look anew at which texts are approved."""
    filed = runtime().get(SmsProvider).filed
    if filed is not None:
        filed.forget()


def _page(errors: dict[str, str] | None = None) -> str:
    with reading() as session:
        found = templates.every(session)
        phones = trying.group(session, actor())
    return render_template(
        PAGE,
        kept=found,
        pack=len({title for title, _, _ in templates.pack()} - {one.template.title for one in found}),
        phones=phones,
        most=trying.MOST,
        gateways=[gateway.name for gateway in runtime().get(SmsProvider).gateways if not gateway.caps.free_text],
        may_edit=templates.may_edit(actor()),
        typed=request.form,
        errors=errors or {},
    )


def _one_page(template_id: UUID, errors: dict[str, str]) -> str:
    settings = runtime().config.section(SmsSettings)
    with reading() as session:
        templates.get(session, template_id)
        (kept,) = [one for one in templates.every(session) if one.template.id == template_id]
    provider = runtime().get(SmsProvider)
    coded = [one for one in provider.gateways if not one.caps.free_text]
    text = request.form.get("text", kept.template.text)
    return render_template(
        "broadcasts/sms/template.html",
        kept=kept,
        length=measure(signed(text, settings.signature), settings.usual_counting),
        objected=objected(provider, text, settings, language()),
        gateways=[(g.name, spelled(kept.template.text, g.caps.blank)) for g in coded],
        free=[one.name for one in provider.gateways if one.caps.free_text],
        refused=request.form.get("provider", ""),
        may_edit=templates.may_edit(actor()),
        typed=request.form,
        errors=errors,
    )

"""Residents: list, one, add, import."""

from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.residents import blocking, exporting, import_views, listing, searching, service, tag_views, topics
from hub.residents.erasing import Erasure
from hub.residents.forms import Filter, ResidentForm
from hub.residents.looks import Looks
from hub.residents.models import BlockReason, Resident
from hub.residents.phones import PhoneSafe
from hub.residents.shown import shows_residents
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu
from hub.web.words import sentence
from hub.web.work import actor, now, reading, work

bp = Blueprint("residents", __name__)
bp.register_blueprint(import_views.bp)
bp.register_blueprint(tag_views.bp)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="residents",
            label=lazy_gettext("居民与分组"),
            icon="users",
            endpoint="residents.every",
            permission=Permission.SEE_RESIDENTS,
            group=2,
            position=20,
        )
    )


# ---- the list and one resident


@bp.get("/residents")
@permission_required(Permission.SEE_RESIDENTS)
@shows_residents("residents.look")
def every() -> ResponseReturnValue:
    """List them in the order of the tree."""
    return _list_page(Filter.read(request.args), {})


@bp.post("/residents/by-number")
@permission_required(Permission.SEE_RESIDENTS)
@shows_residents("residents.look")
def by_number() -> ResponseReturnValue:
    """Find somebody by number: by POST, so that the number stands in no address and no log."""
    try:
        with reading() as session:
            found = listing.by_number(session, actor(), request.form.get("number", ""), safe=_safe())
    except BadInput as error:
        return _list_page(Filter(), {"number": mistakes(error)[error.field]}), 422
    if len(found) == 1:
        return redirect(url_for("residents.one", resident_id=found[0].id))
    if not found:
        return _list_page(Filter(), {"number": sentence("number_nobodys", language())}), 404
    return _list_page(Filter(), {}, only=found)


def _list_page(wanted: Filter, errors: dict[str, str], only: tuple[Resident, ...] | None = None) -> str:
    with reading() as session:
        page = listing.page(session, actor(), wanted, safe=_safe())
        if only is not None:
            page = listing.just_these(session, page, only)
    return render_template(
        "hub/residents/every.html",
        page=page,
        wanted=wanted,
        errors=errors,
        by_number=only is not None,
        may_edit=actor().may_somewhere(Permission.EDIT_RESIDENTS),
    )


@bp.get("/residents/new")
@permission_required(Permission.EDIT_RESIDENTS)
def new() -> ResponseReturnValue:
    """Show the form for somebody new."""
    return _new_page(ResidentForm(region=request.args.get("region", "")), {})


@bp.post("/residents/new")
@permission_required(Permission.EDIT_RESIDENTS)
def add() -> ResponseReturnValue:
    """Put somebody on the list."""
    form = ResidentForm.read(request.form)
    try:
        with work() as session:
            service.add_resident(session, actor(), form.given(), safe=_safe(), now=now())
    except BadInput as error:
        return _new_page(form, mistakes(error)), 422
    flash(gettext("%(name)s加上了。", name=form.name), "ok")
    return redirect(url_for("residents.every", region=form.region[:12]))


def _new_page(form: ResidentForm, errors: dict[str, str]) -> str:
    with reading() as session:
        homes, tags = listing.homes(session, actor()), searching.tags_in_use(session, actor())
    return render_template("hub/residents/new.html", form=form, errors=errors, homes=homes, tags=tags)


@bp.get("/residents/<uuid:resident_id>")
@permission_required(Permission.SEE_RESIDENTS)
def one(resident_id: UUID) -> ResponseReturnValue:
    """Show somebody, and write down who looked."""
    looks, who = runtime().get(Looks), actor().id
    if looks.is_due(who, str(resident_id), now=now()):
        try:
            with work() as session:
                service.note_look(session, actor(), resident_id, now=now())
        except Exception:
            looks.forget(who, str(resident_id))
            raise
    return _page(resident_id, None, {})


@bp.post("/residents/<uuid:resident_id>")
@permission_required(Permission.EDIT_RESIDENTS)
def update(resident_id: UUID) -> ResponseReturnValue:
    """Change what is known of somebody."""
    form = ResidentForm.read(request.form)
    try:
        with work() as session:
            service.update_resident(session, actor(), resident_id, form.given(), safe=_safe(), now=now())
    except BadInput as error:
        return _page(resident_id, form, mistakes(error)), 422
    flash(gettext("存好了。"), "ok")
    return redirect(url_for("residents.one", resident_id=resident_id))


@bp.post("/residents/<uuid:resident_id>/remove")
@permission_required(Permission.EDIT_RESIDENTS)
def remove(resident_id: UUID) -> ResponseReturnValue:
    """Take somebody off the list; when they ask for it, out of every record."""
    everywhere = request.form.get("everywhere") == "1"
    with work() as session:
        if everywhere:
            runtime().get(Erasure).erase(session, actor(), resident_id, now=now())
        else:
            service.remove_resident(session, actor(), resident_id, now=now())
    flash(
        gettext("全抹掉了，短信记录里的号码和来信也没了。")
        if everywhere
        else gettext("删掉了，名字、电话和标签都没了。"),
        "ok",
    )
    return redirect(url_for("residents.every"))


@bp.post("/residents/export")
@permission_required(Permission.SEE_RESIDENTS)
def export() -> ResponseReturnValue:
    """Hand the list out as a file. Why is asked and written into the log."""
    form = request.form
    try:
        with work() as session:
            data = exporting.export(
                session,
                actor(),
                region=form.get("region", ""),
                tag=form.get("tag", ""),
                without_mobile=form.get("mobile", "") == "none",
                whole_numbers=form.get("whole_numbers") == "1",
                reason=form.get("reason", ""),
                safe=_safe(),
                now=now(),
            )
    except BadInput as error:
        return _list_page(Filter.read(form), mistakes(error)), 422
    headers = {"Content-Disposition": 'attachment; filename="residents.csv"', "Cache-Control": "no-store"}
    return Response(data, mimetype="text/csv", headers=headers)


@bp.post("/residents/<uuid:resident_id>/phones/<uuid:phone_id>/block")
@permission_required(Permission.EDIT_RESIDENTS)
def block(resident_id: UUID, phone_id: UUID) -> ResponseReturnValue:
    """Send nothing more to a number."""
    wrong = request.form.get("reason") == BlockReason.WRONG_NUMBER.value
    reason = BlockReason.WRONG_NUMBER if wrong else BlockReason.OPTED_OUT
    with work() as session:
        blocking.opt_out(session, actor(), phone_id, reason, now=now())
    words = gettext("这个号码不再发短信。") if wrong else gettext("这个号码只在应急时发短信。")
    flash(words, "ok")
    return redirect(url_for("residents.one", resident_id=resident_id))


@bp.post("/residents/<uuid:resident_id>/phones/<uuid:phone_id>/unblock")
@permission_required(Permission.EDIT_RESIDENTS)
def unblock(resident_id: UUID, phone_id: UUID) -> ResponseReturnValue:
    """Write to a number again."""
    with work() as session:
        blocking.unblock(session, actor(), phone_id, now=now())
    flash(gettext("这个号码又能收短信了。"), "ok")
    return redirect(url_for("residents.one", resident_id=resident_id))


def _page(resident_id: UUID, form: ResidentForm | None, errors: dict[str, str]) -> str:
    with reading() as session:
        resident, blocked = blocking.get_with_blocks(session, actor(), resident_id)
        homes, tags = listing.homes(session, actor()), searching.tags_in_use(session, actor())
        place = listing.places(session, [resident])[resident.region_path]
        household = service.household_of(session, actor(), resident)
        left = topics.left_by(session, (phone.index for phone in resident.phones))
        form = form or ResidentForm.of(resident)
    return render_template(
        "hub/residents/one.html",
        resident=resident,
        place=place,
        blocked=blocked,
        left=left,
        household=household,
        form=form,
        errors=errors,
        homes=homes,
        tags=tags,
        may_edit=actor().may(Permission.EDIT_RESIDENTS, resident.region_path),
    )


def _safe() -> PhoneSafe:
    return runtime().get(PhoneSafe)

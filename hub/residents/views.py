"""Residents: list, one, add, import."""

from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound, NotSignedIn
from hub.core.runtime import Runtime, runtime
from hub.regions.lookup import places_for
from hub.residents import importing, intake, listing, service, topics
from hub.residents.forms import Filter, ResidentForm, sent_file
from hub.residents.importing import CellProblem, ImportPlan
from hub.residents.models import BlockReason, Resident
from hub.residents.phones import PhoneSafe
from hub.residents.preview import preview
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu
from hub.web.spreadsheets import MAX_ROWS
from hub.web.uploads import Uploads
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work

bp = Blueprint("residents", __name__)


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
def every() -> ResponseReturnValue:
    """List them in the order of the tree."""
    return _list_page(Filter.read(request.args), {})


@bp.post("/residents/by-number")
@permission_required(Permission.SEE_RESIDENTS)
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
        homes, tags = listing.homes(session, actor()), service.tags_in_use(session, actor())
    return render_template("hub/residents/new.html", form=form, errors=errors, homes=homes, tags=tags)


@bp.get("/residents/<uuid:resident_id>")
@permission_required(Permission.SEE_RESIDENTS)
def one(resident_id: UUID) -> ResponseReturnValue:
    """Show somebody."""
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
    """Take somebody off the list."""
    with work() as session:
        service.remove_resident(session, actor(), resident_id, now=now())
    flash(gettext("删掉了，名字、电话和标签都没了。"), "ok")
    return redirect(url_for("residents.every"))


@bp.post("/residents/<uuid:resident_id>/phones/<uuid:phone_id>/block")
@permission_required(Permission.EDIT_RESIDENTS)
def block(resident_id: UUID, phone_id: UUID) -> ResponseReturnValue:
    """Send nothing more to a number."""
    wrong = request.form.get("reason") == BlockReason.WRONG_NUMBER.value
    reason = BlockReason.WRONG_NUMBER if wrong else BlockReason.OPTED_OUT
    with work() as session:
        service.opt_out(session, actor(), phone_id, reason, now=now())
    words = gettext("这个号码不再发短信。") if wrong else gettext("这个号码只在应急时发短信。")
    flash(words, "ok")
    return redirect(url_for("residents.one", resident_id=resident_id))


@bp.post("/residents/<uuid:resident_id>/phones/<uuid:phone_id>/unblock")
@permission_required(Permission.EDIT_RESIDENTS)
def unblock(resident_id: UUID, phone_id: UUID) -> ResponseReturnValue:
    """Write to a number again."""
    with work() as session:
        service.unblock(session, actor(), phone_id, now=now())
    flash(gettext("这个号码又能收短信了。"), "ok")
    return redirect(url_for("residents.one", resident_id=resident_id))


def _page(resident_id: UUID, form: ResidentForm | None, errors: dict[str, str]) -> str:
    with reading() as session:
        resident, blocked = service.get_with_blocks(session, actor(), resident_id)
        homes, tags = listing.homes(session, actor()), service.tags_in_use(session, actor())
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


# ---- import


@bp.get("/residents/import")
@permission_required(Permission.EDIT_RESIDENTS)
def choose_file() -> ResponseReturnValue:
    """Show what a file must look like, and ask for one."""
    return _file_page({})


@bp.post("/residents/import")
@permission_required(Permission.EDIT_RESIDENTS)
def upload() -> ResponseReturnValue:
    """Read a file and show what is in it; nothing is written yet."""
    try:
        data = sent_file(request.files)
        _read(data)
    except BadInput as error:
        return _file_page(mistakes(error)), 422
    token = _uploads().keep(_owner(), data, now=now())
    return redirect(url_for("residents.look", token=token))


@bp.get("/residents/import/<token>")
@permission_required(Permission.EDIT_RESIDENTS)
def look(token: str) -> ResponseReturnValue:
    """Show what would be imported and what is wrong."""
    try:
        plan = _kept(token)
    except (NotFound, BadInput) as error:
        return _file_page({"file": explain(error, language())}), error.status
    return render_template("hub/residents/preview.html", page=preview(plan, _explain), token=token)


@bp.post("/residents/import/<token>")
@permission_required(Permission.EDIT_RESIDENTS)
def import_file(token: str) -> ResponseReturnValue:
    """Write the good rows; keep the wrong ones for the file that says why."""
    try:
        plan = _kept(token)
    except NotFound as error:
        return _file_page({"file": explain(error, language())}), error.status
    with work() as session:
        done = intake.import_rows(session, actor(), plan, safe=_safe(), now=now())
    _uploads().drop(_owner(), token)
    rest = ""
    if plan.problems:
        rest = _uploads().keep(_owner(), importing.error_file(plan, _explain), now=now())
    return render_template("hub/residents/imported.html", done=done, token=rest)


@bp.get("/residents/import/<token>/errors.csv")
@permission_required(Permission.EDIT_RESIDENTS)
def error_file(token: str) -> ResponseReturnValue:
    """Hand out the wrong rows with a column that says why."""
    return _download(importing.error_file(_kept(token), _explain), "import-errors.csv")


@bp.get("/residents/import/template.csv")
@permission_required(Permission.EDIT_RESIDENTS)
def example_file() -> ResponseReturnValue:
    """Hand out an empty file with the right columns."""
    return _download(importing.example_file(), "residents.csv")


def _file_page(errors: dict[str, str]) -> str:
    return render_template("hub/residents/import.html", errors=errors, columns=importing.COLUMNS, most=MAX_ROWS)


def _kept(token: str) -> ImportPlan:
    return _read(_uploads().read(_owner(), token, now=now()))


def _read(data: bytes) -> ImportPlan:
    with reading() as session:
        places = places_for(session, actor(), Permission.EDIT_RESIDENTS)
    return importing.read(data, places)


def _explain(problem: CellProblem) -> str:
    return sentence(problem.code, language(), **problem.params)


def _download(data: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, mimetype="text/csv", headers=headers)


def _uploads() -> Uploads:
    return runtime().get(Uploads)


def _safe() -> PhoneSafe:
    return runtime().get(PhoneSafe)


def _owner() -> UUID:
    owner = actor().id
    if owner is None:
        raise NotSignedIn("sign_in_needed")
    return owner

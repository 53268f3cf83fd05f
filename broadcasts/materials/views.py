"""The library's pages: look, add words, bring a recording, listen, agree."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.approvals.lifecycle import State
from broadcasts.materials import forms, listing, service
from broadcasts.materials.forms import Typed
from broadcasts.materials.models import Material, MaterialKind
from broadcasts.playback import recording
from broadcasts.studio import Studio
from broadcasts.uploads.settings import UploadSettings
from broadcasts.uploads.workshop import Workshop
from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, Unavailable, WrongState
from hub.core.runtime import Runtime, runtime
from hub.web.errors import is_fragment, mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.paging import place_in_address
from hub.web.words import explain
from hub.web.work import actor, now, reading, work

bp = Blueprint("materials", __name__)
PAGES = "broadcasts/materials"
SLACK = 64 * 1024
"""A form around a recording."""


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="materials",
            label=lazy_gettext("内容库"),
            icon="list-check",
            endpoint="materials.every",
            permission=Permission.SEE,
            group=1,
            position=5,
        )
    )


@bp.url_value_preprocessor
def _make_room(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Let recordings be larger than other forms. This runs before anything looks into the form, CSRF included."""
    if endpoint == "materials.bring":
        request.max_content_length = _settings().most_bytes + SLACK


@bp.errorhandler(413)
def _too_large(error: object) -> ResponseReturnValue:
    """Say how large a recording may be; what was sent beyond that is never read."""
    return _refused(BadInput("recording_too_big", field="recording", most=_settings().max_mb), 413)


@bp.get("/materials")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List the library."""
    sought, after = forms.sought(request.args), place_in_address(request.args.get("after", ""))
    with reading() as session:
        shelf = listing.shelf(session, actor(), sought, today=_today(), after=after)
    return render_template(f"{PAGES}/every.html", shelf=shelf, sought=sought, later=after is not None, **_may())


@bp.get("/materials/new")
@permission_required(Permission.COMPOSE)
def new() -> ResponseReturnValue:
    """Show an empty form for words."""
    return _form(forms.typed(request.args))


@bp.post("/materials")
@permission_required(Permission.COMPOSE)
def add() -> ResponseReturnValue:
    """Keep new words, and hand them in if asked."""
    typed = forms.typed(request.form)
    try:
        typed.raise_mistakes()
        with work() as session:
            material = service.create(session, actor(), typed.draft, now=now())
            _maybe_submit(session, material)
    except BadInput as error:
        return _form(typed, errors=mistakes(error), status=error.status)
    return _kept(material)


@bp.get("/materials/recording")
@permission_required(Permission.COMPOSE)
def upload() -> ResponseReturnValue:
    """Show where a recording is chosen."""
    return _upload({})


@bp.post("/materials/recording")
@permission_required(Permission.COMPOSE)
def bring() -> ResponseReturnValue:
    """Make a recording ready and show it to be heard."""
    try:
        where = url_for("materials.edit", material_id=_bring().id)
    except (BadInput, Unavailable) as error:
        return _refused(error, error.status)
    return jsonify(url=where) if is_fragment() else redirect(where)


@bp.get("/materials/<uuid:material_id>")
@permission_required(Permission.SEE)
def detail(material_id: UUID) -> ResponseReturnValue:
    """Show one material."""
    return _detail(material_id)


@bp.get("/materials/<uuid:material_id>/edit")
@permission_required(Permission.COMPOSE)
def edit(material_id: UUID) -> ResponseReturnValue:
    """Show one's own material to be changed."""
    with reading() as session:
        material = service.own(session, actor(), material_id)
    return _form(forms.of(service.as_draft(material)), material)


@bp.post("/materials/<uuid:material_id>/edit")
@permission_required(Permission.COMPOSE)
def change(material_id: UUID) -> ResponseReturnValue:
    """Keep changes, and hand it in if asked."""
    typed = forms.typed(request.form)
    with reading() as session:
        material = service.own(session, actor(), material_id)
    try:
        typed.raise_mistakes()
        with work() as session:
            material = service.save(session, actor(), material_id, typed.draft, now=now())
            _maybe_submit(session, material)
    except (BadInput, WrongState) as error:
        found = mistakes(error) if isinstance(error, BadInput) else {"": explain(error, language())}
        return _form(typed, material, errors=found, status=error.status)
    return _kept(material)


@bp.get("/materials/<uuid:material_id>/audio")
@permission_required(Permission.SEE)
def audio(material_id: UUID) -> ResponseReturnValue:
    """Answer the recording to whoever may see it."""
    with reading() as session:
        digest = service.get(session, actor(), material_id).audio_sha256
    return recording(digest)


@bp.post("/materials/<uuid:material_id>/approve")
@permission_required(Permission.APPROVE)
def approve(material_id: UUID) -> ResponseReturnValue:
    """Let it be used as it was seen."""
    seen = request.form.get("seen_hash") or "-"
    try:
        with work() as session:
            found = service.approve(
                session,
                actor(),
                material_id,
                seen_hash=seen,
                seen_step=request.form.get("seen_step", type=int),
                today=_today(),
                now=now(),
            )
    except WrongState as error:
        return _detail(material_id, refused=explain(error, language()), status=error.status)
    passed = found.state is State.APPROVED
    flash(gettext("通过了，大家可以用了。") if passed else gettext("你这一审过了，等下一个人审。"), "ok")
    return redirect(url_for("materials.detail", material_id=material_id))


@bp.post("/materials/<uuid:material_id>/return")
@permission_required(Permission.APPROVE)
def give_back(material_id: UUID) -> ResponseReturnValue:
    """Return it to its writer with a reason."""
    try:
        with work() as session:
            service.give_back(session, actor(), material_id, request.form.get("reason", ""), now=now())
    except (BadInput, WrongState) as error:
        return _detail(material_id, refused=explain(error, language()), status=error.status)
    flash(gettext("退回去了，作者能看到原因。"), "ok")
    return redirect(url_for("materials.every", tab="submitted"))


@bp.post("/materials/<uuid:material_id>/withdraw")
@permission_required(Permission.SEE)
def withdraw(material_id: UUID) -> ResponseReturnValue:
    """Take it out for good."""
    with work() as session:
        service.withdraw(session, actor(), material_id, now=now())
    flash(gettext("拿掉了，以后不能再用。"), "ok")
    return redirect(url_for("materials.every"))


def _bring() -> Material:
    hub, typed = runtime(), forms.typed(request.form)
    sent = request.files.get("recording")
    if sent is None or not sent.filename:
        raise BadInput("recording_missing", field="recording")
    with closing(sent):
        made = hub.get(Workshop).take(sent.stream, manner=typed.manner)  # type: ignore[arg-type]
    digest = hub.get(Studio).library.take_in(made.encoded)
    draft = forms.named_after(typed.draft, sent.filename)
    with work() as session:
        return service.bring(
            session,
            actor(),
            draft,
            manner=typed.manner,
            sha256=digest,
            ms=made.ms,
            size=len(made.encoded),
            peaks=made.peaks,
            now=now(),
        )


def _maybe_submit(session: Any, material: Material) -> None:
    if request.form.get("do") == "submit":
        service.submit(session, actor(), material.id, today=_today(), now=now())


def _kept(material: Material) -> ResponseReturnValue:
    flash(
        gettext("交上去了，别人看过通过了就能用。") if material.state is State.SUBMITTED else gettext("存好了。"), "ok"
    )
    return redirect(url_for("materials.detail", material_id=material.id))


def _refused(error: HubError, status: int) -> ResponseReturnValue:
    found = mistakes(error) if isinstance(error, BadInput) else {"": explain(error, language())}
    if is_fragment():
        return jsonify(note=" ".join(found.values()), code=error.code), status
    return _upload(found, status=status)


def _upload(errors: Mapping[str, str], *, status: int = 200) -> ResponseReturnValue:
    return render_template(f"{PAGES}/upload.html", errors=errors, limits=_settings()), status


def _form(
    typed: Typed, material: Material | None = None, *, errors: Mapping[str, str] | None = None, status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        homes = listing.homes(session, actor())
    recording = material is not None and material.kind is MaterialKind.RECORDING
    return render_template(
        f"{PAGES}/form.html", typed=typed, material=material, recording=recording, homes=homes, errors=errors or {}
    ), status


def _detail(material_id: UUID, *, refused: str = "", status: int = 200) -> ResponseReturnValue:
    with reading() as session:
        page = listing.detail(session, actor(), material_id, today=_today())
    return render_template(f"{PAGES}/detail.html", page=page, refused=refused), status


def _may() -> dict[str, bool]:
    return {"may_write": actor().may_somewhere(Permission.COMPOSE)}


def _settings() -> UploadSettings:
    return runtime().config.section(UploadSettings)


def _today() -> Any:
    return now().astimezone(runtime().zone).date()

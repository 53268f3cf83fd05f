"""Loudspeakers: list, one, add, how it sounds, where it hangs, what is asked of it."""

from urllib.parse import quote, urlsplit

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext

from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, Unavailable
from hub.core.runtime import Runtime, runtime
from hub.regions.facts import silencing_of
from hub.speakers import listing, registry, showing
from hub.speakers import volume as volumes
from hub.speakers.care import asking, attention, patrol, repairs, setup
from hub.speakers.care.models import Deed
from hub.speakers.forms import Filter, NewSpeaker, PlaceForm, SoundForm, chosen, volume
from hub.speakers.joining import desk as joining
from hub.speakers.station import Station
from hub.web.errors import is_fragment, mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu
from hub.web.words import explain
from hub.web.work import actor, now, reading, work

bp = Blueprint("speakers", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="speakers",
            label=lazy_gettext("喇叭设备"),
            icon="device-speaker",
            endpoint="speakers.every",
            permission=Permission.SEE,
            group=2,
            position=10,
            badge=lambda session, actor: attention.count(session, actor, now=now()),
        )
    )


# ---- the list


@bp.get("/speakers")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List them, failing first."""
    return _list_page(Filter.read(request.args), {})


@bp.post("/speakers/bulk")
@permission_required(Permission.EDIT_SPEAKERS)
def bulk() -> ResponseReturnValue:
    """Say what would be done to how many, and do it when that number is confirmed."""
    wanted, ticked, deed = Filter.read(request.form), chosen(request.form), request.form.get("deed", "")
    try:
        level = volume(request.form) if deed == "volume" else None
        with reading() as session:
            ids = ticked or listing.ids_matching(session, actor(), wanted)
    except BadInput as error:
        return _list_page(wanted, mistakes(error)), 422
    if not ids:
        return _list_page(wanted, {"": gettext("没有选到喇叭。")}), 422
    if request.form.get("count") != str(len(ids)):
        asked_before = "count" in request.form
        return render_template(
            "hub/speakers/bulk.html",
            wanted=wanted,
            ticked=ticked,
            count=len(ids),
            deed=deed,
            level=level,
            changed=asked_before,
        )
    return _do_to_all(ids, deed, level, wanted)


def _do_to_all(ids: list[str], deed: str, level: int | None, wanted: Filter) -> ResponseReturnValue:
    with work() as session:
        if deed == "volume" and level is not None:
            done = volumes.change_many(session, actor(), ids, level, now=now())
            words = ngettext(
                "%(num)s 只的音量改了，一分钟内陆续生效。", "%(num)s 只的音量改了，一分钟内陆续生效。", done
            )
        else:
            done = patrol.want(session, actor(), speaker_ids=ids, now=now())
            words = ngettext(
                "%(num)s 只开始自检，不出声，结果在“巡检”里看。", "%(num)s 只开始自检，不出声，结果在“巡检”里看。", done
            )
    flash(words, "ok")
    return redirect(wanted.address(url_for("speakers.every")))


def _list_page(wanted: Filter, errors: dict[str, str]) -> str:
    with reading() as session:
        page = listing.page(session, actor(), wanted)
    return render_template(
        "hub/speakers/every.html",
        page=page,
        wanted=wanted,
        errors=errors,
        Show=listing.Show,
        may_edit=_may_edit(),
        silence=silencing_of(runtime(), actor(), page.path) if page.path else "",
    )


# ---- one of them


@bp.get("/speakers/<speaker_id>")
@permission_required(Permission.SEE)
def one(speaker_id: str) -> ResponseReturnValue:
    """Show one; its state alone when a page asks for fresh news."""
    if not is_fragment():
        return _page(speaker_id)
    with reading() as session:
        state = showing.state(session, actor(), speaker_id, now=now())
    answer = make_response(render_template("hub/speakers/_state.html", state=state))
    answer.add_etag()
    return answer.make_conditional(request)


@bp.post("/speakers/<speaker_id>/volume")
@permission_required(Permission.EDIT_SPEAKERS)
def set_volume(speaker_id: str) -> ResponseReturnValue:
    """Change the volume of ordinary announcements."""
    given = request.form.get("volume", "")
    try:
        speaker = volumes.change(runtime(), actor(), speaker_id, volume(request.form))
    except BadInput as error:
        return _page(speaker_id, mistakes(error), given=given), 422
    except Unavailable as error:
        return _page(speaker_id, {"volume": explain(error, language())}, given=given), error.status
    words = gettext("音量改成 %(n)s 了。", n=speaker.volume)
    flash(words if speaker.online else words + gettext("喇叭现在离线，连上后自己会改。"), "ok")
    return _back(speaker_id)


@bp.post("/speakers/<speaker_id>/sound")
@permission_required(Permission.EDIT_SPEAKERS)
def set_sound(speaker_id: str) -> ResponseReturnValue:
    """Set volumes by the time of day, lead-in and drill."""
    form = SoundForm.read(request.form)
    try:
        with work() as session:
            speaker = setup.set_sound(session, actor(), speaker_id, form.sound(), now=now())
    except BadInput as error:
        return _page(speaker_id, mistakes(error), sound=form), 422
    runtime().get(Station).publish_settings([speaker.id])
    words = gettext("存好了，马上告诉喇叭。") if speaker.online else gettext("存好了。喇叭现在离线，连上后自己会改。")
    flash(words, "ok")
    return _back(speaker_id)


@bp.post("/speakers/<speaker_id>/place")
@permission_required(Permission.EDIT_SPEAKERS)
def set_place(speaker_id: str) -> ResponseReturnValue:
    """Correct what is known about where it hangs."""
    form = PlaceForm.read(request.form)
    try:
        with work() as session:
            setup.set_place(session, actor(), speaker_id, form.meant(), now=now())
    except BadInput as error:
        return _page(speaker_id, mistakes(error), place=form), 422
    flash(gettext("存好了。"), "ok")
    return _back(speaker_id)


@bp.post("/speakers/<speaker_id>/ask")
@permission_required(Permission.EDIT_SPEAKERS)
def ask(speaker_id: str) -> ResponseReturnValue:
    """Send a test, three seconds of sound, or a restart."""
    deeds = {deed.value: deed for deed in (Deed.TEST, Deed.SOUND, Deed.RESTART)}
    deed = deeds.get(request.form.get("deed", ""))
    if deed is None:
        raise BadInput("deed_unknown", field="deed")
    try:
        asking.ask(runtime(), actor(), speaker_id, deed)
    except (NotFound, NotAllowed):
        raise
    except HubError as error:
        return _page(speaker_id, {"": explain(error, language())}), error.status
    return redirect(url_for("speakers.one", speaker_id=speaker_id, _anchor="state"))


@bp.post("/speakers/<speaker_id>/repair")
@permission_required(Permission.SEE)
def report(speaker_id: str) -> ResponseReturnValue:
    """Report it for repair."""
    what = request.form.get("what", "")
    try:
        with work() as session:
            repairs.open_repair(session, actor(), speaker_id, what, now=now())
    except BadInput as error:
        return _page(speaker_id, mistakes(error), what=what), 422
    flash(gettext("报修单开好了。"), "ok")
    return redirect(url_for("speakers.one", speaker_id=speaker_id, _anchor="repair"))


@bp.post("/speakers/<speaker_id>/retire")
@permission_required(Permission.EDIT_SPEAKERS)
def retire(speaker_id: str) -> ResponseReturnValue:
    """Take it out of service and shut the broker's door to it."""
    speaker = joining.retire(runtime(), actor(), speaker_id)
    flash(gettext("%(name)s（%(id)s）停用了。", name=speaker.name, id=speaker_id), "ok")
    return redirect(url_for("speakers.every"))


def _back(speaker_id: str) -> ResponseReturnValue:
    return redirect(url_for("speakers.one", speaker_id=speaker_id))


def _page(
    speaker_id: str,
    errors: dict[str, str] | None = None,
    *,
    given: str | None = None,
    sound: SoundForm | None = None,
    place: PlaceForm | None = None,
    what: str = "",
) -> str:
    with reading() as session:
        page = showing.page(runtime(), session, actor(), speaker_id)
    return render_template(
        "hub/speakers/one.html",
        page=page,
        state=page.now,
        speaker=page.speaker,
        errors=errors or {},
        volume=page.speaker.volume if given is None else given,
        sound=sound or SoundForm.of(page.speaker),
        place_form=place or PlaceForm.of(page.speaker),
        place_open=place is not None,
        sound_open=sound is not None,
        what=what,
    )


# ---- a new one by device file


@bp.get("/speakers/new")
@permission_required(Permission.EDIT_SPEAKERS)
def new() -> ResponseReturnValue:
    """Show the form for a new one."""
    return _new_page(NewSpeaker(region_code=request.args.get("region", ""), broker_host=_our_host()), {})


@bp.post("/speakers/new")
@permission_required(Permission.EDIT_SPEAKERS)
def add() -> ResponseReturnValue:
    """Add one and show its device file, this once."""
    form = NewSpeaker.read(request.form)
    try:
        host = form.host()
        with work() as session:
            enrolled = registry.enrol(
                session,
                actor(),
                speaker_id=form.speaker_id,
                name=form.name,
                region_code=form.region_code,
                now=now(),
            )
    except BadInput as error:
        return _new_page(form, mistakes(error)), 422
    return _added_page(enrolled, host)


def _added_page(enrolled: registry.Enrolled, host: str) -> str:
    station = runtime().get(Station)
    station.renew_accounts()
    station.publish_settings([enrolled.speaker.id])
    text = listing.device_file(runtime(), enrolled, host).text()
    address = "data:application/toml;charset=utf-8," + quote(text, safe="")
    return render_template("hub/speakers/added.html", speaker=enrolled.speaker, text=text, address=address)


def _new_page(form: NewSpeaker, errors: dict[str, str]) -> str:
    with reading() as session:
        villages = listing.villages(session, actor())
    return render_template(
        "hub/speakers/new.html",
        form=form,
        errors=errors,
        villages=villages,
        only_here=listing.is_for_this_machine(runtime()),
    )


def _our_host() -> str:
    """Return the hub's address as a loudspeaker probably reaches it."""
    return listing.broker_host(runtime()) or (urlsplit(request.host_url).hostname or "")


def _may_edit() -> bool:
    return actor().may_somewhere(Permission.EDIT_SPEAKERS)

"""Loudspeakers: list, one, add, volume, retire."""

from urllib.parse import quote, urlsplit

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from hub.core.actor import Permission
from hub.core.errors import BadInput, Unavailable
from hub.core.runtime import Runtime, runtime
from hub.speakers import listing, registry
from hub.speakers import volume as volumes
from hub.speakers.forms import Filter, NewSpeaker, volume
from hub.speakers.history import SpeakerHistory
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
            badge=lambda session, actor: registry.count(session, actor).offline,
        )
    )


@bp.get("/speakers")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List them, failing first."""
    wanted = Filter.read(request.args)
    with reading() as session:
        page = listing.page(session, actor(), wanted)
    return render_template("hub/speakers/every.html", page=page, wanted=wanted, may_edit=_may_edit())


@bp.get("/speakers/<speaker_id>")
@permission_required(Permission.SEE)
def one(speaker_id: str) -> ResponseReturnValue:
    """Show one; its state alone when a page asks for fresh news."""
    if not is_fragment():
        return _page(speaker_id, {})
    with reading() as session:
        speaker = registry.get(session, actor(), speaker_id)
    answer = make_response(render_template("hub/speakers/_state.html", speaker=speaker))
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
        return _page(speaker_id, mistakes(error), given), 422
    except Unavailable as error:
        return _page(speaker_id, {"volume": explain(error, language())}, given), error.status
    words = gettext("音量改成 %(n)s 了。", n=speaker.volume)
    flash(words if speaker.online else words + gettext("喇叭现在离线，连上后自己会改。"), "ok")
    return redirect(url_for("speakers.one", speaker_id=speaker_id))


@bp.post("/speakers/<speaker_id>/retire")
@permission_required(Permission.EDIT_SPEAKERS)
def retire(speaker_id: str) -> ResponseReturnValue:
    """Take it out of service and shut the broker's door to it."""
    with work() as session:
        speaker = registry.retire(session, actor(), speaker_id, now=now())
    runtime().get(Station).renew_accounts()
    flash(gettext("%(name)s（%(id)s）停用了。", name=speaker.name, id=speaker_id), "ok")
    return redirect(url_for("speakers.every"))


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


def _page(speaker_id: str, errors: dict[str, str], volume: str | None = None) -> str:
    history = runtime().find(SpeakerHistory)
    with reading() as session:
        speaker = registry.get(session, actor(), speaker_id)
        places = listing.places(session, [speaker])
        events = history.latest(session, actor(), speaker_id) if history else None
    return render_template(
        "hub/speakers/one.html",
        speaker=speaker,
        place=places[speaker.region_path],
        events=events,
        errors=errors,
        volume=speaker.volume if volume is None else volume,
        may_edit=actor().may(Permission.EDIT_SPEAKERS, speaker.region_path),
    )


def _our_host() -> str:
    """Return the hub's address as a loudspeaker probably reaches it."""
    return listing.broker_host(runtime()) or (urlsplit(request.host_url).hostname or "")


def _may_edit() -> bool:
    return actor().may_somewhere(Permission.EDIT_SPEAKERS)

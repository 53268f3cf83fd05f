"""New loudspeakers: who waits, the code that lets one in, labels, moving and replacing."""

from typing import Final

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from pydantic import ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError
from hub.core.runtime import Runtime, runtime
from hub.speakers import listing, registry
from hub.speakers.joining import claims, desk, lists
from hub.speakers.joining.forms import Announcement, JoinForm
from hub.speakers.joining.labels import print_labels
from hub.web.errors import mistakes
from hub.web.guards import csrf, permission_required
from hub.web.limits import JoinsPerMinute
from hub.web.menu import Entry, Menu
from hub.web.work import actor, now, origin, reading, visitor

bp = Blueprint("joining", __name__)
LARGEST: Final = 2048
AGAIN_S: Final = 30
JOINS_PER_MINUTE: Final = 240
"""From one address: behind that of a mobile network may stand a hundred devices."""
STATUS: Final = {"wait": 202, "papers": 200, "gone": 410}


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="joining",
            label=lazy_gettext("新喇叭"),
            icon="plus",
            endpoint="joining.every",
            permission=Permission.EDIT_SPEAKERS,
            group=2,
            position=11,
            badge=lists.count_waiting,
        )
    )


# ---- devices


@bp.post("/join")
def join() -> ResponseReturnValue:
    """Answer a device that asks for its papers. Anybody may ask; only the holder of the code can read the answer."""
    request.max_content_length = LARGEST
    try:
        runtime().get(JoinsPerMinute).take(origin().encode(), now())
        said = Announcement.model_validate_json(request.get_data())
        reply = desk.announce(runtime(), said.device(), origin())
    except RequestEntityTooLarge:
        return jsonify(status="refused", why="too_large"), 413
    except ValidationError:
        return jsonify(status="refused", why="malformed"), 422
    except HubError as error:
        return jsonify(status="refused", why=error.code), error.status, {"Retry-After": str(AGAIN_S)}
    return _reply(reply)


csrf.exempt(join)  # no cookie speaks for anybody here


def _reply(reply: claims.Reply) -> ResponseReturnValue:
    body: dict[str, object] = {"status": reply.kind}
    match reply.kind:
        case "wait":
            body["again_in_s"] = AGAIN_S
        case "papers":
            body["papers"] = reply.papers
        case "gone":
            body["why"] = reply.why
    return jsonify(body), STATUS[reply.kind]


@bp.get("/join")
def scanned() -> ResponseReturnValue:
    """Somebody has scanned a QR code with a phone. The code itself is behind the #, where only the page sees it."""
    person = visitor()
    if person is not None and person.actor.may_somewhere(Permission.EDIT_SPEAKERS):
        return redirect(url_for("joining.every"))
    return render_template("hub/joining/scanned.html", signed_in=person is not None)


# ---- people


@bp.get("/speakers/joining")
@permission_required(Permission.EDIT_SPEAKERS)
def every() -> ResponseReturnValue:
    """Show who waits, and the form for a code."""
    return _page(JoinForm(region_code=request.args.get("region", "")), {})


@bp.post("/speakers/joining/claim")
@permission_required(Permission.EDIT_SPEAKERS)
def claim() -> ResponseReturnValue:
    """Let the device in whose code was typed."""
    form = JoinForm.read(request.form)
    try:
        speaker = desk.offer(runtime(), actor(), form.code, form.place())
    except BadInput as error:
        return _again(form, mistakes(error)), 422
    flash(gettext("认出来了：%(name)s（%(id)s）。它一分钟内会自己连上来。", name=speaker.name, id=speaker.id), "ok")
    return redirect(url_for("joining.every"))


@bp.get("/speakers/joining/codes")
@permission_required(Permission.EDIT_SPEAKERS)
def new_codes() -> ResponseReturnValue:
    """Show the form for new codes."""
    return _codes_page(JoinForm(region_code=request.args.get("region", "")), {})


@bp.post("/speakers/joining/codes")
@permission_required(Permission.EDIT_SPEAKERS)
def make_codes() -> ResponseReturnValue:
    """Make codes and show their labels, this once."""
    form = JoinForm.read(request.form)
    try:
        labels = desk.make_codes(runtime(), actor(), form.place(), form.how_many())
    except BadInput as error:
        page = _replace_page if form.replaces else _codes_page
        return page(form, mistakes(error)), 422
    with reading() as session:
        places = listing.places(session, [label.speaker for label in labels])
    printed = print_labels(labels, runtime().settings.public_url or request.host_url, now().astimezone(runtime().zone))
    return render_template("hub/joining/labels.html", labels=printed, places=places)


@bp.post("/speakers/joining/<claim_id>/dismiss")
@permission_required(Permission.EDIT_SPEAKERS)
def dismiss(claim_id: str) -> ResponseReturnValue:
    """Send a device away or take a code back."""
    desk.dismiss(runtime(), actor(), claim_id)
    flash(gettext("去掉了。"), "ok")
    return redirect(url_for("joining.every"))


@bp.get("/speakers/<speaker_id>/move")
@permission_required(Permission.EDIT_SPEAKERS)
def moving(speaker_id: str) -> ResponseReturnValue:
    """Show the form for a loudspeaker's new place."""
    return _move_page(speaker_id, "", {})


@bp.post("/speakers/<speaker_id>/move")
@permission_required(Permission.EDIT_SPEAKERS)
def move(speaker_id: str) -> ResponseReturnValue:
    """Hang it elsewhere."""
    code = request.form.get("region_code", "")
    try:
        speaker = desk.move(runtime(), actor(), speaker_id, code)
    except BadInput as error:
        return _move_page(speaker_id, code, mistakes(error)), 422
    flash(gettext("%(name)s 换到新地方了。", name=speaker.name), "ok")
    return redirect(url_for("speakers.one", speaker_id=speaker_id))


@bp.get("/speakers/<speaker_id>/replace")
@permission_required(Permission.EDIT_SPEAKERS)
def replacing(speaker_id: str) -> ResponseReturnValue:
    """Show how a new device takes its place."""
    return _replace_page(JoinForm(replaces=speaker_id), {})


def _again(form: JoinForm, errors: dict[str, str]) -> str:
    return _replace_page(form, errors) if form.replaces else _page(form, errors)


def _page(form: JoinForm, errors: dict[str, str]) -> str:
    with reading() as session:
        quarantine = lists.waiting(session, actor())
        offered = lists.offered(session, actor())
        places = listing.places(session, [speaker for _, speaker in offered])
        villages = listing.villages(session, actor())
    return render_template(
        "hub/joining/every.html",
        form=form,
        errors=errors,
        quarantine=quarantine,
        offered=offered,
        places=places,
        villages=villages,
    )


def _codes_page(form: JoinForm, errors: dict[str, str]) -> str:
    with reading() as session:
        villages = listing.villages(session, actor())
    return render_template(
        "hub/joining/codes.html", form=form, errors=errors, villages=villages, most=claims.MOST_CODES
    )


def _move_page(speaker_id: str, code: str, errors: dict[str, str]) -> str:
    with reading() as session:
        speaker = registry.get(session, actor(), speaker_id)
        actor().require(Permission.EDIT_SPEAKERS, speaker.region_path)
        place = listing.places(session, [speaker])[speaker.region_path]
        villages = [each for each in listing.villages(session, actor()) if each[0] != speaker.region_code]
    return render_template(
        "hub/joining/move.html", speaker=speaker, place=place, villages=villages, code=code, errors=errors
    )


def _replace_page(form: JoinForm, errors: dict[str, str]) -> str:
    with reading() as session:
        speaker = claims.replaceable(session, actor(), form.replaces)
        place = listing.places(session, [speaker])[speaker.region_path]
    return render_template("hub/joining/replace.html", speaker=speaker, place=place, form=form, errors=errors)

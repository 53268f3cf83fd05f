"""Speak to a village: record, listen and send; or hold the button and be heard."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from functools import wraps
from io import BytesIO
from typing import Any, BinaryIO, ParamSpec, cast
from uuid import UUID, uuid4

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour
from broadcasts.loudspeaker.orders import Sound
from broadcasts.playback import recording
from broadcasts.pumps import Pumps
from broadcasts.shout import forms, page, service, taking
from broadcasts.shout.desk import LiveDesk
from broadcasts.shout.models import ShoutState
from broadcasts.shout.pieces import PIECE_BYTES
from broadcasts.studio import Studio
from broadcasts.uploads.workshop import Workshop
from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, WrongState
from hub.core.runtime import Runtime, runtime
from hub.speakers.station import Station
from hub.web.errors import is_fragment, mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.words import explain
from hub.web.work import actor, now, reading, work

P = ParamSpec("P")
bp = Blueprint("shout", __name__)
PAGES = "broadcasts/shout"
MICROPHONE = "camera=(), geolocation=(), microphone=(self)"
TITLE_LENGTH = 60
SLACK = 64 * 1024
"""A form around a recording."""
LARGEST = {"shout.take": taking.MOST_BYTES + SLACK, "shout.chunk": PIECE_BYTES}


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="shout",
            label=lazy_gettext("手机喊话"),
            icon="microphone",
            endpoint="shout.desk",
            permission=Permission.SHOUT,
            group=1,
            position=6,
        )
    )


@bp.url_value_preprocessor
def _make_room(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Let recordings be larger than other forms. This runs before anything looks into the form, CSRF included."""
    if endpoint in LARGEST:
        request.max_content_length = LARGEST[endpoint]


def in_words(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Answer a script with a sentence instead of a page when a rule is broken."""

    @wraps(view)
    def told(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        try:
            return view(*args, **kwargs)
        except HubError as error:
            found = mistakes(error) if isinstance(error, BadInput) else {"": explain(error, language())}
            return jsonify(note=" ".join(found.values()), code=error.code), error.status

    return told


@bp.get("/shout")
@permission_required(Permission.SHOUT)
def desk() -> ResponseReturnValue:
    """Show the button, and whom it reaches."""
    with reading() as session:
        codes = forms.chosen(request.args) or page.usual(session, actor())
    return _desk_page(codes)


@bp.post("/shout/reach")
@permission_required(Permission.SHOUT)
def reach() -> ResponseReturnValue:
    """Answer whom the ticked regions reach; the whole page to a browser without JS."""
    if not is_fragment():
        return _desk_page(forms.chosen(request.form))
    with reading() as session:
        found = page.reach(session, actor(), forms.chosen(request.form), rules=runtime().get(Rules), now=now())
    return render_template(f"{PAGES}/_reach.html", reach=found)


@bp.post("/shout/takes")
@permission_required(Permission.SHOUT)
def take() -> ResponseReturnValue:
    """Take a recording, made on this page or brought as a file, and show it to be heard."""
    try:
        where = url_for("shout.listen", shout_id=_take())
    except BadInput as error:
        found = mistakes(error)
        if is_fragment():
            return jsonify(note=" ".join(found.values()), code=error.code), error.status
        return _desk_page(forms.chosen(request.form), errors=found, status=error.status)
    return jsonify(url=where) if is_fragment() else redirect(where)


def _take() -> UUID:
    wish = forms.wish(request.form, _title())
    wish.audience.checked()
    with _recording() as recording:
        made = taking.take_in(runtime().get(Studio).library, runtime().get(Workshop), recording)
    with work() as session:
        return service.prepare(session, actor(), wish, made, now=now()).id


def _recording() -> AbstractContextManager[BinaryIO]:
    sent = request.files.get("recording")
    return closing(cast("BinaryIO", sent.stream) if sent is not None else BytesIO())


@bp.get("/shout/takes/<uuid:shout_id>")
@permission_required(Permission.SHOUT)
def listen(shout_id: UUID) -> ResponseReturnValue:
    """Play the recording to whoever made it, with the button that sends it."""
    return _listen_page(shout_id)


@bp.get("/shout/takes/<uuid:shout_id>/audio")
@permission_required(Permission.SHOUT)
def take_audio(shout_id: UUID) -> ResponseReturnValue:
    """Answer the recording to whoever made it."""
    with reading() as session:
        digest = service.own(session, actor(), shout_id).audio_sha256
    return recording(digest)


@bp.post("/shout/takes/<uuid:shout_id>/send")
@permission_required(Permission.SHOUT)
def send(shout_id: UUID) -> ResponseReturnValue:
    """Let it go out, and show how far it is."""
    given = forms.urgency(request.form)
    try:
        sound = _sound(shout_id, given.colour)
        with work() as session:
            released = service.send(
                session, actor(), shout_id, given, sound, title=_title(), rules=runtime().get(Rules), now=now()
            )
    except (BadInput, WrongState) as error:
        found = mistakes(error) if isinstance(error, BadInput) else {"": explain(error, language())}
        return _listen_page(shout_id, errors=found, status=error.status)
    runtime().get(Pumps).kick()
    return redirect(url_for("delivery.broadcast", broadcast_id=released))


def _sound(shout_id: UUID, colour: str) -> Sound:
    """Return what loudspeakers fetch, in quiet hours with the colour's alarm in front. It takes a second."""
    library = runtime().get(Studio).library
    with reading() as session:
        shout = service.own(session, actor(), shout_id)
    if library.path_of(shout.audio_sha256) is None:
        raise WrongState("recording_gone")
    hushed = runtime().get(Rules).quiet.touches(now(), shout.audio_ms / 1000)
    if shout.state is ShoutState.READY and hushed and colour in service.WAKING:
        return taking.with_alarm(library, shout.voice_sha256, Colour(colour))
    return Sound(shout.audio_sha256, shout.audio_ms, shout.audio_bytes)


@bp.post("/shout/live")
@permission_required(Permission.SHOUT)
@in_words
def begin() -> ResponseReturnValue:
    """Open a live shout: loudspeakers are told to listen."""
    live, rules = runtime().get(LiveDesk), runtime().get(Rules)
    live.require_room()
    runtime().get(Station).require_connection()
    with work() as session:
        started = service.begin(session, actor(), forms.wish(request.form, _title()), rules=rules, now=now())
    shout = started.shout
    if started.fresh:
        live.begin(started)
        runtime().get(Pumps).kick()
    return jsonify(
        id=str(shout.id),
        chunks=url_for("shout.chunk", shout_id=shout.id, number=0)[:-1],
        end=url_for("shout.end", shout_id=shout.id),
        progress=url_for("delivery.broadcast", broadcast_id=shout.broadcast_id),
        longest_s=started.length_ms // 1000,
        speakers=started.speakers,
    )


@bp.post("/shout/live/<uuid:shout_id>/chunks/<int:number>")
@permission_required(Permission.SHOUT)
@in_words
def chunk(shout_id: UUID, number: int) -> ResponseReturnValue:
    """Take one numbered piece, once however often it comes."""
    live = runtime().get(LiveDesk)
    with reading() as session:
        stopped = service.stopped_by(session, shout_id)
    if stopped is not None:
        if live.is_going(shout_id):
            live.halt(shout_id, actor().id)
        raise WrongState("shout_stopped", who=stopped)
    return jsonify(said_ms=live.put(shout_id, actor().id, number, request.get_data(cache=False)))


@bp.post("/shout/live/<uuid:shout_id>/end")
@permission_required(Permission.SHOUT)
@in_words
def end(shout_id: UUID) -> ResponseReturnValue:
    """The button was let go. Too late does no harm."""
    live = runtime().get(LiveDesk)
    if live.is_going(shout_id):
        live.release(shout_id, actor().id, forms.count(request.form))
    return jsonify(ended=True)


def _title() -> str:
    return str(gettext("%(who)s喊话", who=actor().name))[:TITLE_LENGTH]


def _desk_page(
    codes: tuple[str, ...], *, errors: dict[str, str] | None = None, status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        laid = page.lay_out(session, actor(), codes, rules=runtime().get(Rules), now=now())
    html = render_template(
        f"{PAGES}/desk.html",
        desk=laid,
        reach=laid.reach,
        errors=errors or {},
        typed=forms.urgency(request.form),
        form_key=str(uuid4()),
        longest_s=taking.LONGEST_S,
        most_mb=taking.MOST_BYTES // 1024 // 1024,
    )
    return Response(html, status, {"Permissions-Policy": MICROPHONE})


def _listen_page(shout_id: UUID, *, errors: dict[str, str] | None = None, status: int = 200) -> ResponseReturnValue:
    hub = runtime()
    with reading() as session:
        found = page.listening(
            session, actor(), shout_id, rules=hub.get(Rules), library=hub.get(Studio).library, now=now()
        )
    if found.shout.state is not ShoutState.READY and found.shout.broadcast_id:
        return redirect(url_for("delivery.broadcast", broadcast_id=found.shout.broadcast_id))
    return render_template(
        f"{PAGES}/listen.html", heard=found, errors=errors or {}, typed=forms.urgency(request.form)
    ), status

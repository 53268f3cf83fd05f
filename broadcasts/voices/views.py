"""Look at voices, listen to them, choose them."""

from collections.abc import Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.playback import recording
from broadcasts.speech.engine import Language, SpeechFailed
from broadcasts.speech.library import Rendering
from broadcasts.studio import Studio
from broadcasts.voices import forms, listing, service
from broadcasts.voices.choices import Choices
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.web.errors import is_fragment, mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, Part, lazy_gettext
from hub.web.words import sentence
from hub.web.work import actor, now, reading, work

bp = Blueprint("voices", __name__)
PAGES = "broadcasts/voices"


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="voices",
            label=lazy_gettext("声音"),
            icon="volume",
            endpoint="voices.every",
            permission=service.PERMISSION,
            group=4,
            position=25,
            part=Part.VOICES,
            about=lazy_gettext("谁来念广播"),
        )
    )


@bp.get("/settings/voices")
@permission_required(service.PERMISSION)
def every() -> ResponseReturnValue:
    """List the voices of every language."""
    return _page()


@bp.post("/settings/voices/<code>")
@permission_required(service.PERMISSION)
def choose(code: str) -> ResponseReturnValue:
    """Let another voice speak that language."""
    spoken = forms.language_of(code)
    try:
        wish = forms.wish_of(request.form, spoken)
        info = runtime().get(Studio).library.info(wish.engine)
        with work() as session:
            service.choose(session, actor(), wish, info, now=now())
    except BadInput as error:
        return _page(errors=mistakes(error), refused=spoken), 422
    return _changed(gettext("换好了。新写的广播用这个声音；已经通过的还是原来的声音。"))


@bp.post("/settings/voices/<code>/forget")
@permission_required(service.PERMISSION)
def forget(code: str) -> ResponseReturnValue:
    """Go back to what is configured."""
    with work() as session:
        service.forget(session, actor(), forms.language_of(code), now=now())
    return _changed(gettext("改回默认的声音了。"))


@bp.post("/settings/voices/<code>/listen")
@permission_required(service.PERMISSION)
def listen(code: str) -> ResponseReturnValue:
    """Make a voice say its sentence, with the settings that stand in the form. Takes seconds; no session is open."""
    spoken, studio = forms.language_of(code), runtime().get(Studio)
    try:
        wish = forms.wish_of(request.form, spoken)
        spec = service.spec_of(wish, studio.library.info(wish.engine))
        made = studio.render(studio.sample(listing.sample_of(spoken), spec))
    except BadInput as error:
        return _listened(spoken, failure=next(iter(mistakes(error).values())))
    except SpeechFailed as failure:
        why = gettext(failure.msgid, **failure.values)
        return _listened(spoken, failure=sentence("speech_failed", language(), why=why))
    return _listened(spoken, made=made)


@bp.get("/settings/voices/audio/<sha256>.mp3")
@permission_required(Permission.SEE)
def audio(sha256: str) -> ResponseReturnValue:
    """Answer a sample."""
    return recording(sha256)


def _changed(words: str) -> ResponseReturnValue:
    runtime().get(Choices).forget()
    flash(words, "ok")
    return redirect(url_for("voices.every"))


def _listened(spoken: Language, *, made: Rendering | None = None, failure: str = "") -> ResponseReturnValue:
    if not is_fragment():
        return _page(heard={spoken: made} if made else {}, failed={spoken: failure} if failure else {})
    return render_template(f"{PAGES}/_player.html", code=spoken, made=made, failure=failure, play=True)


def _page(
    errors: Mapping[str, str] | None = None,
    refused: str = "",
    heard: Mapping[Language, Rendering] | None = None,
    failed: Mapping[Language, str] | None = None,
) -> str:
    studio = runtime().get(Studio)
    with reading() as session:
        may = service.may_choose(session, actor())
    return render_template(
        f"{PAGES}/every.html",
        tongues=listing.tongues(studio),
        engines=listing.engines(studio),
        errors=errors or {},
        refused=refused,
        heard=heard or {},
        failed=failed or {},
        may=may,
        rates=forms.RATES,
        pitches=forms.PITCHES,
        gains=forms.GAINS,
    )

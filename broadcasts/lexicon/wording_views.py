"""Words that are not to be broadcast: look, add, change, switch off."""

from collections.abc import Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.lexicon import listing, service
from broadcasts.lexicon.book import WordBook
from broadcasts.lexicon.entries import watched_of
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.work import actor, now, reading, work

bp = Blueprint("wording", __name__)
PAGES = "broadcasts/lexicon"
FIELDS = ("word", "why", "say", "blocking")


def add_to_menu(runtime: Runtime) -> None:
    """Add nothing: the page is reached from the readings."""


@bp.get("/settings/wording")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List the words."""
    wanted = request.args.get("word", "")
    with reading() as session:
        line = next((line.word for line in listing.watched(session) if line.word.word == wanted), None)
    typed = (
        {"word": line.word, "why": line.why, "say": line.say, "blocking": "1" if line.blocking else ""} if line else {}
    )
    return _page(typed, {})


@bp.post("/settings/wording")
@permission_required(service.PERMISSION)
def watch() -> ResponseReturnValue:
    """Watch for a word, or put one of the list otherwise."""
    typed = {name: request.form.get(name, "")[:200] for name in FIELDS}
    try:
        word = watched_of(typed["word"], typed["why"], typed["say"], blocking=typed["blocking"] == "1")
        with work() as session:
            service.watch(session, actor(), word, now=now())
    except BadInput as error:
        return _page(typed, mistakes(error)), 422
    return _changed(gettext("记下了，写广播时会提醒“%(word)s”。", word=word.word))


@bp.post("/settings/wording/off")
@permission_required(service.PERMISSION)
def unwatch() -> ResponseReturnValue:
    """Watch for a word no longer."""
    word = request.form.get("word", "")
    with work() as session:
        service.unwatch(session, actor(), word, now=now())
    return _changed(gettext("“%(word)s”不再提醒。", word=word))


def _changed(words: str) -> ResponseReturnValue:
    runtime().get(WordBook).forget()
    flash(words, "ok")
    return redirect(url_for("wording.every"))


def _page(typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
    with reading() as session:
        lines, may = listing.watched(session), service.may_change(session, actor())
    return render_template(f"{PAGES}/wording.html", lines=lines, may_change=may, typed=typed, errors=errors)

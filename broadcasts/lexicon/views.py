"""Readings: look them up, hear them, add, change, switch off, bring in and take out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.lexicon import importing, listing, service
from broadcasts.lexicon.book import WordBook
from broadcasts.lexicon.entries import Entry, entry_of, sample, spoken_now, word_of
from broadcasts.lexicon.importing import RowProblem
from broadcasts.speech.engine import Language, SpeechFailed
from broadcasts.speech.library import Rendering
from broadcasts.studio import Studio
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.web.errors import is_fragment, mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry as MenuEntry
from hub.web.menu import Menu, Part, lazy_gettext
from hub.web.spreadsheets import CSV
from hub.web.uploads import sent_file
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work

bp = Blueprint("lexicon", __name__)
PAGES = "broadcasts/lexicon"


@dataclass(frozen=True, slots=True)
class Typed:
    """The form as it was typed."""

    word: str = ""
    said: str = ""
    note: str = ""

    @property
    def entry(self) -> Entry:
        """Return it as an entry. Problems when it is none."""
        return entry_of(self.word, self.said, self.note)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the listen button brought: a recording, or why there is none."""

    word: str
    made: Rendering | None = None
    failure: str = ""


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        MenuEntry(
            key="lexicon",
            label=lazy_gettext("读音和用词"),
            icon="language",
            endpoint="lexicon.every",
            permission=service.PERMISSION,
            group=4,
            position=26,
            part=Part.VOICES,
            about=lazy_gettext("人名地名怎么念，哪些话不能播"),
        )
    )


@bp.get("/settings/lexicon")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List the readings."""
    return _page(Typed(word=request.args.get("word", "")[:40]))


@bp.post("/settings/lexicon")
@permission_required(Permission.SEE)
def add() -> ResponseReturnValue:
    """Give a word a reading."""
    typed = _typed()
    try:
        with work() as session:
            row = service.add(session, actor(), typed.entry, now=now())
    except BadInput as error:
        return _page(typed, errors=mistakes(error)), 422
    return _changed(gettext("“%(word)s”加上了，从现在起照这个读。", word=row.word))


@bp.post("/settings/lexicon/check")
@permission_required(Permission.SEE)
def check() -> ResponseReturnValue:
    """Say while typing how a word is read now, and how it would be."""
    typed = _typed()
    if not is_fragment():
        return _page(typed, checked=True)
    return render_template(f"{PAGES}/_check.html", **_checked(typed))


@bp.post("/settings/lexicon/listen")
@permission_required(Permission.SEE)
def listen() -> ResponseReturnValue:
    """Say a word as it is typed, or as it is read now. Takes seconds; no session is open."""
    typed = _typed()
    heard = _heard(typed)
    if not is_fragment():
        return _page(typed, heard=heard, checked=True)
    return render_template(f"{PAGES}/_heard.html", heard=heard)


@bp.get("/settings/lexicon/<uuid:entry_id>")
@permission_required(service.PERMISSION)
def one(entry_id: UUID) -> ResponseReturnValue:
    """Show one reading to be changed."""
    with reading() as session:
        row = listing.entry(session, entry_id)
    return _one(entry_id, Typed(row.word, row.said, row.note), {})


@bp.post("/settings/lexicon/<uuid:entry_id>")
@permission_required(service.PERMISSION)
def change(entry_id: UUID) -> ResponseReturnValue:
    """Change it."""
    typed = _typed()
    try:
        with work() as session:
            row = service.change(session, actor(), entry_id, typed.entry, now=now())
    except BadInput as error:
        return _one(entry_id, typed, mistakes(error)), 422
    return _changed(gettext("“%(word)s”改好了。", word=row.word))


@bp.post("/settings/lexicon/<uuid:entry_id>/switch")
@permission_required(service.PERMISSION)
def switch(entry_id: UUID) -> ResponseReturnValue:
    """Use it, or leave it unused."""
    active = request.form.get("active") == "1"
    with work() as session:
        row = service.switch(session, actor(), entry_id, active=active, now=now())
    if active:
        return _changed(gettext("“%(word)s”又照这个读了。", word=row.word))
    return _changed(gettext("“%(word)s”停用了，按平常的读法读。", word=row.word))


@bp.post("/settings/lexicon/<uuid:entry_id>/remove")
@permission_required(service.PERMISSION)
def remove(entry_id: UUID) -> ResponseReturnValue:
    """Take it out of the list."""
    with work() as session:
        service.remove(session, actor(), entry_id, now=now())
    return _changed(gettext("删掉了。已经通过的广播还是原来的声音。"))


@bp.get("/settings/lexicon/export.csv")
@permission_required(Permission.SEE)
def export() -> ResponseReturnValue:
    """Hand out the list."""
    with reading() as session:
        data = importing.csv_of(listing.every(session))
    answer = Response(data, mimetype=CSV)
    answer.headers["Content-Disposition"] = 'attachment; filename="lexicon.csv"'
    return answer


@bp.post("/settings/lexicon/import")
@permission_required(service.PERMISSION)
def import_file() -> ResponseReturnValue:
    """Take a file in, if every row of it is right."""
    try:
        plan = importing.read(sent_file(request.files))
        if plan.problems:
            return _page(Typed(), rows=plan.problems), 422
        with work() as session:
            added, changed = service.take_in(session, actor(), plan.entries, now=now())
    except BadInput as error:
        return _page(Typed(), errors=mistakes(error)), 422
    return _changed(gettext("新加 %(added)s 个词，改了 %(changed)s 个。", added=added, changed=changed))


def _typed() -> Typed:
    return Typed(*(request.form.get(name, "")[:200].strip() for name in ("word", "said", "note")))


def _checked(typed: Typed) -> dict[str, object]:
    """Return how the word is read now, how it would be, and what is wrong with what was typed."""
    lexicon = runtime().get(WordBook).lexicon()
    shown: dict[str, object] = {"typed": typed, "before": spoken_now(typed.word, lexicon), "after": "", "wrong": ""}
    if typed.word and typed.said:
        try:
            shown["after"] = spoken_now(typed.word, lexicon.merged_with(typed.entry.lexicon))
        except BadInput as error:
            shown["wrong"] = next(iter(mistakes(error).values()))
    return shown


def _heard(typed: Typed) -> Heard:
    studio, lexicon = runtime().get(Studio), runtime().get(WordBook).lexicon()
    try:
        word = word_of(typed.word)
        if typed.said:
            lexicon = lexicon.merged_with(typed.entry.lexicon)
        order = studio.sample(sample(word), studio.voice_for(Language.MANDARIN))
        return Heard(word, made=studio.render(replace(order, lexicon=lexicon)))
    except BadInput as error:
        return Heard(typed.word, failure=next(iter(mistakes(error).values())))
    except SpeechFailed as failure:
        why = gettext(failure.msgid, **failure.values)
        return Heard(typed.word, failure=sentence("speech_failed", language(), why=why))


def _changed(words: str) -> ResponseReturnValue:
    runtime().get(WordBook).forget()
    flash(words, "ok")
    return redirect(url_for("lexicon.every"))


def _one(entry_id: UUID, typed: Typed, errors: Mapping[str, str]) -> str:
    with reading() as session:
        row = listing.entry(session, entry_id)
    return render_template(f"{PAGES}/one.html", row=row, errors=errors, **_checked(typed))


def _page(
    typed: Typed,
    *,
    errors: Mapping[str, str] | None = None,
    rows: Sequence[RowProblem] = (),
    heard: Heard | None = None,
    checked: bool = False,
) -> str:
    query, page = request.args.get("q", "").strip()[:40], request.args.get("page", "1")
    with reading() as session:
        words = listing.words(session, actor(), query, int(page) if page.isdecimal() and int(page[:6]) > 0 else 1)
    return render_template(
        f"{PAGES}/every.html",
        words=words,
        shown=listing.shown,
        errors=errors or {},
        rows=[(row, explain(row.error, language())) for row in rows],
        heard=heard,
        checked=checked or bool(typed.word),
        **_checked(typed),
    )

"""Readings and words to watch for, for programs; and how a text would be read."""

from uuid import UUID

from flask import Response
from pydantic import Field, StrictBool

from broadcasts.lexicon import listing, service
from broadcasts.lexicon.book import WordBook
from broadcasts.lexicon.entries import (
    LONGEST_NOTE,
    LONGEST_SAID,
    LONGEST_SAY,
    LONGEST_WHY,
    LONGEST_WORD,
    entry_of,
    marked,
    watched_of,
)
from broadcasts.lexicon.models import EntryKind, LexiconEntry
from broadcasts.lexicon.wire import FindingOut
from broadcasts.speech.reading import as_read, to_script
from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.web.api import Input, Output, answers, ms, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.work import actor, now, reading, work

bp = room("words", "How words are read, which are not broadcast, and how a text would be read.")
LONGEST_TEXT = 1000


class EntryPath(Input):
    """Which reading."""

    entry_id: UUID


class EntryIn(Input):
    """A word and how it is read."""

    word: str = Field(min_length=1, max_length=LONGEST_WORD)
    said: str = Field(
        min_length=1, max_length=LONGEST_SAID, description="pinyin with tones (lu4 an1 or lù ān), or other words"
    )
    note: str = Field("", max_length=LONGEST_NOTE)
    active: StrictBool = Field(True, description="false = kept in the list, but not used")


class EntryOut(Output):
    """A word and how it is read."""

    id: UUID
    word: str
    kind: EntryKind
    said: str
    note: str
    active: bool
    by: str
    at: int

    @classmethod
    def of(cls, row: LexiconEntry) -> "EntryOut":
        """Return an entry for showing."""
        return cls(
            id=row.id,
            word=row.word,
            kind=row.kind,
            said=row.said,
            note=row.note,
            active=row.active,
            by=row.by,
            at=ms(row.at),
        )


class Entries(Output):
    """All readings that staff entered."""

    items: list[EntryOut]


class WatchedIn(Input):
    """A word that is not to be broadcast."""

    word: str = Field(min_length=2, max_length=LONGEST_WORD)
    why: str = Field("", max_length=LONGEST_WHY)
    say: str = Field("", max_length=LONGEST_SAY, description="what to say instead; empty = leave it out")
    blocking: StrictBool = Field(False, description="whether a text that holds it cannot be submitted")


class WatchedOut(Output):
    """A word that is not to be broadcast."""

    word: str
    why: str
    say: str
    blocking: bool
    active: bool
    usual: bool = Field(description="whether every hub begins with it")


class WatchedWords(Output):
    """All of them."""

    items: list[WatchedOut]


class WordPath(Input):
    """Which word."""

    word: str = Field(min_length=1, max_length=LONGEST_WORD)


class TextIn(Input):
    """A text."""

    text: str = Field(min_length=1, max_length=LONGEST_TEXT)


class ToReadIn(TextIn):
    """A text, and whether it is said in a drill."""

    drill: StrictBool = Field(False, description="whether it is said in a drill: then it has to say so itself")


class ReadingOut(Output):
    """How a text would be read."""

    spoken: str
    pinyin: str = Field(description="with tone marks; letters as they are")
    findings: list[FindingOut]


@bp.post("/readings", responses=answers(ReadingOut, 403))
@permission_required(Permission.SEE)
def read_text(body: ToReadIn) -> Response:
    """Say how a text would be read and what should be mended. Nothing is kept."""
    book = runtime().get(WordBook)
    lexicon = book.lexicon()
    found = as_read(body.text, lexicon)
    script = to_script(found, lexicon)
    return say(
        ReadingOut(
            spoken=found.spoken,
            pinyin=" ".join(marked(part.text) if part.kind == "pinyin" else part.text for part in script),
            findings=[FindingOut.of(finding) for finding in book.lint(body.text, drill=body.drill)],
        )
    )


@bp.get("/lexicon", responses=answers(Entries, 403))
@permission_required(Permission.SEE)
def list_readings() -> Response:
    """List the readings that staff entered; what is built in is not among them."""
    with reading() as session:
        return say(Entries(items=[EntryOut.of(row) for row in listing.every(session)]))


@bp.post("/lexicon", responses=answers(EntryOut, 403, 409, status=201))
@once
def add_reading(body: EntryIn) -> Response:
    """Give a word a reading, from now on; what is approved sounds as it was approved."""
    with work() as session:
        row = service.add(session, actor(), entry_of(body.word, body.said, body.note), now=now())
        service.switch(session, actor(), row.id, active=body.active, now=now())
        answer = finish(session, EntryOut.of(row), 201)
    runtime().get(WordBook).forget()
    return answer


@bp.put("/lexicon/<uuid:entry_id>", responses=answers(EntryOut, 403, 404))
def change_reading(path: EntryPath, body: EntryIn) -> Response:
    """Change a reading, or switch it off and on."""
    with work() as session:
        row = service.change(session, actor(), path.entry_id, entry_of(body.word, body.said, body.note), now=now())
        service.switch(session, actor(), row.id, active=body.active, now=now())
        answer = say(EntryOut.of(row))
    runtime().get(WordBook).forget()
    return answer


@bp.delete("/lexicon/<uuid:entry_id>", responses=answers(Entries, 403, 404))
def remove_reading(path: EntryPath) -> Response:
    """Take a reading out of the list; answers what is left."""
    with work() as session:
        service.remove(session, actor(), path.entry_id, now=now())
        left = Entries(items=[EntryOut.of(row) for row in listing.every(session)])
    runtime().get(WordBook).forget()
    return say(left)


@bp.get("/wording", responses=answers(WatchedWords, 403))
@permission_required(Permission.SEE)
def list_watched_words() -> Response:
    """List the words that are not to be broadcast."""
    return say(_watched())


@bp.put("/wording", responses=answers(WatchedWords, 403))
def watch_word(body: WatchedIn) -> Response:
    """Watch for a word, or put one of the list otherwise."""
    with work() as session:
        service.watch(session, actor(), watched_of(body.word, body.why, body.say, blocking=body.blocking), now=now())
    runtime().get(WordBook).forget()
    return say(_watched())


@bp.delete("/wording/<string:word>", responses=answers(WatchedWords, 403, 404))
def unwatch_word(path: WordPath) -> Response:
    """Watch for a word no longer."""
    with work() as session:
        service.unwatch(session, actor(), path.word, now=now())
    runtime().get(WordBook).forget()
    return say(_watched())


def _watched() -> WatchedWords:
    with reading() as session:
        lines = listing.watched(session)
    return WatchedWords(
        items=[
            WatchedOut(
                word=line.word.word,
                why=line.word.why,
                say=line.word.say,
                blocking=line.word.blocking,
                active=line.active,
                usual=line.usual,
            )
            for line in lines
        ]
    )

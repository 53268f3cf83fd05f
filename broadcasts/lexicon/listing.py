"""What the pages about words show."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broadcasts.lexicon import service, usual
from broadcasts.lexicon.entries import marked
from broadcasts.lexicon.models import EntryKind, LexiconEntry, WatchedWord
from broadcasts.speech.findings import Watched
from broadcasts.speech.pronunciation import BUILT_IN
from hub.core.actor import Actor
from hub.core.errors import NotFound

PAGE = 50
MOST_BUILT_IN = 400


@dataclass(frozen=True, slots=True)
class Words:
    """The readings: a page of one's own, and the built-in ones that fit the search."""

    own: list[LexiconEntry]
    total: int
    built_in: tuple[tuple[str, str], ...]
    query: str
    page: int
    may_change: bool

    @property
    def more(self) -> bool:
        """Return whether there is a further page."""
        return self.page * PAGE < self.total


@dataclass(frozen=True, slots=True)
class Line:
    """A word to watch for: whether it is one of the usual list, and who changed it when."""

    word: Watched
    usual: bool
    active: bool
    by: str = ""
    at: datetime | None = None


def words(session: Session, actor: Actor, query: str = "", page: int = 1) -> Words:
    """Return the readings that fit a search, the last changed first."""
    wanted = select(LexiconEntry)
    if query:
        wanted = wanted.where(
            or_(*(column.contains(query, autoescape=True) for column in (LexiconEntry.word, LexiconEntry.note)))
        )
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    rows = session.scalars(wanted.order_by(LexiconEntry.at.desc(), LexiconEntry.id.desc()).offset((page - 1) * PAGE))
    built_in = [*BUILT_IN.pinyin.items(), *BUILT_IN.words.items()]
    return Words(
        own=list(rows.fetchmany(PAGE)),
        total=total,
        built_in=tuple((word, shown(said)) for word, said in built_in if query in word)[:MOST_BUILT_IN],
        query=query,
        page=page,
        may_change=service.may_change(session, actor),
    )


def entry(session: Session, entry_id: UUID) -> LexiconEntry:
    """Return one reading."""
    row = session.get(LexiconEntry, entry_id)
    if row is None:
        raise NotFound("lexicon_entry_unknown")
    return row


def every(session: Session) -> list[LexiconEntry]:
    """Return all readings staff entered, by word."""
    return list(session.scalars(select(LexiconEntry).order_by(LexiconEntry.word)))


def watched(session: Session) -> list[Line]:
    """Return the words to watch for: what staff entered first, then the usual ones, those that are off last."""
    rows = list(session.scalars(select(WatchedWord).order_by(WatchedWord.at.desc())))
    changed = {row.word for row in rows}
    lines = [
        Line(
            Watched(row.word, row.why, row.say, row.blocking),
            usual.word(row.word) is not None,
            row.active,
            row.by,
            row.at,
        )
        for row in rows
    ]
    lines += [Line(word, usual=True, active=True) for word in usual.words() if word.word not in changed]
    return sorted(lines, key=lambda line: not line.active)


def shown(said: str, kind: EntryKind | None = None) -> str:
    """Return how a reading is written on a page: pinyin with marks."""
    is_pinyin = kind is EntryKind.PINYIN if kind else said.isascii() and said[-1:].isdigit()
    return marked(said) if is_pinyin else said

"""Add, change, switch off and remove readings and words to watch for; only whoever answers for the whole hub."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.lexicon import usual
from broadcasts.lexicon.entries import Entry
from broadcasts.lexicon.models import EntryKind, LexiconEntry, WatchedWord
from broadcasts.speech.findings import Watched
from broadcasts.speech.pronunciation import BUILT_IN, Lexicon
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound
from hub.regions.models import Region
from hub.regions.tree import Level

PERMISSION = Permission.EDIT_REGIONS
"""Held for a whole county by its administrator: a reading is heard everywhere."""
MOST_ENTRIES = 10_000

Stamp = tuple[int, datetime | None, int, datetime | None]


def stamp(session: Session) -> Stamp:
    """Return something that differs as soon as any entry differs."""
    readings = session.execute(select(func.count(LexiconEntry.id), func.max(LexiconEntry.at))).one()
    words = session.execute(select(func.count(WatchedWord.id), func.max(WatchedWord.at))).one()
    return readings[0], readings[1], words[0], words[1]


def lexicon_of(session: Session) -> Lexicon:
    """Return how words are read here: what is built in, and over it what staff entered."""
    rows = session.scalars(select(LexiconEntry).where(LexiconEntry.active)).all()
    own = Lexicon(
        {row.word: row.said for row in rows if row.kind is EntryKind.PINYIN},
        {row.word: row.said for row in rows if row.kind is EntryKind.WORDS},
    )
    return BUILT_IN.merged_with(own) if rows else BUILT_IN


def watched_of(session: Session) -> tuple[Watched, ...]:
    """Return the words to watch for: the usual ones as staff left them, and their own."""
    rows = {row.word: row for row in session.scalars(select(WatchedWord))}
    kept = [word for word in usual.words() if word.word not in rows]
    own = [Watched(row.word, row.why, row.say, row.blocking) for row in rows.values() if row.active]
    return (*kept, *own)


def add(session: Session, actor: Actor, entry: Entry, *, now: datetime) -> LexiconEntry:
    """Let a word be read so from now on. What was approved sounds as it was approved."""
    _require(session, actor)
    if session.scalar(select(LexiconEntry.id).where(LexiconEntry.word == entry.word)):
        raise BadInput("lexicon_word_taken", field="word", word=entry.word)
    if (session.scalar(select(func.count(LexiconEntry.id))) or 0) >= MOST_ENTRIES:
        raise BadInput("lexicon_full", field="word", most=MOST_ENTRIES)
    row = LexiconEntry(word=entry.word, kind=entry.kind, said=entry.said, note=entry.note, by=actor.name, at=now)
    session.add(row)
    session.flush()
    _note(session, actor, "lexicon.add", entry.word, now, said=entry.said)
    return row


def change(session: Session, actor: Actor, entry_id: UUID, entry: Entry, *, now: datetime) -> LexiconEntry:
    """Let a word be read otherwise."""
    _require(session, actor)
    row = _entry(session, entry_id)
    other = session.scalar(select(LexiconEntry.id).where(LexiconEntry.word == entry.word))
    if other is not None and other != row.id:
        raise BadInput("lexicon_word_taken", field="word", word=entry.word)
    if (row.word, row.said, row.note) == (entry.word, entry.said, entry.note):
        return row
    before, row.word, row.kind, row.said, row.note = row.said, entry.word, entry.kind, entry.said, entry.note
    row.by, row.at = actor.name, now
    _note(session, actor, "lexicon.change", entry.word, now, before=before, after=entry.said)
    return row


def switch(session: Session, actor: Actor, entry_id: UUID, *, active: bool, now: datetime) -> LexiconEntry:
    """Use an entry, or leave it in the list unused."""
    _require(session, actor)
    row = _entry(session, entry_id)
    if row.active is not active:
        row.active, row.by, row.at = active, actor.name, now
        _note(session, actor, "lexicon.switch", row.word, now, active=active)
    return row


def remove(session: Session, actor: Actor, entry_id: UUID, *, now: datetime) -> None:
    """Take an entry out of the list."""
    _require(session, actor)
    row = _entry(session, entry_id)
    session.delete(row)
    _note(session, actor, "lexicon.remove", row.word, now, said=row.said)


def take_in(session: Session, actor: Actor, entries: Sequence[Entry], *, now: datetime) -> tuple[int, int]:
    """Put the entries of a file into the list; return how many are new and how many changed."""
    _require(session, actor)
    known = {row.word: row for row in session.scalars(select(LexiconEntry))}
    fresh = [entry for entry in entries if entry.word not in known]
    if len(known) + len(fresh) > MOST_ENTRIES:
        raise BadInput("lexicon_full", field="file", most=MOST_ENTRIES)
    changed = 0
    for entry in entries:
        row = known.get(entry.word)
        if row is None:
            row = LexiconEntry(word=entry.word)
            session.add(row)
        elif (row.said, row.note, row.active) == (entry.said, entry.note, True):
            continue
        else:
            changed += 1
        row.kind, row.said, row.note, row.active = entry.kind, entry.said, entry.note, True
        row.by, row.at = actor.name, now
    if fresh or changed:
        _note(session, actor, "lexicon.import", "", now, added=len(fresh), updated=changed)
    return len(fresh), changed


def watch(session: Session, actor: Actor, word: Watched, *, now: datetime) -> WatchedWord:
    """Watch for a word from now on, or put one of the list otherwise."""
    _require(session, actor)
    row = session.scalar(select(WatchedWord).where(WatchedWord.word == word.word))
    if row is None:
        row = WatchedWord(word=word.word)
        session.add(row)
    row.why, row.say, row.blocking, row.active = word.why, word.say, word.blocking, True
    row.by, row.at = actor.name, now
    session.flush()
    _note(session, actor, "wording.watch", word.word, now, say=word.say, blocking=word.blocking)
    return row


def unwatch(session: Session, actor: Actor, word: str, *, now: datetime) -> None:
    """Watch for a word no longer. Of the usual list it is kept in mind as switched off."""
    _require(session, actor)
    row = session.scalar(select(WatchedWord).where(WatchedWord.word == word))
    listed = usual.word(word)
    if row is None and listed is None:
        raise NotFound("watched_word_unknown")
    if listed is None:
        session.delete(row)
    else:
        row = row or WatchedWord(word=word, why=listed.why, say=listed.say, blocking=listed.blocking)
        row.active, row.by, row.at = False, actor.name, now
        session.add(row)
    _note(session, actor, "wording.unwatch", word, now)


def may_change(session: Session, actor: Actor) -> bool:
    """Return whether they answer for everything that hears these readings."""
    tops = _tops(session)
    return bool(tops) and all(actor.may(PERMISSION, path) for path in tops)


def _entry(session: Session, entry_id: UUID) -> LexiconEntry:
    row = session.get(LexiconEntry, entry_id, with_for_update=True)
    if row is None:
        raise NotFound("lexicon_entry_unknown")
    return row


def _require(session: Session, actor: Actor) -> None:
    if not may_change(session, actor):
        raise NotAllowed("not_allowed", permission=PERMISSION.value)


def _tops(session: Session) -> list[str]:
    return list(session.scalars(select(Region.path).where(Region.level == Level.COUNTY)))


def _note(session: Session, actor: Actor, deed: str, word: str, now: datetime, **details: object) -> None:
    log.record(session, actor, deed, f"word:{word}", min(_tops(session), key=len), now, **details)

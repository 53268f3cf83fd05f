"""A word and how it is read; a word that is not broadcast."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.core.db import Base, StateText


class EntryKind(StrEnum):
    """How a reading is written down."""

    PINYIN = "pinyin"
    """Syllables with tones: lu4 an1."""
    WORDS = "words"
    """Other words that sound right, or say it better: App is said 手机应用."""


class LexiconEntry(Base):
    """A word with a reading of its own. `at` and `by` are of the last change; one that is off reads as without it."""

    __tablename__ = "lexicon_entry"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    word: Mapped[str] = mapped_column(String(20), unique=True)
    kind: Mapped[EntryKind] = mapped_column(StateText(EntryKind))
    said: Mapped[str] = mapped_column(String(160))
    note: Mapped[str] = mapped_column(String(60), default="")
    active: Mapped[bool] = mapped_column(default=True)
    by: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime]


class WatchedWord(Base):
    """A word that staff do not want broadcast, or one of the usual list switched off or put otherwise."""

    __tablename__ = "watched_word"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    word: Mapped[str] = mapped_column(String(20), unique=True)
    why: Mapped[str] = mapped_column(String(60), default="")
    say: Mapped[str] = mapped_column(String(40), default="")
    blocking: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    by: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime]

"""Answers from the spot: heard, not clear, not heard; and who was asked by text message."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.core.db import Base, StateText


class HearingVerdict(StrEnum):
    """What was heard. The order is that of the numbers in a text message."""

    HEARD = "heard"
    UNCLEAR = "unclear"
    SILENT = "silent"


class HearingWay(StrEnum):
    """How an answer came."""

    PAGE = "page"
    SMS = "sms"
    API = "api"


class HearingAnswer(Base):
    """What one person at one place heard of one broadcast. Who answers again has changed their mind."""

    __tablename__ = "hearing_answer"
    __table_args__ = (
        UniqueConstraint("broadcast_id", "region_path", "speaker_id", "who"),
        Index(None, "region_path", "sounded_at"),
        Index(None, "speaker_id", "sounded_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    broadcast_id: Mapped[UUID]
    region_path: Mapped[str] = mapped_column(String(64))
    """The village or group where they were."""
    speaker_id: Mapped[str] = mapped_column(String(32), default="")
    """The loudspeaker they stood by; empty: the place as a whole."""
    verdict: Mapped[HearingVerdict] = mapped_column(StateText(HearingVerdict))
    who: Mapped[str] = mapped_column(String(40))
    """Who answered: an account, or a telephone by its keyed hash. Nobody can read a number from it."""
    by_name: Mapped[str] = mapped_column(String(60), default="")
    way: Mapped[HearingWay] = mapped_column(StateText(HearingWay))
    sounded_at: Mapped[datetime]
    """When the broadcast was due: answers belong to its day, however late they come."""
    answered_at: Mapped[datetime]


class HearingQuestion(Base):
    """A text message that asked people on the spot. `run_id` are its messages."""

    __tablename__ = "hearing_question"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    broadcast_id: Mapped[UUID] = mapped_column(index=True)
    region_path: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime]
    asked_by_name: Mapped[str] = mapped_column(String(60))
    people: Mapped[int]

"""Announcements: the words, the place, the wish when, and who stands for them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.approvals.lifecycle import State
from broadcasts.approvals.written import Written
from broadcasts.kinds import Theme
from hub.core.db import Base, StateText


class When(StrEnum):
    """When it is meant to go out."""

    NOW = "now"
    ONCE = "once"
    DAILY = "daily"
    CALLED = "called"
    """Whenever something that was approved with it calls for it: a campaign, in turn with its other texts."""


class Announcement(Base, Written):
    """Words someone wants heard in one part of the region tree, and how far they have come.

    `home_path` is the smallest region that holds everything it is aimed at: who may see, approve and stop it is asked
    there. `content_hash` is taken at submission over everything that shapes what people hear and read; approval is of
    that hash, and a release compares it again.
    """

    __tablename__ = "announcement"
    __table_args__ = (
        CheckConstraint("approved_by IS NULL OR approved_by <> submitted_by", name="two_pairs_of_eyes"),
        Index(None, "state", "home_path"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    title: Mapped[str] = mapped_column(String(60), default="")
    text: Mapped[str] = mapped_column(Text, default="")
    sms_text: Mapped[str] = mapped_column(Text, default="")
    sms_until: Mapped[datetime | None]
    """After this no text message of it is sent any more; None: a day after it goes out."""
    theme: Mapped[Theme] = mapped_column(StateText(Theme), default=Theme.NOTICE)
    issuer: Mapped[str] = mapped_column(String(60), default="", server_default="")
    """Whose notice it is, when it is not the writer's own, and in `issuer_ref` the number it has there."""
    issuer_ref: Mapped[str] = mapped_column(String(60), default="", server_default="")
    audience: Mapped[dict[str, Any]] = mapped_column(default=dict)
    home_path: Mapped[str] = mapped_column(String(64))
    voice: Mapped[str] = mapped_column(String(60), default="")
    """Whose voice: the language it speaks, empty for Mandarin; the settings say which voice that is."""
    speed: Mapped[str] = mapped_column(String(8), default="normal")
    repeats: Mapped[int] = mapped_column(default=2)
    volume: Mapped[int | None]
    """Volume on the speakers, 1 to 100; None leaves each at its own."""
    when: Mapped[When] = mapped_column(StateText(When), default=When.NOW)
    at: Mapped[datetime | None]
    """The moment, for ONCE."""
    daily_at: Mapped[str] = mapped_column(String(5), default="")
    """Local time HH:MM, for DAILY."""
    relay_url: Mapped[str] = mapped_column(String(1000), default="")
    """A relay: where the programme comes from. Its words, if there are any, sound when that dies."""
    relay_minutes: Mapped[int] = mapped_column(default=0)
    relay_found: Mapped[str] = mapped_column(String(24), default="")
    """What the hub heard there when it was submitted: a `relay.listening.Found`, or nothing yet."""
    relay_level_db: Mapped[int | None]
    material_id: Mapped[UUID | None]
    """What of the library it plays, or where its words come from."""
    recording_sha256: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """A recording that is played instead of reading the words: one pass of it, without tones."""
    recording_ms: Mapped[int] = mapped_column(default=0, server_default="0")
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]

    state: Mapped[State] = mapped_column(StateText(State), default=State.DRAFT)
    version: Mapped[int] = mapped_column(default=1)
    round: Mapped[int] = mapped_column(default=0)
    """How many times it was handed in; verdicts belong to a round."""
    steps: Mapped[list[str]] = mapped_column(default=list)
    """Who has to look in this round, one entry a reviewer; see `approvals.rules`."""
    step: Mapped[int] = mapped_column(default=0)
    """How many of them have passed it."""
    audio_sha256: Mapped[str] = mapped_column(String(64), default="")
    audio_ms: Mapped[int] = mapped_column(default=0)
    audio_bytes: Mapped[int] = mapped_column(default=0)
    engine: Mapped[str] = mapped_column(String(30), default="")
    spoken: Mapped[str] = mapped_column(Text, default="")

    @property
    def airtime_ms(self) -> int:
        """How long loudspeakers sound."""
        return self.relay_minutes * 60_000 if self.relay_url else self.audio_ms

"""Shouts: somebody's own voice, recorded or live, and under whose name it went out."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.core.db import Base, StateText


class ShoutState(StrEnum):
    """How far a shout has come."""

    READY = "ready"
    """Recorded and listened to, not sent."""
    SENT = "sent"
    LIVE = "live"
    """Somebody is speaking."""
    OVER = "over"


class Ended(StrEnum):
    """Why a live shout ended."""

    RELEASED = "released"
    LOST = "lost"
    """Nothing came any more: the telephone is gone."""
    FULL = "full"
    STOPPED = "stopped"
    HUB_CLOSED = "hub_closed"
    UNHEARD = "unheard"
    """There was no sound in what came."""


class Shout(Base):
    """One shout. `form_key` makes pressing twice the same as pressing once.

    `reason` and `colour` are given where it breaks quiet hours. `voice_sha256` is the voice of a recording by itself,
    `audio_sha256` what loudspeakers sound or, after a live shout, what they sounded.
    """

    __tablename__ = "shout"
    __table_args__ = (Index(None, "state", "made_at"), Index(None, "by_id", "made_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    form_key: Mapped[str] = mapped_column(String(40), unique=True)
    state: Mapped[ShoutState] = mapped_column(StateText(ShoutState))
    audience: Mapped[dict[str, Any]]
    home_path: Mapped[str] = mapped_column(String(64))
    voice_sha256: Mapped[str] = mapped_column(String(64), default="")
    audio_sha256: Mapped[str] = mapped_column(String(64), default="")
    audio_ms: Mapped[int] = mapped_column(default=0)
    audio_bytes: Mapped[int] = mapped_column(default=0)
    colour: Mapped[str] = mapped_column(String(8), default="")
    reason: Mapped[str] = mapped_column(String(200), default="")
    by_id: Mapped[UUID]
    by_name: Mapped[str] = mapped_column(String(60))
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended: Mapped[str] = mapped_column(String(12), default="")
    broadcast_id: Mapped[UUID | None] = mapped_column(index=True)

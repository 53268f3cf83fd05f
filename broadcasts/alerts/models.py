"""Emergencies: a hazard, a colour, an area, fired after a countdown that the hub owns."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.kinds import Colour
from hub.core.db import Base, StateText


class AlertState(StrEnum):
    """How far an alert has come."""

    ARMED = "armed"
    FIRED = "fired"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    MISSED = "missed"
    """The hub did not run when it was due, and afterwards it was too late to be true."""


class Alert(Base):
    """One emergency push. `form_key` makes pressing twice the same as pressing once."""

    __tablename__ = "alert"
    __table_args__ = (Index(None, "state", "fires_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    form_key: Mapped[str] = mapped_column(String(40), unique=True)
    hazard: Mapped[str] = mapped_column(String(20))
    colour: Mapped[Colour] = mapped_column(StateText(Colour))
    title: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(Text)
    sms_text: Mapped[str] = mapped_column(Text)
    audience: Mapped[dict[str, Any]]
    home_path: Mapped[str] = mapped_column(String(64))
    speakers_confirmed: Mapped[int]
    audio_sha256: Mapped[str] = mapped_column(String(64), default="")
    audio_ms: Mapped[int] = mapped_column(default=0)
    audio_bytes: Mapped[int] = mapped_column(default=0)
    engine: Mapped[str] = mapped_column(String(30), default="")
    state: Mapped[AlertState] = mapped_column(StateText(AlertState), default=AlertState.ARMED)
    armed_at: Mapped[datetime]
    fires_at: Mapped[datetime]
    fired_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    armed_by: Mapped[UUID]
    armed_by_name: Mapped[str] = mapped_column(String(40))
    ended_by_name: Mapped[str] = mapped_column(String(40), default="")
    broadcast_id: Mapped[UUID | None]

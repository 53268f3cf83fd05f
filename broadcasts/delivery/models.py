"""A broadcast: the frozen order that something be said, to whom, by when."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.core.db import Base, StateText


class Kind(StrEnum):
    """How urgent it is by nature; decides priority on devices and in queues."""

    RELAY = "relay"
    ROUTINE = "routine"
    SHOUT = "shout"
    EMERGENCY = "emergency"
    DRILL = "drill"
    """Sounds on drill loudspeakers alone, and reaches nobody's telephone."""


class BroadcastState(StrEnum):
    """How far a broadcast has come."""

    GOING = "going"
    DONE = "done"
    STOPPED = "stopped"


class Broadcast(Base):
    """Everything about one going-out that must never change again, and whether it is over.

    `source` names what it came from and is unique: `announcement:<id>:now`, `slot:<id>:<due>`, `alert:<id>`. That
    key is what makes one occasion sound once.
    """

    __tablename__ = "broadcast"
    __table_args__ = (Index(None, "state", "released_at"), Index(None, "home_path", "released_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    source: Mapped[str] = mapped_column(String(90), unique=True)
    announcement_id: Mapped[UUID | None] = mapped_column(index=True)
    agreed_id: Mapped[UUID | None]
    """What people passed so that it may sound, where that is not the announcement: a programme sheet."""
    kind: Mapped[Kind] = mapped_column(StateText(Kind))
    title: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(Text)
    sms_text: Mapped[str] = mapped_column(Text)
    audience: Mapped[dict[str, Any]]
    home_path: Mapped[str] = mapped_column(String(64))
    audio_sha256: Mapped[str] = mapped_column(String(64), default="")
    audio_ms: Mapped[int] = mapped_column(default=0)
    audio_bytes: Mapped[int] = mapped_column(default=0)
    repeats: Mapped[int] = mapped_column(default=1)
    volume: Mapped[int | None]
    speakers_meant: Mapped[int] = mapped_column(default=0)
    released_at: Mapped[datetime]
    starts_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    released_by: Mapped[UUID | None]
    released_by_name: Mapped[str] = mapped_column(String(60))
    approved_by_name: Mapped[str] = mapped_column(String(60), default="")
    state: Mapped[BroadcastState] = mapped_column(StateText(BroadcastState), default=BroadcastState.GOING)
    stopped_at: Mapped[datetime | None]
    stopped_by_name: Mapped[str] = mapped_column(String(60), default="")
    done_at: Mapped[datetime | None]

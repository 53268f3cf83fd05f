"""Loudspeakers: where they hang, how the broker knows them, how they were when last heard of."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.core.db import Base, StateText
from hub.regions.models import Region


class SpeakerState(StrEnum):
    """How far a device belongs to us."""

    ACTIVE = "active"
    RETIRED = "retired"


class Speaker(Base):
    """One loudspeaker.

    `number` grows strictly with every enrolment: "this region up to number N" says exactly who is meant, in few bytes,
    and leaves out whoever was added later.
    """

    __tablename__ = "speaker"
    __table_args__ = (Index(None, "region_path", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(String(60))
    region_code: Mapped[str] = mapped_column(ForeignKey(Region.code))
    region_path: Mapped[str] = mapped_column(String(64))
    state: Mapped[SpeakerState] = mapped_column(StateText(SpeakerState), default=SpeakerState.ACTIVE)
    password_hash: Mapped[str] = mapped_column(String(200))
    simulated: Mapped[bool] = mapped_column(default=False)
    volume: Mapped[int] = mapped_column(default=80)
    """Volume of routine items, 0 to 100; 0 is mute."""
    enrolled_at: Mapped[datetime]
    online: Mapped[bool] = mapped_column(default=False)
    seen_at: Mapped[datetime | None]
    online_since: Mapped[datetime | None]
    """Since when it has been online or offline, whichever it is now."""
    activity: Mapped[str] = mapped_column(String(12), default="")
    now_playing: Mapped[str] = mapped_column(String(40), default="")
    version: Mapped[str] = mapped_column(String(30), default="")
    fault: Mapped[str] = mapped_column(String(60), default="")
    clock_offset_ms: Mapped[int | None] = mapped_column(BigInteger)


class Counter(Base):
    """A number that only grows: command sequence, enrolment numbers."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(String(30), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)

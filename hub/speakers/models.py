"""Loudspeakers: where they hang, how the broker knows them, how they were when last heard of."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.core.db import Base, StateText
from hub.regions.models import Region


class SpeakerState(StrEnum):
    """How far a device belongs to us."""

    EXPECTED = "expected"
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
    # how it is set up
    volumes: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    """Times of the day with a volume of their own: each {"start": minute, "end": minute, "cap": 0-100}."""
    lead_in_ms: Mapped[int] = mapped_column(default=0)
    drill: Mapped[bool] = mapped_column(default=False)
    """Sounds drills and nothing else."""
    settings_version: Mapped[int] = mapped_column(BigInteger, default=0)
    """Version of the settings last published for it, ms UTC."""
    settings_sha256: Mapped[str] = mapped_column(String(64), default="")
    """What those settings were, without their version: the same content keeps the same version."""
    settings_taken: Mapped[int] = mapped_column(BigInteger, default=0)
    """The version it last said it follows."""
    settings_keys: Mapped[list[str]] = mapped_column(default=list)
    """Names of the hub keys in the settings last published for it."""
    keys_taken: Mapped[list[str]] = mapped_column(default=list)
    """Names of the hub keys it accepts, by the settings it last said it follows; empty: those of its device file."""
    moved_at: Mapped[datetime | None]
    moved_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    """Commands with a lower number were made before it moved: it must not sound them any more."""
    # where it hangs, for people
    place: Mapped[str] = mapped_column(String(80), default="")
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    keeper: Mapped[str] = mapped_column(String(40), default="")
    households: Mapped[int | None]
    model: Mapped[str] = mapped_column(String(40), default="")
    installed_on: Mapped[date | None]
    note: Mapped[str] = mapped_column(String(200), default="")
    replaces: Mapped[str] = mapped_column(String(32), default="")
    # how it was, by its last heartbeat
    amp: Mapped[str] = mapped_column(String(8), default="")
    mains: Mapped[bool | None]
    battery: Mapped[int | None]
    temperature: Mapped[int | None]
    signal_dbm: Mapped[int | None]
    free_bytes: Mapped[int | None] = mapped_column(BigInteger)
    pack_count: Mapped[int | None]
    bad_messages: Mapped[int] = mapped_column(default=0)
    faults: Mapped[list[str]] = mapped_column(default=list)
    """Codes of the faults that last."""
    receipts_to: Mapped[int] = mapped_column(BigInteger, default=0)
    """Up to this number none of its receipts is missing."""
    records_asked_at: Mapped[datetime | None]


class Counter(Base):
    """A number that only grows: command sequence, enrolment numbers."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(String(30), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)

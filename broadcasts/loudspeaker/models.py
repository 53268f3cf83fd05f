"""Play orders to loudspeakers, one delivery per loudspeaker, and every report as it came.

A broadcast is known here by its id alone: the order stands on the channels, not the other way round.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from broadcasts.loudspeaker.states import PlayState
from hub.core.db import Base, StateText
from hub.speakers.models import Speaker


class OrderState(StrEnum):
    """Whether the command has gone to the broker."""

    QUEUED = "queued"
    SENT = "sent"
    CALLED_OFF = "called_off"


class PlayOrder(Base):
    """What loudspeakers are told to play for one broadcast, frozen with its command numbers.

    `targets` lists the commands: each `{"id": command uuid, "seq": int, "region": code, "upto": number}`.
    """

    __tablename__ = "play_order"
    __table_args__ = (Index(None, "state", "priority"),)

    broadcast_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[OrderState] = mapped_column(StateText(OrderState), default=OrderState.QUEUED)
    priority: Mapped[int]
    targets: Mapped[list[dict[str, Any]]]
    audio_sha256: Mapped[str] = mapped_column(String(64))
    audio_bytes: Mapped[int]
    audio_ms: Mapped[int]
    volume: Mapped[int | None]
    starts_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    resends: Mapped[int] = mapped_column(default=0)
    next_resend_at: Mapped[datetime | None]
    stop_seq: Mapped[int | None] = mapped_column(BigInteger)
    stop_sent_at: Mapped[datetime | None]


class SpeakerDelivery(Base):
    """One broadcast on one loudspeaker: what is known, and when each step was first reported."""

    __tablename__ = "speaker_delivery"
    __table_args__ = (Index(None, "broadcast_id", "state"), Index(None, "speaker_id", "broadcast_id"))

    broadcast_id: Mapped[UUID] = mapped_column(primary_key=True)
    speaker_id: Mapped[str] = mapped_column(ForeignKey(Speaker.id), primary_key=True)
    region_path: Mapped[str] = mapped_column(String(64))
    command_id: Mapped[UUID]
    state: Mapped[PlayState] = mapped_column(StateText(PlayState), default=PlayState.QUEUED)
    reason: Mapped[str] = mapped_column(String(60), default="")
    received_at: Mapped[datetime | None]
    fetched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    played_ms: Mapped[int | None]
    changed_at: Mapped[datetime]


class PlayReceipt(Base):
    """One report of a loudspeaker, stored once however often it arrives."""

    __tablename__ = "play_receipt"

    speaker_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """The device's own running number of receipts."""
    command_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    state: Mapped[str] = mapped_column(String(24), primary_key=True)
    device_at: Mapped[datetime]
    arrived_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(60), default="")
    played_ms: Mapped[int | None]

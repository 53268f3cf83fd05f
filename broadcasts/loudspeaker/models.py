"""Play orders to loudspeakers, one delivery per loudspeaker, and every report as it came.

A broadcast is known here by its id alone: the order stands on the channels, not the other way round.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, String
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from broadcasts.loudspeaker.states import PlayState
from hub.core.db import Base, StateText


class OrderState(StrEnum):
    """Whether the command has gone to the broker."""

    QUEUED = "queued"
    SENT = "sent"
    CALLED_OFF = "called_off"


class SheetState(StrEnum):
    """How far a play sent ahead has come."""

    LAID = "laid"
    SENT = "sent"
    TAKEN = "taken"
    WITHDRAWN = "withdrawn"


class PlayOrder(Base):
    """What loudspeakers are told to play for one broadcast, frozen with its command numbers.

    `targets` lists the commands: each `{"id": command uuid, "seq": int}` with either `"region": code, "upto": number,
    "not": [speaker id, ...]` or `"devices": [speaker id, ...]`, who are told one by one.
    """

    __tablename__ = "play_order"
    __table_args__ = (
        Index(None, "state", "priority"),
        Index(
            "ix_play_order_unlisted", "created_at", sqlite_where=sql("NOT listed"), postgresql_where=sql("NOT listed")
        ),
    )

    broadcast_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[OrderState] = mapped_column(StateText(OrderState), default=OrderState.QUEUED)
    priority: Mapped[int]
    targets: Mapped[list[dict[str, Any]]]
    audio_sha256: Mapped[str] = mapped_column(String(64))
    audio_bytes: Mapped[int]
    audio_ms: Mapped[int]
    stream_url: Mapped[str] = mapped_column(String(1000), default="")
    """A relay; then `audio_sha256` is what sounds when it dies, or empty."""
    shout: Mapped[bool] = mapped_column(default=False)
    length_ms: Mapped[int] = mapped_column(default=0)
    """How long a relay or a shout lasts at most; a recording lasts `audio_ms`."""
    volume: Mapped[int | None]
    repeat: Mapped[int] = mapped_column(default=1)
    gap_ms: Mapped[int] = mapped_column(default=0)
    mode: Mapped[str] = mapped_column(String(5), default="live")
    severity: Mapped[str] = mapped_column(String(8), default="")
    by_name: Mapped[str] = mapped_column(String(60), default="")
    pack: Mapped[str] = mapped_column(String(32), default="")
    text: Mapped[str] = mapped_column(String(800), default="")
    starts_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    resends: Mapped[int] = mapped_column(default=0)
    next_resend_at: Mapped[datetime | None]
    stop_seq: Mapped[int | None] = mapped_column(BigInteger)
    stop_sent_at: Mapped[datetime | None]
    listed: Mapped[bool] = mapped_column(default=True)
    """Whether its deliveries are written: an emergency's follow after its commands have gone out, see `listing`."""


class SpeakerDelivery(Base):
    """One broadcast on one loudspeaker: what is known, and when each step was first reported.

    Written and moved by the ten thousand at once. So there is no foreign key to the loudspeaker, which is never
    deleted, and no index on anything that changes: PostgreSQL would write all indexes anew with every report.
    """

    __tablename__ = "speaker_delivery"
    __table_args__ = (
        Index(None, "speaker_id", "broadcast_id"),
        Index(None, "command_id", "speaker_id"),
        {"postgresql_with": {"fillfactor": 60}},
    )

    broadcast_id: Mapped[UUID] = mapped_column(primary_key=True)
    speaker_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    region_path: Mapped[str] = mapped_column(String(64))
    command_id: Mapped[UUID]
    state: Mapped[PlayState] = mapped_column(StateText(PlayState), default=PlayState.QUEUED)
    reason: Mapped[str] = mapped_column(String(60), default="")
    received_at: Mapped[datetime | None]
    fetched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    played_ms: Mapped[int | None]
    volume: Mapped[int | None]
    used: Mapped[str] = mapped_column(String(8), default="")
    """What sounded: audio, stream, shout, or what stood in: pack, speech, tone. Empty before it sounds."""
    changed_at: Mapped[datetime]


class VillageSum(Base):
    """What one broadcast came to in one place, added up days after it was over: years of reports are read from these.

    A receipt that comes later still takes the row away again, and it is added up anew: `summing`.
    """

    __tablename__ = "village_sum"
    __table_args__ = (Index(None, "released_at"),)

    broadcast_id: Mapped[UUID] = mapped_column(primary_key=True)
    region_path: Mapped[str] = mapped_column(String(64), primary_key=True)
    released_at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(24))
    theme: Mapped[str] = mapped_column(String(24), default="")
    meant: Mapped[int]
    answered: Mapped[int]
    finished: Mapped[int]
    played_ms: Mapped[int] = mapped_column(BigInteger)
    day: Mapped[date | None]
    """The local day on which the first of its loudspeakers began; None when none did."""
    minute: Mapped[int | None]
    """The local minute of that day, 0 to 1439."""


class PlayReceipt(Base):
    """One report of a loudspeaker, stored once however often it arrives."""

    __tablename__ = "play_receipt"
    __table_args__ = (Index(None, "command_id", "speaker_id"),)

    speaker_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """The device's own running number of receipts."""
    command_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(24), primary_key=True)
    device_at: Mapped[datetime]
    arrived_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(60), default="")
    played_ms: Mapped[int | None]
    volume: Mapped[int | None]
    used: Mapped[str] = mapped_column(String(8), default="")
    offset_ms: Mapped[int | None] = mapped_column(BigInteger)


class SheetPlay(Base):
    """A play sent ahead of its time, so that loudspeakers sound it even if the line is down then.

    `broadcast_id` is the broadcast that will be made when the time comes; it takes over these commands.
    """

    __tablename__ = "sheet_play"
    __table_args__ = (Index(None, "state", "starts_at"),)

    broadcast_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[SheetState] = mapped_column(StateText(SheetState), default=SheetState.LAID)
    targets: Mapped[list[dict[str, Any]]]
    audio_sha256: Mapped[str] = mapped_column(String(64))
    audio_bytes: Mapped[int]
    audio_ms: Mapped[int]
    priority: Mapped[int]
    volume: Mapped[int | None]
    starts_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    laid_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    stop_seq: Mapped[int | None] = mapped_column(BigInteger)
    stop_sent_at: Mapped[datetime | None]


class StopOrder(Base):
    """Everything in a region is to be silent: sent until all have heard it, and first to whoever comes back."""

    __tablename__ = "stop_order"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    region_code: Mapped[str] = mapped_column(String(14))
    region_path: Mapped[str] = mapped_column(String(64), index=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    upto: Mapped[int]
    made_at: Mapped[datetime] = mapped_column(index=True)
    made_by_name: Mapped[str] = mapped_column(String(60))
    sent_at: Mapped[datetime | None]
    next_resend_at: Mapped[datetime | None]
    resends: Mapped[int] = mapped_column(default=0)

"""Complaints of residents, and every step that was taken about them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.feedback.kinds import ComplaintDeed, ComplaintKind, ComplaintState, Way
from hub.core.db import Base, StateText


class Complaint(Base):
    """What one resident said about what was heard, or was not. A number is kept as residents' numbers are."""

    __tablename__ = "complaint"
    __table_args__ = (
        Index(None, "region_path", "state"),
        Index(None, "state", "due_at"),
        Index(None, "received_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[ComplaintKind] = mapped_column(StateText(ComplaintKind))
    state: Mapped[ComplaintState] = mapped_column(StateText(ComplaintState), default=ComplaintState.NEW)
    way: Mapped[Way] = mapped_column(StateText(Way))
    text: Mapped[str] = mapped_column(Text, default="")
    region_path: Mapped[str] = mapped_column(String(64), default="")
    """The village or group it is about; empty: nobody knows, and only the county sees it."""
    broadcast_id: Mapped[UUID | None] = mapped_column(index=True)
    speaker_id: Mapped[str] = mapped_column(String(32), default="", index=True)
    """The loudspeaker it is about, as far as that is known; empty: any of the village's."""
    inbound_id: Mapped[UUID | None] = mapped_column(unique=True)
    """The text message it came by."""
    phone_index: Mapped[bytes | None] = mapped_column(LargeBinary(16), index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary(80), default=b"")
    masked: Mapped[str] = mapped_column(String(24), default="")
    urgent: Mapped[bool] = mapped_column(default=False)
    """Words of danger stand in it."""
    received_at: Mapped[datetime]
    due_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]
    assigned_to: Mapped[UUID | None] = mapped_column(index=True)
    assigned_name: Mapped[str] = mapped_column(String(60), default="")
    done_at: Mapped[datetime | None]
    done_by_name: Mapped[str] = mapped_column(String(60), default="")
    outcome: Mapped[str] = mapped_column(Text, default="")


class ComplaintStep(Base):
    """Something that was done about a complaint. Steps are only ever added."""

    __tablename__ = "complaint_step"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    complaint_id: Mapped[UUID] = mapped_column(ForeignKey(Complaint.id, ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    by: Mapped[UUID | None]
    by_name: Mapped[str] = mapped_column(String(60))
    deed: Mapped[ComplaintDeed] = mapped_column(StateText(ComplaintDeed))
    note: Mapped[str] = mapped_column(Text, default="")

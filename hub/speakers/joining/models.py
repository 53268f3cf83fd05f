"""Devices and claim codes that have not met yet, and what each is to be given."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.core.db import Base, StateText
from hub.speakers.models import Speaker


class ClaimState(StrEnum):
    """How far device and code have come."""

    WAITING = "waiting"
    """A device has announced itself and waits in quarantine."""
    OFFERED = "offered"
    """Its papers are ready: it may fetch them."""
    DONE = "done"
    """It has fetched them and connected."""
    DISMISSED = "dismissed"
    """A person has sent it away, or its time is over."""


class Claim(Base):
    """One claim code, known here by what can be computed from it, never by itself.

    The code is the secret that device and person share: the papers (credential, broker, hub keys) are sealed under a
    key made from it, so that only the device with that code can read them and only somebody who typed the code can have
    sealed them.
    """

    __tablename__ = "speaker_claim"
    __table_args__ = (Index(None, "state", "seen_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Computed one way from the code."""
    state: Mapped[ClaimState] = mapped_column(StateText(ClaimState))
    speaker_id: Mapped[str | None] = mapped_column(ForeignKey(Speaker.id))
    region_path: Mapped[str] = mapped_column(String(64), default="")
    papers: Mapped[str] = mapped_column(Text, default="")
    serial: Mapped[str] = mapped_column(String(60), default="")
    model: Mapped[str] = mapped_column(String(40), default="")
    version: Mapped[str] = mapped_column(String(40), default="")
    address: Mapped[str] = mapped_column(String(60), default="")
    made_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    made_by_name: Mapped[str] = mapped_column(String(60), default="")
    done_at: Mapped[datetime | None]

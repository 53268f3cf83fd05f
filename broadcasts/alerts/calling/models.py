"""Calls to the people responsible, each try of them, and what is left to do by foot and telephone."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.core.db import Base, StateText


class CallState(StrEnum):
    """Whether somebody has answered for a place."""

    CALLING = "calling"
    CONFIRMED = "confirmed"
    NOBODY = "nobody"
    """Everybody up to the county was called, or nobody is on the roster."""
    ENDED = "ended"
    """The alert was taken back or is over."""


class How(StrEnum):
    """How somebody confirmed."""

    LINK = "link"
    REPLY = "reply"
    BUTTON = "button"
    PHONE = "phone"
    """Somebody at the desk spoke to them."""


class ErrandKind(StrEnum):
    """What has to be done."""

    PHONE = "phone"
    KNOCK = "knock"


class Call(Base):
    """One place of one alert: somebody there has to say that they know."""

    __tablename__ = "call"
    __table_args__ = (UniqueConstraint("alert_id", "region_path"), Index(None, "state", "next_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    alert_id: Mapped[UUID] = mapped_column(index=True)
    incident_id: Mapped[UUID | None] = mapped_column(index=True)
    region_code: Mapped[str] = mapped_column(String(14))
    region_path: Mapped[str] = mapped_column(String(64))
    state: Mapped[CallState] = mapped_column(StateText(CallState), default=CallState.CALLING)
    opened_at: Mapped[datetime]
    next_at: Mapped[datetime]
    """When the next person is called."""
    confirmed_at: Mapped[datetime | None]
    confirmed_by_name: Mapped[str] = mapped_column(String(60), default="")
    how: Mapped[How | None] = mapped_column(StateText(How))


class CallTry(Base):
    """One person who was called for one place. `turn` counts within the call."""

    __tablename__ = "call_try"
    __table_args__ = (UniqueConstraint("call_id", "person_id"), Index(None, "phone_index", "sent_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    call_id: Mapped[UUID] = mapped_column(ForeignKey(Call.id), index=True)
    turn: Mapped[int]
    person_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(40), default="")
    region_path: Mapped[str] = mapped_column(String(64))
    """Where this person belongs: the place itself, or one above it."""
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16))
    masked: Mapped[str] = mapped_column(String(24))
    account_id: Mapped[UUID | None]
    sent_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    how: Mapped[How | None] = mapped_column(StateText(How))


class Errand(Base):
    """A place to phone or doors to knock on. Closed by a confirmation and by nothing else."""

    __tablename__ = "errand"
    __table_args__ = (UniqueConstraint("alert_id", "kind", "subject"), Index(None, "incident_id", "closed_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    alert_id: Mapped[UUID]
    incident_id: Mapped[UUID | None]
    kind: Mapped[ErrandKind] = mapped_column(StateText(ErrandKind))
    subject: Mapped[str] = mapped_column(String(64))
    """The region or the loudspeaker it is about."""
    region_code: Mapped[str] = mapped_column(String(14))
    region_path: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(120))
    households: Mapped[int | None]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by_name: Mapped[str] = mapped_column(String(60), default="")
    result: Mapped[str] = mapped_column(String(200), default="")
    """Who was spoken to, what they said."""

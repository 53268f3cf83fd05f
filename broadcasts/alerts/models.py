"""Emergencies: a hazard, a colour, an area, fired after a countdown that the hub owns."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.kinds import Act, Colour, Mode
from hub.core.db import Base, StateText


class AlertState(StrEnum):
    """How far an alert has come."""

    PROPOSED = "proposed"
    """Waits for a second person. `fires_at` says until when."""
    ARMED = "armed"
    FIRED = "fired"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    MISSED = "missed"
    """The hub did not run when it was due, and afterwards it was too late to be true."""


class Authority(StrEnum):
    """By what right it may sound."""

    PLAN = "plan"
    """The words were approved beforehand, by two people; whoever is on duty may fire them alone."""
    SECOND_PERSON = "second_person"
    """Somebody else has read it and typed the number again."""
    BREAK_GLASS = "break_glass"
    """Nobody answered, one person did it alone, said why, and it was reported."""
    ISSUED = "issued"
    """An authority outside has issued it; see `issuer` and `issuer_ref`."""
    PREPARED = "prepared"
    """A correction or an all-clear, written and approved together with what it ends."""
    DRILL = "drill"


class Alert(Base):
    """One emergency push. `form_key` makes pressing twice the same as pressing once.

    What ends it is prepared before it goes out: `correction` and `all_clear` each hold `speech` and `sms`. `follows_id`
    names the alert this one updates, takes back or ends.
    """

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
    mode: Mapped[Mode] = mapped_column(StateText(Mode), default=Mode.LIVE)
    act: Mapped[Act] = mapped_column(StateText(Act), default=Act.ALERT)
    authority: Mapped[Authority] = mapped_column(StateText(Authority), default=Authority.PLAN)
    incident_id: Mapped[UUID | None] = mapped_column(index=True)
    follows_id: Mapped[UUID | None] = mapped_column(index=True)
    plan_id: Mapped[UUID | None]
    plan_version: Mapped[int] = mapped_column(default=0)
    issuer: Mapped[str] = mapped_column(String(60), default="")
    """Who issued it, when it is a warning of an authority; then `issuer_ref` is the number it has there."""
    issuer_ref: Mapped[str] = mapped_column(String(120), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why one person did it alone."""
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[UUID | None]
    confirmed_by_name: Mapped[str] = mapped_column(String(40), default="")
    correction: Mapped[dict[str, Any]] = mapped_column(default=dict)
    all_clear: Mapped[dict[str, Any]] = mapped_column(default=dict)
    opened_at: Mapped[datetime | None]
    """When the officer opened the desk: a drill measures from here."""
    mistyped: Mapped[int] = mapped_column(default=0)
    """How often the number was typed wrongly before."""

"""An incident: what all alerts, documents and calls about one event have in common."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.kinds import Colour, Mode
from hub.core.db import Base, StateText


class IncidentState(StrEnum):
    """Whether it still goes on."""

    OPEN = "open"
    CLOSED = "closed"


class SourceKind(StrEnum):
    """How the hub learned of it."""

    OWN = "own"
    """Somebody at a desk of this hub."""
    CAP = "cap"
    NATIONAL = "national"
    """The national early-warning platform (12379)."""
    EBM = "ebm"


class Incident(Base):
    """One event in one part of the tree. `colour` is the gravest so far, `regions` every area that was ever meant."""

    __tablename__ = "incident"
    __table_args__ = (Index(None, "state", "home_path"), Index(None, "home_path", "opened_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    mode: Mapped[Mode] = mapped_column(StateText(Mode), default=Mode.LIVE)
    state: Mapped[IncidentState] = mapped_column(StateText(IncidentState), default=IncidentState.OPEN)
    hazard: Mapped[str] = mapped_column(String(20))
    colour: Mapped[Colour] = mapped_column(StateText(Colour))
    title: Mapped[str] = mapped_column(String(60))
    home_path: Mapped[str] = mapped_column(String(64))
    regions: Mapped[list[str]]
    opened_at: Mapped[datetime]
    opened_by_name: Mapped[str] = mapped_column(String(60), default="")
    touched_at: Mapped[datetime]
    """When something last happened in it: what comes long after is another incident."""
    closed_at: Mapped[datetime | None]
    closed_by_name: Mapped[str] = mapped_column(String(60), default="")


class IncidentSource(Base):
    """One report of the event. The same reference of the same issuer is noted once an incident."""

    __tablename__ = "incident_source"
    __table_args__ = (UniqueConstraint("incident_id", "kind", "issuer", "reference"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    incident_id: Mapped[UUID] = mapped_column(ForeignKey(Incident.id), index=True)
    kind: Mapped[SourceKind] = mapped_column(StateText(SourceKind))
    issuer: Mapped[str] = mapped_column(String(60), default="")
    reference: Mapped[str] = mapped_column(String(120), default="")
    """The number the issuer gave it."""
    title: Mapped[str] = mapped_column(String(120), default="")
    colour: Mapped[Colour | None] = mapped_column(StateText(Colour))
    document_id: Mapped[UUID | None]
    """The document as it came in, where one was kept."""
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    received_at: Mapped[datetime]


class IncidentNote(Base):
    """What somebody wrote down in the course of it."""

    __tablename__ = "incident_note"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    incident_id: Mapped[UUID] = mapped_column(ForeignKey(Incident.id), index=True)
    at: Mapped[datetime]
    by_name: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(Text)

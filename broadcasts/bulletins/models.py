"""Official warnings that came in, where they come from, and whom the hub trusts."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.kinds import Colour
from hub.core.db import Base, StateText


class Door(StrEnum):
    """By what way a document came in."""

    PUSH = "push"
    FEED = "feed"
    NATIONAL = "national"


class BulletinState(StrEnum):
    """What has become of a warning."""

    PROPOSED = "proposed"
    """Somebody has to decide."""
    TAKEN = "taken"
    """An emergency was made from it."""
    JOINED = "joined"
    """The same event is being announced already: nobody hears it twice."""
    DISMISSED = "dismissed"
    NOTED = "noted"
    """A test, an exercise, or not for the public."""
    WITHDRAWN = "withdrawn"
    """Its sender has called it off."""
    REPLACED = "replaced"
    """Its sender has sent a newer one."""
    LAPSED = "lapsed"
    """Its time ran out before anybody decided."""


OPEN = (BulletinState.PROPOSED, BulletinState.TAKEN, BulletinState.JOINED)


class Envelope(Base):
    """One document as it came in, with its verdicts. `key` is None for what was refused: it may come again, mended."""

    __tablename__ = "bulletin_document"
    __table_args__ = (UniqueConstraint("key"), Index(None, "received_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    key: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Hash of sender, identifier and the moment it was sent."""
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    """Hash of what it says, without signature."""
    door: Mapped[Door] = mapped_column(StateText(Door))
    feed_id: Mapped[UUID | None] = mapped_column(index=True)
    home_path: Mapped[str] = mapped_column(String(64))
    """Where those who may see it answer for: the place of the feed or of the key it came by."""
    sender: Mapped[str] = mapped_column(String(200), default="")
    identifier: Mapped[str] = mapped_column(String(200), default="")
    sent: Mapped[datetime | None]
    purpose: Mapped[str] = mapped_column(String(12), default="")
    status: Mapped[str] = mapped_column(String(12), default="")
    signed: Mapped[str] = mapped_column(String(12), default="none")
    verdicts: Mapped[dict[str, Any]]
    findings: Mapped[list[dict[str, Any]]]
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime]
    by_name: Mapped[str] = mapped_column(String(60), default="")


class Bulletin(Base):
    """One warning in a document: one event, one colour, one area."""

    __tablename__ = "bulletin"
    __table_args__ = (UniqueConstraint("document_id", "part"), Index(None, "state", "home_path"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    document_id: Mapped[UUID] = mapped_column(ForeignKey(Envelope.id))
    part: Mapped[int] = mapped_column(default=0)
    state: Mapped[BulletinState] = mapped_column(StateText(BulletinState))
    sender: Mapped[str] = mapped_column(String(200), index=True)
    identifier: Mapped[str] = mapped_column(String(200), index=True)
    sent: Mapped[datetime]
    purpose: Mapped[str] = mapped_column(String(12))
    issuer: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(20))
    hazard: Mapped[str] = mapped_column(String(20))
    event: Mapped[str] = mapped_column(String(60))
    colour: Mapped[Colour | None] = mapped_column(StateText(Colour))
    title: Mapped[str] = mapped_column(String(60))
    headline: Mapped[str] = mapped_column(Text, default="")
    description: Mapped[str] = mapped_column(Text, default="")
    instruction: Mapped[str] = mapped_column(Text, default="")
    codes: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    """Codes of the event as they came: each {"name", "value"}."""
    regions: Mapped[list[str]] = mapped_column(default=list)
    home_path: Mapped[str] = mapped_column(String(64))
    begins: Mapped[datetime]
    ends: Mapped[datetime]
    ends_assumed: Mapped[bool] = mapped_column(default=False)
    over: Mapped[bool] = mapped_column(default=False)
    replaces_id: Mapped[UUID | None]
    incident_id: Mapped[UUID | None] = mapped_column(index=True)
    alert_id: Mapped[UUID | None] = mapped_column(index=True)
    received_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by_name: Mapped[str] = mapped_column(String(60), default="")
    reason: Mapped[str] = mapped_column(String(200), default="")


class TrustedSender(Base):
    """An authority the hub knows, by the name it signs its documents with."""

    __tablename__ = "trusted_sender"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    sender: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(60))
    """What it is called on loudspeakers."""
    home_path: Mapped[str] = mapped_column(String(64))
    certificate: Mapped[str] = mapped_column(Text, default="")
    needs_signature: Mapped[bool] = mapped_column(default=False)
    by_name: Mapped[str] = mapped_column(String(60), default="")
    at: Mapped[datetime]


class Feed(Base):
    """An Atom or RSS feed that is looked at every few minutes."""

    __tablename__ = "warning_feed"
    __table_args__ = (UniqueConstraint("url"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(String(60))
    url: Mapped[str] = mapped_column(String(1000))
    home_path: Mapped[str] = mapped_column(String(64))
    minutes: Mapped[int] = mapped_column(default=2)
    only_known: Mapped[bool] = mapped_column(default=True)
    """Whether only documents of trusted senders are taken from it."""
    active: Mapped[bool] = mapped_column(default=True)
    next_at: Mapped[datetime] = mapped_column(index=True)
    etag: Mapped[str] = mapped_column(String(200), default="")
    modified: Mapped[str] = mapped_column(String(60), default="")
    looked_at: Mapped[datetime | None]
    worked_at: Mapped[datetime | None]
    """When it last answered as a feed should."""
    result: Mapped[str] = mapped_column(String(40), default="")
    """Code of what happened the last time; the words stand in `templates/errors/words/`."""
    result_params: Mapped[dict[str, Any]] = mapped_column(default=dict)
    failures: Mapped[int] = mapped_column(default=0)
    seen: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Entries that were fetched already: id to when it was updated."""
    by_name: Mapped[str] = mapped_column(String(60), default="")
    made_at: Mapped[datetime]


class Notice(Base):
    """One CAP document that this hub has made of an emergency of its own, signed, as it is read by others."""

    __tablename__ = "cap_notice"
    __table_args__ = (UniqueConstraint("alert_id", "purpose"), Index(None, "ends"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    alert_id: Mapped[UUID]
    incident_id: Mapped[UUID | None] = mapped_column(index=True)
    purpose: Mapped[str] = mapped_column(String(12))
    status: Mapped[str] = mapped_column(String(12))
    identifier: Mapped[str] = mapped_column(String(120), unique=True)
    sender: Mapped[str] = mapped_column(String(200))
    sent: Mapped[datetime]
    title: Mapped[str] = mapped_column(String(60))
    regions: Mapped[list[str]]
    home_path: Mapped[str] = mapped_column(String(64))
    ends: Mapped[datetime]
    xml: Mapped[bytes] = mapped_column(LargeBinary)

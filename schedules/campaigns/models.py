"""Campaigns and their texts."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship
from uuid6 import uuid7

from broadcasts.approvals.written import Written
from broadcasts.kinds import Theme
from hub.core.db import Base, StateText
from hub.core.errors import WrongState


class CampaignState(StrEnum):
    """How far a campaign has come."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


S = CampaignState
FOLLOWS: Mapping[CampaignState, frozenset[CampaignState]] = {
    S.DRAFT: frozenset({S.SUBMITTED, S.STOPPED}),
    S.SUBMITTED: frozenset({S.RUNNING, S.RETURNED, S.DRAFT, S.STOPPED}),
    S.RETURNED: frozenset({S.DRAFT, S.SUBMITTED, S.STOPPED}),
    S.RUNNING: frozenset({S.PAUSED, S.STOPPED}),
    S.PAUSED: frozenset({S.RUNNING, S.STOPPED}),
    S.STOPPED: frozenset(),
}


def step(current: CampaignState, new: CampaignState) -> CampaignState:
    """Return `new` if it may follow `current`, else raise WrongState."""
    if new not in FOLLOWS[current]:
        raise WrongState(f"campaign_{current.value}", wanted=new.value)
    return new


class Campaign(Base, Written):
    """A theme, a period, texts that take turns, and how often every village is to hear them.

    `home_path` is the smallest region that holds everything it is aimed at. `content_hash` is taken at submission over
    everything people will hear and read, and when; approval is of that hash, and of nothing that comes later.
    """

    __tablename__ = "campaign"
    __table_args__ = (
        CheckConstraint("approved_by IS NULL OR approved_by <> submitted_by", name="two_pairs_of_eyes"),
        Index(None, "state", "home_path"),
        UniqueConstraint("occasion", "home_path"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    title: Mapped[str] = mapped_column(String(60), default="")
    theme: Mapped[Theme] = mapped_column(StateText(Theme), default=Theme.SAFETY)
    departments: Mapped[list[str]] = mapped_column(default=list)
    audience: Mapped[dict[str, Any]] = mapped_column(default=dict)
    home_path: Mapped[str] = mapped_column(String(64))
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    times: Mapped[list[str]] = mapped_column(default=list)
    """Local times HH:MM at which one text sounds."""
    every_days: Mapped[int] = mapped_column(default=1)
    most_a_day: Mapped[int] = mapped_column(default=2)
    """A village hears no more than so many texts of campaigns on one day, whichever they belong to."""
    target: Mapped[int] = mapped_column(default=0)
    """How often every village is to have heard it at the end."""
    repeats: Mapped[int] = mapped_column(default=1)
    speed: Mapped[str] = mapped_column(String(8), default="normal")
    sms_at: Mapped[str] = mapped_column(String(5), default="")
    """Local time HH:MM of the text messages, each text once; empty: none."""
    occasion: Mapped[str | None] = mapped_column(String(40))
    """The awareness day it was drafted for, with its year; one a region."""

    state: Mapped[CampaignState] = mapped_column(StateText(CampaignState), default=CampaignState.DRAFT)
    stopped_at: Mapped[datetime | None]
    texts: Mapped[list["CampaignText"]] = relationship(
        back_populates="campaign", cascade="all, delete-orphan", order_by="CampaignText.position"
    )


class CampaignText(Base):
    """One of the texts, its recording, and the announcements that stand for it once it is approved."""

    __tablename__ = "campaign_text"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey(Campaign.id), index=True)
    position: Mapped[int]
    title: Mapped[str] = mapped_column(String(60), default="")
    text: Mapped[str] = mapped_column(Text, default="")
    sms_text: Mapped[str] = mapped_column(Text, default="")
    to_check: Mapped[str] = mapped_column(String(100), default="")
    """What is local in it and has to be checked before somebody approves it."""
    audio_sha256: Mapped[str] = mapped_column(String(64), default="")
    audio_ms: Mapped[int] = mapped_column(default=0)
    audio_bytes: Mapped[int] = mapped_column(default=0)
    engine: Mapped[str] = mapped_column(String(30), default="")
    spoken: Mapped[str] = mapped_column(Text, default="")
    announcement_id: Mapped[UUID | None] = mapped_column(index=True)
    sms_announcement_id: Mapped[UUID | None] = mapped_column(index=True)
    campaign: Mapped[Campaign] = relationship(back_populates="texts")

"""Rules of approval, every verdict ever given, and what was handed in each time. Verdicts are only ever added."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.approvals.rules import Matter, Reach
from hub.audit.guarding import keep
from hub.core.db import Base, StateText


class Opinion(StrEnum):
    """What a reviewer said."""

    PASSED = "passed"
    RETURNED = "returned"
    REJECTED = "rejected"


class ApprovalRule(Base):
    """How many reviewers, and in which roles, something needs below a region."""

    __tablename__ = "approval_rule"
    __table_args__ = (UniqueConstraint("region_path", "matter", "reach"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    region_path: Mapped[str] = mapped_column(String(64))
    matter: Mapped[Matter] = mapped_column(StateText(Matter))
    reach: Mapped[Reach] = mapped_column(StateText(Reach))
    steps: Mapped[list[str]]
    changed_by: Mapped[str] = mapped_column(String(60))
    changed_at: Mapped[datetime]


class Review(Base):
    """One verdict. The keys hold what the service promises: one verdict a step, and nobody passes twice in a round."""

    __tablename__ = "review"
    __table_args__ = (
        UniqueConstraint("subject_id", "round", "step"),
        UniqueConstraint("subject_id", "round", "reviewer_id", "verdict"),
        Index(None, "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    subject_id: Mapped[UUID]
    """What it is about: an announcement, a campaign, a sheet, something of the library, a plan."""
    round: Mapped[int]
    """How many times it had been handed in."""
    step: Mapped[int]
    verdict: Mapped[Opinion] = mapped_column(StateText(Opinion))
    reason: Mapped[str] = mapped_column(String(200), default="")
    content_hash: Mapped[str] = mapped_column(String(64))
    reviewer_id: Mapped[UUID]
    reviewer_name: Mapped[str] = mapped_column(String(40))
    for_id: Mapped[UUID | None]
    """In whose place, when that somebody was away."""
    for_name: Mapped[str] = mapped_column(String(40), default="")
    at: Mapped[datetime]


class Version(Base):
    """What was handed in, as it was, and who has to look: with it begins a round.

    `content` holds the words and everything else that shapes what people hear and read. `steps` are the roles of the
    reviewers this round needs: no rule that is changed later changes them.
    """

    __tablename__ = "handed_in"
    __table_args__ = (UniqueConstraint("subject_id", "round"), Index(None, "home_path", "at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    subject_id: Mapped[UUID]
    matter: Mapped[Matter] = mapped_column(StateText(Matter))
    title: Mapped[str] = mapped_column(String(60), default="")
    home_path: Mapped[str] = mapped_column(String(64))
    steps: Mapped[list[str]]
    round: Mapped[int]
    content: Mapped[dict[str, Any]]
    content_hash: Mapped[str] = mapped_column(String(64))
    by_id: Mapped[UUID]
    by_name: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]


class AfterReview(Base):
    """An emergency looked at afterwards: who, when, and whether it was right."""

    __tablename__ = "after_review"

    broadcast_id: Mapped[UUID] = mapped_column(primary_key=True)
    proper: Mapped[bool]
    note: Mapped[str] = mapped_column(Text, default="")
    reviewer_id: Mapped[UUID]
    reviewer_name: Mapped[str] = mapped_column(String(40))
    for_name: Mapped[str] = mapped_column(String(40), default="")
    at: Mapped[datetime]


for _kept in (Review, Version, AfterReview):
    keep(_kept.__table__)  # type: ignore[arg-type]

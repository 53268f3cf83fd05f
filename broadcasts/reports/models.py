"""What a county settled about points, what is planned for its gaps, and which figures somebody was told of."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.reports.scoring import Metric
from hub.core.db import Base, StateText


class ScoreRule(Base):
    """One metric's weight and bounds; a metric without a row follows the defaults."""

    __tablename__ = "score_rule"

    metric: Mapped[Metric] = mapped_column(StateText(Metric), primary_key=True)
    weight: Mapped[int]
    good: Mapped[float]
    bad: Mapped[float]
    alarm: Mapped[float | None]
    changed_at: Mapped[datetime]
    changed_by_name: Mapped[str] = mapped_column(String(60))


class GapKind(StrEnum):
    """Why somebody in a village cannot be reached."""

    HORN = "horn"
    """No loudspeaker there works."""
    PHONE = "phone"
    """People there have no mobile number."""


class GapPlan(Base):
    """Who closes a gap, until when, and whether they say they have. The newest of a village and kind holds."""

    __tablename__ = "gap_plan"
    __table_args__ = (Index(None, "region_path", "kind"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    region_code: Mapped[str] = mapped_column(String(14))
    region_path: Mapped[str] = mapped_column(String(64))
    kind: Mapped[GapKind] = mapped_column(StateText(GapKind))
    person: Mapped[str] = mapped_column(String(40))
    what: Mapped[str] = mapped_column(String(200), default="")
    due_on: Mapped[date]
    made_by_name: Mapped[str] = mapped_column(String(60))
    changed_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    done_by_name: Mapped[str] = mapped_column(String(60), default="")


class FigureAlarm(Base):
    """A figure of a place that was worse than its bound: told once, until it is better again."""

    __tablename__ = "figure_alarm"
    __table_args__ = (Index(None, "ended_at", "region_path"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    region_code: Mapped[str] = mapped_column(String(14))
    region_path: Mapped[str] = mapped_column(String(64))
    metric: Mapped[Metric] = mapped_column(StateText(Metric))
    value: Mapped[float]
    bound: Mapped[float]
    first_day: Mapped[date]
    last_day: Mapped[date]
    """The days it was counted over."""
    since: Mapped[datetime]
    ended_at: Mapped[datetime | None]

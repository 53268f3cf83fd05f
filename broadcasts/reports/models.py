"""What a county settled about points."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from broadcasts.reports.scoring import Metric
from hub.core.db import Base, StateText


class ScoreRule(Base):
    """One metric's weight and bounds; a metric without a row follows the defaults."""

    __tablename__ = "score_rule"

    metric: Mapped[Metric] = mapped_column(StateText(Metric), primary_key=True)
    weight: Mapped[int]
    good: Mapped[float]
    bad: Mapped[float]
    changed_at: Mapped[datetime]
    changed_by_name: Mapped[str] = mapped_column(String(60))

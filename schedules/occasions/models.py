"""What a place has settled about awareness days: other dates, and in whose name drafts are made."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hub.core.db import Base


class OccasionChange(Base):
    """An occasion of one year as it is in one place: its days were checked, moved, or it is left out."""

    __tablename__ = "occasion_change"

    ref: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Key and year: `flood:2027`."""
    home_path: Mapped[str] = mapped_column(String(64), primary_key=True)
    first_day: Mapped[date]
    last_day: Mapped[date]
    off: Mapped[bool] = mapped_column(default=False)
    changed_by_name: Mapped[str] = mapped_column(String(40))
    changed_at: Mapped[datetime]


class OccasionDesk(Base):
    """A place where drafts are made ahead of awareness days, in the name of whoever wanted that."""

    __tablename__ = "occasion_desk"

    home_path: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[UUID]
    account_name: Mapped[str] = mapped_column(String(40))
    since: Mapped[datetime]

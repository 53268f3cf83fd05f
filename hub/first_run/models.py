"""What was said about the steps of the first run: done, or left out for now."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hub.core.db import Base, StateText


class Said(StrEnum):
    """What somebody said about a step. What the tables show by themselves needs no saying."""

    DONE = "done"
    SKIPPED = "skipped"


class FirstStep(Base):
    """A step somebody has ticked off or left out; the row `whole` closes the guide."""

    __tablename__ = "first_step"

    key: Mapped[str] = mapped_column(String(20), primary_key=True)
    said: Mapped[Said] = mapped_column(StateText(Said))
    by_name: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime]

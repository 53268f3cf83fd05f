"""The duty roster: who answers for a place, in which order they are called, and who is on duty when."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.core.db import Base


class DutyPerson(Base):
    """Somebody who is called when it is serious. `turn` is the order; whoever has a shift now comes first."""

    __tablename__ = "duty_person"
    __table_args__ = (Index(None, "region_path", "turn"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    region_code: Mapped[str] = mapped_column(String(14))
    region_path: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(40), default="")
    """What they are there: 村支书, 网格员, 带班领导."""
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16), index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary(80))
    masked: Mapped[str] = mapped_column(String(24))
    turn: Mapped[int] = mapped_column(default=1)
    account_id: Mapped[UUID | None]
    """Their account, if they have one: a press while signed in counts as their answer."""
    removed_at: Mapped[datetime | None]


class DutyShift(Base):
    """From when to when somebody is on duty."""

    __tablename__ = "duty_shift"
    __table_args__ = (Index(None, "region_path", "starts_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    person_id: Mapped[UUID] = mapped_column(ForeignKey(DutyPerson.id), index=True)
    region_path: Mapped[str] = mapped_column(String(64))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]

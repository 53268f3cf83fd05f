"""The duty roster: who is called for a place, who has a shift when; and what one shift leaves to the next."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.audit.guarding import keep
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


class Handover(Base):
    """What a leaving officer left to the next. Never changed once written: what was wrong is added below it."""

    __tablename__ = "duty_handover"
    __table_args__ = (Index(None, "region_path", "written_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    region_code: Mapped[str] = mapped_column(String(14))
    region_path: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[datetime]
    """When the shift began that this note ends."""
    written_at: Mapped[datetime]
    written_by: Mapped[UUID | None]
    written_by_name: Mapped[str] = mapped_column(String(60))
    happened: Mapped[str] = mapped_column(Text)
    open_matters: Mapped[str] = mapped_column(Text, default="")
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 over what was written; the log has it too, so that a change made in the database would show."""


class HandoverEntry(Base):
    """What came to a note afterwards: the arriving officer's confirmation, and corrections."""

    __tablename__ = "duty_handover_entry"
    __table_args__ = (
        Index(
            "uq_duty_handover_entry_confirmed",
            "handover_id",
            unique=True,
            sqlite_where=sql("confirms"),
            postgresql_where=sql("confirms"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    handover_id: Mapped[UUID] = mapped_column(ForeignKey(Handover.id), index=True)
    at: Mapped[datetime]
    by: Mapped[UUID | None]
    by_name: Mapped[str] = mapped_column(String(60))
    confirms: Mapped[bool] = mapped_column(default=False)
    text: Mapped[str] = mapped_column(Text, default="")


for written_once in (Handover, HandoverEntry):
    keep(written_once.__table__)  # type: ignore[arg-type]

"""What every table of things that people write and others pass has in common."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column


class Written:
    """Who wrote it, handed it in and passed it, and when; `content_hash` is what the approvers looked at."""

    content_hash: Mapped[str] = mapped_column(String(64), default="")
    return_reason: Mapped[str] = mapped_column(String(200), default="")
    written_by: Mapped[UUID]
    written_by_name: Mapped[str] = mapped_column(String(40))
    written_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    submitted_by: Mapped[UUID | None]
    submitted_by_name: Mapped[str] = mapped_column(String(40), default="")
    submitted_at: Mapped[datetime | None]
    approved_by: Mapped[UUID | None]
    approved_by_name: Mapped[str] = mapped_column(String(40), default="")
    approved_at: Mapped[datetime | None]

"""The processes of a hub, as they report themselves."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hub.core.db import Base


class HubProcess(Base):
    """One process of the hub and when it was last heard of; gone when it has ended in order."""

    __tablename__ = "hub_process"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(String(40))
    """`run`, or a role."""
    lanes: Mapped[str] = mapped_column(String(60), default="")
    """Of a worker, with commas between."""
    machine: Mapped[str] = mapped_column(String(80))
    pid: Mapped[int]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
    on_duty: Mapped[bool]
    """Works, or stands by until another one of its role has died."""
    trouble: Mapped[list[str]]
    """Names of loops that have ended or fail again and again."""

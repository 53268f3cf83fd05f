"""The log of who did what; rows are only ever added, each carries the hash of the one before."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.audit.guarding import keep
from hub.core.db import Base


class AuditEntry(Base):
    """One deed. No foreign keys: it must outlive whatever it speaks of."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index(None, "region_path", "id"), Index(None, "subject", "id"))

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    at: Mapped[datetime]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str] = mapped_column(String(60))
    origin: Mapped[str] = mapped_column(String(60))
    via: Mapped[str] = mapped_column(String(12))
    deed: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(80))
    region_path: Mapped[str] = mapped_column(String(64))
    details: Mapped[dict[str, Any]]
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


keep(AuditEntry.__table__)  # type: ignore[arg-type]

"""Ready-made texts of messages with what each provider says of them, and the unit's own telephones to try a text on."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.core.db import Base, StateText
from hub.residents.models import NumberKind


class FilingState(StrEnum):
    """How far a text is with a provider."""

    DRAFT = "draft"
    """Not handed in."""
    FILED = "filed"
    APPROVED = "approved"
    REJECTED = "rejected"


class SmsTemplate(Base):
    """A ready-made text. What changes stands in braces: `{地点}今晚有大雨`."""

    __tablename__ = "sms_template"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    title: Mapped[str] = mapped_column(String(30), unique=True)
    topic: Mapped[str] = mapped_column(String(24))
    text: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]
    by_name: Mapped[str] = mapped_column(String(40))


class SmsFiling(Base):
    """What one provider says of a text. `code` is the provider's own name for it once it is approved."""

    __tablename__ = "sms_filing"

    template_id: Mapped[UUID] = mapped_column(ForeignKey(SmsTemplate.id, ondelete="CASCADE"), primary_key=True)
    provider: Mapped[str] = mapped_column(String(24), primary_key=True)
    state: Mapped[FilingState] = mapped_column(StateText(FilingState))
    code: Mapped[str] = mapped_column(String(40), default="")
    note: Mapped[str] = mapped_column(String(200), default="")
    changed_at: Mapped[datetime]
    by_name: Mapped[str] = mapped_column(String(40))


class TestPhone(Base):
    """A telephone of the unit itself: texts are tried on it, and nobody else gets them."""

    __tablename__ = "sms_test_phone"
    __table_args__ = (UniqueConstraint("home_path", "index"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    home_path: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(40))
    index: Mapped[bytes] = mapped_column(LargeBinary(16))
    sealed: Mapped[bytes] = mapped_column(LargeBinary(80))
    masked: Mapped[str] = mapped_column(String(24))
    kind: Mapped[NumberKind] = mapped_column(StateText(NumberKind))
    added_at: Mapped[datetime]
    by_name: Mapped[str] = mapped_column(String(40))

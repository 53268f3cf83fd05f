"""What the built-in gateway keeps: its simulated phones' messages and its switches."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from broadcasts.sms.models import RowNumber
from broadcasts.sms.states import MessageState
from hub.core.db import Base, StateText


class LocalSms(Base):
    """One bubble on a simulated phone: a message it was sent, or (`reply`) one its owner wrote."""

    __tablename__ = "local_sms"
    __table_args__ = (Index(None, "phone_index", "id"), Index(None, "state", "due_at"))

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16))
    sealed: Mapped[bytes] = mapped_column(LargeBinary(80))
    masked: Mapped[str] = mapped_column(String(24))
    message_ref: Mapped[str] = mapped_column(String(60), default="", index=True)
    reply: Mapped[bool] = mapped_column(default=False)
    text: Mapped[str] = mapped_column(Text)
    parts: Mapped[int]
    price_hundredths: Mapped[int] = mapped_column(default=0)
    """What it cost, in hundredths of a fen."""
    state: Mapped[MessageState] = mapped_column(StateText(MessageState))
    """`sent` until the phone answers at `due_at`, then `delivered` or `undelivered`."""
    code: Mapped[str] = mapped_column(String(40), default="")
    sent_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]


class LocalGatewaySwitches(Base):
    """How the simulated network behaves; one row."""

    __tablename__ = "local_gateway"

    id: Mapped[int] = mapped_column(primary_key=True)
    fail_percent: Mapped[float] = mapped_column(default=0.0)
    """Share of messages that end as undelivered, beside the phones that are switched off."""
    extra_delay_s: Mapped[float] = mapped_column(default=0.0)
    """Added to the time until a receipt comes."""
    drop_percent: Mapped[float] = mapped_column(default=0.0)
    """Share of calls that are carried out while their answer is lost: the hub sees them as unknown."""
    stopped: Mapped[bool] = mapped_column(default=False)
    """Nothing is taken; the hub waits and tries again."""

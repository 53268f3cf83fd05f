"""Webhooks, what they are told, and every attempt to tell them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.core.db import Base, StateText


class EventKind(StrEnum):
    """What may be told."""

    RELEASED = "broadcast.released"
    DONE = "broadcast.done"
    STOPPED = "broadcast.stopped"
    SILENT = "speakers.silent"
    BACK = "speakers.back"
    COMPLAINT = "complaint.new"
    FIGURE = "figure.alarm"
    TEST = "test"


class CallState(StrEnum):
    """How far one telling is."""

    WAITING = "waiting"
    DONE = "done"
    GIVEN_UP = "given_up"


class Webhook(Base):
    """An address of another program. It hears of `home_path` and everything below, of the kinds it wants."""

    __tablename__ = "webhook"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(String(40))
    url: Mapped[str] = mapped_column(String(400))
    home_path: Mapped[str] = mapped_column(String(64))
    kinds: Mapped[list[str]]
    sealed: Mapped[bytes] = mapped_column(LargeBinary(80))
    """The secret, readable with the hub's key."""
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    created_by_name: Mapped[str] = mapped_column(String(60))


class WebhookCall(Base):
    """One event for one webhook, until it was taken or given up. `id` is what a receiver tells repetitions by."""

    __tablename__ = "webhook_call"
    __table_args__ = (Index(None, "state", "next_try_at"), Index(None, "webhook_id", "id"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey(Webhook.id, ondelete="CASCADE"))
    kind: Mapped[EventKind] = mapped_column(StateText(EventKind))
    facts: Mapped[dict[str, Any]]
    state: Mapped[CallState] = mapped_column(StateText(CallState), default=CallState.WAITING)
    made_at: Mapped[datetime]
    next_try_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    done_at: Mapped[datetime | None]


class WebhookAttempt(Base):
    """One request. `status` 0: there was no answer, and `problem` says why in one word."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (Index(None, "call_id", "number"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    call_id: Mapped[UUID] = mapped_column(ForeignKey(WebhookCall.id, ondelete="CASCADE"))
    number: Mapped[int]
    at: Mapped[datetime]
    status: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(String(24), default="")
    took_ms: Mapped[int] = mapped_column(default=0)

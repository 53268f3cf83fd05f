"""Text messages of a broadcast: the run, the calls to the provider, the people, and every report as it came.

A broadcast is known here by its id alone: the order stands on the channels, not the other way round.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.sms.purposes import Purpose, StepKind
from broadcasts.sms.states import MessageState, RunState, SubmissionState
from hub.core.db import Base, StateText

RowNumber = BigInteger().with_variant(Integer(), "sqlite")


class SmsRun(Base):
    """The messages of one broadcast, all together, frozen when it was released."""

    __tablename__ = "sms_run"
    __table_args__ = (Index(None, "state", "priority"),)

    broadcast_id: Mapped[UUID] = mapped_column(primary_key=True)
    priority: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    """As it goes out, with the signature."""
    parts: Mapped[int]
    price_hundredths: Mapped[int]
    """Price of one part in hundredths of a fen, through the gateway that was preferred then."""
    tariff: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """Gateways that count or ask otherwise: parts for each person, and the price of one."""
    audience: Mapped[dict[str, Any]]
    topic: Mapped[str] = mapped_column(String(24), default="", server_default="")
    """What it is about, for who wants nothing about that; empty: only 退订 as a whole keeps it away."""
    purpose: Mapped[Purpose] = mapped_column(
        StateText(Purpose), default=Purpose.BROADCAST, server_default=Purpose.BROADCAST.value
    )
    state: Mapped[RunState] = mapped_column(StateText(RunState), default=RunState.EXPANDING)
    paused_reason: Mapped[str] = mapped_column(String(40), default="")
    """Why the whole run stands still although it is not over (`gateway_configuration`); empty: it does not."""
    paused_code: Mapped[str] = mapped_column(String(40), default="")
    created_at: Mapped[datetime]
    served_at: Mapped[datetime]
    """When its people last had a turn; runs of one priority take turns."""
    expires_at: Mapped[datetime]
    expanded_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    numbers_kept: Mapped[bool] = mapped_column(default=True)
    """False after the numbers of this run were erased."""


class SmsSubmission(Base):
    """One call to the provider, for one or more people. Each further try is a submission of its own."""

    __tablename__ = "sms_submission"
    __table_args__ = (Index(None, "state", "lease_until"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    broadcast_id: Mapped[UUID] = mapped_column(ForeignKey(SmsRun.broadcast_id), index=True)
    priority: Mapped[int]
    state: Mapped[SubmissionState] = mapped_column(StateText(SubmissionState), default=SubmissionState.LEASED)
    provider: Mapped[str] = mapped_column(String(24))
    attempt: Mapped[int]
    people: Mapped[int]
    lease_until: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    look_at: Mapped[datetime | None]
    """Unknown emergency: when to ask the provider or to send again."""
    looks: Mapped[int] = mapped_column(default=0)
    cause: Mapped[str] = mapped_column(String(60), default="")


class SmsMessage(Base):
    """One person's message. One number gets one message of a broadcast, however many residents share it."""

    __tablename__ = "sms_message"
    __table_args__ = (
        UniqueConstraint("broadcast_id", "phone_index"),
        Index(None, "broadcast_id", "state", "id"),
        Index(None, "provider", "provider_ref"),
        Index(None, "phone_index", "id"),
    )

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    broadcast_id: Mapped[UUID] = mapped_column(ForeignKey(SmsRun.broadcast_id))
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16))
    sealed: Mapped[bytes] = mapped_column(LargeBinary(80))
    """The number, readable with the hub's key; empty after it was forgotten."""
    masked: Mapped[str] = mapped_column(String(24))
    resident_id: Mapped[UUID]
    """Whom the number belongs to (one of them). No foreign key: the record outlives the resident."""
    region_path: Mapped[str] = mapped_column(String(64))
    state: Mapped[MessageState] = mapped_column(StateText(MessageState), default=MessageState.CREATED)
    reason: Mapped[str] = mapped_column(String(24), default="")
    code: Mapped[str] = mapped_column(String(40), default="")
    """What the provider called it."""
    parts: Mapped[int]
    submission_id: Mapped[UUID | None] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    shun: Mapped[str] = mapped_column(String(120), default="")
    """Gateways that refused this person for good while others are left, each between bars."""
    may_have_gone: Mapped[bool] = mapped_column(default=False)
    """An earlier try is of unknown fate, so this one may be a repetition."""
    next_try_at: Mapped[datetime]
    provider: Mapped[str] = mapped_column(String(24), default="")
    provider_ref: Mapped[str] = mapped_column(String(64), default="")
    sent_at: Mapped[datetime | None]
    reported_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]


class SmsAttempt(Base):
    """An earlier try of a message that is tried again: through whom, and how it ended. The latest is in the message."""

    __tablename__ = "sms_attempt"
    __table_args__ = (UniqueConstraint("message_id", "submission_id"), Index(None, "provider", "provider_ref"))

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    broadcast_id: Mapped[UUID] = mapped_column(index=True)
    message_id: Mapped[int] = mapped_column(BigInteger)
    submission_id: Mapped[UUID] = mapped_column(index=True)
    provider: Mapped[str] = mapped_column(String(24))
    provider_ref: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[MessageState] = mapped_column(StateText(MessageState))
    """`unknown` or `failed` when it ended, or what a late report says."""
    code: Mapped[str] = mapped_column(String(40), default="")
    ended_at: Mapped[datetime]


class SmsReceipt(Base):
    """One report of a provider, stored once however often it arrives."""

    __tablename__ = "sms_receipt"
    __table_args__ = (Index(None, "matched", "arrived_at"),)

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    """Hash of everything the report says."""
    provider: Mapped[str] = mapped_column(String(24))
    provider_ref: Mapped[str] = mapped_column(String(64))
    message_ref: Mapped[str] = mapped_column(String(60), default="")
    state: Mapped[MessageState] = mapped_column(StateText(MessageState))
    code: Mapped[str] = mapped_column(String(40), default="")
    reported_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime]
    call_id: Mapped[UUID | None]
    """Our id of the whole call, where the provider echoes that."""
    phone_index: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    """The number's blind index, where the report names the number."""
    matched: Mapped[bool] = mapped_column(default=False)


class SmsInbound(Base):
    """A message from a resident, stored once."""

    __tablename__ = "sms_inbound"
    __table_args__ = (Index(None, "region_path", "id"), Index(None, "urgent", "handled_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    key: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16), index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary(80))
    masked: Mapped[str] = mapped_column(String(24))
    region_path: Mapped[str] = mapped_column(String(64), default="")
    """Where the resident with that number lives; empty: nobody on the list has it."""
    resident_id: Mapped[UUID | None]
    text: Mapped[str] = mapped_column(Text)
    command: Mapped[str] = mapped_column(String(12), default="")
    """A `commands.Command`, or empty: somebody has to read it."""
    topic: Mapped[str] = mapped_column(String(24), default="", server_default="")
    """What a command is about, when it does not concern everything."""
    choice: Mapped[int] = mapped_column(default=0, server_default="0")
    """Which of the numbered answers was given; 0: none."""
    broadcast_id: Mapped[UUID | None] = mapped_column(index=True)
    """Whose numbered answers it belongs to."""
    urgent: Mapped[bool] = mapped_column(default=False)
    received_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by_name: Mapped[str] = mapped_column(String(40), default="", server_default="")
    answered_at: Mapped[datetime | None]
    """When the hub itself answered a command, or found that there is nothing to say."""
    handled_at: Mapped[datetime | None]


class InboundStep(Base):
    """Something that was done about a resident's message. Steps are only ever added."""

    __tablename__ = "sms_inbound_step"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    inbound_id: Mapped[UUID] = mapped_column(ForeignKey(SmsInbound.id, ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    by: Mapped[UUID | None]
    by_name: Mapped[str] = mapped_column(String(40))
    kind: Mapped[StepKind] = mapped_column(StateText(StepKind))
    note: Mapped[str] = mapped_column(Text, default="")

"""What happened to loudspeakers, what needs a person, and what was done about it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.core.db import Base, StateText
from hub.speakers.models import Speaker


class EventKind(StrEnum):
    """What kind of thing happened."""

    ONLINE = "online"
    OFFLINE = "offline"
    FAULT = "fault"
    RECOVERY = "recovery"
    REFUSED = "refused"
    TEST = "test"
    RESTART = "restart"
    SETTINGS = "settings"
    DEED = "deed"


class SpeakerEvent(Base):
    """One line of a loudspeaker's history. `code` is a fault code, a reason or the name of a deed."""

    __tablename__ = "speaker_event"
    __table_args__ = (Index(None, "speaker_id", "at"), Index(None, "at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    speaker_id: Mapped[str] = mapped_column(ForeignKey(Speaker.id))
    region_path: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    kind: Mapped[EventKind] = mapped_column(StateText(EventKind))
    code: Mapped[str] = mapped_column(String(32), default="")
    detail: Mapped[str] = mapped_column(String(200), default="")
    by_name: Mapped[str] = mapped_column(String(60), default="")


class Deed(StrEnum):
    """What a person, or the night's round, asks of one loudspeaker."""

    TEST = "test"
    SOUND = "sound"
    """A self-test with three seconds of tone."""
    RESTART = "restart"
    VOLUME = "volume"


class DeviceCommand(Base):
    """A command to one loudspeaker and what it answered. `id` is the command's id; `state` what was heard last."""

    __tablename__ = "speaker_command"
    __table_args__ = (Index(None, "speaker_id", "sent_at"), Index(None, "sent_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    speaker_id: Mapped[str] = mapped_column(ForeignKey(Speaker.id))
    deed: Mapped[Deed] = mapped_column(StateText(Deed))
    detail: Mapped[str] = mapped_column(String(40), default="")
    sent_at: Mapped[datetime]
    by_name: Mapped[str] = mapped_column(String(60), default="")
    state: Mapped[str] = mapped_column(String(12), default="")
    """Empty until something is heard; then the last of received, finished, failed, refused, stopped."""
    reason: Mapped[str] = mapped_column(String(200), default="")
    heard_at: Mapped[datetime | None]


class SpeakerAlarm(Base):
    """Something lasts that a person should know: offline beyond the grace, a fault, a failed self-test.

    One open alarm a loudspeaker and code. `raised_at` is when people are told; before that it is only noted.
    """

    __tablename__ = "speaker_alarm"
    __table_args__ = (Index(None, "speaker_id", "code", "ended_at"), Index(None, "ended_at", "region_path"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    speaker_id: Mapped[str] = mapped_column(ForeignKey(Speaker.id))
    region_path: Mapped[str] = mapped_column(String(64))
    code: Mapped[str] = mapped_column(String(32))
    since: Mapped[datetime]
    raised_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by_name: Mapped[str] = mapped_column(String(60), default="")
    snoozed_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Repair(Base):
    """A repair order: what is wrong, who takes care, when each step was."""

    __tablename__ = "speaker_repair"
    __table_args__ = (Index(None, "speaker_id", "done_at"), Index(None, "done_at", "region_path"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    speaker_id: Mapped[str] = mapped_column(ForeignKey(Speaker.id))
    region_path: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime]
    opened_by_name: Mapped[str] = mapped_column(String(60))
    taken_at: Mapped[datetime | None]
    taken_by_name: Mapped[str] = mapped_column(String(60), default="")
    done_at: Mapped[datetime | None]
    done_by_name: Mapped[str] = mapped_column(String(60), default="")
    outcome: Mapped[str] = mapped_column(Text, default="")


class SelfTestRun(Base):
    """The latest self-test of one loudspeaker: wanted (`asked_at`), sent, answered, how it went."""

    __tablename__ = "speaker_self_test"

    speaker_id: Mapped[str] = mapped_column(ForeignKey(Speaker.id), primary_key=True)
    command_id: Mapped[UUID]
    asked_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    passed: Mapped[bool | None]
    report: Mapped[str] = mapped_column(Text, default="")
    """What it found, as JSON: name to words."""

"""Materials: words or a recording, where they come from, how long they hold, and who stands for them."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.approvals.lifecycle import State
from broadcasts.approvals.written import Written
from broadcasts.kinds import Theme
from broadcasts.uploads.workshop import Manner
from hub.core.db import Base, StateText


class MaterialKind(StrEnum):
    """What it is."""

    TEXT = "text"
    RECORDING = "recording"


class Material(Base, Written):
    """Something kept to be broadcast, perhaps often.

    `home_path` is whose it is: below that region everybody may use it once it is approved. `audio_sha256` is one pass
    of a recording without any tone, a file of the sound library. `content_hash` is taken at submission over everything
    people hear and read; approval is of that hash. `to_check` marks words that came with the program: what is local in
    them must be checked before anybody approves.
    """

    __tablename__ = "material"
    __table_args__ = (
        CheckConstraint("approved_by IS NULL OR approved_by <> submitted_by", name="two_pairs_of_eyes"),
        Index(None, "state", "home_path"),
        Index(None, "changed_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[MaterialKind] = mapped_column(StateText(MaterialKind))
    title: Mapped[str] = mapped_column(String(60), default="")
    theme: Mapped[Theme] = mapped_column(StateText(Theme), default=Theme.NOTICE)
    text: Mapped[str] = mapped_column(Text, default="")
    """What is read aloud; of a recording, what is said in it."""
    sms_text: Mapped[str] = mapped_column(Text, default="")
    source: Mapped[str] = mapped_column(String(100), default="")
    valid_until: Mapped[date | None]
    """The last local day on which it may be used."""
    tags: Mapped[list[str]] = mapped_column(default=list)
    home_path: Mapped[str] = mapped_column(String(64))
    to_check: Mapped[bool] = mapped_column(default=False)

    manner: Mapped[Manner] = mapped_column(StateText(Manner), default=Manner.VOICE)
    audio_sha256: Mapped[str] = mapped_column(String(64), default="")
    audio_ms: Mapped[int] = mapped_column(default=0)
    audio_bytes: Mapped[int] = mapped_column(default=0)
    peaks: Mapped[list[int]] = mapped_column(JSON, default=list)

    state: Mapped[State] = mapped_column(StateText(State), default=State.DRAFT)
    used: Mapped[int] = mapped_column(default=0)
    """How often it went out."""
    last_used_at: Mapped[datetime | None]

    def is_over(self, day: date) -> bool:
        """Whether it has expired by that local day."""
        return self.valid_until is not None and day > self.valid_until

    @property
    def is_recording(self) -> bool:
        """Whether there is a sound."""
        return self.kind is MaterialKind.RECORDING

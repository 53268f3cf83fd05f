"""What rooms above this one have to say on the overview. They provide it when they plug in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy.orm import Session

from hub.core.actor import Actor
from hub.speakers.clarity import Clarity


class Stage(StrEnum):
    """What became of one time in the timetable."""

    PLANNED = "planned"
    OUT = "out"
    MISSED = "missed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Programme:
    """One time something is, was or should have been heard. `note` is the code of why it was not."""

    due_at: datetime
    title: str
    places: tuple[str, ...]
    """Codes of the regions it is for."""
    audio_ms: int
    daily: bool
    stage: Stage
    note: str
    broadcast_id: UUID | None


@dataclass(frozen=True)
class Upcoming:
    """The timetable: what lies from one moment up to another and touches what the actor may see, in order."""

    between: Callable[[Session, Actor, datetime, datetime], list[Programme]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for approval. `mine`: for the actor's own; else it only says what others still have to do."""

    count: int
    mine: bool
    oldest_at: datetime | None = None
    next_title: str = ""
    next_at: datetime | None = None


@dataclass(frozen=True)
class Approvals:
    """The approvals desk: what waits, and who wrote the announcement of that id (empty when nobody knows)."""

    waiting: Callable[[Session, Actor], Waiting]
    author: Callable[[Session, UUID], str]


@dataclass(frozen=True, slots=True)
class Countdown:
    """An emergency that will sound in a moment."""

    alert_id: UUID
    title: str
    fires_at: datetime
    speakers: int


class Press(StrEnum):
    """What an emergency asks of somebody."""

    SECOND = "second"
    """Words that wait for a second person."""
    ALONE = "alone"
    """One person went alone: the county looks into it."""
    ANSWER = "answer"
    """A call that this very person has not confirmed."""
    ERRANDS = "errands"
    """Places still to be phoned or visited."""
    REVIEW_LATE = "review_late"
    """Emergencies nobody has looked at afterwards in time."""
    REVIEW_DUE = "review_due"
    """Emergencies this very person may still look at in time."""
    FIGURES = "figures"
    """Figures of a place that are worse than the county's bound."""
    GAPS = "gaps"
    """Gaps that should be closed by now."""


@dataclass(frozen=True, slots=True)
class Pressing:
    """One thing an emergency or a report asks of somebody. `target` is its alert, call, incident or place."""

    press: Press
    name: str
    who: str = ""
    count: int = 0
    since: datetime | None = None
    until: datetime | None = None
    target: UUID | str | None = None


@dataclass(frozen=True)
class Pressings:
    """What emergencies ask of the actor now."""

    now: Callable[[Session, Actor, datetime], list[Pressing]]


@dataclass(frozen=True, slots=True)
class Cry:
    """Words of danger that came by a village's page or over the counter."""

    id: UUID
    text: str
    place: str
    at: datetime
    taken_by: str


@dataclass(frozen=True, slots=True)
class Complaints:
    """What residents complain of: cries for help, and how many are open, untouched, overdue."""

    cries: Sequence[Cry]
    open: int
    new: int
    late: int


@dataclass(frozen=True)
class Complaining:
    """The desk of residents' complaints."""

    now: Callable[[Session, Actor, datetime], Complaints]


@dataclass(frozen=True, slots=True)
class Echo:
    """What was said about one broadcast: complaints by what they are about, and whether it was heard on the spot.

    Addresses are empty where the reader may not look.
    """

    complaints: Sequence[tuple[str, int]]
    clarity: Clarity
    complaints_at: str = ""
    clarity_at: str = ""


@dataclass(frozen=True)
class Echoes:
    """How to ask what was said about a broadcast."""

    of: Callable[[Session, Actor, UUID], Echo]


@dataclass(frozen=True)
class Countdowns:
    """The emergency desk."""

    running: Callable[[Session, Actor], list[Countdown]]

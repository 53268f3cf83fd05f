"""What text messages are sent for, and what nobody wants too much of."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from broadcasts.sms.settings import SmsSettings


class Purpose(StrEnum):
    """Why a run of messages goes out."""

    BROADCAST = "broadcast"
    TEST = "test"
    """To the unit's own test group, never to the public."""
    ANSWER = "answer"
    """To one number, because somebody wrote or because an officer answers."""
    HEARING = "hearing"
    """To people on the spot, who are asked whether they heard something."""


@dataclass(frozen=True, slots=True)
class About:
    """What a run is for; `topic` names what its owner may not want to hear about."""

    topic: str = ""
    purpose: Purpose = Purpose.BROADCAST


ANYTHING = About()
ANSWER = About(purpose=Purpose.ANSWER)
TEST = About(purpose=Purpose.TEST)
HEARING = About(purpose=Purpose.HEARING)


class StepKind(StrEnum):
    """What was done about a resident's message."""

    WOKEN = "woken"
    """The hub wrote to somebody on call; `by_name` says to whom."""
    JOINED = "joined"
    """Nobody was woken for it alone: people had just been woken for the same village."""
    NOBODY = "nobody"
    """Nobody is on the roster there."""
    SEEN = "seen"
    """Somebody takes care of it."""
    CALLED = "called"
    TEXTED = "texted"
    PASSED_ON = "passed_on"
    """To the cadres of the resident's village."""
    FILED = "filed"
    """Made a complaint of, which has a life of its own."""
    CLOSED = "closed"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much ordinary messaging one number has to bear. 0 = no limit."""

    most_a_day: int
    same_text_apart: timedelta
    zone: ZoneInfo

    @classmethod
    def of(cls, settings: SmsSettings, zone: ZoneInfo) -> "Limits":
        """Return what is configured."""
        return cls(settings.most_a_day, timedelta(minutes=settings.same_text_minutes), zone)

    def day_began(self, now: datetime) -> datetime:
        """Return the local midnight before a moment."""
        return datetime.combine(now.astimezone(self.zone).date(), time(), tzinfo=self.zone)

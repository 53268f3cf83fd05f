"""What a loudspeaker did lately, told by the room above that sends to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from hub.core.actor import Actor


@dataclass(frozen=True, slots=True)
class SpeakerEvent:
    """One thing it was to do. `state` is in words; `tone` is ok, warn, bad or neutral; `href` leads to the whole."""

    at: datetime
    title: str
    state: str
    tone: str = "neutral"
    href: str = ""


@dataclass(frozen=True)
class SpeakerHistory:
    """How to ask for the latest events of one loudspeaker, newest first. Without it the page leaves them out."""

    latest: Callable[[Session, Actor, str], Sequence[SpeakerEvent]]

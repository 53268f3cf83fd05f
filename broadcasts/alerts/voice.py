"""Speak emergencies, the usual ones beforehand, so that whoever presses the button waits for nothing."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from sqlalchemy import select

from broadcasts.alerts.hazards import hazards
from broadcasts.alerts.plans.words import PlanWords
from broadcasts.alerts.service import REPEATS
from broadcasts.alerts.wishes import Spoken
from broadcasts.kinds import Act, Colour, Mode
from broadcasts.loudspeaker.orders import Sound
from broadcasts.speech.engine import SpeechFailed
from broadcasts.speech.library import RenderOrder
from broadcasts.speech.signals import Signal
from broadcasts.studio import LAST_RESORT, Studio
from hub.core.db import Sessions
from hub.regions.models import Region
from hub.regions.tree import Level

log = logging.getLogger(__name__)
USUAL = (Colour.RED, Colour.ORANGE)
AT_FIRST_S = 20.0
BETWEEN_S = 4.0
"""A rest after each rendering; it takes a core for a second or two."""
ROUND_S = 1800.0
IDLE_S = 0.5
MOST_WANTED = 9


def tone_of(mode: Mode, act: Act) -> Signal | None:
    """Return what it begins with; None: the alarm of its colour."""
    if mode is Mode.DRILL:
        return Signal.DRILL
    return Signal.ROUTINE if act in (Act.CORRECTION, Act.ALL_CLEAR) else None


def speak(studio: Studio, text: str, colour: Colour, *, mode: Mode = Mode.LIVE, act: Act = Act.ALERT) -> Spoken:
    """Return the recording of an alarm, made now or found. It may take seconds: no database session may be open."""
    order = studio.alarm(text, colour=colour, repeats=REPEATS, signal=tone_of(mode, act))
    try:
        made = studio.render(order)
    except SpeechFailed as failure:
        log.error("no speech engine, not even the tone, could make an alarm: %s", failure)  # noqa: TRY400 - foreseen
        return Spoken(None, "")
    stand_in = made.engine == LAST_RESORT != order.voice.engine
    return Spoken(Sound(made.sha256, made.duration_ms, made.bytes), made.engine, stand_in=stand_in)


class Warmer:
    """Speaks alarms before they are needed: what somebody is choosing right now first, then the usual ones, slowly."""

    def __init__(self, sessions: Sessions, studio: Studio, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sessions, self._studio, self._monotonic = sessions, studio, monotonic
        self._wanted: deque[RenderOrder] = deque(maxlen=MOST_WANTED)
        self._lock = threading.Lock()
        self._usual: deque[RenderOrder] = deque()
        self._next_usual = monotonic() + AT_FIRST_S
        self.kick: Callable[[], None] = lambda: None

    def want(self, text: str, colour: Colour, *, mode: Mode = Mode.LIVE, act: Act = Act.ALERT) -> None:
        """Somebody is about to send this: make it now."""
        order = self._studio.alarm(text, colour=colour, repeats=REPEATS, signal=tone_of(mode, act))
        with self._lock:
            if order in self._wanted:
                return
            self._wanted.append(order)
        self.kick()

    def want_all(self, words: PlanWords, colour: Colour, *, mode: Mode = Mode.LIVE) -> None:
        """Somebody is about to send this: make what is said first, and what would take it back or end it."""
        self.want(words.clear_speech, colour, mode=mode, act=Act.ALL_CLEAR)
        self.want(words.correction_speech, colour, mode=mode, act=Act.CORRECTION)
        self.want(words.speech, colour, mode=mode)

    def step(self) -> float:
        """Make one recording if one is missing; return the seconds to rest."""
        with self._lock:
            order = self._wanted.pop() if self._wanted else None
        if order is not None:
            self._make(order)
            return 0.0
        if self._monotonic() < self._next_usual:
            return IDLE_S
        self._next_usual = self._monotonic() + self._one_of_the_usual()
        return IDLE_S

    def _one_of_the_usual(self) -> float:
        """Make the next usual alarm that is missing; return when to look at the one after it."""
        if not self._usual:
            self._usual.extend(self._orders(self._places()))
        while self._usual:
            order = self._usual.popleft()
            if self._studio.library.find_order(order) is not None:
                continue
            if not self._make(order):
                self._usual.clear()  # the voice is out of order: trying the others would only heat the room
                return ROUND_S
            return BETWEEN_S
        return ROUND_S

    def _make(self, order: RenderOrder) -> bool:
        """Return whether the voice that was meant spoke."""
        try:
            return self._studio.render(order).engine == order.voice.engine
        except SpeechFailed as failure:
            log.warning("an alarm could not be made beforehand: %s", failure)
            return False

    def _orders(self, places: Sequence[str]) -> list[RenderOrder]:
        return [
            self._studio.alarm(hazard.words[colour].at(place).speech, colour=colour, repeats=REPEATS)
            for colour in USUAL
            for place in places
            for hazard in hazards().values()
        ]

    def _places(self) -> list[str]:
        query = select(Region.name).where(Region.level.in_([Level.COUNTY, Level.TOWNSHIP])).order_by(Region.path)
        with self._sessions.read() as session:
            return list(dict.fromkeys(session.scalars(query)))

"""Speak an announcement while its words are still being written, so that handing it in waits for nothing.

Only what takes a while: a voice that sounds like a person needs about as long as the words last.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.sounding import order_for
from broadcasts.speech.engine import SpeechFailed
from broadcasts.speech.library import RenderOrder
from broadcasts.studio import Studio

log = logging.getLogger(__name__)
REST_S: Final = 5.0
"""Somebody who has typed nothing for so long is reading what they wrote."""
LEAST_MS: Final = 3000
"""Shorter words are spoken soon enough when they are needed."""
MOST: Final = 8
IDLE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    order: RenderOrder
    due: float


class Preparer:
    """A pump that speaks what is being written: the newest words of each form, once somebody rests."""

    def __init__(self, studio: Studio, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._studio, self._monotonic = studio, monotonic
        self._lock = threading.Lock()
        self._wanted: dict[UUID, _Wanted] = {}

    def want(self, form_id: UUID, draft: Draft) -> None:
        """Note what a form says now; what it said before is not spoken any more."""
        order = order_for(self._studio, draft)
        worth_it = draft.recording is None and draft.audience.speakers and self._takes_long(order)
        with self._lock:
            before = self._wanted.pop(form_id, None)
            if not worth_it:
                return
            while len(self._wanted) >= MOST:
                self._wanted.pop(next(iter(self._wanted)))
            same = before is not None and before.order == order
            due = before.due if before is not None and same else self._monotonic() + REST_S
            self._wanted[form_id] = _Wanted(order, due)

    def step(self) -> float:
        """Speak what is due, one at a time; return the seconds to rest."""
        now = self._monotonic()
        with self._lock:
            form_id = next((name for name, wanted in self._wanted.items() if wanted.due <= now), None)
            wanted = self._wanted.pop(form_id) if form_id is not None else None
        if wanted is None:
            return IDLE_S
        if self._studio.library.find_order(wanted.order) is None:
            try:
                self._studio.render(self._studio.unhurried(wanted.order))
            except SpeechFailed as failure:
                log.info("an announcement could not be spoken ahead: %s", failure)
        return 0.0

    def _takes_long(self, order: RenderOrder) -> bool:
        info = self._studio.library.info(order.voice.engine)
        return info is not None and not info.at_once and self._studio.pass_ms(order) >= LEAST_MS

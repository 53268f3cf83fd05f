"""Who looked at whom or at which list: once an hour each, so that the log of deeds says so and does not drown."""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

AGAIN_AFTER: Final = timedelta(hours=1)
MOST: Final = 10_000


class Looks:
    """What this process has written down lately; another process writes its own."""

    def __init__(self) -> None:
        self._lately: OrderedDict[tuple[UUID | None, str], datetime] = OrderedDict()
        self._guard = threading.Lock()

    def is_due(self, who: UUID | None, what: str, *, now: datetime) -> bool:
        """Whether this look is to be written down; from then on it has been."""
        with self._guard:
            last = self._lately.get((who, what))
            if last is not None and timedelta() <= now - last < AGAIN_AFTER:
                return False
            self._lately[who, what] = now
            self._lately.move_to_end((who, what))
            while len(self._lately) > MOST:
                self._lately.popitem(last=False)
            return True

    def forget(self, who: UUID | None, what: str) -> None:
        """It could not be written down after all."""
        with self._guard:
            self._lately.pop((who, what), None)

"""What pages that ask again and again are told, kept for a moment: ten open tabs of one person cost as much as one."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

KEPT = timedelta(seconds=2)
"""No longer than a page waits before it asks again."""
MOST = 500


@dataclass
class _Glance:
    lock: Lock = field(default_factory=Lock)
    text: str = ""
    at: datetime | None = None


@dataclass
class Glances:
    """One answer for whoever asks the same within a moment; who comes while it is being made waits for it."""

    _known: dict[Hashable, _Glance] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def of(self, key: Hashable, make: Callable[[], str], *, now: datetime) -> str:
        """Return what `key` stands for. `key` names everything the answer depends on: who asks, what they may, how."""
        glance = self._glance(key)
        with glance.lock:
            if glance.at is None or not glance.at <= now < glance.at + KEPT:
                glance.text, glance.at = make(), now
            return glance.text

    def _glance(self, key: Hashable) -> _Glance:
        with self._lock:
            while len(self._known) >= MOST and key not in self._known:
                del self._known[next(iter(self._known))]
            return self._known.setdefault(key, _Glance())

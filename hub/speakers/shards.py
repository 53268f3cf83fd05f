"""Several brokers for one hub, each for its own places: what is for a place goes to its broker, and no farther.

One hub hears them all, one batch at a time: what is known by the answer before must be written before the next is read.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Self, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from hub.core.db import Sessions
from hub.regions.tree import contains, nearest, path_of
from hub.speakers.link import SpeakerLink
from hub.speakers.models import Speaker
from hub.speakers.protocol import Wire
from hub.speakers.topics import read_device_topic, read_region_command

T = TypeVar("T", bound=Wire)
Door = tuple[str, int]
KEPT_S: Final = 30.0
UNKNOWN_S: Final = 1.0


class Homes:
    """Where each loudspeaker hangs, as the tables say; looked up again after half a minute, or when told to."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._paths: Mapping[str, str] = {}
        self._read_at = float("-inf")

    def __call__(self, device: str) -> str:
        """Return the path of its place, empty for a stranger."""
        age = time.monotonic() - self._read_at
        if age > KEPT_S or (device not in self._paths and age > UNKNOWN_S):
            self._read()
        return self._paths.get(device, "")

    def forget(self) -> None:
        """Somebody was moved, or is new."""
        self._read_at = float("-inf")

    def _read(self) -> None:
        with suppress(SQLAlchemyError), self._sessions.read() as session:  # while it is away, what was known holds
            rows = session.execute(select(Speaker.id, Speaker.region_path))
            self._paths = {row.id: row.region_path for row in rows}
            self._read_at = time.monotonic()


@dataclass(frozen=True, slots=True)
class Line:
    """The connection to one broker, and the place it is for; empty: whatever has none of its own."""

    place: str
    link: SpeakerLink


class Shards:
    """All lines of a hub."""

    def __init__(self, main: SpeakerLink, others: Mapping[str, SpeakerLink], homes: Homes) -> None:
        self.homes = homes
        self._lines = {"": Line("", main), **{place: Line(place, link) for place, link in others.items()}}
        self._places = tuple(others)
        self._seen: dict[str, str] = {}
        """The place whose broker a loudspeaker was last heard on: it may have moved, and not been told its new one."""
        self._one = threading.Lock()
        self.behind_s = 0.0
        """For callbacks: how long ago the oldest of what they are given was heard."""

    @classmethod
    def beside(cls, main: SpeakerLink, doors: Mapping[str, Sequence[Door]], homes: Homes) -> Self:
        """Return the lines of a hub that has a broker for each of these places beside its main one."""
        others = {
            place: SpeakerLink(replace(main.broker, host=first[0], port=first[1], others=tuple(rest)))
            for place, (first, *rest) in doors.items()
        }
        return cls(main, others, homes)

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines.values())

    def start(self, wait_s: float) -> None:
        """Begin to connect to all of them; return when all are there, or after a while."""
        end = time.monotonic() + wait_s
        for number, line in enumerate(self):
            line.link.start(wait_s=max(0.0, end - time.monotonic()) if number else 0.0)
        while self.away and time.monotonic() < end:
            time.sleep(0.05)

    def stop(self) -> None:
        """Disconnect."""
        for line in self:
            line.link.stop()

    @property
    def away(self) -> list[str]:
        """The places whose broker is not reached."""
        return [line.place for line in self if not line.link.connected]

    @property
    def connected(self) -> bool:
        """Whether any is reached: the death of one county's broker must not silence the others."""
        return any(line.link.connected for line in self)

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        """Hand a message to every broker it concerns; False when none of all brokers is reached.

        What is lost with a broker that is away is told again to whoever comes back.
        """
        for line in self.lines_for(topic):
            line.link.publish(topic, payload, qos, retain)
        return self.connected

    def reaches(self, topic: str) -> bool:
        """Whether a broker it concerns is reached."""
        return any(line.link.connected for line in self.lines_for(topic))

    def home_of(self, path: str) -> Line:
        """Return the line of the broker that whatever lies below a region path belongs to."""
        return self._lines[nearest(self._places, path)]

    def line_of(self, device: str) -> Line:
        """Return the line a loudspeaker is on: where it was last heard, else where it belongs."""
        seen = self._seen.get(device)
        return self.home_of(self.homes(device)) if seen is None else self._lines[seen]

    def lines_for(self, topic: str) -> list[Line]:
        """Return the lines a message has to go by."""
        found = read_device_topic(topic)
        if found is not None:
            home, seen = self.home_of(self.homes(found[0])), self.line_of(found[0])
            return [home] if home == seen else [home, seen]
        code = read_region_command(topic)
        if code is None:
            return list(self)
        path = path_of(code)
        inside = [place for place in self._places if contains(path, path_of(place))]
        return [self._lines[place] for place in dict.fromkeys([nearest(self._places, path), *inside])]

    def in_turn(self, line: Line, callback: Callable[[list[T]], None]) -> Callable[[list[T]], None]:
        """Return a callback for one line that never runs beside those of the others."""

        def called(said: list[T]) -> None:
            with self._one:
                self._note(line, said)
                callback(said)

        return called

    def _note(self, line: Line, said: Sequence[Wire]) -> None:
        self.behind_s = line.link.behind_s
        for each in said:
            device = getattr(each, "dev", None)
            if isinstance(device, str):
                self._seen[device] = line.place

"""Which part of the hub's work a process does: all of it (`cunxiang run`), or one role of several on many machines."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """A kind of process."""

    WEB = "web"
    """Pages and API; what somebody at a page waits for is made here too."""
    SCHEDULER = "scheduler"
    """The timetable, countdowns, calls, and the closing of what is over."""
    WORKER = "worker"
    """Text messages, imports, sums: whatever may queue."""
    BRIDGE = "bridge"
    """The line to the loudspeakers, both ways."""


class WorkLane(StrEnum):
    """What a worker takes: emergencies never wait behind a county's newsletter, nor that behind a year's sums."""

    EMERGENCY = "emergency"
    NORMAL = "normal"
    BULK = "bulk"


ALONE: Final = frozenset({WorkLane.NORMAL, WorkLane.BULK})
"""Lanes in which some of the work has no claims of its own."""
Post = Role | WorkLane
"""Where a loop belongs."""


@dataclass(frozen=True, slots=True)
class Duties:
    """What one process does."""

    roles: frozenset[Role] = frozenset(Role)
    lanes: frozenset[WorkLane] = frozenset(WorkLane)
    """Of a worker: which lanes."""

    @classmethod
    def of(cls, role: Role, lanes: frozenset[WorkLane] = frozenset()) -> "Duties":
        """Return the duties of a process of one role."""
        return cls(frozenset({role}), lanes)

    @property
    def whole(self) -> bool:
        """Whether this process is the whole hub."""
        return self.roles == frozenset(Role)

    def has(self, *posts: Post) -> bool:
        """Whether one of these is served here."""
        return any(post in self.lanes if isinstance(post, WorkLane) else post in self.roles for post in posts)

    @property
    def turns(self) -> tuple[str, ...]:
        """What of it only one process at a time may do, by the names of its turns."""
        if self.whole:
            return ()
        return tuple(sorted((self.roles & {Role.SCHEDULER, Role.BRIDGE}) | (self.lanes & ALONE)))

    @property
    def name(self) -> str:
        """What it is called in lists: `run`, or the role."""
        return "run" if self.whole else "+".join(sorted(self.roles))


WHOLE: Final = Duties()

"""What waits for one person, whichever room it is from: sheets, campaigns, rosters, the library, plans."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from flask_babel import LazyString
from sqlalchemy.orm import Session

from broadcasts.approvals.waiting import Open
from hub.core.actor import Actor


@dataclass(frozen=True)
class Room:
    """A room whose things are reviewed on pages of its own: what people call it, what waits there, and where."""

    label: LazyString
    waiting: Callable[[Session, Actor], list[Open]]
    address: Callable[[UUID], str]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One line for the desk."""

    room: Room
    open: Open


@dataclass
class Rooms:
    """All of them; each adds itself when it plugs in its pages."""

    rooms: list[Room] = field(default_factory=list)

    def add(self, room: Room) -> None:
        """Add a room."""
        self.rooms.append(room)

    def open_to(self, session: Session, actor: Actor) -> list[Elsewhere]:
        """Return what waits for this person in all rooms, what waits longest first."""
        found = [Elsewhere(room, one) for room in self.rooms for one in room.waiting(session, actor)]
        return sorted(found, key=lambda line: line.open.since.timestamp() if line.open.since else 0)

    def count(self, session: Session, actor: Actor) -> int:
        """Return how many that is."""
        return sum(len(room.waiting(session, actor)) for room in self.rooms)

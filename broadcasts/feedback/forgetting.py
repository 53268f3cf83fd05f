"""What is forgotten of those who complained: at once when somebody is erased, by itself when it is long over."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broadcasts.feedback.models import Complaint
from hub.core.clock import Clock
from hub.core.db import Sessions

EVERY_S = 3600.0
GONE = "—"


def forget_numbers(session: Session, indexes: Sequence[bytes]) -> int:
    """Erase numbers and words of these telephones; that somebody complained stays counted. Return how many."""
    gone = (
        update(Complaint)
        .where(Complaint.phone_index.in_(indexes))
        .values(sealed=b"", masked=GONE, phone_index=None, text="")
        .returning(Complaint.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.scalars(gone).all())


class ForgettingCallers:
    """Forgets the numbers of complaints that were dealt with long ago. `step` fits `hub.core.background.Loop`."""

    def __init__(self, sessions: Sessions, *, after_days: int, clock: Clock) -> None:
        self._sessions, self._after, self._clock = sessions, timedelta(days=after_days), clock

    def step(self) -> float:
        """Empty what is old; return the seconds to rest."""
        old = (Complaint.done_at < self._clock() - self._after) & (Complaint.sealed != b"")
        with self._sessions.read() as session:
            if session.scalar(select(Complaint.id).where(old).limit(1)) is None:
                return EVERY_S
        with self._sessions.begin() as session:
            session.execute(
                update(Complaint).where(old).values(sealed=b"").execution_options(synchronize_session=False)
            )
        return EVERY_S

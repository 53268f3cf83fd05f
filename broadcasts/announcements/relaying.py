"""Before somebody approves a relay the hub listens to it; what it hears stands beside the button."""

from sqlalchemy import select, update

from broadcasts.announcements.models import Announcement
from broadcasts.approvals.lifecycle import State
from broadcasts.relay.addresses import Found
from broadcasts.relay.listening import Heard, listen
from hub.core.db import Sessions
from hub.core.reaching import LiesHere

REST_S = 5.0


class RelayCheck:
    """The pump that listens. A relay that cannot be received is a warning, never a bar."""

    def __init__(self, sessions: Sessions, lies_here: LiesHere = lambda _: False) -> None:
        self._sessions, self._lies_here = sessions, lies_here

    def step(self) -> float:
        """Listen to one relay that waits for approval; return how long to rest."""
        with self._sessions.read() as session:
            found = session.execute(
                select(Announcement.id, Announcement.relay_url)
                .where(
                    Announcement.state == State.SUBMITTED, Announcement.relay_url != "", Announcement.relay_found == ""
                )
                .order_by(Announcement.submitted_at)
                .limit(1)
            ).first()
        if found is None:
            return REST_S
        # What lies on this machine, no loudspeaker could reach: nobody is asked.
        heard = Heard(Found.AWAY) if self._lies_here(found.relay_url) else listen(found.relay_url)
        with self._sessions.begin() as session:
            session.execute(
                update(Announcement)
                .where(Announcement.id == found.id, Announcement.relay_url == found.relay_url)
                .values(relay_found=heard.found.value, relay_level_db=heard.level_db)
            )
        return 0.0

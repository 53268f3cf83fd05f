"""Call whoever is on duty to a warning that came in and wants a decision, one after the other, until there is one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.alerts.calling import telling
from broadcasts.alerts.calling.service import GRAVE, Calling, texts
from broadcasts.alerts.calling.telling import Told
from broadcasts.bulletins import chains
from broadcasts.bulletins.models import Bulletin, BulletinState
from hub.core.db import Sessions
from hub.duty import service as duty
from hub.duty.models import DutyPerson

RECENT: Final = timedelta(hours=6)
"""Older ones call nobody: the hub was away, and it is no news any more."""


def summon(sessions: Sessions, calling: Calling, *, now: datetime) -> int:
    """Write to whoever's turn it is; return how many were written to. Every warning in a unit of work of its own."""
    waiting = select(Bulletin.id).where(
        Bulletin.state == BulletinState.PROPOSED, Bulletin.ends > now, Bulletin.received_at > now - RECENT
    )
    with sessions.read() as session:
        due = [key for key in session.scalars(waiting).all() if _next(session, key, calling, now)]
    for bulletin_id in due:
        with sessions.begin() as session:
            bulletin = session.get_one(Bulletin, bulletin_id, with_for_update=True)
            people = _next(session, bulletin_id, calling, now)
            name = "warning" if _is_pressing(bulletin) else "warning_known"
            link = f"{calling.base_url()}/warnings/{bulletin.id}"
            text = texts()[name].format(title=bulletin.title, who=bulletin.issuer, link=link)
            telling.tell(session, bulletin.id, people, text, calling, now=now)
    return len(due)


def summoned(session: Session, bulletin: Bulletin, *, now: datetime) -> list[Told]:
    """Return who was written to because of a warning."""
    return telling.told(session, bulletin.id, duty.on_call(session, bulletin.home_path, now=now))


def _next(session: Session, bulletin_id: UUID, calling: Calling, now: datetime) -> Sequence[DutyPerson]:
    """Return whom to write to now: at once the first, after each wait one more, as long as nobody has decided."""
    bulletin = session.get_one(Bulletin, bulletin_id)
    if bulletin.state is not BulletinState.PROPOSED or chains.told_of(session, bulletin):
        return ()
    people = duty.on_call(session, bulletin.home_path, now=now)
    turns = (now - bulletin.received_at) // calling.wait + 1 if _is_pressing(bulletin) else 1
    left = telling.untold(session, bulletin.id, people)
    return left[:1] if len(people) - len(left) < turns else ()


def _is_pressing(bulletin: Bulletin) -> bool:
    return bulletin.colour is None or bulletin.colour in GRAVE

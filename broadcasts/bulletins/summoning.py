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
from broadcasts.bulletins.reach import within
from hub.core.db import Sessions
from hub.duty import service as duty
from hub.duty.models import DutyPerson
from hub.regions.models import Region
from hub.regions.tree import Level, codes_in, level_of, path_of

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
    people = [person for post in _posts(session, bulletin) for person in _people(session, bulletin, post, now)]
    return telling.told(session, bulletin.id, people)


def _next(session: Session, bulletin_id: UUID, calling: Calling, now: datetime) -> Sequence[DutyPerson]:
    """Return whom to write to now: at once the first of each post, after each wait one more, until it has decided."""
    bulletin = session.get_one(Bulletin, bulletin_id)
    if bulletin.state is not BulletinState.PROPOSED:
        return ()
    turns = (now - bulletin.received_at) // calling.wait + 1 if _is_pressing(bulletin) else 1
    found: dict[UUID, DutyPerson] = {}
    for post in _posts(session, bulletin):
        if _has_decided(session, bulletin, post, now):
            continue
        people = _people(session, bulletin, post, now)
        left = telling.untold(session, bulletin.id, people)
        if left and len(people) - len(left) < turns:
            found[left[0].id] = left[0]
    return tuple(found.values())


def _posts(session: Session, bulletin: Bulletin) -> list[str]:
    """Return the places whose people are called.

    The smallest one that holds all of it; where that is the county and it is grave, each township that is meant as
    well: its officer passes the warning on for their own part.
    """
    if not _is_pressing(bulletin) or level_of(codes_in(bulletin.home_path)[-1]) is not Level.COUNTY:
        return [bulletin.home_path]
    paths = [path_of(code) for code in bulletin.regions]
    townships = session.scalars(select(Region.path).where(Region.level == Level.TOWNSHIP).order_by(Region.path))
    meant = [own for own in townships if any(own.startswith(path) or path.startswith(own) for path in paths)]
    return [bulletin.home_path, *meant]


def _people(session: Session, bulletin: Bulletin, post: str, now: datetime) -> list[DutyPerson]:
    """Return whom a post has; the levels above are called once, by the post of the whole warning."""
    if post == bulletin.home_path:
        return duty.on_call(session, post, now=now)
    return duty.on_duty_at(session, post, now=now)


def _has_decided(session: Session, bulletin: Bulletin, post: str, now: datetime) -> bool:
    sent = chains.told_of(session, bulletin)
    if post == bulletin.home_path:
        return bool(sent)
    part = [
        codes_in(max(path, post, key=len))[-1]
        for path in (path_of(code) for code in bulletin.regions)
        if path.startswith(post) or post.startswith(path)
    ]
    told = any(within(part, alert.audience["regions"]) for alert in sent)
    return told or chains.told_by(session, bulletin, part, now=now) is not None


def _is_pressing(bulletin: Bulletin) -> bool:
    return bulletin.colour is None or bulletin.colour in GRAVE

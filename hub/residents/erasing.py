"""Erase somebody whole: who else has kept the numbers is asked to forget them too."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.residents import service
from hub.residents.models import ExtraNumber, Phone, TopicOptOut

Forgetter = Callable[[Session, Sequence[bytes]], int]


class Erasure:
    """Rooms above add how they forget numbers. That somebody opted out is kept: it can be told by no number."""

    def __init__(self) -> None:
        self._forgetters: list[Forgetter] = []

    def add(self, forget: Forgetter) -> None:
        """Add a room that keeps numbers."""
        self._forgetters.append(forget)

    def erase(self, session: Session, actor: Actor, resident_id: UUID, *, now: datetime) -> int:
        """Take somebody off the list and erase their numbers wherever they are; return in how many records.

        Numbers that others share stay theirs.
        """
        resident = service.get_resident(session, actor, resident_id)
        path = resident.region_path
        actor.require(Permission.EDIT_RESIDENTS, path)
        indexes = set(session.scalars(select(Phone.index).where(Phone.resident_id == resident_id)))
        service.remove_resident(session, actor, resident_id, now=now)
        indexes -= set(session.scalars(select(Phone.index).where(Phone.index.in_(indexes))))
        for table in (ExtraNumber, TopicOptOut):
            for row in session.scalars(select(table).where(table.index.in_(indexes))).all():
                session.delete(row)
        found = sum(forget(session, sorted(indexes)) for forget in self._forgetters) if indexes else 0
        log.record(session, actor, "resident.erase", f"resident:{resident_id}", path, now, records=found)
        return found

"""A cry for help wakes whoever is on call for the place, one after the other, until somebody takes it on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.sms.letters.cries import Cries, Cry, Note, Woken, leader
from broadcasts.sms.models import SmsRun
from broadcasts.sms.sending import direct
from broadcasts.sms.settings import SmsSettings
from hub.audit import log
from hub.core.actor import SYSTEM
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.duty import service as duty
from hub.duty.models import DutyPerson
from hub.regions.models import Region
from hub.regions.tree import path_of

RECENT = timedelta(hours=6)
"""Older ones wake nobody: the hub was away, and whoever comes to the page sees them on top."""
MOST_WOKEN = 6
"""So many are written to about one cry; then it is for those who look at the page."""
LASTS = timedelta(hours=1)
IDLE_S = 3.0


class Waking:
    """Looks for cries for help that nobody has taken on. `step` fits `hub.core.background.Loop`."""

    def __init__(self, sessions: Sessions, settings: SmsSettings, doors: Sequence[Cries], *, clock: Clock) -> None:
        self._sessions, self._settings, self._doors, self._clock = sessions, settings, doors, clock

    def step(self) -> float:
        """Wake whoever is due; return the seconds to rest."""
        if not self._settings.help_wakes_after_s:
            return 60.0
        now = self._clock()
        with self._sessions.read() as session:
            waiting = [(door, cry) for door in self._doors for cry in door.waiting(session, now - RECENT)]
            woken = self._woken(session, now) if waiting else []
        for door, cry in waiting:
            if not self._due(cry, woken, now):
                continue
            others = sum(one.village == cry.village for _, one in waiting) - 1
            with self._sessions.begin() as session:
                claimed = door.claim(session, cry.id)
                if claimed is not None:
                    self._wake(session, door, claimed, others, now)
        return IDLE_S

    def _due(self, cry: Cry, woken: Sequence[Woken], now: datetime) -> bool:
        """Return whether there is something to do for one, without asking the tables."""
        if cry.noted.told:
            return cry.noted.told < MOST_WOKEN and not self._lately(cry, now)
        return Note.JOINED not in cry.noted.notes or self._leader(cry, woken, now) is None

    def _lately(self, cry: Cry, now: datetime) -> bool:
        last = cry.noted.last_at
        return last is not None and now - last < timedelta(seconds=self._settings.help_wakes_after_s)

    def _leader(self, cry: Cry, woken: Sequence[Woken], now: datetime) -> Woken | None:
        return leader(cry, woken, within=timedelta(seconds=self._settings.help_joined_for_s), now=now)

    def _woken(self, session: Session, now: datetime) -> list[Woken]:
        return [one for door in self._doors for one in door.woken(session, now - RECENT)]

    def _wake(self, session: Session, door: Cries, cry: Cry, others: int, now: datetime) -> None:
        if cry.noted.told >= MOST_WOKEN or self._lately(cry, now):
            return
        if not cry.noted.told:
            # One process at a time decides for a place which of its cries wakes people.
            session.execute(select(Region.code).where(Region.code == cry.place).with_for_update(key_share=True))
            first = self._leader(cry, self._woken(session, now), now)
            if first is not None:
                _once(session, door, cry, Note.JOINED, now)
                return
        people = duty.on_call(session, path_of(cry.place), now=now) if cry.place else []
        person = _next(session, cry, people)
        if person is None:
            if not people:
                _once(session, door, cry, Note.NOBODY, now)
            return
        direct.write_to(
            session,
            run_id=_run_id(cry, person),
            text=door.text(session, cry, others),
            phone=(person.phone_index, person.sealed, person.masked),
            person_id=person.id,
            region_path=person.region_path,
            expires_at=now + LASTS,
            settings=self._settings,
            now=now,
        )
        door.note(session, cry, Note.WOKEN, person.name, now)
        _record(session, cry, Note.WOKEN, now, name=person.name, turn=cry.noted.told + 1)


def _once(session: Session, door: Cries, cry: Cry, note: Note, now: datetime) -> None:
    """Write down, once, why nobody is woken for it."""
    if note not in cry.noted.notes:
        door.note(session, cry, note, SYSTEM.name, now)
        _record(session, cry, note, now)


def _record(session: Session, cry: Cry, note: Note, now: datetime, **details: object) -> None:
    log.record(session, SYSTEM, f"help.{note.value}", cry.subject, cry.village, now, door=cry.door.value, **details)


def _next(session: Session, cry: Cry, people: Sequence[DutyPerson]) -> DutyPerson | None:
    """Return the first who has not been written to about this cry, nor anybody with the same number."""
    return next((person for person in people if session.get(SmsRun, _run_id(cry, person)) is None), None)


def _run_id(cry: Cry, person: DutyPerson) -> UUID:
    return uuid5(NAMESPACE_URL, f"cunxiang:woken:{cry.id}:{person.phone_index.hex()}")

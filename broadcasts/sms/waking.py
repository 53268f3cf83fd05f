"""A resident's cry for help wakes whoever is on call for the place, one after the other, until somebody takes it on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased

from broadcasts.sms import direct, inbox
from broadcasts.sms.models import InboundStep, SmsInbound, SmsRun
from broadcasts.sms.purposes import StepKind
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.writing_back import home_of, words
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.duty import service as duty
from hub.duty.models import DutyPerson
from hub.regions import service as regions
from hub.regions.tree import codes_in, path_of
from hub.residents.models import Resident

RECENT = timedelta(hours=6)
"""Older ones wake nobody: the hub was away, and whoever comes to the page sees them on top."""
MOST_WOKEN = 6
"""So many are written to about one letter; then it is for those who look at the page."""
SAME_SENDER = timedelta(minutes=10)
"""A second letter of somebody whose first one is open wakes nobody so soon: frightened people write several."""
LASTS = timedelta(hours=1)
IDLE_S = 3.0
_SHOWN = 60


class Waking:
    """Looks for cries for help that nobody has taken on. `step` fits `hub.core.background.Loop`."""

    def __init__(self, sessions: Sessions, settings: SmsSettings, *, clock: Clock) -> None:
        self._sessions, self._settings, self._clock = sessions, settings, clock

    def step(self) -> float:
        """Wake whoever is due; return the seconds to rest."""
        if not self._settings.help_wakes_after_s:
            return 60.0
        now = self._clock()
        with self._sessions.read() as session:
            waiting = session.scalars(select(SmsInbound.id).where(_waits(now))).all()
        for inbound_id in waiting:
            with self._sessions.begin() as session:
                found = session.scalar(
                    select(SmsInbound).where(SmsInbound.id == inbound_id, _waits(now)).with_for_update()
                )
                if found is not None:
                    self._wake(session, found, now)
        return IDLE_S

    def _wake(self, session: Session, found: SmsInbound, now: datetime) -> None:
        told, last = session.execute(
            select(func.count(), func.max(InboundStep.at)).where(_woken(InboundStep.inbound_id == found.id))
        ).one()
        if told >= MOST_WOKEN or (last and now - last < timedelta(seconds=self._settings.help_wakes_after_s)):
            return
        if not told and _lately(session, found, now):
            return
        place = home_of(session, found)
        person = _next(session, found, duty.on_call(session, path_of(place), now=now)) if place else None
        if person is None:
            return
        direct.write_to(
            session,
            run_id=_run_id(found, person),
            text=_text(session, found, place),
            phone=(person.phone_index, person.sealed, person.masked),
            person_id=person.id,
            region_path=person.region_path,
            expires_at=now + LASTS,
            settings=self._settings,
            now=now,
        )
        session.add(InboundStep(inbound_id=found.id, at=now, by=None, by_name=person.name[:40], kind=StepKind.WOKEN))
        session.flush()


def _waits(now: datetime) -> ColumnElement[bool]:
    return (
        SmsInbound.urgent.is_(True)
        & SmsInbound.handled_at.is_(None)
        & SmsInbound.acknowledged_at.is_(None)
        & (SmsInbound.received_at > now - RECENT)
    )


def _woken(of: ColumnElement[bool]) -> ColumnElement[bool]:
    return of & (InboundStep.kind == StepKind.WOKEN)


def _lately(session: Session, found: SmsInbound, now: datetime) -> bool:
    """Return whether another letter of that number, still open, has woken somebody just now."""
    other = aliased(SmsInbound)
    query = select(other.id).where(
        other.phone_index == found.phone_index,
        other.id != found.id,
        other.handled_at.is_(None),
        exists().where(_woken(InboundStep.inbound_id == other.id), InboundStep.at > now - SAME_SENDER),
    )
    return session.scalar(query.limit(1)) is not None


def _next(session: Session, found: SmsInbound, people: Sequence[DutyPerson]) -> DutyPerson | None:
    """Return the first who has not been written to about this letter, nor anybody with the same number."""
    return next((person for person in people if session.get(SmsRun, _run_id(found, person)) is None), None)


def _run_id(found: SmsInbound, person: DutyPerson) -> UUID:
    return uuid5(NAMESPACE_URL, f"cunxiang:woken:{found.id}:{person.phone_index.hex()}")


def _text(session: Session, found: SmsInbound, place: str) -> str:
    """Name, place and words; never the number: that is looked up on the page, and the log says by whom."""
    name = session.scalar(select(Resident.name).where(Resident.id == found.resident_id)) if found.resident_id else None
    codes = codes_in(found.region_path)[2:] or [place]
    known = regions.names(session, set(codes))
    said = inbox.said(session, [found])[found.id].replace("【", "[").replace("】", "]")
    return words().woken.format(
        place="".join(known.get(code, "") for code in codes),
        name=name or "",
        masked=found.masked,
        text=said if len(said) <= _SHOWN else said[: _SHOWN - 1] + "…",
    )

"""Text messages to people of the roster who have something to decide: each is written to once about one thing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.alerts.calling.service import Calling, texts
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.alerts.service import may
from broadcasts.sms.models import SmsRun
from broadcasts.sms.sending import direct
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.core.actor import Permission
from hub.core.db import Sessions
from hub.duty import service as duty
from hub.duty.models import DutyPerson

MOST_SECONDS: Final = 5
"""So many people are asked to confirm one alert; more would all open the same page."""
VALID: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody who was written to, and when."""

    name: str
    title: str
    masked: str
    at: datetime


def told(session: Session, about: UUID, people: Sequence[DutyPerson]) -> list[Told]:
    """Return who of them was written to about it, in the order of writing."""
    runs = {_run_id(about, person): person for person in people}
    query = select(SmsRun.broadcast_id, SmsRun.created_at).where(SmsRun.broadcast_id.in_(runs))
    rows = session.execute(query.order_by(SmsRun.created_at)).all()
    return [Told(runs[key].name, runs[key].title, runs[key].masked, at) for key, at in rows]


def untold(session: Session, about: UUID, people: Sequence[DutyPerson]) -> list[DutyPerson]:
    """Return who of them was not written to about it yet, in their order."""
    runs = {_run_id(about, person): person for person in people}
    known = set(session.scalars(select(SmsRun.broadcast_id).where(SmsRun.broadcast_id.in_(runs))))
    return [person for key, person in runs.items() if key not in known]


def tell(
    session: Session, about: UUID, people: Sequence[DutyPerson], text: str, calling: Calling, *, now: datetime
) -> None:
    """Write to them, in the lane of emergencies. Twice about one thing is once."""
    for person in people:
        direct.write_to(
            session,
            run_id=_run_id(about, person),
            text=text,
            phone=(person.phone_index, person.sealed, person.masked),
            person_id=person.id,
            region_path=person.region_path,
            expires_at=now + VALID,
            settings=calling.sms,
            now=now,
        )


def confirmers(session: Session, alert: Alert, *, now: datetime) -> list[DutyPerson]:
    """Return who of the roster may confirm an alert: their account may call it there, and it is not their own."""
    found: dict[UUID, DutyPerson] = {}
    for person in duty.on_call(session, alert.home_path, now=now):
        account = session.get(Account, person.account_id) if person.account_id else None
        if account is None or not account.active or account.id in (alert.armed_by, *found):
            continue
        if may(actor_for(session, account, origin="", now=now), Permission.EMERGENCY, alert):
            found[account.id] = person
    return list(found.values())[:MOST_SECONDS]


def ask_seconds(sessions: Sessions, calling: Calling, *, now: datetime) -> int:
    """Write to those who may confirm what waits for a second person; return how many were written to."""
    waiting = select(Alert.id).where(Alert.state == AlertState.PROPOSED, Alert.fires_at > now)
    asked = 0
    with sessions.read() as session:
        owed = {key: _unasked(session, session.get_one(Alert, key), now) for key in session.scalars(waiting).all()}
    for alert_id, people in owed.items():
        if not people:
            continue
        with sessions.begin() as session:
            alert = session.get_one(Alert, alert_id, with_for_update=True)
            if alert.state is AlertState.PROPOSED:
                link = f"{calling.base_url()}/emergency/{alert.id}"
                text = texts()["second"].format(who=alert.armed_by_name, title=alert.title, link=link)
                tell(session, alert.id, people, text, calling, now=now)
                asked += len(people)
    return asked


def _unasked(session: Session, alert: Alert, now: datetime) -> list[DutyPerson]:
    return untold(session, alert.id, confirmers(session, alert, now=now))


def _run_id(about: UUID, person: DutyPerson) -> UUID:
    return uuid5(about, str(person.id))

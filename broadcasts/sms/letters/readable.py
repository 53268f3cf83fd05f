"""Residents' messages as they are shown: with the sender's name, the place, and what a bare number stands for."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.sms.letters import inbox
from broadcasts.sms.models import SmsInbound
from hub.regions import service as regions
from hub.residents.models import Resident


@dataclass(frozen=True, slots=True)
class Letter:
    """One message from a resident, with what is known of the sender."""

    message: SmsInbound
    name: str
    place: str
    said: str
    """What it says, to be read: a bare number together with the answer it stands for."""


def letters(session: Session, messages: Sequence[SmsInbound]) -> list[Letter]:
    """Return messages with the names of senders and places. The caller has asked for what may be seen."""
    people = {m.resident_id for m in messages if m.resident_id}
    known: dict[UUID, str] = {
        row.id: row.name for row in session.execute(select(Resident.id, Resident.name).where(Resident.id.in_(people)))
    }
    places = regions.village_names(session, (m.region_path for m in messages))
    said = inbox.said(session, messages)
    return [
        Letter(m, known.get(m.resident_id, "") if m.resident_id else "", places.get(m.region_path, ""), said[m.id])
        for m in messages
    ]

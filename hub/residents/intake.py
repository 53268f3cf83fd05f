"""Lay the rows of an import out beside the list of residents, piece by piece; then put all of them on it at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.regions.lookup import Place
from hub.regions.tree import common
from hub.residents.import_models import ImportJob, ImportPerson, ImportPhone, ImportTag
from hub.residents.importing import ImportRow
from hub.residents.models import AwayConsent, Phone, Resident, ResidentTag
from hub.residents.phones import Number, PhoneSafe

T = TypeVar("T")
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `merged` rows of the file were about people who stood in it twice."""

    added: int
    updated: int
    skipped: int
    merged: int


@dataclass(slots=True)
class _Writes:
    job_id: UUID
    people: list[dict[str, Any]] = field(default_factory=list)
    phones: list[dict[str, Any]] = field(default_factory=list)
    tags: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """Residents already on the list, their numbers and tags."""

    by_person: dict[tuple[str, str, bytes], UUID] = field(default_factory=dict)
    phones: dict[UUID, set[bytes]] = field(default_factory=dict)
    tags: dict[UUID, set[str]] = field(default_factory=dict)


def clear(session: Session, job_id: UUID) -> None:
    """Take away whatever was laid out for a job."""
    for table in (ImportTag, ImportPhone, ImportPerson):
        session.execute(delete(table).where(table.job_id == job_id))


def lay_out(
    session: Session, actor: Actor, job_id: UUID, rows: Sequence[ImportRow], before: Known, *, safe: PhoneSafe
) -> int:
    """Lay out some good rows of a file; return how many of these people are on the list already.

    Known ones (village, name and a number agree) get what is new. Nothing is ever taken away by an import. `before`
    holds the known ones that were laid out already: the same person may stand in a file under two numbers.
    """
    placed = [(row, row.place) for row in rows if row.place is not None]
    for path in sorted({place.path for _, place in placed}):
        actor.require(Permission.EDIT_RESIDENTS, path)
    indexes = {number.e164: safe.index(number.e164) for row, _ in placed for number in row.numbers}
    known = _known(session, list(indexes.values()))
    writes, met = _Writes(job_id), 0
    for row, place in placed:
        numbers = [(indexes[number.e164], number) for number in row.numbers]
        keys = [(place.code, row.name, index) for index, _ in numbers]
        found = next((known.by_person[key] for key in keys if key in known.by_person), None)
        met += found is not None
        resident_id = found or uuid7()
        if found is not None:
            known.phones[found] |= before.phones.get(found, set())
            known.tags.setdefault(found, set()).update(before.tags.get(found, set()))
        if resident_id not in before.phones:
            writes.people.append(_person(job_id, resident_id, row, place, known=found is not None))
        _note_phones(writes, known, resident_id, numbers, safe)
        _note_tags(writes, known, resident_id, row.tags)
        if found is not None:
            before.phones[found], before.tags[found] = known.phones[found], known.tags[found]
    for table, values in ((ImportPerson, writes.people), (ImportPhone, writes.phones), (ImportTag, writes.tags)):
        if values:
            session.execute(insert(table), values)
    return met


def put_in(session: Session, actor: Actor, job: ImportJob, *, now: datetime) -> Imported:
    """Put everything laid out on the list, all of it in this transaction or nothing."""
    mine = ImportPerson.job_id == job.id
    paths = list(session.scalars(select(ImportPerson.region_path).where(mine).distinct()))
    for path in paths:
        actor.require(Permission.EDIT_RESIDENTS, path)
    added = session.scalar(select(func.count()).where(mine, ImportPerson.known.is_(False))) or 0
    _insert_people(session, job, now)
    _update_known(session, job)
    _insert_numbers_and_tags(session, job)
    clear(session, job.id)
    done = Imported(added, job.known, job.faulty, job.merged)
    if paths:
        log.record(
            session, actor, "residents.import", "residents", common(paths), now, added=added, updated=done.updated
        )
    return done


def _insert_people(session: Session, job: ImportJob, now: datetime) -> None:
    p = ImportPerson
    columns = {
        "id": p.resident_id,
        "region_code": p.region_code,
        "region_path": p.region_path,
        "name": p.name,
        "away": func.coalesce(p.away, literal(False)),
        "away_consent": func.coalesce(p.away_consent, literal(AwayConsent.UNASKED.value)),
        "household": p.household,
        "created_at": literal(now, Resident.created_at.type),
    }
    rows = select(*columns.values()).where(p.job_id == job.id, p.known.is_(False))
    session.execute(insert(Resident).from_select(list(columns), rows, include_defaults=False))


def _update_known(session: Session, job: ImportJob) -> None:
    p = ImportPerson
    same = (p.resident_id == Resident.id) & (p.job_id == job.id) & p.known
    for condition, values in (
        (p.away.is_not(None), {"away": p.away}),
        (p.away_consent.is_not(None), {"away_consent": p.away_consent}),
        (p.household != "", {"household": p.household}),
    ):
        session.execute(
            update(Resident).where(same, condition).values(values).execution_options(synchronize_session=False)
        )


def _insert_numbers_and_tags(session: Session, job: ImportJob) -> None:
    """Whoever was taken off the list since, or got the number or tag otherwise, is passed over."""
    n, t = ImportPhone, ImportTag
    there = select(Resident.id).where(Resident.id == n.resident_id).exists()
    has = select(Phone.id).where(Phone.resident_id == n.resident_id, Phone.index == n.index).exists()
    names = ["id", "resident_id", "index", "sealed", "masked", "kind"]
    numbers = select(*(getattr(n, name) for name in names)).where(n.job_id == job.id, there, ~has)
    session.execute(insert(Phone).from_select(names, numbers, include_defaults=False))
    there = select(Resident.id).where(Resident.id == t.resident_id).exists()
    has = select(ResidentTag.tag).where(ResidentTag.resident_id == t.resident_id, ResidentTag.tag == t.tag).exists()
    tags = select(t.resident_id, t.tag).where(t.job_id == job.id, there, ~has)
    session.execute(insert(ResidentTag).from_select(["resident_id", "tag"], tags, include_defaults=False))


def _person(job_id: UUID, resident_id: UUID, row: ImportRow, place: Place, *, known: bool) -> dict[str, Any]:
    return {
        "resident_id": resident_id,
        "job_id": job_id,
        "known": known,
        "region_code": place.code,
        "region_path": place.path,
        "name": row.name,
        "away": row.away,
        "away_consent": row.consent,
        "household": row.household,
    }


def _note_phones(
    writes: _Writes, known: Known, resident_id: UUID, numbers: Sequence[tuple[bytes, Number]], safe: PhoneSafe
) -> None:
    has = known.phones.setdefault(resident_id, set())
    for index, number in numbers:
        if index not in has:
            has.add(index)
            writes.phones.append(
                {
                    "id": uuid7(),
                    "job_id": writes.job_id,
                    "resident_id": resident_id,
                    "index": index,
                    "sealed": safe.seal(number.e164),
                    "masked": number.masked,
                    "kind": number.kind,
                }
            )


def _note_tags(writes: _Writes, known: Known, resident_id: UUID, tags: Sequence[str]) -> None:
    carried = known.tags.setdefault(resident_id, set())
    for tag in tags:
        if tag not in carried:
            carried.add(tag)
            writes.tags.append({"job_id": writes.job_id, "resident_id": resident_id, "tag": tag})


def _known(session: Session, indexes: Sequence[bytes]) -> Known:
    known = Known()
    for chunk in chunks(list(dict.fromkeys(indexes))):
        owners = select(Phone.resident_id).where(Phone.index.in_(chunk))
        for resident_id, code, name, index in session.execute(
            select(Resident.id, Resident.region_code, Resident.name, Phone.index)
            .join(Phone, Phone.resident_id == Resident.id)
            .where(Resident.id.in_(owners))
        ):
            known.by_person[(code, name, index)] = resident_id
            known.phones.setdefault(resident_id, set()).add(index)
        for resident_id, tag in session.execute(
            select(ResidentTag.resident_id, ResidentTag.tag).where(ResidentTag.resident_id.in_(owners))
        ):
            known.tags.setdefault(resident_id, set()).add(tag)
    return known


def chunks(items: Sequence[T], size: int = _CHUNK) -> Iterator[Sequence[T]]:
    """Return the items piece by piece."""
    for start in range(0, len(items), size):
        yield items[start : start + size]

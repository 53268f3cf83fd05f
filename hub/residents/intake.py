"""Put the rows of an import on the list of residents, in one go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.regions.lookup import Place
from hub.regions.tree import codes_in
from hub.residents.importing import ImportPlan, ImportRow
from hub.residents.models import Phone, Resident, ResidentTag
from hub.residents.phones import PhoneSafe

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
    residents: list[dict[str, Any]] = field(default_factory=list)
    phones: list[dict[str, Any]] = field(default_factory=list)
    tags: list[dict[str, Any]] = field(default_factory=list)
    away: dict[bool, list[UUID]] = field(default_factory=lambda: {True: [], False: []})


@dataclass(frozen=True, slots=True)
class _Known:
    """Residents already on the list who own one of the file's numbers."""

    by_person: dict[tuple[str, str, bytes], UUID]
    phones: dict[UUID, set[bytes]]
    tags: dict[UUID, set[str]]


def import_rows(session: Session, actor: Actor, plan: ImportPlan, *, safe: PhoneSafe, now: datetime) -> Imported:
    """Write the good rows: new people are added; known ones (village, name and a number agree) get what is new.

    Nothing is ever taken away by an import.
    """
    rows = [(row, row.place) for row in plan.good if row.place is not None]
    for path in sorted({place.path for _, place in rows}):
        actor.require(Permission.EDIT_RESIDENTS, path)
    indexes = {number.e164: safe.index(number.e164) for row, _ in rows for number in row.numbers}
    known = _known(session, list(indexes.values()))
    writes = _Writes()
    updated = 0
    for row, place in rows:
        keys = [(place.code, row.name, indexes[number.e164]) for number in row.numbers]
        resident_id = next((known.by_person[key] for key in keys if key in known.by_person), None)
        if resident_id is None:
            resident_id = uuid7()
            writes.residents.append(_resident(resident_id, row, place, now))
        else:
            updated += 1
            writes.away[row.away].append(resident_id)
        _note_phones(writes, known, resident_id, row, indexes, safe)
    _write(session, writes)
    done = Imported(len(writes.residents), updated, plan.faulty_rows, plan.merged)
    if rows:
        path = _common([place.path for _, place in rows])
        log.record(session, actor, "residents.import", "residents", path, now, added=done.added, updated=done.updated)
    return done


def _resident(resident_id: UUID, row: ImportRow, place: Place, now: datetime) -> dict[str, Any]:
    return {
        "id": resident_id,
        "region_code": place.code,
        "region_path": place.path,
        "name": row.name,
        "away": row.away,
        "created_at": now,
    }


def _note_phones(
    writes: _Writes, known: _Known, resident_id: UUID, row: ImportRow, indexes: dict[str, bytes], safe: PhoneSafe
) -> None:
    for number in row.numbers:
        index = indexes[number.e164]
        if index not in known.phones.setdefault(resident_id, set()):
            known.phones[resident_id].add(index)
            sealed = safe.seal(number.e164)
            writes.phones.append(
                {
                    "id": uuid7(),
                    "resident_id": resident_id,
                    "index": index,
                    "sealed": sealed,
                    "masked": number.masked,
                    "kind": number.kind,
                }
            )
    carried = known.tags.setdefault(resident_id, set())
    writes.tags += [{"resident_id": resident_id, "tag": tag} for tag in row.tags if tag not in carried]
    carried.update(row.tags)


def _known(session: Session, indexes: Sequence[bytes]) -> _Known:
    known = _Known({}, {}, {})
    for chunk in _chunks(list(dict.fromkeys(indexes))):
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


def _write(session: Session, writes: _Writes) -> None:
    for table, rows in ((Resident, writes.residents), (Phone, writes.phones), (ResidentTag, writes.tags)):
        if rows:
            session.execute(insert(table), rows)
    for away, ids in writes.away.items():
        for chunk in _chunks(ids):
            session.execute(update(Resident).where(Resident.id.in_(chunk)).values(away=away))


def _common(paths: Sequence[str]) -> str:
    """Return the path of the lowest region that holds all of them."""
    shared: list[str] = []
    for codes in zip(*(codes_in(path) for path in paths), strict=False):
        if len(set(codes)) > 1:
            break
        shared.append(codes[0])
    return "".join(f"{code}/" for code in shared)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]

"""An import before it is made: the wrong rows with the fault in its cell, and a few of the good ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from hub.residents.import_jobs import Wrong, WrongRow
from hub.residents.import_models import ImportJob, ImportPerson, ImportPhone, ImportTag
from hub.residents.listing import place_names

SHOWN_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a wrong row; `faults` says what is wrong with it, if anything."""

    text: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FaultyRow:
    """A wrong row of the file; `number` counts as the spreadsheet does."""

    number: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class GoodRow:
    """Somebody as they will stand on the list. `phones` and `tags` are what is not on the list yet."""

    name: str
    known: bool
    place: str
    phones: tuple[str, ...]
    tags: tuple[str, ...]
    household: str
    away: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What the page shows before anything is written."""

    header: tuple[str, ...]
    faulty: tuple[FaultyRow, ...]
    faulty_total: int
    good: tuple[GoodRow, ...]
    good_total: int
    known: int
    merged: int
    shared: int


def good_rows(session: Session, job: ImportJob, most: int = 5) -> Sequence[GoodRow]:
    """Return a few of the people a job would put on the list. The caller has asked whose job it is."""
    query = select(ImportPerson).where(ImportPerson.job_id == job.id).order_by(ImportPerson.resident_id)
    people = session.scalars(query.limit(most)).all()
    ids = [one.resident_id for one in people]
    numbers = select(ImportPhone.resident_id, ImportPhone.masked).order_by(ImportPhone.id)
    tags = select(ImportTag.resident_id, ImportTag.tag).order_by(ImportTag.tag)
    phones_of = _by_person(session, numbers.where(ImportPhone.job_id == job.id, ImportPhone.resident_id.in_(ids)))
    tags_of = _by_person(session, tags.where(ImportTag.job_id == job.id, ImportTag.resident_id.in_(ids)))
    places = place_names(session, {one.region_path for one in people})
    return [
        GoodRow(
            name=one.name,
            known=one.known,
            place=places[one.region_path],
            phones=phones_of.get(one.resident_id, ()),
            tags=tags_of.get(one.resident_id, ()),
            household=one.household,
            away=bool(one.away),
        )
        for one in people
    ]


def _by_person(session: Session, query: Select[UUID, str]) -> dict[UUID, tuple[str, ...]]:
    found: dict[UUID, tuple[str, ...]] = {}
    for person, text in session.execute(query):
        found[person] = (*found.get(person, ()), text)
    return found


def preview(job: ImportJob, wrong: Wrong | None, people: Sequence[GoodRow]) -> Preview:
    """Return the page's view of a job."""
    header = wrong.header if wrong else ()
    return Preview(
        header=header,
        faulty=tuple(_shown(row, len(header)) for row in wrong.rows[:SHOWN_FAULTS]) if wrong else (),
        faulty_total=job.faulty,
        good=tuple(people),
        good_total=job.good,
        known=job.known,
        merged=job.merged,
        shared=job.shared,
    )


def _shown(row: WrongRow, width: int) -> FaultyRow:
    cells = (Cell(row.cells[i] if i < len(row.cells) else "", tuple(row.faults.get(i, ()))) for i in range(width))
    return FaultyRow(row.number, tuple(cells))

"""An import before it is made: the wrong rows with the fault in its cell, and a few of the good ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.residents.import_jobs import Wrong, WrongRow
from hub.residents.import_models import ImportJob, ImportPerson

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
class Preview:
    """What the page shows before anything is written."""

    header: tuple[str, ...]
    faulty: tuple[FaultyRow, ...]
    faulty_total: int
    good: tuple[ImportPerson, ...]
    good_total: int
    known: int
    merged: int
    shared: int


def preview(job: ImportJob, wrong: Wrong | None, people: Sequence[ImportPerson]) -> Preview:
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

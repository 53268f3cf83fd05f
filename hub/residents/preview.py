"""An import before it is made: the wrong rows with the fault in its cell, and a few of the good ones."""

from collections.abc import Callable
from dataclasses import dataclass

from hub.residents.importing import CellProblem, ImportPlan, ImportRow, columns_of

SHOWN_FAULTS = 100
SHOWN_GOOD = 5


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
    good: tuple[ImportRow, ...]
    good_total: int
    merged: int
    shared: int


def preview(plan: ImportPlan, explain: Callable[[CellProblem], str]) -> Preview:
    """Return the page's view of a plan."""
    at = columns_of(plan.header)
    faults: dict[int, dict[int, list[str]]] = {}
    for problem in plan.problems:
        faults.setdefault(problem.row, {}).setdefault(at.get(problem.column, 0), []).append(explain(problem))
    rows = [
        FaultyRow(number, _cells(plan.cells[number], len(plan.header), faults[number]))
        for number in sorted(faults)[:SHOWN_FAULTS]
    ]
    return Preview(
        header=plan.header,
        faulty=tuple(rows),
        faulty_total=plan.faulty_rows,
        good=plan.good[:SHOWN_GOOD],
        good_total=len(plan.good),
        merged=plan.merged,
        shared=plan.shared,
    )


def _cells(row: tuple[str, ...], width: int, faults: dict[int, list[str]]) -> tuple[Cell, ...]:
    return tuple(Cell(row[i] if i < len(row) else "", tuple(faults.get(i, ()))) for i in range(width))

"""An import before it is made: the wrong rows with the fault in its cell, and a few of the good ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hub.speakers.ledger.importing import CellProblem, LedgerPlan, LedgerRow, columns_of

SHOWN_FAULTS: Final = 100
SHOWN_GOOD: Final = 10


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a wrong row; `faults` says what is wrong with it, if anything."""

    text: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What the page shows before anything is written: wrong rows as (number, cells)."""

    plan: LedgerPlan
    header: tuple[str, ...]
    faulty: tuple[tuple[int, tuple[Cell, ...]], ...]
    good: tuple[LedgerRow, ...]


def preview(plan: LedgerPlan, explain: Callable[[CellProblem], str]) -> Preview:
    """Return the page's view of a plan. A fault of a column that the file does not have stands in its first cell."""
    at = columns_of(plan.header)
    faults: dict[int, dict[int, list[str]]] = {}
    for problem in plan.problems:
        faults.setdefault(problem.row, {}).setdefault(at.get(problem.column, 0), []).append(explain(problem))
    rows = []
    for number in sorted(faults)[:SHOWN_FAULTS]:
        row = plan.cells[number]
        cells = (
            Cell(row[i] if i < len(row) else "", tuple(faults[number].get(i, ()))) for i in range(len(plan.header))
        )
        rows.append((number, tuple(cells)))
    return Preview(plan, plan.header, tuple(rows), plan.good[:SHOWN_GOOD])

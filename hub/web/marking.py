"""Mistakes in a table that somebody sent: each at its cell, on the page and in the file that goes back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hub.web.spreadsheets import ERROR_COLUMN, write_csv

SHOWN_FAULTS: Final = 100


@dataclass(frozen=True, slots=True)
class CellProblem:
    """One mistake. `row` counts as the spreadsheet does; `code` names the sentence that explains it."""

    row: int
    column: str
    code: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Marked:
    """The wrong rows of a table: its heading, what is wrong, and the rows as they were sent."""

    header: tuple[str, ...]
    problems: tuple[CellProblem, ...]
    cells: Mapping[int, tuple[str, ...]] = field(repr=False)

    @property
    def faulty_rows(self) -> int:
        """How many rows of the file would be skipped."""
        return len({problem.row for problem in self.problems})


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a wrong row; `faults` says what is wrong with it, if anything."""

    text: str
    faults: tuple[str, ...]


Explain = Callable[[CellProblem], str]
FaultyRows = tuple[tuple[int, tuple[Cell, ...]], ...]


def faulty_rows(marked: Marked, at: Mapping[str, int], explain: Explain) -> FaultyRows:
    """Return the first wrong rows with the fault in its cell; `at` says where each column stands.

    A fault of a column that the file does not have stands in its first cell.
    """
    faults: dict[int, dict[int, list[str]]] = {}
    for problem in marked.problems:
        faults.setdefault(problem.row, {}).setdefault(at.get(problem.column, 0), []).append(explain(problem))
    rows = []
    for number in sorted(faults)[:SHOWN_FAULTS]:
        row = marked.cells[number]
        cells = (
            Cell(row[i] if i < len(row) else "", tuple(faults[number].get(i, ()))) for i in range(len(marked.header))
        )
        rows.append((number, tuple(cells)))
    return tuple(rows)


def error_file(marked: Marked, explain: Explain) -> bytes:
    """Return the wrong rows with one more column that says why, to be corrected and read again."""
    reasons: dict[int, list[str]] = {}
    for problem in marked.problems:
        reasons.setdefault(problem.row, []).append(explain(problem))
    keep: Sequence[int] = [i for i, name in enumerate(marked.header) if name != ERROR_COLUMN]
    rows = [
        [*((row[i] if i < len(row) else "") for i in keep), "；".join(reasons[number])]
        for number, row in marked.cells.items()
    ]
    return write_csv([*(marked.header[i] for i in keep), ERROR_COLUMN], rows)

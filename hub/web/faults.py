"""What is wrong with the rows of a table, for programs: the same as stands at the cells of the page."""

from collections.abc import Mapping

from pydantic import Field

from hub.web.api import Output
from hub.web.marking import Explain, Marked, faulty_rows


class CellFault(Output):
    """What is wrong with one cell."""

    column: str
    text: str
    why: list[str]


class RowFault(Output):
    """A row that would be left out."""

    row: int = Field(description="as the spreadsheet counts; rows sent as JSON begin at 2")
    faults: list[CellFault]


def row_faults(marked: Marked, at: Mapping[str, int], explain: Explain) -> list[RowFault]:
    """Return the first wrong rows with the fault at its cell; `at` says where each column stands."""
    names = {place: name for name, place in at.items()}
    return [
        RowFault(
            row=number,
            faults=[
                CellFault(column=names.get(place, ""), text=cell.text, why=list(cell.faults))
                for place, cell in enumerate(cells)
                if cell.faults
            ],
        )
        for number, cells in faulty_rows(marked, at, explain)
    ]

"""An import before it is made: the wrong rows with the fault in its cell, and a few of the good ones."""

from dataclasses import dataclass
from typing import Final

from hub.speakers.ledger.importing import LedgerPlan, LedgerRow, columns_of
from hub.web.marking import Explain, FaultyRows, faulty_rows

SHOWN_GOOD: Final = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """What the page shows before anything is written: wrong rows as (number, cells)."""

    plan: LedgerPlan
    header: tuple[str, ...]
    faulty: FaultyRows
    good: tuple[LedgerRow, ...]


def preview(plan: LedgerPlan, explain: Explain) -> Preview:
    """Return the page's view of a plan."""
    rows = faulty_rows(plan, columns_of(plan.header), explain)
    return Preview(plan, plan.header, rows, plan.good[:SHOWN_GOOD])

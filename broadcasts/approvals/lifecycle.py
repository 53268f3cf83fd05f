"""Which state of something written may follow which, on its way through approval."""

from collections.abc import Mapping
from enum import StrEnum

from hub.core.errors import WrongState


class State(StrEnum):
    """How far it has come."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


FOLLOWS: Mapping[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.SUBMITTED, State.WITHDRAWN}),
    State.SUBMITTED: frozenset({State.APPROVED, State.RETURNED, State.DRAFT, State.WITHDRAWN}),
    State.RETURNED: frozenset({State.DRAFT, State.SUBMITTED, State.WITHDRAWN}),
    State.APPROVED: frozenset({State.DRAFT, State.WITHDRAWN}),
    State.WITHDRAWN: frozenset(),
}


def step(current: State, new: State, *, what: str) -> State:
    """Return `new` if it may follow `current`, else raise WrongState in the words for `what`, e.g. announcement."""
    if new not in FOLLOWS[current]:
        raise WrongState(f"{what}_{current.value}", wanted=new.value)
    return new

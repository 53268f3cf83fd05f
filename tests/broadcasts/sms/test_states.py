"""The states of a message: every pair of them is looked at."""

from itertools import permutations, product

import pytest

from broadcasts.sms.states import (
    BILLED,
    FOLLOWS,
    IN_HAND,
    RANK,
    REPORTED,
    WAITING,
    MessageState,
    before,
    lower,
    may_follow,
    raises,
)

S = MessageState


def test_every_state_has_a_rank_and_its_followers() -> None:
    assert set(FOLLOWS) == set(RANK) == set(MessageState)


@pytest.mark.parametrize(("current", "reported"), list(product(MessageState, MessageState)))
def test_a_report_only_raises_and_only_where_the_table_allows_it(current: S, reported: S) -> None:
    if raises(current, reported):
        assert reported in REPORTED
        assert RANK[reported] > RANK[current]
        assert may_follow(current, reported)
    else:
        assert reported not in REPORTED or RANK[reported] <= RANK[current]
    assert (current in lower(reported)) == raises(current, reported)
    assert (current in before(reported)) == may_follow(current, reported)


@pytest.mark.parametrize("current", [s for s in MessageState if s is not S.SUPPRESSED and s is not S.DELIVERED])
def test_that_somebody_has_it_beats_everything(current: S) -> None:
    assert raises(current, S.DELIVERED)


def test_nothing_follows_delivered_or_suppressed() -> None:
    assert FOLLOWS[S.DELIVERED] == FOLLOWS[S.SUPPRESSED] == frozenset()


@pytest.mark.parametrize("start", sorted(MessageState))
def test_reports_in_any_order_and_repeated_lead_to_the_same_state(start: S) -> None:
    ends = set()
    for order in permutations([S.SENT, S.UNDELIVERED, S.DELIVERED, S.SENT]):
        state = start
        for reported in order:
            state = reported if raises(state, reported) else state
        ends.add(state)
    assert len(ends) == 1


def test_only_what_has_not_left_the_hub_can_be_called_off() -> None:
    assert {state for state in MessageState if may_follow(state, S.CANCELLED)} == WAITING
    assert WAITING < IN_HAND
    assert not WAITING & BILLED


def test_nothing_goes_back_from_an_end_to_the_queue() -> None:
    assert before(S.CREATED) == {S.LEASED, S.SUBMITTING, S.UNKNOWN}

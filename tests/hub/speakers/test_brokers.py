"""Which broker next, and when."""

from collections import Counter

from hub.speakers.device.brokers import Brokers, wait_s

NODES = [("a", 1), ("b", 2), ("c", 3)]


def test_a_lost_connection_is_tried_again_at_the_same_node_first() -> None:
    brokers = Brokers(NODES)
    assert 0 < brokers.went() <= 1
    assert brokers.address == ("a", 1)


def test_an_attempt_in_vain_leads_to_the_next_node_in_turn() -> None:
    brokers, met = Brokers(NODES), []
    for _ in range(4):
        met.append(brokers.address[0])
        brokers.failed()
    assert met == ["a", "b", "c", "a"]


def test_the_waits_double_up_to_a_minute_and_are_never_the_same_for_all() -> None:
    for tries, most in ((0, 1), (1, 2), (3, 8), (6, 60), (50, 60)):
        waits = [wait_s(tries) for _ in range(200)]
        assert all(most / 4 <= wait <= most for wait in waits)
        assert max(waits) - min(waits) > most / 3


def test_one_node_that_is_away_is_asked_less_and_less_often() -> None:
    brokers = Brokers([("a", 1)])
    waits = [brokers.failed() for _ in range(8)]
    assert waits[0] <= 2
    assert waits[-1] >= 15
    brokers.came()
    assert brokers.failed() <= 2


def test_a_new_device_that_is_refused_asks_again_soon_a_few_times() -> None:
    for _ in range(100):
        brokers = Brokers([("a", 1)])
        waits = [brokers.refused() for _ in range(6)]
        assert [most / 4 <= wait <= most for wait, most in zip(waits, (1, 2, 4), strict=False)] == [True] * 3
        assert all(15 <= wait <= 60 for wait in waits[3:])


def test_a_device_that_was_let_in_before_is_in_no_hurry_when_it_is_refused() -> None:
    brokers = Brokers(NODES)
    brokers.refused()
    brokers.came()
    brokers.went()
    assert brokers.refused() >= 15


def test_ten_thousand_that_a_broker_has_forgotten_do_not_storm_it() -> None:
    """It fell, came back after two seconds, and knows none of them any more."""
    attempts: Counter[int] = Counter()
    for _ in range(10_000):
        brokers = Brokers([("a", 1)])
        brokers.came()
        at = brokers.went()
        while at < 90:
            attempts[int(at)] += at >= 2
            at += brokers.failed() if at < 2 else brokers.refused()
    later = [attempts[second] for second in range(20, 90)]
    assert max(later) < 600, "the refused come in a crowd"
    assert min(later) > 0

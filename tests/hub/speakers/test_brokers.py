"""Which broker next, and when."""

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


def test_a_node_that_refuses_is_not_hurried() -> None:
    assert Brokers(NODES).refused() >= 15

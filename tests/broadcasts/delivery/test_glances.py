"""What is asked again and again is made once a moment, and never for somebody else."""

import threading
from datetime import datetime, timedelta

from conftest import NOON

from broadcasts.delivery.glances import KEPT, MOST, Glances


def asked(glances: Glances, key: str, at: datetime, made: list[str]) -> str:
    def make() -> str:
        made.append(key)
        return f"{key} {len(made)}"

    return glances.of(key, make, now=at)


def test_it_is_made_once_a_moment_for_each_person() -> None:
    glances, made = Glances(), list[str]()
    assert asked(glances, "a", NOON, made) == asked(glances, "a", NOON + KEPT / 2, made) == "a 1"
    assert asked(glances, "b", NOON, made) == "b 2"
    assert asked(glances, "a", NOON + KEPT, made) == "a 3"
    assert asked(glances, "a", NOON - timedelta(hours=1), made) == "a 4", "the clock was set back"


def test_what_could_not_be_made_is_made_by_the_next() -> None:
    glances = Glances()

    def fail() -> str:
        raise ZeroDivisionError

    for _ in range(2):
        try:
            glances.of("a", fail, now=NOON)
        except ZeroDivisionError:
            continue
    assert asked(glances, "a", NOON, []) == "a 1"


def test_it_forgets_the_oldest() -> None:
    glances, made = Glances(), list[str]()
    for n in range(MOST + 1):
        asked(glances, str(n), NOON, made)
    assert asked(glances, "0", NOON, made) == f"0 {MOST + 2}"
    assert asked(glances, str(MOST), NOON, made) == f"{MOST} {MOST + 1}"


def test_who_comes_meanwhile_waits_for_the_same_answer() -> None:
    glances, made, begun, go = Glances(), list[str](), threading.Event(), threading.Event()
    told: list[str] = []

    def slow() -> str:
        begun.set()
        go.wait(30)
        return "slow"

    first = threading.Thread(target=lambda: told.append(glances.of("a", slow, now=NOON)))
    first.start()
    begun.wait(30)
    second = threading.Thread(target=lambda: told.append(asked(glances, "a", NOON, made)))
    second.start()
    go.set()
    first.join(5)
    second.join(5)
    assert told == ["slow", "slow"]
    assert made == []

"""Ordinary messages make way for an emergency; nobody is left out by it, and nobody written to twice."""

from collections import Counter

import pytest
from smslab import NOON, Lab, accept, crowd, lab_run, mobile

from broadcasts.sms.gateway import Submission, SubmitResult
from broadcasts.sms.states import Lane, Priority
from hub.core import way


@pytest.mark.parametrize(
    ("lane", "priority", "waits"),
    [(Lane.EMERGENCY, Priority.EMERGENCY, False), (Lane.ORDINARY, Priority.ROUTINE, True)],
)
def test_calls_that_were_announced_wait_unless_they_are_the_emergency(
    lab: Lab, lane: Lane, priority: Priority, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = way.SHORT_S if waits else 60.0  # so long no machine takes to come to a call by itself
    monkeypatch.setattr(way, "SHORT_S", short)
    crowd(lab.sessions, 3)
    with lab.sessions.begin() as session:
        lab_run(session, priority=priority, now=NOON)
    made: list[float] = []
    lab.pump(lane)
    lab.way.ask(3600)

    def answer(call: Submission) -> SubmitResult:
        made.append(lab.way.asked)
        return accept(call)

    lab.gateway.answer = answer
    lab.work(lane)
    assert made
    assert all((3600 - left >= short) is waits for left in made)
    assert Counter(lab.gateway.numbers) == Counter(mobile(i) for i in range(3))

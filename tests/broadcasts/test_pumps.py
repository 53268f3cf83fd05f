"""What is not pressing makes way for an emergency, in every process of the hub."""

import pytest
from livehub import until
from sqlalchemy import Engine

from broadcasts.pumps import DUE, LOOK_AGAIN_S, MAKE_WAY_S, Pumps
from hub.core.bell import Bell


def test_patient_loops_stand_still_while_an_emergency_is_on_its_way_and_others_do_not() -> None:
    pumps, done = Pumps(), []

    def step(name: str) -> float:
        done.append(name)
        return 1.0

    patient = pumps.add("texts", lambda: step("texts"), urgent=True, patient=True)
    pressing = pumps.add("loudspeakers", lambda: step("loudspeakers"), urgent=True)
    pumps.make_way()
    assert (patient._step(), pressing._step()) == (LOOK_AGAIN_S, 1.0)
    assert done == ["loudspeakers"]
    pumps.make_way(DUE)  # asking for less does not cut it short
    assert pumps.way.asked > MAKE_WAY_S / 2
    assert patient._step() == LOOK_AGAIN_S


@pytest.mark.postgres
def test_the_other_processes_make_way_too_and_not_because_they_begin_to_listen(postgres_engine: Engine) -> None:
    bells = [Bell(postgres_engine, active=True) for _ in range(2)]
    one, other = (Pumps(bell=bell) for bell in bells)
    heard: list[bool] = []
    bells[1].hear("send", lambda: heard.append(True))
    bells[1].start()
    try:
        until(lambda: heard, 5, what="it listens")
        assert other.way.asked == 0
        one.make_way()
        until(lambda: other.way.asked > MAKE_WAY_S / 2, 5, what="the other has heard it")
    finally:
        bells[1].stop()

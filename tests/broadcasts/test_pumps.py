"""What is not pressing makes way for an emergency."""

from broadcasts.pumps import LOOK_AGAIN_S, Pumps


def test_patient_loops_stand_still_while_an_emergency_is_on_its_way_and_others_do_not() -> None:
    pumps, done = Pumps(), []

    def step(name: str) -> float:
        done.append(name)
        return 1.0

    patient = pumps.add("texts", lambda: step("texts"), urgent=True, patient=True)
    pressing = pumps.add("loudspeakers", lambda: step("loudspeakers"), urgent=True)
    pumps.make_way(60)
    assert (patient._step(), pressing._step()) == (LOOK_AGAIN_S, 1.0)
    assert done == ["loudspeakers"]
    pumps.make_way(0.01)  # asking for less does not cut it short
    assert patient._step() == LOOK_AGAIN_S

"""How a machine feels, and its self-test."""

import random
from pathlib import Path

import pytest
from speakerlab import an_audio

from hub.speakers.device.ground import Health
from hub.speakers.device.health import Checks, Machine, examine, is_well, verdicts
from hub.speakers.device.troubles import Troubles
from hub.speakers.protocol import FaultCode


def a_machine(tmp_path: Path, **texts: str) -> Machine:
    for name, text in texts.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine(tmp_path / "class", tmp_path / "wireless")


def test_a_machine_without_sensors_feels_nothing(tmp_path: Path) -> None:
    assert a_machine(tmp_path).feel() == {}


def test_sensors_are_read_where_linux_puts_them(tmp_path: Path) -> None:
    machine = a_machine(
        tmp_path,
        class__thermal__thermal_zone0__temp="41500\n",
        class__thermal__thermal_zone1__temp="38000\n",
        class__power_supply__AC__type="Mains\n",
        class__power_supply__AC__online="0\n",
        class__power_supply__BAT0__type="Battery\n",
        class__power_supply__BAT0__capacity="63\n",
        wireless="Inter-| sta-| Quality\n face | tus | link level noise\n wlan0: 0000 54. -56. -256 0 0 0 0 0 0\n",
    )
    assert machine.feel() == {"temp": 41, "mains": False, "battery": 63, "signal": -56}


def test_sensors_that_say_nonsense_are_left_out(tmp_path: Path) -> None:
    machine = a_machine(
        tmp_path,
        class__thermal__thermal_zone0__temp="hot\n",
        class__power_supply__BAT0__type="Battery\n",
        class__power_supply__BAT0__capacity="\n",
        wireless="x\ny\n",
    )
    assert machine.feel() == {}


@pytest.mark.parametrize(
    ("felt", "code", "on"),
    [
        (Health(mains=False), FaultCode.MAINS_LOST, True),
        (Health(mains=True), FaultCode.MAINS_LOST, False),
        (Health(battery=19), FaultCode.BATTERY_LOW, True),
        (Health(battery=21), FaultCode.BATTERY_LOW, False),
        (Health(temp=86), FaultCode.TEMPERATURE_HIGH, True),
        (Health(temp=84), FaultCode.TEMPERATURE_HIGH, False),
        (Health(signal=-111), FaultCode.FIELD_STRENGTH_LOW, True),
        (Health(signal=-109), FaultCode.FIELD_STRENGTH_LOW, False),
    ],
)
def test_what_is_a_fault(felt: Health, code: FaultCode, on: bool) -> None:
    assert [(c, o) for c, o, _ in verdicts(felt, [])] == [(code, on)]


def test_a_fault_goes_only_when_it_is_clearly_over() -> None:
    felt = Health(battery=25, temp=80, signal=-107)
    on = ["battery_low", "temperature_high", "field_strength_low"]
    assert {code for code, is_on, _ in verdicts(felt, on) if is_on} == set(on)
    assert not any(is_on for _, is_on, _ in verdicts(felt, []))


def test_what_is_not_felt_is_not_judged() -> None:
    assert verdicts(Health(), ["mains_lost"]) == []


def some_checks(place: Path, **given: object) -> Checks:
    fields: dict[str, object] = {
        "folder": place,
        "find": lambda _audio: place,
        "free": lambda: 812_000_000,
        "opens": lambda: True,
        "pack": (an_audio(), an_audio(sha256="1" * 64)),
        "clock_set": True,
    }
    return Checks(**(fields | given))  # type: ignore[arg-type]


def test_a_device_that_is_well_says_so(tmp_path: Path) -> None:
    report = examine(some_checks(tmp_path))
    assert report == {"storage": "ok", "space": "ok 812 MB", "clock": "ok", "amp": "ok", "pack": "ok 2"}
    assert is_well(report)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "line", "says"),
    [
        ({"folder": Path("/nowhere/at/all")}, "storage", "not writable"),
        ({"free": lambda: 3_000_000}, "space", "low 3 MB"),
        ({"clock_set": False}, "clock", "never set"),
        ({"opens": lambda: False}, "amp", "does not open"),
        ({"find": lambda _audio: None}, "pack", "missing 2"),
    ],
)
def test_what_is_wrong_is_said_in_a_word_or_two(tmp_path: Path, given: dict[str, object], line: str, says: str) -> None:
    report = examine(some_checks(tmp_path, **given))
    assert report[line] == says
    assert not is_well(report)


def test_simulated_trouble_comes_and_goes_and_is_felt() -> None:
    chance, troubles = random.Random(3), Troubles("horn-1")
    calm = troubles.feel()
    assert not any(on for _, on, _ in verdicts(calm, []))
    seen = set()
    for _ in range(200):
        went, came = troubles.turn(chance)
        assert went is None
        assert came is not None
        felt = {code for code, on, _ in verdicts(troubles.feel(), []) if on}
        assert felt >= ({came} & {FaultCode.MAINS_LOST, FaultCode.BATTERY_LOW, FaultCode.FIELD_STRENGTH_LOW})
        seen.add(came)
        assert troubles.turn(chance) == (came, None)
        assert troubles.feel() == calm
    assert len(seen) == 8

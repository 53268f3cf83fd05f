"""The clock of a running hub beats for whoever watches the process."""

import time

from hub.core.notify import Pulse
from hub.core.runtime import Runtime
from schedules.feature import start


def test_the_clock_beats_every_second_and_stops_with_it(runtime: Runtime, app: object) -> None:
    pulse = runtime.provide(Pulse, Pulse())
    runner = start(runtime)[0]
    assert pulse._beaten is None
    runner.start()
    try:
        deadline = time.monotonic() + 30
        while pulse._beaten is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert pulse.alive(2.5)
    finally:
        runner.stop()
    time.sleep(0.3)
    assert not pulse.alive(0.2)

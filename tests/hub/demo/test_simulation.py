"""The demo's loudspeakers, and a demo that was restored: what they kept for themselves is in no backup."""

from hub.core.runtime import Runtime
from hub.demo.simulation import SimulatedSpeakers


def test_a_restored_demo_goes_on_without_loudspeakers(runtime: Runtime) -> None:
    speakers = SimulatedSpeakers(runtime)
    assert not speakers.there
    speakers.start()
    speakers.stop()
    assert not speakers.folder.exists()

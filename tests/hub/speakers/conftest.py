"""Real brokers on free ports."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from speakerlab import Recordings, Village, a_village, recordings_served

from hub.speakers.broker.process import find_mosquitto

NAMES = ["horn-1", "horn-2"]


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> Literal["embedded", "mosquitto"]:
    """Each broker in turn."""
    if request.param == "embedded":
        return "embedded"
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    return "mosquitto"


@pytest.fixture
def village(kind: Literal["embedded", "mosquitto"], tmp_path: Path) -> Iterator[Village]:
    """A broker, the hub's link, and accounts for two devices."""
    with a_village(kind, tmp_path, NAMES) as running:
        yield running


@pytest.fixture
def recordings(tmp_path: Path) -> Iterator[Recordings]:
    """Recordings over HTTP."""
    folder = tmp_path / "web"
    folder.mkdir()
    with recordings_served(folder) as served:
        yield served

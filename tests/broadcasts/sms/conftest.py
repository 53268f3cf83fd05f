"""Fixtures for text messages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from smslab import Lab, LabClock, LabGateway, lab_sessions, lab_settings

from hub.core.db import Sessions


@pytest.fixture
def sms_sessions(tmp_path: Path) -> Iterator[Sessions]:
    """A database with the small county in it."""
    sessions = lab_sessions(tmp_path / "sms.db")
    yield sessions
    sessions.engine.dispose()


@pytest.fixture
def lab(sms_sessions: Sessions) -> Iterator[Lab]:
    """A whole outbox with a provider that does as it is told."""
    made = Lab(sms_sessions, LabGateway(), LabClock(), lab_settings())
    yield made
    for pump in made.pumps.values():
        pump.close()

"""Fixtures for residents."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from smslab import lab_safe, lab_sessions
from sqlalchemy.orm import Session

from hub.core.db import Sessions
from hub.residents.phones import PhoneSafe


@pytest.fixture
def residents_sessions(tmp_path: Path) -> Iterator[Sessions]:
    """A database with the small county in it."""
    sessions = lab_sessions(tmp_path / "residents.db")
    yield sessions
    sessions.engine.dispose()


@pytest.fixture
def people(residents_sessions: Sessions) -> Iterator[Session]:
    """A session that may write."""
    with residents_sessions.begin() as session:
        yield session


@pytest.fixture
def phone_safe() -> PhoneSafe:
    """A safe with known keys."""
    return lab_safe()

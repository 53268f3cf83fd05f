"""Fixtures for what goes out by the timetable."""

import pytest
from deliverylab import Air, Clock
from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import Runtime


@pytest.fixture
def air(app: OpenAPI, runtime: Runtime, clock: Clock) -> Air:
    """Book announcements, let time pass, and let loudspeakers report."""
    return Air(runtime, clock)

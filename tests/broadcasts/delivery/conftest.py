"""Fixtures for broadcasts that go out."""

import pytest
from deliverylab import Air, Clock
from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import Runtime


@pytest.fixture
def air(app: OpenAPI, runtime: Runtime, clock: Clock) -> Air:
    """Release broadcasts and let loudspeakers report."""
    return Air(runtime, clock)

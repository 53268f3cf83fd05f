"""Fixtures for rosters."""

import pytest
from conftest import SetClock
from flask_openapi3.openapi import OpenAPI
from roundlab import Post, a_village

from hub.core.runtime import Runtime


@pytest.fixture
def post(app: OpenAPI, runtime: Runtime, clock: SetClock) -> Post:
    """A village with three volunteers."""
    a_village(runtime)
    return Post(runtime, clock)

"""Fixtures for campaigns."""

import pytest
from campaignlab import Office
from deliverylab import Air
from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import Runtime


@pytest.fixture
def office(app: OpenAPI, runtime: Runtime, air: Air) -> Office:
    """The desk where campaigns are made."""
    return Office(runtime, air)

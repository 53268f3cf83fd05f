"""Fixtures for rosters."""

import pytest
from builders import BRIDGE
from conftest import SetClock
from flask_openapi3.openapi import OpenAPI
from roundlab import PEOPLE, Post

from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput


@pytest.fixture
def post(app: OpenAPI, runtime: Runtime, clock: SetClock) -> Post:
    """A village with three volunteers."""
    with runtime.sessions.begin() as session:
        for name, number in PEOPLE.items():
            given = ResidentInput(name=name, region_code=BRIDGE, phones=(number,), tags=("志愿者",))
            residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock.now)
    return Post(runtime, clock)

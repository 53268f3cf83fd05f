"""A loudspeaker's own page says what it did lately."""

from collections.abc import Callable
from datetime import timedelta

from builders import the_actor
from conftest import NOON
from flask.testing import FlaskClient

from broadcasts.audience.selection import Audience
from broadcasts.delivery import service
from broadcasts.delivery.models import Kind
from broadcasts.feature import rules_of
from broadcasts.loudspeaker.orders import Sound
from hub.core.runtime import Runtime
from hub.regions.tree import path_of


def test_the_page_of_a_loudspeaker_lists_what_was_meant_for_it(
    runtime: Runtime, sign_in: Callable[[str], FlaskClient]
) -> None:
    browser = sign_in("clerk")
    with runtime.sessions.begin() as session:
        order = service.Order(
            source="test:1",
            kind=Kind.ROUTINE,
            title="路要封了",
            text="路要封了。",
            sms_text="",
            audience=Audience(("990101001001",)),
            home_path=path_of("990101001001"),
            sound=Sound("ef" * 32, 30_000, 90_000),
            repeats=1,
            volume=None,
            starts_at=NOON,
            expires_at=NOON + timedelta(minutes=10),
        )
        service.release(session, the_actor(session, "clerk"), order, rules=rules_of(runtime), now=NOON)
    page = browser.get("/speakers/s1001-1").text
    assert "路要封了" in page
    assert "还没回音" in page
    assert "路要封了" not in browser.get("/speakers/s1002-1").text
    assert sign_in("stranger").get("/speakers/s1001-1").status_code == 404

"""Feeds and senders, for programs: the county's administrator arranges them, nobody else."""

from collections.abc import Callable

import pytest
from apilab import NOWHERE, Program, fields_of, problem_of, program
from builders import COUNTY
from conftest import SetClock
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from broadcasts.bulletins.models import Feed
from hub.core.runtime import Runtime

Programs = Callable[[str], Program]
FEED = {"name": "市气象台", "url": "https://weather.example/cap.atom", "region": COUNTY}
SENDER = {"sender": "qxt@weather.example", "name": "市气象台", "region": COUNTY}


@pytest.fixture
def as_(app: OpenAPI, runtime: Runtime) -> Programs:
    return lambda login: program(app, runtime, login)


def test_a_feed_is_added_paused_resumed_tested_and_removed(as_: Programs, runtime: Runtime, clock: SetClock) -> None:
    county = as_("county")
    made = county.made("/warnings/feeds", FEED | {"minutes": 5})
    path = f"/warnings/feeds/{made['id']}"
    assert (made["active"], made["minutes"], made["only_known"], made["result"]) == (True, 5, True, "")
    paused = county.made(f"{path}/pause")
    assert (paused["active"], paused["next_at"]) == (False, None)
    assert county.made(f"{path}/resume")["active"]
    with runtime.sessions.begin() as session:
        feed = session.scalars(select(Feed)).one()
        feed.result, feed.failures, feed.looked_at, feed.seen = "feed_unreachable", 2, clock(), {"x": "y"}
        feed.result_params = {"reason": "timeout"}
    known = county.get(path).json
    assert known is not None
    assert (known["result"], known["failures"]) == ("feed_unreachable", 2)
    assert known["detail"]
    county.made(f"{path}/test")
    with runtime.sessions.read() as session:
        assert session.scalars(select(Feed)).one().seen == {}
    assert county.call("DELETE", path).json == {"items": []}
    problem_of(county.get(path), 404, "source_unknown")


def test_a_sender_is_known_changed_and_forgotten(as_: Programs) -> None:
    county = as_("county")
    first = county.made("/warnings/senders", SENDER)
    second = county.made("/warnings/senders", SENDER | {"name": "气象台"})
    assert (first["id"], second["name"], second["has_certificate"]) == (second["id"], "气象台", False)
    assert fields_of(county.post("/warnings/senders", SENDER | {"needs_signature": True})) == {
        "certificate": "source_certificate_missing"
    }
    assert county.call("DELETE", f"/warnings/senders/{first['id']}").json == {"items": []}
    problem_of(county.call("DELETE", f"/warnings/senders/{NOWHERE}"), 404, "source_unknown")


def test_addresses_that_are_none_are_refused_and_others_have_no_right(as_: Programs) -> None:
    county = as_("county")
    for url in ("file:///etc/passwd", "https://name:secret@weather.example/", "ftp://x.example/"):
        assert fields_of(county.post("/warnings/feeds", FEED | {"url": url})) == {"url": "source_address_malformed"}
    for login in ("clerk", "duty", "viewer"):
        problem_of(as_(login).post("/warnings/feeds", FEED), 403, "not_allowed")
        problem_of(as_(login).get("/warnings/feeds"), 403, "not_allowed")
        problem_of(as_(login).get("/warnings/senders"), 403, "not_allowed")

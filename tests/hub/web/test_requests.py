"""Every request has a name, in its answer and on every line it logs."""

import json
import logging

import pytest
from flask_openapi3.openapi import OpenAPI

from hub.core.logs import JsonLine, PlainLine, about


def test_a_request_keeps_the_name_it_came_with_if_it_is_one(app: OpenAPI) -> None:
    client = app.test_client()
    assert client.get("/healthz", headers={"X-Request-Id": "abc-12345"}).headers["X-Request-Id"] == "abc-12345"
    for bad in ("short", "with space in it", "x" * 65, "new\tline-12345"):
        given = client.get("/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"]
        assert given != bad
        assert len(given) == 32


def test_lines_that_are_logged_inside_carry_the_ids(caplog: pytest.LogCaptureFixture) -> None:
    shown: list[dict[str, object]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            shown.append(json.loads(JsonLine().format(record)))

    logger = logging.getLogger("cunxiang.test.requests")
    logger.setLevel(logging.INFO)
    logger.addHandler(Keep())
    with about(request="r-1"):
        with about(broadcast="b-1"):
            logger.info("both")
        logger.info("one", extra={"broadcast": "own"})
    logger.info("none")
    assert [(line.get("request"), line.get("broadcast")) for line in shown] == [
        ("r-1", "b-1"),
        ("r-1", "own"),
        (None, None),
    ]


@pytest.mark.parametrize("form", [JsonLine(), PlainLine()])
def test_what_somebody_sent_begins_no_line_of_its_own(form: logging.Formatter) -> None:
    record = logging.makeLogRecord({"msg": "feed_refused", "levelname": "WARNING"})
    record.address = "x\n2026-11-30 error all_is_lost\r\x1b[2J\u2028y"
    line = form.format(record)
    assert line.isprintable()
    assert "all_is_lost" in line

"""Loudspeakers fetch what was released, by its hash, without a session; nothing else is given away."""

from collections.abc import Callable
from hashlib import sha256

import pytest
from deliverylab import Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import event
from werkzeug.test import TestResponse

from broadcasts.kinds import Theme
from broadcasts.speech.library import Rendering
from broadcasts.studio import Studio
from hub.core.runtime import Runtime

UNKNOWN = "cd" * 32


@pytest.fixture
def rendering(app: OpenAPI, runtime: Runtime) -> Rendering:
    """A recording on the disk, not released."""
    studio = runtime.get(Studio)
    return studio.render(studio.announcement("开会。", theme=Theme.NOTICE, speed="normal", repeats=1))


@pytest.fixture
def speaker(app: OpenAPI) -> FlaskClient:
    """A loudspeaker: it keeps no cookies and signs in nowhere."""
    return app.test_client(use_cookies=False)


def fetch(speaker: FlaskClient, digest: str, **headers: str) -> TestResponse:
    return speaker.get(f"/a/{digest}.mp3", headers=headers, buffered=True)


def test_a_released_recording_is_fetched_by_its_hash_and_may_be_kept_for_ever(
    air: Air, rendering: Rendering, speaker: FlaskClient
) -> None:
    air.release(ms=rendering.duration_ms, sha256=rendering.sha256)
    answer = fetch(speaker, rendering.sha256)
    assert answer.status_code == 200
    assert sha256(answer.data).hexdigest() == rendering.sha256
    assert answer.mimetype == "audio/mpeg"
    assert "immutable" in answer.headers["Cache-Control"]
    assert "public" in answer.headers["Cache-Control"]
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")


def test_a_loudspeaker_goes_on_where_it_broke_off(air: Air, rendering: Rendering, speaker: FlaskClient) -> None:
    air.release(ms=rendering.duration_ms, sha256=rendering.sha256)
    whole = fetch(speaker, rendering.sha256).data
    rest = fetch(speaker, rendering.sha256, Range="bytes=1000-")
    assert rest.status_code == 206
    assert rest.data == whole[1000:]
    assert rest.headers["Content-Range"] == f"bytes 1000-{len(whole) - 1}/{len(whole)}"


def test_a_recording_nobody_released_is_not_given_away(rendering: Rendering, speaker: FlaskClient) -> None:
    assert fetch(speaker, rendering.sha256).status_code == 404


def test_after_the_release_it_is_found_even_if_somebody_asked_before(
    air: Air, rendering: Rendering, speaker: FlaskClient
) -> None:
    assert fetch(speaker, rendering.sha256).status_code == 404
    air.release(ms=rendering.duration_ms, sha256=rendering.sha256)
    assert fetch(speaker, rendering.sha256).status_code == 200


def test_what_is_not_there_or_no_hash_is_not_found(air: Air, speaker: FlaskClient) -> None:
    air.release(sha256=UNKNOWN)
    air.release(ms=0, sms=True)
    for name in (UNKNOWN, "0" * 64, "../" * 21 + "x", "G" * 64, "", "ab"):
        assert speaker.get(f"/a/{name}.mp3").status_code == 404


def test_a_whole_county_fetching_asks_the_database_once(
    air: Air, rendering: Rendering, speaker: FlaskClient, runtime: Runtime
) -> None:
    air.release(ms=rendering.duration_ms, sha256=rendering.sha256)
    asked: list[str] = []
    event.listen(runtime.sessions.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    for _ in range(20):
        assert fetch(speaker, rendering.sha256).status_code == 200
    assert len([statement for statement in asked if "SELECT" in statement]) == 1


def test_the_page_plays_the_very_recording_that_was_sent(
    air: Air, rendering: Rendering, sign_in: Callable[[str], FlaskClient]
) -> None:
    sent = air.release(ms=rendering.duration_ms, sha256=rendering.sha256)
    clerk = sign_in("clerk")
    answer = clerk.get(f"/broadcasts/{sent}/audio")
    assert answer.location == f"/a/{rendering.sha256}.mp3"
    html = clerk.get(f"/broadcasts/{sent}").text
    assert f'src="/broadcasts/{sent}/audio"' in html
    assert html.count("<rect x=") >= 96, "its waveform is drawn"


def test_a_broadcast_without_sound_has_none_to_play(air: Air, sign_in: Callable[[str], FlaskClient]) -> None:
    sent = air.release(ms=0, sms=True)
    clerk = sign_in("clerk")
    assert clerk.get(f"/broadcasts/{sent}/audio").status_code == 404
    assert "<audio" not in clerk.get(f"/broadcasts/{sent}").text

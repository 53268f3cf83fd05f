"""What people ask of one loudspeaker goes out signed, once; its answer is shown; quiet hours are heeded."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from carelab import Recorder, change, events_of, plugged, receipt, watch
from conftest import SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from hub.core.runtime import Runtime
from hub.speakers.care.models import DeviceCommand
from hub.speakers.models import SpeakerState
from hub.speakers.protocol import Reached, Restart, SelfTest, ToDevice

SignIn = Callable[[str], FlaskClient]
ONE = "s1001-1"
NIGHT = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
"""23:00 in the villages."""


@pytest.fixture
def station(runtime: Runtime, app: OpenAPI) -> Recorder:
    return plugged(runtime)


def ask(client: FlaskClient, deed: str, speaker_id: str = ONE) -> int:
    return client.post(f"/speakers/{speaker_id}/ask", data={"deed": deed}).status_code


def commands(runtime: Runtime) -> list[DeviceCommand]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(DeviceCommand).order_by(DeviceCommand.id)))


def state(client: FlaskClient) -> str:
    return client.get(f"/speakers/{ONE}", headers={"HX-Request": "true"}).text


def answer(runtime: Runtime, command_id: UUID, reached: Reached, **said: object) -> None:
    watch(runtime).receipts([receipt(ONE, command_id, reached, **said)])


def test_test_tone_and_restart_go_out_signed_to_that_one(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    client = sign_in("clerk")
    assert [ask(client, deed) for deed in ("test", "sound", "restart")] == [302, 302, 302]
    test, sound, restart = station.commands()
    assert isinstance(test, SelfTest)
    assert isinstance(sound, SelfTest)
    assert isinstance(restart, Restart)
    assert (test.sound, sound.sound) == (False, True)
    assert {command.to for command in (test, sound, restart)} == {ToDevice(device=ONE)}
    assert test.seq < sound.seq < restart.seq
    assert [str(command.id) for command in commands(runtime)] == [test.id, sound.id, restart.id]
    assert events_of(runtime, ONE) == [("deed", "test"), ("deed", "sound"), ("deed", "restart")]


def test_the_answer_is_shown_as_it_comes(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    client = sign_in("clerk")
    ask(client, "restart")
    [command] = commands(runtime)
    assert "发出去了，等回音" in state(client)
    assert 'hx-trigger="every 2s"' in state(client), "one who waits looks more often"
    answer(runtime, command.id, Reached.RECEIVED)
    assert "收到了，正在做" in state(client)
    answer(runtime, command.id, Reached.FINISHED)
    assert "做好了" in state(client)
    answer(runtime, command.id, Reached.RECEIVED)
    assert "做好了" in state(client), "the last word is not overwritten by an earlier one"
    assert 'hx-trigger="every 10s"' in state(client)


@pytest.mark.parametrize(
    ("reached", "reason", "words"),
    [
        (Reached.REFUSED, "quiet_hours", "没做：到了安静时段"),
        (Reached.FAILED, "self_test", "没做成：自检没过"),
        (Reached.FAILED, "strange_thing", "没做成：strange_thing"),
        (Reached.EXPIRED, None, "没做"),
    ],
)
def test_a_no_is_told_with_its_reason(
    sign_in: SignIn, runtime: Runtime, station: Recorder, reached: Reached, reason: str | None, words: str
) -> None:
    client = sign_in("clerk")
    ask(client, "test")
    answer(runtime, commands(runtime)[0].id, reached, reason=reason)
    assert words in state(client)


def test_silence_is_told_after_five_minutes(
    sign_in: SignIn, runtime: Runtime, clock: SetClock, station: Recorder
) -> None:
    client = sign_in("clerk")
    ask(client, "test")
    clock.now += timedelta(minutes=5)
    assert "没回音" in state(client)


def test_an_answer_of_somebody_else_says_nothing(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    client = sign_in("clerk")
    ask(client, "test")
    watch(runtime).receipts([receipt("s1001-2", commands(runtime)[0].id, Reached.FINISHED)])
    assert "发出去了，等回音" in state(client)


def test_a_refused_tone_does_not_count_as_a_failed_test(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    client = sign_in("clerk")
    ask(client, "sound")
    answer(runtime, commands(runtime)[0].id, Reached.REFUSED, reason="quiet_hours")
    assert ("test", "failed") not in events_of(runtime, ONE)
    ask(client, "sound")
    answer(runtime, commands(runtime)[1].id, Reached.FINISHED, report={"amp": "ok", "space": "ok 81 MB"})
    page = client.get(f"/speakers/{ONE}").text
    assert "功放：好，空间：好" in page


def test_no_tone_in_quiet_hours_but_a_silent_test(
    sign_in: SignIn, runtime: Runtime, clock: SetClock, station: Recorder
) -> None:
    clock.now = NIGHT
    client = sign_in("clerk")
    page = client.get(f"/speakers/{ONE}").text
    assert "现在是安静时段，06:30 以后才能试音" in page
    assert "ask-sound" not in page
    refused = client.post(f"/speakers/{ONE}/ask", data={"deed": "sound"})
    assert refused.status_code == 409
    assert "06:30" in refused.text
    assert (station.sent, commands(runtime)) == ([], [])
    assert ask(client, "test") == 302
    assert len(station.sent) == 1


def test_with_the_broker_away_nothing_is_noted(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    station.away = True
    answer_ = sign_in("clerk").post(f"/speakers/{ONE}/ask", data={"deed": "restart"})
    assert (answer_.status_code, "什么都没改" in answer_.text) == (503, True)
    assert (commands(runtime), events_of(runtime, ONE)) == ([], [])


def test_who_is_not_in_service_is_asked_nothing(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    client = sign_in("clerk")
    for standing in (SpeakerState.RETIRED, SpeakerState.EXPECTED):
        change(runtime, ONE, state=standing)
        assert ask(client, "restart") == 409
        assert "ask-restart" not in client.get(f"/speakers/{ONE}").text
    assert station.sent == []


@pytest.mark.parametrize(("who", "status"), [("stranger", 404), ("viewer", 403), ("secretary", 403)])
def test_whoever_may_not_asks_nothing_and_sees_no_button(
    sign_in: SignIn, runtime: Runtime, station: Recorder, who: str, status: int
) -> None:
    client = sign_in(who)
    assert [ask(client, deed) for deed in ("test", "sound", "restart")] == [status] * 3
    assert (station.sent, commands(runtime)) == ([], [])
    page = client.get(f"/speakers/{ONE}")
    assert re.search(r'id="ask-', page.text) is None


def test_without_signing_in_nothing_is_asked(app: OpenAPI, runtime: Runtime, station: Recorder) -> None:
    assert ask(app.test_client(), "restart") == 302
    assert station.sent == []


def test_an_unknown_deed_is_refused(sign_in: SignIn, station: Recorder) -> None:
    assert ask(sign_in("clerk"), "explode") == 422
    assert ask(sign_in("clerk"), "volume") == 422

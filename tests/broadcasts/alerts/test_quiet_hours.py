"""In quiet hours only red and orange wake people, and the desk says so before anything is sent."""

from datetime import timedelta
from pathlib import Path

import pytest
from apilab import program
from builders import BRIDGE, FERRY, HILL, NORTH
from composelab import SignIn, residents_in, said
from conftest import NOON, SetClock
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from broadcasts.alerts import firing, service
from broadcasts.alerts.models import Alert
from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour
from broadcasts.loudspeaker.models import PlayOrder
from broadcasts.sms.models import SmsRun
from hub.core.runtime import Runtime

NIGHT = NOON + timedelta(hours=13)
"""23:00 in the villages."""
KEY = "2f1c9a5e-0000-4000-8000-000000000009"


@pytest.fixture(autouse=True)
def someone_lives_there(runtime: Runtime, app: OpenAPI, clock: SetClock) -> None:
    residents_in(runtime, BRIDGE, "13800001121", "13800001122")
    clock.now = NIGHT


def asked(**given: object) -> dict[str, object]:
    return {"hazard": "flash_flood", "colour": "yellow", "area": NORTH, "sms": "1"} | given


def confirmed(speakers: int, **given: object) -> dict[str, object]:
    return asked(form_key=KEY, speakers=str(speakers), **given)


def fire(runtime: Runtime, clock: SetClock) -> None:
    clock.now += timedelta(seconds=3.1)
    assert firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock()) == 1


def orders(runtime: Runtime) -> list[PlayOrder]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(PlayOrder)))


@pytest.mark.parametrize("colour", [Colour.YELLOW, Colour.BLUE])
def test_the_desk_says_that_no_horn_will_sound_and_counts_none(colour: Colour, sign_in: SignIn) -> None:
    words = said(sign_in("duty").get("/emergency", query_string=asked(colour=colour.value)).text)
    assert "现在是安静时段，黄色、蓝色不响喇叭，只发短信。" in words
    assert "0只喇叭会响2个手机号" in words
    assert "喇叭不响，只发短信。核对无误，请输入 0" in words
    assert "立即发短信" in words
    assert "立即播发" not in words
    assert "会响的村" not in words


def test_villages_that_stay_silent_are_counted_all_the_same(sign_in: SignIn) -> None:
    chosen = {"hazard": "flash_flood", "colour": "yellow", "area": "own", "village": [BRIDGE, FERRY], "sms": "1"}
    words = said(sign_in("county").get("/emergency", query_string=chosen).text)
    assert "2 个村" in words
    assert "0 个村" not in words


@pytest.mark.parametrize("colour", [Colour.RED, Colour.ORANGE])
def test_red_and_orange_wake_everybody(colour: Colour, sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    duty = sign_in("duty")
    assert "安静时段" not in said(duty.get("/emergency", query_string=asked(colour=colour.value)).text)
    assert duty.post("/emergency", data=confirmed(4, colour=colour.value)).status_code == 302
    fire(runtime, clock)
    (order,) = orders(runtime)
    assert (order.severity, order.by_name, order.pack) == (colour.value, "北镇值班员", f"flash_flood-{colour.value}")
    with runtime.sessions.read() as session:
        assert order.text == session.scalars(select(Broadcast)).one().text


def test_by_day_yellow_sounds_as_ever(sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    clock.now = NOON
    assert sign_in("duty").post("/emergency", data=confirmed(4)).status_code == 302
    fire(runtime, clock)
    (order,) = orders(runtime)
    assert (order.severity, order.pack) == ("yellow", "")


def test_a_yellow_one_at_night_goes_by_text_message_alone(sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    duty = sign_in("duty")
    answer = duty.post("/emergency", data=confirmed(0))
    assert answer.status_code == 302, said(answer.text)
    assert "喇叭不响" in said(duty.get(answer.location).text)
    fire(runtime, clock)
    assert orders(runtime) == []
    with runtime.sessions.read() as session:
        assert session.scalars(select(SmsRun)).one()
        assert session.scalars(select(Broadcast)).one().speakers_meant == 0
    words = said(duty.get(answer.location).text)
    assert "安静时段，这个等级不响喇叭，只发了短信。" in words
    assert "正在发短信" in words
    assert "正在播" not in words
    assert "喇叭马上停" not in words
    assert "声音没做出来" not in words


def test_a_number_read_by_day_is_not_taken_at_night(sign_in: SignIn, runtime: Runtime) -> None:
    answer = sign_in("duty").post("/emergency", data=confirmed(4))
    assert answer.status_code == 409
    with runtime.sessions.read() as session:
        assert session.scalars(select(Alert)).all() == []


def test_without_text_messages_there_is_nothing_to_send(sign_in: SignIn) -> None:
    words = said(sign_in("duty").get("/emergency", query_string=asked(sms="0")).text)
    assert "什么都发不出去" in words
    assert sign_in("duty").post("/emergency", data=confirmed(0, sms="0")).status_code == 422


def test_the_hour_of_the_first_sound_counts_not_that_of_the_press(
    sign_in: SignIn, runtime: Runtime, clock: SetClock
) -> None:
    clock.now = NOON + timedelta(hours=11) - timedelta(seconds=2)
    assert service.hushed(Colour.YELLOW, runtime.get(Rules), clock())
    assert not service.hushed(Colour.YELLOW, runtime.get(Rules), clock() - timedelta(seconds=5))


def test_a_program_is_told_the_same(app: OpenAPI, runtime: Runtime) -> None:
    duty = program(app, runtime, "duty")
    wish = {"hazard": "flash_flood", "colour": "blue", "regions": [HILL, BRIDGE]}
    found = duty.made("/alerts/preview", wish)
    assert (found["hushed"], found["speakers"], found["phones"]) == (True, 0, 2)
    armed = duty.made("/alerts", wish | {"speakers_confirmed": 0, "form_key": KEY})
    assert (armed["hushed"], armed["speakers_confirmed"], armed["engine"]) == (True, 0, "")


def test_nothing_is_spoken_that_nobody_will_hear(sign_in: SignIn, runtime: Runtime) -> None:
    sign_in("duty").post("/emergency", data=confirmed(0))
    sounds = Path(runtime.config.data_dir / "sound")
    assert list(sounds.rglob("*.mp3")) == []

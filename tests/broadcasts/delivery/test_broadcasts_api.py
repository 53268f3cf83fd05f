"""Broadcasts, for programs."""

from collections.abc import Callable
from typing import Any

import builders
import pytest
from apilab import NOWHERE, Program, audit_count, problem_of, program
from conftest import SetClock
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import update

from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from broadcasts.sms.models import SmsRun
from broadcasts.sms.states import RunState
from hub.core.runtime import Runtime

Programs = Callable[[str], Program]


@pytest.fixture
def as_(app: OpenAPI, runtime: Runtime) -> Programs:
    return lambda login: program(app, runtime, login)


def released(as_: Programs, **given: Any) -> str:
    clerk = as_("clerk")
    wish = {"title": "开会", "text": "明天开会。", "regions": [builders.NORTH]} | given
    made = clerk.made("/announcements", wish)
    handed = clerk.made(f"/announcements/{made['id']}/submit")
    done = as_("approver").made(f"/announcements/{made['id']}/approve", {"content_hash": handed["content_hash"]})
    return str(done["broadcast_id"])


def test_one_sees_how_far_it_has_come(as_: Programs, runtime: Runtime) -> None:
    key = released(as_)
    with runtime.sessions.begin() as session:
        session.execute(
            update(SpeakerDelivery)
            .where(SpeakerDelivery.speaker_id == "s1001-1")
            .values(state=PlayState.FINISHED, started_at=runtime.now(), ended_at=runtime.now())
        )
    found = as_("viewer").get(f"/broadcasts/{key}").json
    assert found is not None
    assert (found["kind"], found["state"], found["phase"]) == ("routine", "going", "sounding")
    assert found["loudspeakers"] == {
        "meant": 4,
        "heard": 1,
        "sounding": 0,
        "played": 1,
        "partly": 0,
        "unheard": 3,
        "open": 3,
    }
    assert (found["released_by"], found["approved_by"], found["may_stop"]) == ("北镇副镇长", "北镇副镇长", False)
    assert as_("clerk").get("/broadcasts").json["items"] == [found | {"may_stop": True}]  # type: ignore[index]


def test_every_loudspeaker_is_listed_page_by_page(as_: Programs, runtime: Runtime) -> None:
    key = released(as_)
    first = as_("clerk").get(f"/broadcasts/{key}/speakers?limit=3").json
    assert first is not None
    second = as_("clerk").get(f"/broadcasts/{key}/speakers?limit=3&cursor={first['next']}").json
    assert second is not None
    lines = first["items"] + second["items"]
    assert [line["speaker_id"] for line in lines] == ["s1001-1", "s1001-2", "s1002-1", "s1002-2"]
    assert second["next"] is None
    assert (lines[0]["outcome"], lines[0]["state"], lines[0]["village"]) == ("waiting", "queued", builders.BRIDGE)
    hill = as_("clerk").get(f"/broadcasts/{key}/speakers?region={builders.HILL}").json
    assert [line["speaker_id"] for line in hill["items"]] == ["s1002-1", "s1002-2"]  # type: ignore[index]


def test_a_secretary_sees_the_part_in_the_own_village(as_: Programs) -> None:
    key = released(as_)
    found = as_("secretary").get(f"/broadcasts/{key}").json
    assert found is not None
    assert found["loudspeakers"]["meant"] == 2
    lines = as_("secretary").get(f"/broadcasts/{key}/speakers").json["items"]  # type: ignore[index]
    assert [line["speaker_id"] for line in lines] == ["s1001-1", "s1001-2"]
    problem_of(as_("secretary").post(f"/broadcasts/{key}/stop"), 403, "not_allowed")


def test_stopping_holds_back_what_has_not_gone(as_: Programs, runtime: Runtime) -> None:
    key = released(as_, sms=True)
    stopped = as_("clerk").made(f"/broadcasts/{key}/stop")
    assert (stopped["state"], stopped["phase"], stopped["stopped_by"]) == ("stopped", "stopped", "北镇广播员")
    assert as_("duty").made(f"/broadcasts/{key}/stop") == stopped, "twice is once"
    lines = as_("clerk").get(f"/broadcasts/{key}/speakers").json["items"]  # type: ignore[index]
    assert {line["state"] for line in lines} == {"stopped"}
    assert as_("clerk").get(f"/broadcasts/{key}/sms").json["state"] == "cancelled"  # type: ignore[index]


def test_one_sees_how_far_the_text_messages_are(as_: Programs, runtime: Runtime, clock: SetClock) -> None:
    key = released(as_, sms=True)
    found = as_("clerk").get(f"/broadcasts/{key}/sms").json
    assert found is not None
    assert (found["state"], found["people"], found["fen"]) == ("expanding", 0, 0)
    assert set(found["counts"].values()) == {0}
    assert as_("clerk").get(f"/broadcasts/{key}/sms/messages").json == {"items": [], "next": None}
    problem_of(as_("viewer").get(f"/broadcasts/{key}/sms/messages"), 403, "not_allowed")


def test_a_broadcast_without_text_messages_says_so(as_: Programs) -> None:
    problem_of(as_("clerk").get(f"/broadcasts/{released(as_)}/sms"), 404, "sms_run_unknown")


def test_messages_that_stood_still_can_go_on(as_: Programs, runtime: Runtime) -> None:
    key = released(as_, sms=True)
    problem_of(as_("clerk").post(f"/broadcasts/{key}/sms/resume"), 409, "sms_not_paused")
    with runtime.sessions.begin() as session:
        session.execute(update(SmsRun).values(paused_reason="gateway_configuration", state=RunState.GOING))
    problem_of(as_("viewer").post(f"/broadcasts/{key}/sms/resume"), 403, "not_allowed")
    problem_of(as_("stranger").post(f"/broadcasts/{key}/sms/resume"), 404, "sms_run_unknown")
    assert as_("clerk").get(f"/broadcasts/{key}/sms").json["paused_reason"] != ""  # type: ignore[index]
    assert as_("clerk").made(f"/broadcasts/{key}/sms/resume") == {"broadcast_id": key}
    assert as_("clerk").get(f"/broadcasts/{key}/sms").json["paused_reason"] == ""  # type: ignore[index]


def test_without_doubtful_messages_nothing_is_sent_again(as_: Programs) -> None:
    key = released(as_, sms=True)
    problem_of(as_("clerk").post(f"/broadcasts/{key}/sms/resend", {}), 409, "sms_nothing_unknown")
    problem_of(as_("duty").post(f"/broadcasts/{key}/sms/resend", {"hours": 1}), 403, "not_allowed")
    problem_of(as_("stranger").post(f"/broadcasts/{key}/sms/resend", {}), 404, "sms_run_unknown")


@pytest.mark.parametrize("path", ["", "/speakers", "/sms", "/sms/messages"])
def test_to_a_stranger_it_does_not_exist(as_: Programs, path: str) -> None:
    key = released(as_, sms=True)
    problem_of(as_("stranger").get(f"/broadcasts/{key}{path}"), 404, "broadcast_unknown")
    problem_of(as_("stranger").get(f"/broadcasts/{NOWHERE}{path}"), 404, "broadcast_unknown")


def test_a_stranger_stops_nothing(as_: Programs, runtime: Runtime) -> None:
    key = released(as_)
    with runtime.sessions.read() as session:
        before = audit_count(session)
    problem_of(as_("stranger").post(f"/broadcasts/{key}/stop"), 404, "broadcast_unknown")
    problem_of(as_("viewer").post(f"/broadcasts/{key}/stop"), 403, "not_allowed")
    assert as_("stranger").get("/broadcasts").json == {"items": [], "next": None}
    with runtime.sessions.read() as session:
        assert audit_count(session) == before
    assert as_("clerk").get(f"/broadcasts/{key}").json["state"] == "going"  # type: ignore[index]


def test_the_list_pages_and_narrows(as_: Programs, clock: SetClock) -> None:
    keys = [released(as_, title=f"第{n}条") for n in range(3)]
    clerk = as_("clerk")
    clerk.made(f"/broadcasts/{keys[0]}/stop")
    first = clerk.get("/broadcasts?limit=2").json
    assert first is not None
    second = clerk.get(f"/broadcasts?limit=2&cursor={first['next']}").json
    assert second is not None
    assert [one["id"] for one in first["items"] + second["items"]] == keys[::-1]
    assert second["next"] is None
    assert len(clerk.get("/broadcasts?show=going").json["items"]) == 2  # type: ignore[index]
    assert clerk.get("/broadcasts?show=emergency").json["items"] == []  # type: ignore[index]

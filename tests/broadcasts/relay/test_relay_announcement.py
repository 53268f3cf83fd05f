"""A relay is written, heard by the hub, approved by another person, and goes out once at its time."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import builders
import pytest
from apilab import program
from builders import BRIDGE, the_actor
from composelab import a_form, said, stored, submitted
from conftest import SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from radio import radio
from sqlalchemy import select

from broadcasts.announcements import service
from broadcasts.announcements.drafting import content_hash
from broadcasts.announcements.relaying import RelayCheck
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker.models import PlayOrder
from broadcasts.relay.addresses import Relay
from hub.core.errors import NotAllowed
from hub.core.runtime import Runtime
from hub.speakers.protocol import Priority
from schedules.firing import Firing
from schedules.timetable import busy_on

SignIn = Callable[[str], FlaskClient]
URL = "http://127.0.0.1:9/live.mp3"
WISH = {"what": "relay", "relay_url": URL, "relay_minutes": "30", "text": "", "title": "县台早新闻"}


def approve(sign_in: SignIn, runtime: Runtime, announcement_id: UUID, login: str = "approver") -> int:
    seen = stored(runtime, announcement_id).content_hash
    return sign_in(login).post(f"/approvals/{announcement_id}/approve", data={"seen_hash": seen}).status_code


def out(runtime: Runtime) -> tuple[Broadcast, PlayOrder]:
    with runtime.sessions.read() as session:
        broadcast = session.scalars(select(Broadcast)).one()
        return broadcast, session.get_one(PlayOrder, broadcast.id)


def test_a_clerk_sets_up_a_relay_and_another_lets_it_out(sign_in: SignIn, runtime: Runtime) -> None:
    clerk = sign_in("clerk")
    assert "转播电台" in said(clerk.get("/compose").text)
    made = submitted(clerk, **WISH)
    kept = stored(runtime, made)
    assert (kept.relay_url, kept.relay_minutes, kept.audio_sha256) == (URL, 30, "")
    assert approve(sign_in, runtime, made, "strange_approver") == 404
    assert approve(sign_in, runtime, made) == 302
    broadcast, order = out(runtime)
    assert (broadcast.kind, broadcast.audio_ms, order.priority) == (Kind.RELAY, 30 * 60_000, Priority.RELAY)
    assert (order.stream_url, order.length_ms, order.audio_sha256) == (URL, 30 * 60_000, "")
    assert "转播电台" in said(sign_in("approver").get(f"/broadcasts/{broadcast.id}").text)


def test_its_words_are_the_fallback(sign_in: SignIn, runtime: Runtime) -> None:
    made = submitted(sign_in("clerk"), **WISH | {"text": "电台断了，请稍等。"})
    kept = stored(runtime, made)
    assert kept.audio_sha256
    approve(sign_in, runtime, made)
    _, order = out(runtime)
    assert (order.stream_url, order.audio_sha256, order.audio_ms) == (URL, kept.audio_sha256, kept.audio_ms)
    assert order.length_ms == 30 * 60_000


def test_nobody_approves_their_own_relay(runtime: Runtime, app: OpenAPI, clock: SetClock) -> None:
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        made = builders.an_announcement(session, clerk, text="", relay=Relay(URL, 30), now=clock.now)
        rules = runtime.get(Rules)
        service.submit(session, clerk, made.id, None, rules=rules, now=clock.now)
        with pytest.raises(NotAllowed):
            service.approve(session, clerk, made.id, rules=rules, timetable=None, now=clock.now)  # type: ignore[arg-type]


def test_changing_the_address_changes_what_an_approval_is_of(runtime: Runtime, app: OpenAPI, clock: SetClock) -> None:
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        made = builders.an_announcement(session, clerk, relay=Relay(URL, 30), now=clock.now)
        before = content_hash(made)
        made.relay_found = "heard"
        service.save(session, clerk, made.id, builders.a_draft(relay=Relay(URL + "x", 30)), now=clock.now)
        assert content_hash(made) != before
        assert made.relay_found == "", "what was heard at another address says nothing"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"relay_url": ""}, "relay_url"),
        ({"relay_url": "file:///etc/passwd"}, "relay_url"),
        ({"relay_minutes": "121"}, "relay_minutes"),
        ({"relay_minutes": "long"}, "relay_minutes"),
        ({"channel": ["speakers", "sms"]}, "channel"),
    ],
)
def test_a_mistake_stands_at_its_field_and_what_was_typed_stays(
    sign_in: SignIn, given: dict[str, object], field: str
) -> None:
    answer = sign_in("clerk").post("/compose", data=a_form(**WISH | given) | {"do": "submit"})
    assert answer.status_code == 422
    assert f'href="#f-{field}"' in answer.text
    assert "县台早新闻" in answer.text


def test_it_fills_the_timetable_and_fires_once_a_day(sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    daily = {"when": "daily", "at": "18:00", "first_day": "2026-11-23", "last_day": "2026-11-24"}
    made = submitted(sign_in("clerk"), **WISH | daily)
    approve(sign_in, runtime, made)
    rules = runtime.get(Rules)
    with runtime.sessions.read() as session:
        (busy,) = busy_on(session, (stored(runtime, made).home_path,), clock.now.date(), zone=rules.zone)
    assert busy.end_minute - busy.start_minute >= 30
    clock.now += timedelta(hours=8)
    firing = Firing(runtime.sessions, rules, timedelta(0))
    assert [firing.fire_due(now=clock.now), firing.fire_due(now=clock.now)] == [1, 0]
    broadcast, order = out(runtime)
    assert (broadcast.kind, order.stream_url) == (Kind.RELAY, URL)


def test_it_may_not_run_into_quiet_hours(sign_in: SignIn) -> None:
    late = {"when": "once", "day": "2026-11-23", "at": "20:45"}
    answer = sign_in("clerk").post("/compose", data=a_form(**WISH | late) | {"do": "submit"})
    assert answer.status_code == 422
    assert "安静时段" in said(answer.text)


def test_the_hub_listens_before_anybody_approves(sign_in: SignIn, runtime: Runtime) -> None:
    with radio() as station:
        made = submitted(sign_in("clerk"), **WISH | {"relay_url": station.url})
        assert "正在试着收听" in said(sign_in("approver").get("/approvals").text)
        RelayCheck(runtime.sessions).step()
    kept = stored(runtime, made)
    assert kept.relay_found == "heard"
    assert kept.relay_level_db == pytest.approx(-17, abs=2)
    assert f"能收到，音量 {kept.relay_level_db} 分贝" in said(sign_in("approver").get("/approvals").text)


def test_a_station_that_cannot_be_received_is_a_warning_and_no_bar(sign_in: SignIn, runtime: Runtime) -> None:
    made = submitted(sign_in("clerk"), **WISH)
    check = RelayCheck(runtime.sessions)
    check.step()
    assert check.step() > 0, "each is listened to once"
    assert "收不到：那个地址连不上" in said(sign_in("approver").get("/approvals").text)
    assert approve(sign_in, runtime, made) == 302


def test_programs_set_up_relays_too(app: OpenAPI, runtime: Runtime) -> None:
    clerk = program(app, runtime, "clerk")
    wish = {"title": "县台早新闻", "regions": [BRIDGE], "relay_url": URL, "relay_minutes": 15}
    made = clerk.made("/announcements", wish)
    assert (made["relay_url"], made["relay_minutes"], made["relay_found"]) == (URL, 15, "")
    done = clerk.made(f"/announcements/{made['id']}/submit")
    assert done["state"] == "submitted"


def test_a_stranger_sees_nothing_of_it(sign_in: SignIn) -> None:
    made = submitted(sign_in("clerk"), **WISH)
    stranger = sign_in("stranger")
    assert stranger.get(f"/announcements/{made}").status_code == 404
    assert URL not in stranger.get("/announcements").text

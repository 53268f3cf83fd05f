"""Record, listen, send: what the pages do, for whom, when, and how often."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from builders import BRIDGE, FERRY, HILL, NORTH
from composelab import FETCH, said
from conftest import SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from shoutlab import HZ, a_tone, a_wav, tone_seconds
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from broadcasts.shout.models import Shout, ShoutState
from broadcasts.speech.audio import RATE, decode
from broadcasts.studio import Studio
from hub.audit.models import AuditEntry
from hub.core.runtime import Runtime
from hub.speakers.models import Speaker
from hub.speakers.protocol import Priority
from hub.web.shell import STATIC

SignIn = Callable[[str], FlaskClient]
VOICE = a_wav(a_tone(2))
EVENING, NIGHT = timedelta(hours=10, minutes=30), timedelta(hours=1)
"""20:30 in the village, and quiet hours."""


def sent_up(browser: FlaskClient, region: str = BRIDGE, data: bytes = VOICE, **given: str) -> TestResponse:
    """Bring a recording, as the form does."""
    fields = {"form_key": str(uuid4()), "region": region, "recording": FileStorage(io.BytesIO(data), "voice.wav")}
    boundary, body = encode_multipart(fields | given)
    return browser.post("/shout/takes", data=body, content_type=f"multipart/form-data; boundary={boundary}")


def a_take(browser: FlaskClient, region: str = BRIDGE) -> str:
    """Bring a recording; return the address of the page on which it is heard."""
    answer = sent_up(browser, region)
    assert answer.status_code == 302, said(answer.text)
    return answer.location


def sound_at(browser: FlaskClient, address: str) -> bytes:
    """Fetch a recording whole, and close its file."""
    with browser.get(address) as answer:
        assert (answer.status_code, answer.mimetype) == (200, "audio/mpeg")
        return bytes(answer.data)


def broadcasts(runtime: Runtime) -> list[Broadcast]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(Broadcast)))


def only(runtime: Runtime) -> Broadcast:
    (found,) = broadcasts(runtime)
    return found


def test_a_village_secretary_records_listens_and_is_heard_under_their_own_name(
    sign_in: SignIn, runtime: Runtime
) -> None:
    browser = sign_in("secretary")
    page = browser.get("/shout").text
    assert "对 桥村 喊话" in said(page)
    assert "2 只喇叭会响" in said(page)
    where = a_take(browser)
    heard = browser.get(where)
    assert "播给 2 只喇叭" in said(heard.text)
    assert broadcasts(runtime) == [], "nothing sounds before it is sent"

    listened = sound_at(browser, f"{where}/audio")
    answer = browser.post(f"{where}/send")
    assert answer.status_code == 302
    out = only(runtime)
    assert answer.location == f"/broadcasts/{out.id}"
    assert (out.kind, out.title, out.released_by_name) == (Kind.SHOUT, "桥村村支书喊话", "桥村村支书")
    assert out.speakers_meant == 2
    with runtime.sessions.read() as session:
        order = session.get_one(PlayOrder, out.id)
        assert (order.priority, order.shout, order.severity) == (Priority.SHOUT, False, "")
        deeds = session.scalars(select(AuditEntry.deed).order_by(AuditEntry.id.desc()).limit(2)).all()
    assert deeds == ["shout.send", "broadcast.release"]
    assert sound_at(browser, f"/a/{out.audio_sha256}.mp3") == listened, "loudspeakers sound what was listened to"
    path = runtime.get(Studio).library.path_of(out.audio_sha256)
    assert path is not None
    assert tone_seconds(decode(path), RATE, hz=HZ) > 1.7
    assert "停止播出" in said(browser.get(answer.location).text)


def test_pressing_send_twice_sends_once(sign_in: SignIn, runtime: Runtime) -> None:
    browser = sign_in("secretary")
    where = a_take(browser)
    assert browser.post(f"{where}/send").location == browser.post(f"{where}/send").location
    assert len(broadcasts(runtime)) == 1
    assert browser.get(where).location == f"/broadcasts/{only(runtime).id}", (
        "the page of a sent take shows how far it is"
    )


def test_the_same_form_sent_twice_is_one_take(sign_in: SignIn, runtime: Runtime) -> None:
    browser = sign_in("secretary")
    key = str(uuid4())
    assert sent_up(browser, form_key=key).location == sent_up(browser, form_key=key).location


def test_a_script_gets_an_address_or_a_sentence(sign_in: SignIn) -> None:
    browser = sign_in("secretary")
    fields = {"form_key": str(uuid4()), "region": BRIDGE, "recording": (io.BytesIO(VOICE), "shout")}
    answer = browser.post("/shout/takes", data=fields, headers=FETCH, content_type="multipart/form-data")
    assert answer.json is not None
    assert answer.json["url"].startswith("/shout/takes/")
    fields = {"form_key": str(uuid4()), "region": BRIDGE, "recording": (io.BytesIO(b"nonsense"), "shout")}
    answer = browser.post("/shout/takes", data=fields, headers=FETCH, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert answer.json is not None
    assert "认不出这是什么文件" in answer.json["note"]


def test_a_recording_larger_than_any_other_form_is_taken(sign_in: SignIn) -> None:
    eight_megabytes = a_wav(a_tone(85))
    assert len(eight_megabytes) > 7_000_000
    assert sent_up(sign_in("secretary"), data=eight_megabytes).status_code == 302


def test_what_is_too_large_is_refused_before_it_is_read(sign_in: SignIn) -> None:
    answer = sign_in("secretary").post(
        "/shout/takes", data=bytes(21 * 1024 * 1024), content_type="multipart/form-data; boundary=xyz"
    )
    assert answer.status_code == 413
    assert "Traceback" not in answer.text


def test_a_mistake_keeps_what_was_chosen_and_stands_at_its_place(sign_in: SignIn) -> None:
    answer = sent_up(sign_in("approver"), HILL, b"")
    assert answer.status_code == 422
    assert 'href="#f-recording"' in answer.text
    assert "还没有录音" in said(answer.text)
    assert re.search(rf'value="{HILL}"[^>]*checked', answer.text)
    answer = sign_in("approver").post(
        "/shout/takes", data={"form_key": str(uuid4()), "recording": (io.BytesIO(VOICE), "v.wav")}
    )
    assert answer.status_code == 422
    assert 'href="#f-region"' in answer.text


def test_the_page_says_who_is_silent_and_follows_the_ticks(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        session.get_one(Speaker, "s1002-1").online = False
    browser = sign_in("approver")
    assert "先选对哪里喊话" in said(browser.get("/shout").text)
    fragment = browser.post("/shout/reach", data={"region": [HILL]}, headers=FETCH).text
    assert fragment.startswith('<div id="reach"')
    assert "1 只喇叭会响 ，1 只离线" in said(fragment) or "1 只喇叭会响，1 只离线" in said(fragment)
    assert "北镇" in said(browser.post("/shout/reach", data={"region": [NORTH, HILL]}, headers=FETCH).text)
    whole = browser.post("/shout/reach", data={"region": [HILL]}).text
    assert "<html" in whole
    assert "对 岭村 喊话" in said(whole), "without JS the page itself comes back"


def test_one_speaks_to_the_same_place_as_last_time(sign_in: SignIn) -> None:
    browser = sign_in("approver")
    a_take(browser, HILL)
    assert "对 岭村 喊话" in said(browser.get("/shout").text)


# ---- who


@pytest.mark.parametrize("login", ["clerk", "viewer", "county", "stranger"])
def test_whoever_does_not_answer_for_a_place_cannot_shout(sign_in: SignIn, runtime: Runtime, login: str) -> None:
    browser = sign_in(login)
    assert browser.get("/shout").status_code == 403
    assert sent_up(browser).status_code == 403
    assert browser.post("/shout/live", data={"form_key": str(uuid4()), "region": BRIDGE}).status_code == 403
    assert 'href="/shout"' not in browser.get("/").text
    with runtime.sessions.read() as session:
        assert session.scalars(select(Shout)).all() == []


@pytest.mark.parametrize("login", ["secretary", "approver", "duty"])
def test_whoever_answers_for_a_place_finds_it_in_the_menu(sign_in: SignIn, login: str) -> None:
    assert 'href="/shout"' in sign_in(login).get("/").text


@pytest.mark.parametrize(("login", "region"), [("secretary", HILL), ("strange_approver", BRIDGE), ("approver", FERRY)])
def test_nobody_speaks_to_a_village_of_others(sign_in: SignIn, runtime: Runtime, login: str, region: str) -> None:
    browser = sign_in(login)
    assert sent_up(browser, region).status_code == 403
    assert "喊话" not in said(browser.post("/shout/reach", data={"region": [region]}, headers=FETCH).text).replace(
        "先选对哪里喊话", ""
    )
    with runtime.sessions.read() as session:
        assert session.scalars(select(Shout)).all() == []


def test_a_strangers_recording_does_not_exist(sign_in: SignIn, runtime: Runtime) -> None:
    where = a_take(sign_in("secretary"))
    for login in ("strange_approver", "approver"):
        other = sign_in(login)
        assert other.get(where).status_code == 404
        assert other.get(f"{where}/audio").status_code == 404
        assert other.post(f"{where}/send").status_code == 404
    assert broadcasts(runtime) == []


def test_nobody_gets_in_without_signing_in(app: OpenAPI) -> None:
    browser = app.test_client()
    take = f"/shout/takes/{uuid4()}"
    for address in ("/shout", take, f"{take}/audio"):
        assert browser.get(address).location.startswith("/sign-in")
    for address in ("/shout/takes", "/shout/reach", f"{take}/send"):
        assert browser.post(address).location.startswith("/sign-in")
    for address in ("/shout/live", f"/shout/live/{uuid4()}/chunks/0", f"/shout/live/{uuid4()}/end"):
        assert browser.post(address, headers=FETCH).status_code == 401


def test_only_the_shout_page_may_use_the_microphone(sign_in: SignIn) -> None:
    browser = sign_in("secretary")
    assert "microphone=(self)" in browser.get("/shout").headers["Permissions-Policy"]
    for address in ("/", "/broadcasts", a_take(browser)):
        assert "microphone=()" in browser.get(address).headers["Permissions-Policy"]
    assert "shout.js" not in browser.get("/").text


# ---- when


def test_in_quiet_hours_a_secretary_is_told_when(sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    clock.now += EVENING
    browser = sign_in("secretary")
    where = a_take(browser)
    clock.now += NIGHT
    page = browser.get("/shout").text
    assert "06:30 以后再喊" in said(page)
    assert re.search(r'id="talk-button"[^>]*disabled', page)
    assert re.search(r"<button[^>]*disabled[^>]*id=\"send-it\"|id=\"send-it\"[^>]*disabled", browser.get(where).text)
    answer = browser.post(f"{where}/send", data={"colour": "red", "reason": "河水漫过河堤了"})
    assert answer.status_code == 409
    assert "06:30 以后再喊" in said(answer.text)
    assert broadcasts(runtime) == []
    clock.now += timedelta(hours=10)
    assert browser.post(f"{where}/send").status_code == 302, "in the morning it goes out"


def test_in_quiet_hours_a_duty_officer_gives_colour_and_reason(
    sign_in: SignIn, runtime: Runtime, clock: SetClock
) -> None:
    clock.now += EVENING
    browser = sign_in("duty")
    where = a_take(browser)
    clock.now += NIGHT
    assert "写原因" in said(browser.get("/shout").text)
    answer = browser.post(f"{where}/send", data={"colour": "yellow", "reason": "漫堤"})
    assert answer.status_code == 422
    assert 'href="#f-colour"' in answer.text
    assert 'href="#f-reason"' in answer.text
    assert 'value="漫堤"' in answer.text, "what was typed is still there"
    assert broadcasts(runtime) == []

    answer = browser.post(f"{where}/send", data={"colour": "orange", "reason": "河水漫过河堤了"})
    assert answer.status_code == 302
    out = only(runtime)
    assert (out.kind, out.text) == (Kind.EMERGENCY, "河水漫过河堤了")
    with runtime.sessions.read() as session:
        order = session.get_one(PlayOrder, out.id)
        shout = session.scalars(select(Shout)).one()
        entry = session.scalars(select(AuditEntry).where(AuditEntry.deed == "shout.send")).one()
    assert (order.priority, order.severity, order.by_name) == (Priority.EMERGENCY, "orange", "北镇值班员")
    assert (shout.state, shout.reason, shout.colour) == (ShoutState.SENT, "河水漫过河堤了", "orange")
    assert (entry.details["reason"], entry.details["colour"]) == ("河水漫过河堤了", "orange")
    assert "河水漫过河堤了" in said(browser.get(answer.location).text), "the record shows why"


def test_the_alarm_tone_stands_in_front_by_night_and_the_chime_by_day(
    sign_in: SignIn, runtime: Runtime, clock: SetClock
) -> None:
    clock.now += EVENING
    browser = sign_in("duty")
    where = a_take(browser)
    chime = sound_at(browser, f"{where}/audio")
    clock.now += NIGHT
    browser.post(f"{where}/send", data={"colour": "red", "reason": "河水漫过河堤了"})
    assert sound_at(browser, f"/a/{only(runtime).audio_sha256}.mp3") != chime


def test_deliveries_are_frozen_for_every_loudspeaker_meant(sign_in: SignIn, runtime: Runtime) -> None:
    browser = sign_in("approver")
    browser.post(f"{a_take(browser, NORTH)}/send")
    with runtime.sessions.read() as session:
        assert len(session.scalars(select(SpeakerDelivery)).all()) == 4


def test_a_recording_that_was_cleared_away_is_told_and_not_sent(sign_in: SignIn, runtime: Runtime) -> None:
    browser = sign_in("secretary")
    where = a_take(browser)
    with runtime.sessions.read() as session:
        digest = session.get_one(Shout, UUID(where.rpartition("/")[2])).audio_sha256
    path = runtime.get(Studio).library.path_of(digest)
    assert path is not None
    path.unlink()
    assert "重新录一段" in said(browser.get(where).text)
    assert browser.post(f"{where}/send").status_code == 409
    assert broadcasts(runtime) == []


def test_the_script_keeps_to_the_oldest_browser_we_serve() -> None:
    script = re.sub(r"/\*.*?\*/", "", (STATIC / "shout.js").read_text("utf-8"), flags=re.DOTALL)
    assert re.findall(r"\?\.(?!\d)|\?\?=|\|\|=|&&=|=>|\beval\(|new Function\(|\.style\b|innerHTML", script) == []

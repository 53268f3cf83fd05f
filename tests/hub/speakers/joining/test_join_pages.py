"""The pages on which loudspeakers join, move and are replaced, and the door at which devices knock."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from builders import BRIDGE, FERRY, HILL
from conftest import SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from hub.core.runtime import Runtime
from hub.core.typed import new_code, read_code, shown
from hub.speakers.joining.arrivals import Arrivals
from hub.speakers.joining.codes import claim_id
from hub.speakers.joining.models import Claim
from hub.speakers.joining.papers import open_papers
from hub.speakers.joining.views import JOINS_PER_MINUTE
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import Beat, Doing

SignIn = Callable[[str], FlaskClient]
CODE = re.compile(r"<code class=\"label-code\">([0-9A-Z-]{19})</code>")
PAGES = (
    "/speakers/joining",
    "/speakers/joining/codes",
    "/speakers/s1001-1/move",
    "/speakers/s1001-1/replace",
)


@pytest.fixture
def device(app: OpenAPI) -> FlaskClient:
    return app.test_client()


def knock(device: FlaskClient, code: str, **given: object) -> None:
    device.post("/join", json={"claim": claim_id(code), "serial": "SN-7", "model": "horn-2", **given})


def a_beat(device: str) -> Beat:
    return Beat(
        dev=device,
        st=Doing.IDLE,
        now=None,
        last=(),
        seq=-1,
        ts=0,
        free=1,
        vol=80,
        ver="1",
        cfg=0,
        nonce="0123456789abcdef",
    )


def the_speaker(runtime: Runtime, state: SpeakerState = SpeakerState.EXPECTED) -> Speaker:
    with runtime.sessions.read() as session:
        return session.scalars(select(Speaker).where(Speaker.state == state)).one()


def test_from_the_printed_code_to_a_loudspeaker_in_service(
    device: FlaskClient, sign_in: SignIn, runtime: Runtime
) -> None:
    code = new_code()
    answer = device.post("/join", json={"claim": claim_id(code), "serial": "SN-7", "model": "horn-2"})
    assert (answer.status_code, answer.json) == (202, {"again_in_s": 30, "status": "wait"})
    clerk = sign_in("clerk")
    sent = {"code": shown(code).lower(), "name": "学校旁", "region_code": BRIDGE}
    answer = clerk.post("/speakers/joining/claim", data=sent, follow_redirects=True)
    assert "认出来了：学校旁" in answer.text
    answer = device.post("/join", json={"claim": claim_id(code), "serial": "SN-7"})
    assert answer.status_code == 200
    papers = open_papers(code, answer.json["papers"])  # type: ignore[index]
    assert papers is not None
    assert papers.broker_host == "", "it listens on this machine alone, so the device tries where it found the hub"
    runtime.get(Arrivals).note_beats([a_beat(papers.id)])
    with runtime.sessions.read() as session:
        speaker = session.get_one(Speaker, papers.id)
    assert (speaker.state, speaker.name, speaker.model) == (SpeakerState.ACTIVE, "学校旁", "horn-2")
    assert device.post("/join", json={"claim": claim_id(code)}).status_code == 410


def test_labels_are_shown_once_with_codes_that_work(device: FlaskClient, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    page = clerk.post("/speakers/joining/codes", data={"name": "村口", "region_code": BRIDGE, "count": "3"})
    codes = CODE.findall(page.text)
    assert len(codes) == 3
    assert page.text.count('class="qr"') == 3
    for typed in codes:
        code = read_code(typed)
        assert code is not None
        answer = device.post("/join", json={"claim": claim_id(code)})
        assert open_papers(code, answer.json["papers"]) is not None  # type: ignore[index]
    again = clerk.get("/speakers/joining").text
    assert again.count("村口") >= 3
    assert not any(code in again for code in codes)


@pytest.mark.parametrize("path", PAGES)
def test_who_is_not_signed_in_is_sent_to_the_door(app: OpenAPI, path: str) -> None:
    answer = app.test_client().get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("login", ["viewer", "secretary"])
def test_who_may_not_add_loudspeakers_sees_no_form(sign_in: SignIn, login: str, path: str) -> None:
    assert sign_in(login).get(path).status_code == 403


@pytest.mark.parametrize("path", PAGES[2:])
def test_a_stranger_finds_no_form_for_a_loudspeaker_of_others(sign_in: SignIn, path: str) -> None:
    assert sign_in("stranger").get(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("/speakers/s1001-1/move", {"region_code": FERRY}, 404),
        ("/speakers/joining/claim", {"code": "@", "replaces": "s1001-1"}, 404),
        ("/speakers/joining/codes", {"replaces": "s1001-1"}, 404),
        ("/speakers/joining/codes", {"name": "x", "region_code": BRIDGE}, 404),
        ("/speakers/joining/@claim/dismiss", {}, 404),
    ],
)
def test_a_stranger_changes_nothing(
    device: FlaskClient, sign_in: SignIn, runtime: Runtime, path: str, sent: dict[str, str], status: int
) -> None:
    code = new_code()
    knock(device, code)
    sent = {key: value.replace("@", code) for key, value in sent.items()}
    answer = sign_in("stranger").post(path.replace("@claim", claim_id(code)), data=sent)
    assert answer.status_code == status
    with runtime.sessions.read() as session:
        assert session.get_one(Speaker, "s1001-1").region_code == BRIDGE
        assert session.scalars(select(Speaker).where(Speaker.state == SpeakerState.EXPECTED)).all() == []
        assert session.get_one(Claim, claim_id(code)).speaker_id is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": "0000-0000-0000-0000"}, "code"),
        ({"code": "短"}, "code"),
        ({"name": " "}, "name"),
    ],
)
def test_a_mistake_stands_at_its_field_and_what_was_typed_stays(
    device: FlaskClient, sign_in: SignIn, change: dict[str, str], field: str
) -> None:
    code = new_code()
    knock(device, code)
    sent = {"code": shown(code), "name": "学校旁", "region_code": HILL, **change}
    answer = sign_in("clerk").post("/speakers/joining/claim", data=sent)
    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text
    assert f'<option value="{HILL}" selected>' in answer.text
    assert "出错：" in answer.text


@pytest.mark.parametrize("count", ["0", "51", "x", ""])
def test_a_wrong_number_of_labels_is_refused_at_its_field(sign_in: SignIn, count: str) -> None:
    answer = sign_in("clerk").post(
        "/speakers/joining/codes", data={"name": "村口", "region_code": BRIDGE, "count": count}
    )
    assert answer.status_code == 422
    assert 'id="e-count"' in answer.text


def test_the_county_sees_what_waits_and_the_township_how_many(device: FlaskClient, sign_in: SignIn) -> None:
    knock(device, new_code(), serial="<b>SN</b>")
    clerk, county = (sign_in(login).get("/speakers/joining").text for login in ("clerk", "county"))
    assert "有 1 只喇叭在等接入码" in clerk
    assert "SN" not in clerk
    assert "&lt;b&gt;SN&lt;/b&gt;" in county


def test_the_county_sends_a_device_away(device: FlaskClient, sign_in: SignIn) -> None:
    code = new_code()
    knock(device, code)
    county = sign_in("county")
    county.post(f"/speakers/joining/{claim_id(code)}/dismiss")
    assert "SN-7" not in county.get("/speakers/joining").text
    answer = device.post("/join", json={"claim": claim_id(code)})
    assert (answer.status_code, answer.json) == (410, {"status": "gone", "why": "dismissed"})


def test_moving_by_the_page(sign_in: SignIn, runtime: Runtime) -> None:
    clerk = sign_in("clerk")
    page = clerk.get("/speakers/s1001-1/move").text
    assert f'value="{HILL}"' in page
    assert f'value="{BRIDGE}"' not in page
    assert f'value="{FERRY}"' not in page
    answer = clerk.post("/speakers/s1001-1/move", data={"region_code": HILL})
    assert answer.headers["Location"] == "/speakers/s1001-1"
    with runtime.sessions.read() as session:
        assert session.get_one(Speaker, "s1001-1").region_code == HILL


def test_replacing_by_the_page(device: FlaskClient, sign_in: SignIn, runtime: Runtime) -> None:
    clerk, code = sign_in("clerk"), new_code()
    assert "村口" in clerk.get("/speakers/s1001-1/replace").text
    wrong = clerk.post("/speakers/joining/claim", data={"code": shown(code), "replaces": "s1001-1"})
    assert wrong.status_code == 422
    assert "换台新的" in wrong.text
    knock(device, code)
    clerk.post("/speakers/joining/claim", data={"code": shown(code), "replaces": "s1001-1"})
    runtime.get(Arrivals).note_beats([a_beat(the_speaker(runtime).id)])
    with runtime.sessions.read() as session:
        assert session.get_one(Speaker, "s1001-1").state is SpeakerState.RETIRED


def test_a_scanned_code_leads_staff_to_the_form_and_others_to_the_door(app: OpenAPI, sign_in: SignIn) -> None:
    assert sign_in("clerk").get("/join").headers["Location"] == "/speakers/joining"
    page = app.test_client().get("/join")
    assert page.status_code == 200
    assert "/sign-in?next=/speakers/joining" in page.text
    assert "data-claim-keep" in page.text
    assert "不管喇叭设备" in sign_in("viewer").get("/join").text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"claim":"x"}',
        b'{"claim":' + b"[" * 900 + b"}",
        b'{"claim":"' + b"0" * 39 + b'G"}',
        b'{"claim":"' + b"0" * 40 + b'","serial":"' + b"x" * 61 + b'"}',
        b'{"claim":"' + b"0" * 40 + b'","serial":"a\\nb"}',
        b'{"claim":"' + b"0" * 40 + b'","model":7}',
    ],
)
def test_nonsense_at_the_door_is_refused_and_kept_nowhere(device: FlaskClient, runtime: Runtime, body: bytes) -> None:
    answer = device.post("/join", data=body, content_type="application/json")
    assert (answer.status_code, answer.json) == (422, {"status": "refused", "why": "malformed"})
    with runtime.sessions.read() as session:
        assert session.scalars(select(Claim)).all() == []


def test_the_door_takes_no_more_than_two_kilobytes(device: FlaskClient) -> None:
    body = b'{"claim":"' + b"0" * 40 + b'","more":"' + b"x" * 2048 + b'"}'
    assert device.post("/join", data=body, content_type="application/json").status_code == 413


def test_the_door_needs_no_form_token(fresh_app: OpenAPI) -> None:
    fresh_app.config["WTF_CSRF_ENABLED"] = True
    device = fresh_app.test_client()
    assert device.post("/join", json={"claim": claim_id(new_code())}).status_code == 202
    assert device.post("/speakers/joining/claim").location.startswith("/sign-in"), "that is for people"


def test_one_address_cannot_knock_all_the_time(device: FlaskClient, clock: SetClock) -> None:
    code = new_code()
    found = {device.post("/join", json={"claim": claim_id(code)}).status_code for _ in range(JOINS_PER_MINUTE)}
    assert found == {202}
    answer = device.post("/join", json={"claim": claim_id(code)})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")
    clock.now += timedelta(minutes=1)
    assert device.post("/join", json={"claim": claim_id(code)}).status_code == 202


def test_the_two_ways_of_adding_one_point_at_each_other(sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    joining, by_file = clerk.get("/speakers/joining").text, clerk.get("/speakers/new").text
    assert "要拷一个文件过去" in joining
    assert 'href="/speakers/new"' in joining
    assert "拿电脑、小主机当喇叭才用这个" in by_file
    assert 'href="/speakers/joining"' in by_file

"""The desk's pages of warnings, and the door by which programs hand them in."""

from collections.abc import Callable
from uuid import UUID

import pytest
from apilab import Program, program
from builders import COUNTY, PASSWORD
from caplab import NOW, SENDER, area, codes, document, geocode, hand_in, info, national, reference
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from broadcasts.alerts.models import Alert, Authority
from broadcasts.bulletins.models import Bulletin, BulletinState, Envelope, Feed, TrustedSender
from hub.accounts import service as accounts
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions.tree import path_of

SignIn = Callable[[str], FlaskClient]
XML = {"Content-Type": "application/cap+xml"}
FERRY = "990101002001"


@pytest.fixture
def weather(app: OpenAPI, runtime: Runtime) -> Program:
    """The weather station's program."""
    with runtime.sessions.begin() as session:
        accounts.create_account(
            session,
            SYSTEM,
            login="weather",
            name="县气象台",
            password=PASSWORD,
            grants=[(Role.SOURCE, path_of(COUNTY))],
            now=NOW,
        )
    return program(app, runtime, "weather")


def came(runtime: Runtime, data: bytes | None = None, *, known: bool = False) -> UUID:
    with runtime.sessions.begin() as session:
        if known:
            session.add(TrustedSender(sender=SENDER, name="县气象台", home_path=path_of(COUNTY), at=NOW))
            session.flush()
        received = hand_in(session, data or document())
        assert not received.refused, codes(received)
        return received.bulletins[0].id


def test_what_waits_stands_first_and_in_the_menu(sign_in: SignIn, runtime: Runtime) -> None:
    bulletin_id = came(runtime)
    duty = sign_in("duty")
    page = duty.get("/warnings").text
    assert "暴雨橙色预警" in page
    assert "看看要不要播" in page
    assert f"/warnings/{bulletin_id}" in page
    assert "县气象台" in page


def test_one_warning_shows_what_would_be_said_and_starts_the_countdown(sign_in: SignIn, runtime: Runtime) -> None:
    bulletin_id = came(runtime, known=True)
    duty = sign_in("duty")
    page = duty.get(f"/warnings/{bulletin_id}").text
    assert "县气象台发布暴雨橙色预警。北镇的村民请注意" in page
    assert "9901-1" in page
    form = {"form_key": "k" * 12, "colour": "orange", "speakers": "3", "sms": "1"}
    wrong = duty.post(f"/warnings/{bulletin_id}/take", data=form)
    assert wrong.status_code == 409
    right = duty.post(f"/warnings/{bulletin_id}/take", data=form | {"speakers": "4"})
    assert right.status_code == 302
    with runtime.sessions.read() as session:
        alert = session.scalars(select(Alert)).one()
        assert (alert.issuer, alert.authority) == ("县气象台", Authority.ISSUED)
        assert session.get_one(Bulletin, bulletin_id).state is BulletinState.TAKEN
    assert "你这里已经播过了" in duty.get(f"/warnings/{bulletin_id}").text
    assert duty.get(right.headers["Location"]).status_code == 200


def test_leaving_and_separating(sign_in: SignIn, runtime: Runtime) -> None:
    first = came(runtime)
    second = came(runtime, document(identifier="2", sender="b@x.example"))
    duty = sign_in("duty")
    assert "同一件事，别的单位也发了" in duty.get(f"/warnings/{first}").text
    assert duty.post(f"/warnings/{second}/split").status_code == 302
    assert duty.post(f"/warnings/{second}/dismiss", data={"reason": ""}).status_code == 422
    assert duty.post(f"/warnings/{second}/dismiss", data={"reason": "雨停了"}).status_code == 302
    assert "雨停了" in duty.get(f"/warnings/{second}").text


def test_a_document_is_shown_with_its_verdicts_and_handed_out_as_it_came(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        received = hand_in(session, document(info(area("<polygon>1,1 1,2</polygon>"))))
        assert received.document is not None
        document_id = received.document.id
    county = sign_in("county")
    assert "没收下的文件" in county.get("/warnings").text
    page = county.get(f"/warnings/documents/{document_id}").text
    assert "/alert/info/area/polygon" in page
    assert "polygon 只有 2 个点" in page
    raw = county.get(f"/warnings/documents/{document_id}/raw")
    assert b"<polygon>1,1 1,2</polygon>" in raw.data
    assert raw.headers["Content-Disposition"].startswith("attachment")
    assert raw.mimetype == "application/octet-stream"


@pytest.mark.parametrize("login", ["stranger", "strange_duty"])
def test_a_stranger_finds_nothing(sign_in: SignIn, runtime: Runtime, login: str) -> None:
    bulletin_id = came(runtime)
    with runtime.sessions.read() as session:
        document_id = session.scalars(select(Envelope.id)).one()
    stranger = sign_in(login)
    assert "暴雨" not in stranger.get("/warnings").text
    for address in (
        f"/warnings/{bulletin_id}",
        f"/warnings/documents/{document_id}",
        f"/warnings/documents/{document_id}/raw",
    ):
        assert stranger.get(address).status_code == 404
    form = {"form_key": "k" * 12, "colour": "orange", "speakers": "4", "reason": "x"}
    for deed in ("take", "dismiss", "split"):
        assert stranger.post(f"/warnings/{bulletin_id}/{deed}", data=form).status_code in (403, 404)
    with runtime.sessions.read() as session:
        assert session.get_one(Bulletin, bulletin_id).state is BulletinState.PROPOSED


def test_sources_are_arranged_by_the_county_alone(sign_in: SignIn, runtime: Runtime) -> None:
    assert sign_in("duty").get("/warnings/sources/").status_code == 403
    county = sign_in("county")
    feed = {"name": "市气象台", "url": "https://feed.example/atom", "region": COUNTY, "minutes": "3", "only_known": "1"}
    assert county.post("/warnings/sources/feeds", data=feed).status_code == 302
    assert county.post("/warnings/sources/feeds", data=feed).status_code == 422
    assert county.post("/warnings/sources/feeds", data=feed | {"url": "http://a:b@x.example/"}).status_code == 422
    assert county.post("/warnings/sources/feeds", data=feed | {"url": "file:///etc/passwd"}).status_code == 422
    known = {"name": "县气象台", "sender": "qxt@weather.example", "region": COUNTY}
    assert county.post("/warnings/sources/senders", data=known).status_code == 302
    assert county.post("/warnings/sources/senders", data=known | {"needs_signature": "1"}).status_code == 422
    assert county.post("/warnings/sources/senders", data=known | {"certificate": "nonsense"}).status_code == 422
    page = county.get("/warnings/sources/").text
    assert "https://feed.example/atom" in page
    assert "qxt@weather.example" in page
    with runtime.sessions.read() as session:
        feed_id = session.scalars(select(Feed.id)).one()
        sender_id = session.scalars(select(TrustedSender.id)).one()
    assert county.post(f"/warnings/sources/feeds/{feed_id}/look").status_code == 302
    assert county.post(f"/warnings/sources/feeds/{feed_id}/switch", data={"active": "0"}).status_code == 302
    assert "停着" in county.get("/warnings/sources/").text
    assert county.post(f"/warnings/sources/feeds/{feed_id}/drop").status_code == 302
    assert county.post(f"/warnings/sources/senders/{sender_id}/drop").status_code == 302
    assert county.post(f"/warnings/sources/senders/{sender_id}/drop").status_code == 404


def test_a_program_hands_in_and_hears_three_verdicts(weather: Program) -> None:
    answer = weather.call("POST", "/warnings/cap", document(), headers=XML)
    assert answer.status_code == 201
    assert answer.json is not None
    assert answer.json["verdicts"] == {"schema": "valid", "prose": "valid", "policy": "valid"}
    again = weather.call("POST", "/warnings/cap", document(), headers=XML)
    assert again.json is not None
    assert again.json["again"] is True
    for data, status, code in (
        (b"<alert", 422, "xml_not_well_formed"),
        (document(identifier="a b"), 422, "cap_name_characters"),
        (document(info(description="别的话。")), 409, "policy_identity_reused"),
        (document("", identifier="c", msgType="Cancel", references=reference("never")), 404, "policy_cancel_unknown"),
    ):
        refused = weather.call("POST", "/warnings/cap", data, headers=XML)
        assert refused.json is not None
        assert (refused.status_code, refused.json["code"]) == (status, code)
        assert refused.json["verdicts"].keys() == {"schema", "prose", "policy"}
        assert all({"element", "line", "code"} <= remark.keys() for remark in refused.json["remarks"])


def test_the_door_takes_xml_only_and_not_too_much_of_it(weather: Program) -> None:
    assert weather.call("POST", "/warnings/cap", document()).status_code == 415
    assert weather.call("POST", "/warnings/cap", document(), headers={"Content-Type": "text/plain"}).status_code == 415
    assert weather.call("POST", "/warnings/cap", b"<" * 2_100_000, headers=XML).status_code == 413
    assert weather.call("POST", "/warnings/cap", b" " * 300_000 + document(), headers=XML).status_code == 422


def test_who_may_not_hand_in_cannot(app: OpenAPI, runtime: Runtime) -> None:
    for login in ("clerk", "duty", "viewer"):
        refused = program(app, runtime, login).call("POST", "/warnings/cap", document(), headers=XML)
        assert refused.status_code == 403


def test_a_source_may_hand_in_and_nothing_else(weather: Program, runtime: Runtime) -> None:
    bulletin_id = came(runtime, document(info(area(geocode(FERRY)))))
    body = {"colour": "orange", "speakers_confirmed": 2, "form_key": "k" * 12}
    assert weather.post(f"/warnings/{bulletin_id}/take", body).status_code == 403
    assert weather.post(f"/warnings/{bulletin_id}/dismiss", {"reason": "x"}).status_code == 403
    assert weather.post("/warnings/national", national()).status_code == 201


def test_a_list_by_pages(app: OpenAPI, runtime: Runtime) -> None:
    for n in range(3):
        came(runtime, document(identifier=f"p{n}"))
    duty = program(app, runtime, "duty")
    first = duty.get("/warnings?limit=2").json
    assert first is not None
    second = duty.get(f"/warnings?limit=2&cursor={first['next']}").json
    assert second is not None
    seen = [item["identifier"] for item in (*first["items"], *second["items"])]
    assert sorted(seen) == ["p0", "p1", "p2"]
    assert program(app, runtime, "stranger").get("/warnings").json == {"items": [], "next": None}

"""A wall display is let in by a code, shows one place and nothing of people, and can do nothing."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from builders import NORTH, SOUTH, the_actor
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.walls import service
from broadcasts.walls.models import WallScreen
from broadcasts.walls.showing import wall
from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound, TooMany
from hub.core.runtime import Runtime
from hub.core.typed import shown
from hub.regions.tree import path_of

SignIn = Callable[[str], FlaskClient]


def a_screen(session: Session, *, region: str = NORTH) -> tuple[str, WallScreen]:
    token, screen = service.ask(session, origin="192.0.2.9", now=NOON)
    return token, service.let_in(
        session, the_actor(session, "county"), shown(screen.code).lower(), region, "大厅", now=NOON
    )


def an_emergency(session: Session, place: str, title: str, kind: Kind = Kind.EMERGENCY) -> None:
    session.add(
        Broadcast(
            source=f"alert:{title}", kind=kind, title=title, text="x", sms_text="", home_path=path_of(place),
            audience={"regions": [place], "speakers": True, "sms": False}, state=BroadcastState.DONE, starts_at=NOON,
            expires_at=NOON, released_at=NOON - timedelta(hours=1), released_by_name="张三丰",
        )
    )  # fmt: skip


def test_a_screen_sees_its_place_alone_and_may_do_nothing(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        _, screen = a_screen(session)
        for place, title in ((NORTH, "山洪红色"), (SOUTH, "南镇的事")):
            an_emergency(session, place, title)
        an_emergency(session, NORTH, "演练的事", Kind.DRILL)
        session.flush()
        looker = service.looker(screen)
        assert [permission for permission in Permission if looker.may_somewhere(permission)] == [Permission.SEE]
        assert not looker.may(Permission.SEE, path_of(SOUTH))
        seen = wall(session, looker, screen.region_path, None, now=NOON)
        assert [village.name for village in seen.villages] == ["桥村", "岭村"]
        assert (seen.total, seen.online) == (4, 4)
        assert [broadcast.title for broadcast, _ in seen.emergencies] == ["山洪红色"]


def test_a_code_is_good_for_half_an_hour_once_and_for_whom_it_is_shown(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        county = the_actor(session, "county")
        token, screen = service.ask(session, origin="", now=NOON)
        with pytest.raises(BadInput):
            service.let_in(session, county, "00000000", NORTH, "大厅", now=NOON)
        with pytest.raises(BadInput):
            service.let_in(session, county, screen.code, NORTH, " ", now=NOON)
        with pytest.raises(NotFound):
            service.let_in(session, the_actor(session, "clerk"), screen.code, NORTH, "大厅", now=NOON)
        late = NOON + service.ASKS_FOR + timedelta(seconds=1)
        assert service.find(session, token, now=late) is None
        with pytest.raises(BadInput):
            service.let_in(session, county, screen.code, NORTH, "大厅", now=late)
        service.let_in(session, county, screen.code, NORTH, "大厅", now=NOON)
        with pytest.raises(BadInput):
            service.let_in(session, county, screen.code, SOUTH, "别处", now=NOON)
        assert service.find(session, token, now=late) is not None
        assert service.find(session, "x" * 43, now=NOON) is None
        assert service.find(session, token, now=NOON + service.FORGOTTEN_AFTER + timedelta(days=1)) is None


def test_strangers_cannot_fill_the_hub_with_screens(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        for _ in range(service.MOST_WAITING):
            service.ask(session, origin="", now=NOON)
        with pytest.raises(TooMany):
            service.ask(session, origin="", now=NOON)
        service.ask(session, origin="", now=NOON + service.ASKS_FOR + timedelta(seconds=1))
        assert len(session.scalars(select(WallScreen)).all()) == 1


def test_from_the_code_on_the_screen_to_the_wall_and_away(
    app: OpenAPI, runtime: Runtime, sign_in: SignIn, clock: SetClock
) -> None:
    screen, county = app.test_client(), sign_in("county")
    waiting = screen.get("/wall")
    code = re.search(r'class="big-number"><b>([0-9A-Z-]+)<', waiting.text)
    assert code
    assert "HttpOnly" in waiting.headers["Set-Cookie"]
    assert code[1] in screen.get("/wall").text, "the code stays the same while it waits"
    wrong = county.post("/settings/walls", data={"code": "x", "name": "大厅", "region": NORTH})
    assert (wrong.status_code, 'href="#f-code"' in wrong.text) == (422, True)
    county.post("/settings/walls", data={"code": code[1], "name": "大厅", "region": NORTH})
    with runtime.sessions.begin() as session:
        an_emergency(session, NORTH, "山洪红色")
    page = screen.get("/wall").text
    assert all(words in page for words in ("桥村", "山洪红色", "喇叭在线 4 / 4"))
    assert not [words for words in ("渡村", "南镇", "张三丰", "<form", "<button", "<a ") if words in page]
    part = screen.get("/wall", headers={"HX-Request": "true"})
    again = screen.get("/wall", headers={"HX-Request": "true", "If-None-Match": part.headers["ETag"]})
    assert (part.status_code, again.status_code) == (200, 304)
    assert screen.get("/").status_code == 302, "a screen is nobody: every other page asks to sign in"
    with runtime.sessions.read() as session:
        kept = session.scalars(select(WallScreen)).one()
    assert kept.token_hash not in (code[1].encode(), b"")
    county.post(f"/settings/walls/{kept.code}/away")
    assert "把这块屏接上" in screen.get("/wall").text


def test_strangers_neither_see_nor_send_away(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        code = a_screen(session)[1].code
    for who in ("clerk", "stranger", "viewer"):
        client = sign_in(who)
        assert client.get("/settings/walls").status_code == 403
        assert client.post(f"/settings/walls/{code}/away").status_code == 403
    with runtime.sessions.read() as session:
        assert session.scalars(select(WallScreen.code)).all() == [code]

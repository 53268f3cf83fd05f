"""刚才广播了什么: what a village's page shows and keeps to itself, and what may be sent from it."""

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from builders import BRIDGE, HILL, NORTH, an_announcement, the_actor
from conftest import BOTH_DATABASES, SetClock
from deliverylab import B1, B2, H1, Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from broadcasts.alerts.models import Alert, AlertState
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.feedback.kinds import ComplaintKind
from broadcasts.feedback.models import Complaint
from broadcasts.feedback.settings import FeedbackSettings
from broadcasts.kinds import Act, Colour, Mode, Theme
from broadcasts.village_pages import service
from broadcasts.village_pages.limits import VillageFormsPerMinute, VillagePagesPerMinute
from broadcasts.village_pages.models import VillagePage
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM
from hub.core.errors import TooMany
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.residents.phones import PhoneSafe

SignIn = Callable[[str], FlaskClient]


@pytest.fixture
def air(app: OpenAPI, runtime: Runtime, clock: SetClock) -> Air:
    return Air(runtime, clock)


@pytest.fixture
def page(air: Air, runtime: Runtime, clock: SetClock, app: OpenAPI) -> Callable[..., str]:
    """Open the page of 桥村, and return how a passer-by sees it."""
    address = opened(runtime, clock)
    browser = app.test_client()

    def look(**asked: str) -> str:
        answer = browser.get(address, query_string=asked)
        assert answer.status_code == 200
        return answer.text

    return look


def opened(runtime: Runtime, clock: SetClock, code: str = BRIDGE) -> str:
    with runtime.sessions.begin() as session:
        service.set_open(session, SYSTEM, code, open_=True, now=clock())
        return f"/v/{session.get_one(VillagePage, code).token}"


def an_alert(runtime: Runtime, broadcast_id: object, act: Act, *, follows: object = None, text: str = "快撤") -> Alert:
    """Write the alert behind a broadcast that the test has released."""
    with runtime.sessions.begin() as session:
        broadcast = session.get(Broadcast, broadcast_id) if broadcast_id else None
        now = runtime.now()
        alert = Alert(
            form_key=uuid4().hex,
            hazard="flood",
            colour=Colour.RED,
            title="山洪",
            text=text,
            sms_text="",
            audience={"regions": [NORTH]},
            home_path=path_of(NORTH),
            speakers_confirmed=4,
            state=AlertState.FIRED,
            armed_at=now,
            fires_at=now,
            fired_at=now,
            expires_at=now + timedelta(hours=1),
            armed_by=uuid4(),
            armed_by_name="某人",
            mode=Mode.LIVE,
            act=act,
            follows_id=follows,
            broadcast_id=broadcast_id or uuid4(),
        )
        session.add(alert)
        session.flush()
        if broadcast is not None:
            broadcast.source = f"alert:{alert.id}"
        return alert


def test_only_what_really_sounded_in_this_very_village_is_shown(
    air: Air, page: Callable[..., str], clock: SetClock
) -> None:
    air.play(air.release(NORTH, title="响过的"), [B1])
    air.play(air.release(NORTH, title="只在岭村响"), [H1])
    air.release(NORTH, title="没响的")
    air.release(NORTH, title="只发短信", ms=0, sms=True)
    drill = air.release(NORTH, title="演练的", starts_in=timedelta(0))
    air.play(drill, [B1])
    with air.runtime.sessions.begin() as session:
        session.get_one(Broadcast, drill).kind = Kind.DRILL
    shout = air.release(NORTH, title="喊话的")
    air.play(shout, [B1])
    with air.runtime.sessions.begin() as session:
        session.get_one(Broadcast, shout).kind = Kind.SHOUT
    text = page()
    assert "响过的" in text
    assert [word for word in ("只在岭村响", "没响的", "只发短信", "演练的", "喊话的") if word in text] == []
    assert "今天 10:00" in text
    clock.now += timedelta(days=1)
    assert "昨天 10:00" in page()
    clock.now += timedelta(days=3)
    assert "没有播过什么" in page()


def test_an_announcement_that_belongs_to_a_drill_is_not_shown(air: Air, page: Callable[..., str]) -> None:
    said = air.release(NORTH, title="演练的话")
    air.play(said, [B1])
    assert "演练的话" in page()
    with air.runtime.sessions.begin() as session:
        written = an_announcement(session, the_actor(session, "clerk"), theme=Theme.DRILL)
        session.get_one(Broadcast, said).announcement_id = written.id
    assert "演练的话" not in page()


def test_what_somebody_took_off_the_air_is_gone(air: Air, page: Callable[..., str], clock: SetClock) -> None:
    said = air.release(NORTH, title="念错的")
    air.play(said, [B1])
    assert "念错的" in page()
    with air.runtime.sessions.begin() as session:
        delivery.stop(session, SYSTEM, said, now=clock())
    assert "念错的" not in page()


@BOTH_DATABASES
def test_an_emergency_stands_on_top_until_it_is_over(air: Air, page: Callable[..., str], clock: SetClock) -> None:
    air.play(air.release(NORTH, title="平常的"), [B1])
    said = air.release(NORTH, title="山洪", kind=Kind.EMERGENCY)
    air.play(said, [B1])
    an_alert(air.runtime, said, Act.ALERT)
    clock.now += timedelta(minutes=1)
    air.play(air.release(NORTH, title="后来的"), [B1])
    text = page()
    assert text.index("现在有应急") < text.index("山洪") < text.index("后来的")
    clock.now += timedelta(hours=2)
    assert "现在有应急" not in page()
    assert "山洪" in page()


def test_what_was_wrong_is_shown_as_withdrawn_with_the_words_that_took_it_back(
    air: Air, page: Callable[..., str], clock: SetClock
) -> None:
    said = air.release(NORTH, title="山洪", kind=Kind.EMERGENCY)
    air.play(said, [B1])
    first = an_alert(air.runtime, said, Act.ALERT)
    update = an_alert(air.runtime, None, Act.UPDATE, follows=first.id)
    back = air.release(NORTH, title="更正", kind=Kind.EMERGENCY)
    air.play(back, [B1])
    an_alert(air.runtime, back, Act.CORRECTION, follows=update.id, text="刚才是误播，请放心。")
    text = page()
    assert "播错了，已经撤回" in text
    assert "刚才是误播，请放心。" in text
    assert "请还没缴费的抓紧。" not in text.partition("更正")[0], "its own words are repeated to nobody"
    assert "现在有应急" not in text


def test_an_all_clear_ends_it(air: Air, page: Callable[..., str]) -> None:
    said = air.release(NORTH, title="山洪", kind=Kind.EMERGENCY)
    air.play(said, [B1])
    first = an_alert(air.runtime, said, Act.ALERT)
    an_alert(air.runtime, None, Act.ALL_CLEAR, follows=first.id, text="水退了，可以回家。")
    text = page()
    assert "已经解除" in text
    assert "水退了，可以回家。" in text
    assert "现在有应急" not in text


def test_the_page_is_light_may_be_kept_and_is_for_nobody_to_list(
    air: Air, app: OpenAPI, runtime: Runtime, clock: SetClock
) -> None:
    for n in range(40):
        air.play(air.release(NORTH, title=f"通知{n}"), [B1])
        clock.now += timedelta(minutes=2)
    address = opened(runtime, clock)
    browser = app.test_client()
    answer = browser.get(address)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["X-Robots-Tag"].startswith("noindex")
    assert "max-age" in answer.headers["Cache-Control"]
    assert '<meta name="robots" content="noindex' in answer.text
    assert "<script" not in answer.text
    style = re.search(r'href="(/static/village.css[^"]+)"', answer.text)
    assert style
    with browser.get(style[1]) as sheet:
        assert len(answer.data) + len(sheet.data) <= 30_000
    again = browser.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    for name in ("北镇副镇长", "某人", "s1001-1"):
        assert name not in answer.text
    assert "What was just said?" in browser.get(f"{address}?lang=en").text


@BOTH_DATABASES
def test_a_page_is_closed_at_first_opened_by_the_county_and_renewed(
    air: Air, app: OpenAPI, runtime: Runtime, sign_in: SignIn
) -> None:
    passer_by, county, clerk = app.test_client(), sign_in("county"), sign_in("clerk")
    assert "没开过" in clerk.get("/village-pages").text
    assert clerk.post("/village-pages", data={"region": BRIDGE, "deed": "open"}).status_code == 403
    assert clerk.get(f"/village-pages/{BRIDGE}/paper").status_code == 404
    county.post("/village-pages", data={"region": NORTH, "deed": "open"})
    with runtime.sessions.read() as session:
        pages = session.scalars(select(VillagePage)).all()
        assert {p.region_code for p in pages} == {BRIDGE, HILL}
        assert len({p.token for p in pages}) == 2
        assert "village_page.open" in session.scalars(select(AuditEntry.deed)).all()
        token = session.get_one(VillagePage, BRIDGE).token
    paper = clerk.get(f"/village-pages/{BRIDGE}/paper").text
    assert f"/v/{token}" in paper
    assert "桥村" in paper
    assert "<svg" in paper
    assert sign_in("stranger").get(f"/village-pages/{BRIDGE}/paper").status_code == 404
    assert "桥村" not in sign_in("stranger").get("/village-pages").text
    county.post("/village-pages", data={"region": BRIDGE, "deed": "renew"})
    assert passer_by.get(f"/v/{token}").status_code == 404
    with runtime.sessions.read() as session:
        token = session.get_one(VillagePage, BRIDGE).token
    assert passer_by.get(f"/v/{token}").status_code == 200
    county.post("/village-pages", data={"region": BRIDGE, "deed": "close"})
    assert passer_by.get(f"/v/{token}").status_code == 404
    assert passer_by.post(f"/v/{token}", data={"kind": "silent"}).status_code == 404


@BOTH_DATABASES
def test_a_form_becomes_a_complaint_and_its_number_is_sealed(
    air: Air, app: OpenAPI, runtime: Runtime, clock: SetClock
) -> None:
    said = air.release(NORTH)
    air.play(said, [B1, B2])
    address, browser = opened(runtime, clock), app.test_client()
    sent = {"kind": "unclear", "text": "嗡嗡的", "phone": "13800001111", "broadcast": str(said)}
    answer = browser.post(address, data=sent)
    assert answer.status_code == 303
    assert "收到了，谢谢" in browser.get(answer.location).text
    with runtime.sessions.read() as session:
        found = session.scalars(select(Complaint)).one()
    assert (found.broadcast_id, found.region_path, found.masked) == (said, path_of(BRIDGE), "138****1111")
    assert runtime.get(PhoneSafe).open(found.sealed) == "+8613800001111"
    wrong = browser.post(address, data=sent | {"phone": "12"})
    assert wrong.status_code == 422
    assert "嗡嗡的" in wrong.text, "what was typed is still there"
    browser.post(address, data={"kind": "silent", "broadcast": str(uuid4())})
    with runtime.sessions.read() as session:
        ids = set(session.scalars(select(Complaint.broadcast_id)))
    assert ids == {said}, "what the page does not show cannot be named; the last one is meant"


def test_programs_are_kept_out_and_cries_for_help_never_are(
    air: Air, app: OpenAPI, runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    address, browser = opened(runtime, clock), app.test_client()
    runtime.provide(VillageFormsPerMinute, VillageFormsPerMinute(5))
    browser.post(address, data={"kind": "other", "text": "buy pills", "website": "http://x"})
    with runtime.sessions.read() as session:
        assert session.scalars(select(Complaint)).all() == []
    answer = browser.post(address, data={"kind": "other", "text": "有人落水了", "website": "http://x"})
    assert "现在就打电话" in browser.get(answer.location).text
    assert "有人落水了" in sign_in("duty").get("/").text
    assert browser.post(address, data={"kind": "other", "text": "长" * 501}).status_code == 422
    assert browser.post(address, data={"kind": "other", "text": "大" * 9000}).status_code == 413
    answers = [browser.post(address, data={"kind": "silent"}).status_code for _ in range(2)]
    assert answers == [303, 429], "so many a minute from one address"


def test_one_village_sends_so_much_a_day_and_pages_are_opened_so_often(
    air: Air, app: OpenAPI, runtime: Runtime, clock: SetClock
) -> None:
    address = opened(runtime, clock)
    settings = FeedbackSettings(forms_per_day=1)
    with runtime.sessions.begin() as session:
        village = service.find(session, address.removeprefix("/v/"))
        for text, refused in (("", False), ("", True), ("着火了", False)):
            form = service.Form(ComplaintKind.TOO_LOUD, text, "", None)
            try:
                service.take_in(
                    session,
                    village,
                    form,
                    offered=[],
                    safe=runtime.get(PhoneSafe),
                    settings=settings,
                    now=clock(),
                )
            except TooMany:
                assert refused
            else:
                assert not refused
    runtime.provide(VillagePagesPerMinute, VillagePagesPerMinute(2))
    answers = [app.test_client().get(address).status_code for _ in range(3)]
    assert answers == [200, 200, 429]

"""Alarms, repairs, the night's round, the daily summary and the map, as a browser sees them."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from builders import BRIDGE, HILL, NORTH, SOUTH
from carelab import Recorder, alarms_of, an_alarm, change, events_of, many, plugged
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from hub.core.runtime import Runtime
from hub.regions.models import Region
from hub.speakers.care import patrol
from hub.speakers.care.models import Repair, SelfTestRun
from hub.speakers.models import Speaker

SignIn = Callable[[str], FlaskClient]
ONE, TWO = "s1001-1", "s1001-2"
PAGES = ("alarms", "patrol", "repairs", "digest", "map")


@pytest.fixture
def station(runtime: Runtime, app: OpenAPI) -> Recorder:
    return plugged(runtime)


def repairs(runtime: Runtime) -> list[Repair]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(Repair).order_by(Repair.opened_at)))


def an_offline_one(runtime: Runtime, speaker_id: str = ONE) -> str:
    with runtime.sessions.begin() as session:
        return str(an_alarm(session, speaker_id, "offline", NOON - timedelta(hours=3)).id)


# ---- alarms


def test_what_needs_somebody_is_said_with_what_to_do(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    an_offline_one(runtime)
    with runtime.sessions.begin() as session:
        an_alarm(session, TWO, "amp_voltage_low", NOON - timedelta(minutes=5))
    page = sign_in("clerk").get("/speakers/alarms").text
    for words in ("村口：离线", "已经 3 小时", "北镇 桥村", "停电、断网", "功放输出电压太低", "看功放和接线", "2 件"):
        assert words in page


def test_many_at_once_are_one_line(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    with runtime.sessions.begin() as session:
        for one in many(session, 30, now=NOON):
            an_alarm(session, one, "offline", NOON - timedelta(hours=1))
    page = sign_in("clerk").get("/speakers/alarms").text
    assert "北镇 30 只同时离线" in page
    assert "可能停电或断网" in page
    assert f'href="/speakers?region={NORTH}&amp;show=offline"' in page
    ids = re.findall(r'name="ids" value="([^"]+)"', page)[0]
    assert len(ids.split(",")) == 30
    sign_in("clerk").post("/speakers/alarms/acknowledge", data={"ids": ids})
    assert "没有要处理的" in sign_in("clerk").get("/speakers/alarms").text


def test_acknowledge_and_put_off_by_button(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    client, alarm = sign_in("clerk"), an_offline_one(runtime)
    page = client.post("/speakers/alarms/snooze", data={"ids": alarm, "days": "3"}, follow_redirects=True).text
    assert "3 天后的早上 8 点" in page
    assert "11月26日 08:00 再提醒" in page
    page = client.post("/speakers/alarms/acknowledge", data={"ids": alarm}, follow_redirects=True).text
    assert "北镇广播员 知道了" in page
    assert [code for _, code in events_of(runtime, ONE)] == ["snooze", "acknowledge"]
    assert client.post("/speakers/alarms/snooze", data={"ids": alarm, "days": "99"}).status_code == 422
    assert client.post("/speakers/alarms/acknowledge", data={"ids": "x"}).status_code == 422


def test_an_unreachable_broker_is_said_on_top(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    station.away = True
    assert "连不上喇叭的通信服务" in sign_in("clerk").get("/speakers/alarms").text


# ---- repairs


def test_a_repair_from_report_to_outcome(sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    secretary, clerk = sign_in("secretary"), sign_in("clerk")
    page = secretary.post(f"/speakers/{ONE}/repair", data={"what": "声音发破"}, follow_redirects=True).text
    assert "报修单开好了" in page
    assert "还没人接" in page
    [repair] = repairs(runtime)
    assert "没人接" in clerk.get("/speakers/repairs").text
    assert clerk.get(f"/speakers/repairs/{repair.id}").status_code == 200
    clock.now += timedelta(hours=2)
    assert "在修" in clerk.get("/speakers").text
    clerk.post(f"/speakers/repairs/{repair.id}/take")
    clock.now += timedelta(hours=3)
    clerk.post(f"/speakers/repairs/{repair.id}/done", data={"outcome": "换了功放"})
    [done] = repairs(runtime)
    assert (done.opened_by_name, done.taken_by_name, done.done_by_name) == ("桥村村支书", "北镇广播员", "北镇广播员")
    assert done.taken_at is not None
    assert done.done_at is not None
    assert done.done_at - done.opened_at == timedelta(hours=5)
    page = clerk.get(f"/speakers/{ONE}").text
    assert "以前修过 1 次" in page
    assert "换了功放" in page
    assert "在修 <b>0</b>" in clerk.get("/speakers").text


def test_a_repair_needs_words_and_is_opened_once(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    empty = client.post(f"/speakers/{ONE}/repair", data={"what": "  "})
    assert (empty.status_code, 'href="#f-what"' in empty.text) == (422, True)
    long_ = client.post(f"/speakers/{ONE}/repair", data={"what": "坏" * 501})
    assert (long_.status_code, "坏坏坏" in long_.text) == (422, True)
    client.post(f"/speakers/{ONE}/repair", data={"what": "坏了"})
    assert client.post(f"/speakers/{ONE}/repair", data={"what": "又坏了"}).status_code == 409
    [repair] = repairs(runtime)
    refused = client.post(f"/speakers/repairs/{repair.id}/done", data={"outcome": ""})
    assert (refused.status_code, 'href="#f-outcome"' in refused.text) == (422, True)
    client.post(f"/speakers/repairs/{repair.id}/take")
    assert client.post(f"/speakers/repairs/{repair.id}/take").status_code == 409
    client.post(f"/speakers/repairs/{repair.id}/done", data={"outcome": "好了"})
    assert client.post(f"/speakers/repairs/{repair.id}/done", data={"outcome": "好了"}).status_code == 409


# ---- patrol, summary, map


def test_the_round_tells_in_words_what_was_found(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        patrol.want_all(session, NOON, now=NOON - timedelta(hours=7))
        run = session.get_one(SelfTestRun, ONE)
        run.sent_at = run.answered_at = NOON - timedelta(hours=7)
        run.passed, run.report = False, '{"storage": "ok", "amp": "does not open"}'
        session.get_one(SelfTestRun, TWO).sent_at = NOON - timedelta(hours=7)
    client = sign_in("clerk")
    page = client.get("/speakers/patrol").text
    for words in ("没过", "功放：打不开", "没回音", "问了它，没有回答", "没问到", "03:00"):
        assert words in page
    assert "存储：好" not in page, "only what is wrong is listed"
    fragment = client.get("/speakers/patrol", headers={"HX-Request": "true"})
    assert fragment.text.lstrip().startswith('<div id="patrol"')
    assert "hx-get" not in fragment.text, "nothing more is to come"


def test_a_round_can_be_called_for_a_village(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    client = sign_in("clerk")
    assert "现在巡检这" not in client.get("/speakers/patrol").text
    assert "现在巡检这 2 只" in client.get(f"/speakers/patrol?region={HILL}").text
    page = client.post("/speakers/patrol", data={"region": HILL}, follow_redirects=True).text
    assert "2 只开始自检" in page
    assert 'hx-trigger="every 3s"' in page
    assert client.post("/speakers/patrol", data={}).status_code == 422


def test_the_summary_adds_up_every_township(sign_in: SignIn, runtime: Runtime) -> None:
    change(runtime, ONE, online=False, online_since=NOON - timedelta(hours=30))
    change(runtime, "s1002-1", online=False, seen_at=None, online_since=None)
    with runtime.sessions.begin() as session:
        an_alarm(session, TWO, "mains_lost", NOON - timedelta(hours=1))
        session.add(
            Repair(
                speaker_id=ONE, region_path=session.get_one(Region, BRIDGE).path, what="坏", opened_at=NOON,
                opened_by_name="x",
            )
        )  # fmt: skip
    page = sign_in("county").get("/speakers/digest").text
    for words in (
        "11月23日 10:00 的情况",
        "北镇",
        "南镇",
        "在线 2 / 共 4",
        "11月22日 04:00 起离线，30 小时",
        "还没连上过",
    ):
        assert words in page
    assert "停电，用电池" in page
    assert page.index("北镇") < page.index("南镇"), "most trouble first"
    assert "南镇" not in sign_in("clerk").get("/speakers/digest").text


def outline(runtime: Runtime, **outlines: str) -> None:
    with runtime.sessions.begin() as session:
        for name, points in outlines.items():
            session.get_one(Region, {"bridge": BRIDGE, "hill": HILL}[name]).outline = points


def test_the_map_draws_villages_with_counts_and_marks_with_words(sign_in: SignIn, runtime: Runtime) -> None:
    outline(runtime, bridge="0,0 100,0 100,100 0,100", hill="100,0 200,0 200,100 100,100")
    change(runtime, ONE, lat=26.1, lon=103.1)
    change(runtime, TWO, lat=26.2, lon=103.2, online=False)
    page = sign_in("clerk").get("/speakers/map").text
    assert page.count('<path class="bad"') == 1
    assert page.count('<path class="ok"') == 1
    assert 'aria-label="桥村，在线 1 / 共 2"' in page
    assert f'href="/speakers/{ONE}" aria-label="村口 在线"' in page
    assert f'href="/speakers/{TWO}" aria-label="村口 离线"' in page
    assert "还有 2 只没填坐标" in page
    assert "<caption" in page, "the same stands below as a table"
    small = sign_in("clerk").get("/speakers").text
    assert 'aria-label="桥村，在线 1 / 共 2"' in small
    assert 'class="mark' not in small


def test_without_outlines_and_coordinates_the_table_says_it_all(sign_in: SignIn) -> None:
    page = sign_in("clerk").get("/speakers/map").text
    assert "画不出图" in page
    assert '<svg class="map' not in page
    assert "桥村" in page


# ---- the list


def test_the_list_shows_each_kind_with_its_number(sign_in: SignIn, runtime: Runtime) -> None:
    change(runtime, ONE, online=False)
    change(runtime, TWO, volume=0)
    change(runtime, "s1002-2", state="expected", seen_at=None)
    with runtime.sessions.begin() as session:
        an_alarm(session, "s1002-1", "mains_lost", NOON)
    client = sign_in("clerk")
    kinds = {"": 3, "offline": 1, "fault": 1, "mute": 1, "repair": 0, "expected": 1}
    page = client.get("/speakers").text
    for words, number in zip(("全部", "离线", "有故障", "不出声", "在修", "没装好"), kinds.values(), strict=True):
        assert f"{words} <b>{number}</b>" in page
    for kind, number in kinds.items():
        body = client.get(f"/speakers?show={kind}").text
        assert len(re.findall(r'<a href="/speakers/s[^"?]+"><b>', body)) == number, kind
    ids = re.findall(r'<a href="/speakers/(s[^"?]+)"><b>', page)
    assert ids == [ONE, "s1002-1", TWO], "silent, then faulty, then well"
    assert "停电，用电池" in page


def test_what_is_done_to_many_states_the_number_first(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    client = sign_in("clerk")
    page = client.post("/speakers/bulk", data={"deed": "volume", "volume": "40", "region": HILL}).text
    assert "把 2 只喇叭的平时音量都改成 40" in page
    page = client.post("/speakers/bulk", data={"deed": "volume", "volume": "40", "region": HILL, "count": "3"}).text
    assert "数目变了" in page
    answer = client.post("/speakers/bulk", data={"deed": "volume", "volume": "40", "region": HILL, "count": "2"})
    assert answer.status_code == 302
    with runtime.sessions.read() as session:
        found = {one: session.get_one(Speaker, one).volume for one in (ONE, "s1002-1", "s1002-2")}
    assert found == {ONE: 80, "s1002-1": 40, "s1002-2": 40}
    assert events_of(runtime, "s1002-1") == [("deed", "volume")]


def test_ticked_ones_alone_are_meant(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    client = sign_in("clerk")
    page = client.post("/speakers/bulk", data={"deed": "test", "id": [ONE, TWO]}).text
    assert "让 2 只喇叭自检一遍" in page
    client.post("/speakers/bulk", data={"deed": "test", "id": [ONE, TWO], "count": "2"})
    with runtime.sessions.read() as session:
        assert set(session.scalars(select(SelfTestRun.speaker_id))) == {ONE, TWO}


@pytest.mark.parametrize("data", [{"deed": "volume", "volume": "x"}, {"deed": "volume"}, {"deed": "test", "q": "none"}])
def test_a_wrong_bulk_is_refused_on_the_list(sign_in: SignIn, data: dict[str, str]) -> None:
    answer = sign_in("clerk").post("/speakers/bulk", data=data)
    assert (answer.status_code, "<title>出错" in answer.text) == (422, True)


def test_nobody_changes_many_elsewhere(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    stranger = sign_in("stranger")
    data = {"deed": "volume", "volume": "1", "id": [ONE, "s2001-1"], "count": "2"}
    assert stranger.post("/speakers/bulk", data=data).status_code == 404
    assert stranger.post("/speakers/bulk", data=data | {"deed": "test"}).status_code == 404
    assert stranger.post("/speakers/bulk", data={"deed": "test", "region": NORTH}).status_code == 404
    assert sign_in("viewer").post("/speakers/bulk", data=data).status_code == 403
    with runtime.sessions.read() as session:
        assert session.get_one(Speaker, "s2001-1").volume == 80
        assert session.scalars(select(SelfTestRun)).all() == []


# ---- who may not


def test_strangers_find_nothing_and_change_nothing(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    alarm = an_offline_one(runtime)
    sign_in("clerk").post(f"/speakers/{ONE}/repair", data={"what": "坏了"})
    [repair] = repairs(runtime)
    stranger = sign_in("stranger")
    for page in PAGES:
        text = stranger.get(f"/speakers/{page}").text
        assert "桥村" not in text, page
        assert ONE not in text, page
    assert stranger.get(f"/speakers/repairs/{repair.id}").status_code == 404
    assert stranger.get(f"/speakers/map?region={NORTH}").status_code == 404
    assert stranger.get(f"/speakers/patrol?region={NORTH}").status_code == 404
    assert stranger.post("/speakers/alarms/acknowledge", data={"ids": alarm}).status_code == 404
    assert stranger.post("/speakers/alarms/snooze", data={"ids": alarm, "days": "1"}).status_code == 404
    assert stranger.post("/speakers/patrol", data={"region": BRIDGE}).status_code == 404
    assert stranger.post(f"/speakers/repairs/{repair.id}/take").status_code == 404
    assert stranger.post(f"/speakers/repairs/{repair.id}/done", data={"outcome": "x"}).status_code == 404
    assert stranger.post(f"/speakers/{ONE}/repair", data={"what": "x"}).status_code == 404
    assert stranger.post(f"/speakers/{ONE}/place", data={"name": "x"}).status_code == 404
    assert stranger.post(f"/speakers/{ONE}/sound", data={}).status_code == 404
    assert (repairs(runtime)[0].taken_at, alarms_of(runtime, ONE)[0].acknowledged_at) == (None, None)


def test_onlookers_see_all_and_change_nothing(sign_in: SignIn, runtime: Runtime, station: Recorder) -> None:
    alarm = an_offline_one(runtime)
    viewer = sign_in("viewer")
    for page in PAGES:
        answer = viewer.get(f"/speakers/{page}")
        assert answer.status_code == 200
        assert not re.findall(r'<form[^>]+method="post"[^>]+action="/speakers', answer.text), page
    assert viewer.post("/speakers/alarms/acknowledge", data={"ids": alarm}).status_code == 403
    assert viewer.post(f"/speakers/{ONE}/repair", data={"what": "x"}).status_code == 403
    assert viewer.post(f"/speakers/{ONE}/place", data={"name": "x"}).status_code == 403
    assert repairs(runtime) == []


def test_without_signing_in_nothing_is_shown(app: OpenAPI) -> None:
    client = app.test_client()
    for page in PAGES:
        assert client.get(f"/speakers/{page}").status_code == 302
    assert client.post("/speakers/alarms/acknowledge", data={"ids": "x"}).status_code == 302
    assert client.post("/speakers/bulk", data={"deed": "test"}).status_code == 302


# ---- sound and place


def test_volumes_by_time_lead_in_and_drill_are_kept_and_published(
    sign_in: SignIn, runtime: Runtime, station: Recorder
) -> None:
    client = sign_in("clerk")
    form = {"start-0": "18:00", "end-0": "20:00", "cap-0": "50", "start-2": "6:30", "end-2": "7:00", "cap-2": "30",
            "lead_in": "1.5"}  # fmt: skip
    assert client.post(f"/speakers/{ONE}/sound", data=form).status_code == 302
    with runtime.sessions.read() as session:
        speaker = session.get_one(Speaker, ONE)
    assert speaker.volumes == [{"start": 390, "end": 420, "cap": 30}, {"start": 1080, "end": 1200, "cap": 50}]
    assert (speaker.lead_in_ms, speaker.drill) == (1500, False)
    [settings] = [command.settings for command in station.commands()]
    assert [(each.start, each.cap) for each in settings.loudness] == [(390, 30), (1080, 50)]
    assert settings.lead_in_ms == 1500
    page = client.get(f"/speakers/{ONE}").text
    assert 'value="18:00"' in page
    assert "2 个时段" in page


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"start-0": "25:00", "end-0": "7:00", "cap-0": "3"}, "start-0"),
        ({"start-0": "6:00", "end-0": "", "cap-0": "3"}, "end-0"),
        ({"start-0": "6:00", "end-0": "7:00", "cap-0": "101"}, "cap-0"),
        ({"start-0": "6:00", "end-0": "6:00", "cap-0": "10"}, "start-0"),
        ({"lead_in": "9"}, "lead_in"),
        ({"lead_in": "x"}, "lead_in"),
    ],
)
def test_a_wrong_setting_is_shown_at_its_field(
    sign_in: SignIn, runtime: Runtime, station: Recorder, form: dict[str, str], field: str
) -> None:
    answer = sign_in("clerk").post(f"/speakers/{ONE}/sound", data=form)
    assert (answer.status_code, f'href="#f-{field}"' in answer.text) == (422, True)
    assert f'id="e-{field}"' in answer.text
    assert station.sent == []


def test_its_place_can_be_corrected(sign_in: SignIn, runtime: Runtime) -> None:
    form = {"name": "老槐树", "place": "村委会楼顶", "lat": "26.1234", "lon": "103.5", "keeper": "王建国",
            "households": "86", "model": "YX", "installed_on": "2025-03-12", "note": ""}  # fmt: skip
    page = sign_in("clerk").post(f"/speakers/{ONE}/place", data=form, follow_redirects=True).text
    for words in ("老槐树", "村委会楼顶", "北纬 26.1234，东经 103.5", "王建国", "86", "2025-03-12"):
        assert words in page


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"lat": "26.1"}, "lon"),
        ({"lat": "126.1", "lon": "1"}, "lat"),
        ({"lat": "x", "lon": "1"}, "lat"),
        ({"households": "many"}, "households"),
        ({"households": "90000"}, "households"),
        ({"installed_on": "2030-01-01"}, "installed_on"),
        ({"keeper": "王建国 13800001122"}, "keeper"),
        ({"note": "长" * 201}, "note"),
    ],
)
def test_a_wrong_place_is_shown_at_its_field(
    sign_in: SignIn, runtime: Runtime, given: dict[str, str], field: str
) -> None:
    answer = sign_in("clerk").post(f"/speakers/{ONE}/place", data={"name": "村口", "place": "新地方"} | given)
    assert (answer.status_code, f'id="e-{field}"' in answer.text) == (422, True)
    with runtime.sessions.read() as session:
        assert session.get_one(Speaker, ONE).place == ""


def test_people_of_a_village_see_their_own(sign_in: SignIn) -> None:
    page = sign_in("secretary").get("/speakers/digest").text
    assert "在线 2 / 共 2" in page
    assert SOUTH not in page


def test_loudspeakers_for_drills_are_a_kind_of_their_own_in_the_list(sign_in: SignIn, runtime: Runtime) -> None:
    change(runtime, ONE, drill=True)
    clerk = sign_in("clerk")
    page = clerk.get("/speakers").text
    assert "全部 <b>3</b>" in page
    assert "演练喇叭 <b>1</b>" in page
    assert f'href="/speakers/{ONE}"' not in page
    assert f'href="/speakers/{ONE}"' in clerk.get("/speakers?show=drill").text

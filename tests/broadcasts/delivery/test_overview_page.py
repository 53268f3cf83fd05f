"""The overview: what is on air, four numbers, what to do first, what comes, the villages; each sees their own part."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import carelab
import pytest
from builders import BRIDGE, EARLIER, HILL, NORTH, PASSWORD
from deliverylab import B1, B2, H1, H2, Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import insert, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.announcements.models import When
from broadcasts.delivery import records
from broadcasts.delivery.glances import KEPT
from broadcasts.delivery.matters import Topic
from broadcasts.delivery.models import Kind
from broadcasts.loudspeaker.states import PlayState
from broadcasts.sms.models import SmsInbound, SmsMessage, SmsRun
from broadcasts.sms.states import MessageState
from hub.accounts import service as accounts
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM, Actor
from hub.core.runtime import Runtime
from hub.regions.models import Region
from hub.regions.tree import path_of
from hub.speakers.models import Speaker

SignIn = Callable[[str], FlaskClient]


def look(client: FlaskClient, path: str = "/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def tile(html: str, label: str) -> str:
    """Read a tile: its number and everything beside it, without marks."""
    box = re.search(
        rf'stat-label">(?:<svg.*?</svg>)?{label}</span>(.*?)(?=<(?:a|div) class="card stat"|</div>\n</div>)',
        html,
        re.DOTALL,
    )
    assert box, html
    return " ".join(re.sub(r"<[^>]+>", " ", box[1]).split())


def todo(html: str) -> list[str]:
    """Read the titles under 需要处理, in order."""
    part = html[html.index('id="matters"') : html.index('id="coming"')]
    return re.findall(r'<div class="item-text"><b>(.*?)</b>', part)


def resident_writes(runtime: Runtime, air: Air, text: str, region: str, *, urgent: bool) -> None:
    with runtime.sessions.begin() as session:
        session.add(
            SmsInbound(
                key=uuid7().bytes * 2,
                phone_index=b"x" * 16,
                sealed=b"",
                masked="138****1122",
                region_path=path_of(region),
                resident_id=None,
                text=text,
                urgent=urgent,
                received_at=air.clock.now,
                handled_at=None,
            )
        )


# ---- on air


def test_what_goes_out_stands_on_top_with_its_course(air: Air, sign_in: SignIn) -> None:
    air.release(title="正在播的")
    clerk = sign_in("clerk")
    sent = air.release(title="第二条")
    air.report(sent, PlayState.STARTED, [B1, B2, H1])
    air.clock.now += timedelta(seconds=50)
    html = look(clerk)
    card = html[html.index(f'id="name-{sent}"') :]
    assert "第 2 遍，共 2 遍" in card
    assert "0:50 / 1:32" in card
    assert "3 只在响" in card
    assert "1 只没响应" in card


def test_an_emergency_stands_above_everything_routine(air: Air, sign_in: SignIn) -> None:
    air.release(title="山洪红色", kind=Kind.EMERGENCY)
    air.clock.now += timedelta(seconds=1)
    air.release(title="平常的")
    html = look(sign_in("duty"), "/overview/on-air")
    assert html.index("山洪红色") < html.index("平常的")


def test_it_is_stopped_from_the_overview_without_a_token_in_the_fragment(air: Air, sign_in: SignIn) -> None:
    sent, clerk = air.release(), sign_in("clerk")
    page = look(clerk)
    assert f'form="stop-form" id="stop-{sent}" formaction="/broadcasts/{sent}/stop"' in page
    assert '<form id="stop-form" method="post"' in page
    assert "csrf_token" not in look(clerk, "/overview/on-air")
    clerk.post(f"/broadcasts/{sent}/stop")
    air.clock.now += KEPT
    assert "现在没有广播在播。" in look(clerk, "/overview/on-air")


def test_an_office_is_told_once_and_nobody_is_told_what_others_may(
    air: Air, sign_in: SignIn, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runtime.sessions.begin() as session:
        accounts.create_account(
            session, SYSTEM, login="clerk2", name="同事", password=PASSWORD,
            grants=[(Role.CLERK, path_of(NORTH))], now=EARLIER,
        )  # fmt: skip
    asked: list[str] = []
    real = records.on_air

    def counted(session: Session, actor: Actor, *, now: datetime) -> list[records.Entry]:
        asked.append(actor.name)
        return real(session, actor, now=now)

    monkeypatch.setattr(records, "on_air", counted)
    sent = air.release(NORTH)
    told = {login: look(sign_in(login), "/overview/on-air") for login in ("clerk", "clerk2", "viewer", "stranger")}
    assert len(asked) == 3, "the two clerks are told the same"
    assert told["clerk2"] == told["clerk"]
    assert f"stop-{sent}" in told["clerk"]
    assert f"stop-{sent}" not in told["viewer"]
    assert f"see-{sent}" in told["viewer"]
    assert str(sent) not in told["stranger"]


@pytest.mark.parametrize("path", ["/overview/on-air", "/overview/news"])
def test_a_part_that_did_not_change_is_not_sent_again(air: Air, sign_in: SignIn, path: str) -> None:
    clerk = sign_in("clerk")
    first = clerk.get(path)
    again = clerk.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    sent = air.release(title="新的")
    air.play(sent, [B1])
    air.clock.now += timedelta(minutes=2)
    changed = clerk.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


# ---- the four numbers


def test_loudspeakers_are_counted_in_ones_own_part(air: Air, sign_in: SignIn) -> None:
    air.offline(B1)
    assert tile(look(sign_in("clerk")), "喇叭在线").startswith("3 / 4 只")
    assert tile(look(sign_in("secretary")), "喇叭在线").startswith("1 / 2 只")
    assert tile(look(sign_in("stranger")), "喇叭在线").startswith("2 / 2 只")
    assert tile(look(sign_in("county")), "喇叭在线").startswith("5 / 6 只")


def test_todays_minutes_are_those_of_the_village_that_heard_most(air: Air, sign_in: SignIn) -> None:
    for region, minutes in ((NORTH, 3), (BRIDGE, 2), (HILL, 1)):
        air.play(air.release(region, ms=minutes * 60_000), [])
    air.later(minutes=30)
    html = look(sign_in("clerk"))
    assert tile(html, "今天已播").startswith("5 / 60 分钟，3 条")
    assert "最多的是桥村" in html
    assert tile(look(sign_in("secretary")), "今天已播") == "5 / 60 分钟，2 条"
    assert tile(look(sign_in("stranger")), "今天已播") == "0 / 60 分钟，0 条"


def test_only_what_has_sounded_since_local_midnight_counts(air: Air, sign_in: SignIn) -> None:
    air.release(BRIDGE, ms=60_000)
    air.later(hours=13, minutes=59)
    clerk = sign_in("clerk")
    assert tile(look(clerk), "今天已播").startswith("1 /")
    air.later(minutes=1)
    assert tile(look(clerk), "今天已播").startswith("0 /")


def test_a_stopped_broadcast_counts_as_long_as_it_sounded(air: Air, sign_in: SignIn) -> None:
    sent, clerk = air.release(BRIDGE, ms=10 * 60_000), sign_in("clerk")
    air.clock.now += timedelta(minutes=2)
    clerk.post(f"/broadcasts/{sent}/stop")
    air.later(minutes=30)
    assert tile(look(clerk), "今天已播").startswith("2 /")


def test_emergencies_are_named_beside_the_minutes_and_not_added_to_them(air: Air, sign_in: SignIn) -> None:
    air.release(NORTH, kind=Kind.EMERGENCY)
    air.later(minutes=2)
    assert tile(look(sign_in("clerk")), "今天已播") == "0 / 60 分钟，0 条 另有应急 1 条"


def test_approvals_are_counted_for_who_approves_and_told_to_who_does_not(air: Air, sign_in: SignIn) -> None:
    air.submit()
    air.clock.now += timedelta(minutes=25)
    assert tile(look(sign_in("approver")), "等我审批") == "1 条 最早的等了 25 分钟"
    assert tile(look(sign_in("clerk")), "等审批") == "1 条 最早的等了 25 分钟"
    assert tile(look(sign_in("strange_approver")), "等我审批").startswith("0 条")


def test_this_months_text_messages_are_billed_parts_in_ones_own_part(
    air: Air, sign_in: SignIn, runtime: Runtime
) -> None:
    sent = air.release(NORTH, ms=0, sms=True)
    rows = [
        {
            "broadcast_id": sent,
            "phone_index": bytes([n]) * 16,
            "sealed": b"",
            "masked": "138****0000",
            "resident_id": uuid7(),
            "region_path": path_of(BRIDGE if n < 3 else HILL),
            "state": MessageState.SUPPRESSED if n == 0 else MessageState.DELIVERED,
            "parts": 2,
            "next_try_at": air.clock.now,
            "changed_at": air.clock.now,
        }
        for n in range(5)
    ]
    with runtime.sessions.begin() as session:
        session.execute(insert(SmsMessage), rows)
    assert tile(look(sign_in("clerk")), "本月短信") == "4 条 最多 0.18 元"
    assert tile(look(sign_in("secretary")), "本月短信") == "2 条 最多 0.09 元"
    air.clock.now += timedelta(days=8)
    assert tile(look(sign_in("clerk")), "本月短信").startswith("0 条")


# ---- what to do first


def test_what_endangers_life_stands_first(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    air.offline(H1)
    air.submit()
    sent = air.release(BRIDGE, title="山洪红色", kind=Kind.EMERGENCY, sms=True)
    with runtime.sessions.begin() as session:
        session.execute(update(SmsRun).where(SmsRun.broadcast_id == sent).values(paused_reason="gateway_configuration"))
    resident_writes(runtime, air, "我家屋后在滑坡", BRIDGE, urgent=True)
    resident_writes(runtime, air, "谢谢", BRIDGE, urgent=False)
    titles = todo(look(sign_in("approver")))
    begun = ["短信回复", "应急播发中", "现在指挥不了喇叭", "短信停住了", "1 条广播等审批", "岭村 1 只"]
    assert len(titles) == len(begun)
    assert [title for title, begin in zip(titles, begun, strict=True) if not title.startswith(begin)] == []
    assert "我家屋后在滑坡" in titles[0]


def test_a_cry_for_help_is_not_hidden_behind_newer_messages(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    resident_writes(runtime, air, "水淹进来了", BRIDGE, urgent=True)
    for n in range(60):
        resident_writes(runtime, air, f"收到{n}", BRIDGE, urgent=False)
    assert "水淹进来了" in todo(look(sign_in("clerk")))[0]


def test_messages_of_residents_are_shown_only_to_who_may_see_residents(
    air: Air, sign_in: SignIn, runtime: Runtime
) -> None:
    resident_writes(runtime, air, "我家屋后在滑坡", BRIDGE, urgent=True)
    assert "滑坡" not in look(sign_in("viewer"))
    assert "滑坡" not in look(sign_in("stranger"))
    assert "滑坡" in look(sign_in("secretary"))


def test_a_broadcast_nobody_heard_is_told_and_one_that_was_heard_is_not(air: Air, sign_in: SignIn) -> None:
    air.play(air.release(BRIDGE, title="听到了"), [B1])
    air.release(HILL, title="没听到")
    air.later(minutes=20)
    html = look(sign_in("clerk"))
    assert any("没有一只喇叭响：没听到" in title for title in todo(html))
    assert not any("听到了" in title for title in todo(html))


def test_villages_with_silent_loudspeakers_are_named_the_worst_first(air: Air, sign_in: SignIn) -> None:
    air.offline(B1, B2, H2)
    air.clock.now += timedelta(hours=4)
    html = look(sign_in("clerk"))
    assert [t for t in todo(html) if "离线" in t] == ["桥村 2 只喇叭离线", "岭村 1 只喇叭离线"]
    assert "共 2 只，最久 4 小时，可能停电或断网" in html


def test_a_programme_that_was_missed_is_told_with_the_reason(air: Air, sign_in: SignIn) -> None:
    air.book(title="早间广播", when=When.ONCE, at=air.clock.now + timedelta(hours=1))
    air.clock.now += timedelta(hours=3)
    air.fire()
    html = look(sign_in("clerk"))
    assert "没播成：早间广播" in todo(html)
    assert "到点时系统没开，过了时间没补播" in html


def test_every_topic_has_words_and_one_action(app: OpenAPI) -> None:
    source = app.jinja_env.loader.get_source(app.jinja_env, "broadcasts/delivery/_matters.html")[0]  # type: ignore[union-attr]
    for topic in Topic:
        assert source.count(f"topic == '{topic.value}'") == 1
    assert source.count("act(_(") + source.count("ui.post_button(") == len(Topic)


# ---- what comes, and the villages


def test_the_next_day_is_announced_and_the_day_after_is_not(air: Air, sign_in: SignIn) -> None:
    air.book(title="今晚的", when=When.ONCE, at=air.clock.now + timedelta(hours=8))
    air.book(title="后天的", when=When.ONCE, at=air.clock.now + timedelta(hours=48))
    html = look(sign_in("clerk"))
    coming = html[html.index('id="coming"') : html.index('id="village-map"')]
    assert "今晚的" in coming
    assert "18:00" in coming
    assert "后天的" not in coming
    assert "今晚的" in look(sign_in("secretary")), "it will be heard in the village"
    assert "今晚的" not in look(sign_in("stranger"))


def test_villages_are_drawn_and_listed_with_word_and_number(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        session.execute(update(Region).where(Region.code == BRIDGE).values(outline="0,0 100,0 100,100 0,100"))
        session.execute(update(Region).where(Region.code == HILL).values(outline="100,0 200,0 200,100 100,100"))
    air.offline(B1, B2)
    html = look(sign_in("clerk"))
    drawn = html[html.index('class="map"') : html.index("</svg>", html.index('class="map"'))]
    assert '<path class="bad"' in drawn
    assert '<path class="ok"' in drawn
    assert "0/2 ⚠" in drawn
    listed = html[html.index('id="village-list"') :]
    assert "2 只离线" in listed
    assert "全部在线" in listed


def test_without_outlines_the_list_stands_open_in_place_of_the_map(sign_in: SignIn, air: Air) -> None:
    html = look(sign_in("clerk"))
    assert 'class="map"' not in html
    assert re.search(r'<details class="fold" id="villages" open>', html)


# ---- loudspeakers that need somebody


def an_alarm(air: Air, speaker_id: str, code: str, **given: object) -> None:
    carelab.change(air.runtime, speaker_id, online=code != "offline", online_since=air.clock.now)
    with air.runtime.sessions.begin() as session:
        carelab.an_alarm(session, speaker_id, code, air.clock.now, **given)


def test_a_fault_is_told_until_somebody_knows(air: Air, sign_in: SignIn) -> None:
    an_alarm(air, B1, "amp_voltage_low")
    an_alarm(air, B2, "battery_low", acknowledged_at=air.clock.now, acknowledged_by_name="小李")
    html = look(sign_in("clerk"))
    assert [t for t in todo(html) if "功放" in t or "电池" in t] == ["村口：功放输出电压太低"]
    assert "看功放和接线" in html
    assert not [t for t in todo(look(sign_in("stranger"))) if "功放" in t]


def test_who_was_put_off_is_not_told_as_silent(air: Air, sign_in: SignIn) -> None:
    an_alarm(air, B1, "offline", snoozed_until=air.clock.now + timedelta(days=3))
    an_alarm(air, H1, "offline")
    assert [t for t in todo(look(sign_in("clerk"))) if "离线" in t] == ["岭村 1 只喇叭离线"]


def test_a_township_that_falls_silent_is_one_line(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        for one in carelab.many(session, 8, now=air.clock.now):
            carelab.an_alarm(session, one, "offline", air.clock.now)
            session.get_one(Speaker, one).online = False
    titles = [t for t in todo(look(sign_in("clerk"))) if "离线" in t]
    assert titles == ["北镇 8 只喇叭同时离线"]


def test_many_faults_are_counted(air: Air, sign_in: SignIn) -> None:
    for one in (B1, B2, H1, H2):
        an_alarm(air, one, "mains_lost")
    titles = [t for t in todo(look(sign_in("clerk"))) if "停电" in t or "故障" in t]
    assert titles == ["村口：停电，用电池"] * 3 + ["还有 1 只喇叭有故障"]

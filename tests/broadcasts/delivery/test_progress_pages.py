"""The page of one broadcast tells, while it goes out and afterwards, what every loudspeaker did and why not."""

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from builders import BRIDGE, FERRY, HILL, NORTH, SOUTH
from deliverylab import B1, B2, H1, H2, Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from broadcasts.delivery.models import BroadcastState, Kind
from broadcasts.loudspeaker.models import PlayOrder
from broadcasts.loudspeaker.states import PlayState
from broadcasts.sms.models import SmsRun
from broadcasts.sms.states import RunState
from hub.audit.models import AuditEntry
from hub.core.runtime import Runtime

SignIn = Callable[[str], FlaskClient]
FINAL = 286


def numbers(html: str) -> dict[str, int]:
    """Read the big numbers of the page."""
    box = re.search(r'<div class="reach">(.*?)</div></div>', html, re.DOTALL)
    assert box, html
    return {word: int(n) for n, word in re.findall(r"<b>(\d+)</b><span>(.*?)</span>", box[0])}


def page(client: FlaskClient, broadcast_id: UUID, tail: str = "") -> str:
    answer = client.get(f"/broadcasts/{broadcast_id}{tail}")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_numbers_move_with_the_receipts(air: Air, sign_in: SignIn) -> None:
    sent, clerk = air.release(), sign_in("clerk")
    assert numbers(page(clerk, sent)) == {"应响": 4, "在响": 0, "播完": 0, "还没响": 4}
    air.report(sent, PlayState.STARTED, [B1, B2, H1])
    assert numbers(page(clerk, sent)) == {"应响": 4, "在响": 3, "播完": 0, "还没响": 1}
    air.report(sent, PlayState.FINISHED, [B1, B2])
    assert numbers(page(clerk, sent)) == {"应响": 4, "在响": 1, "播完": 2, "还没响": 1}


def test_what_broke_off_is_counted_as_neither_played_nor_silent(air: Air, sign_in: SignIn) -> None:
    sent = air.release()
    air.report(sent, PlayState.STARTED, [B1])
    air.report(sent, PlayState.FAILED, [B1], reason="power_lost", played_ms=4000)
    html = page(sign_in("clerk"), sent)
    assert numbers(html) == {"应响": 4, "在响": 0, "播完": 0, "没播完": 1, "还没响": 3}
    assert "播的时候断了电" in html


def test_a_receipt_that_got_lost_does_not_make_a_loudspeaker_silent(air: Air, sign_in: SignIn) -> None:
    sent = air.release()
    air.report(sent, PlayState.FINISHED, [B1])
    assert numbers(page(sign_in("clerk"), sent))["播完"] == 1


def test_a_broadcast_that_is_over_says_how_many_were_silent_and_lists_them_first(air: Air, sign_in: SignIn) -> None:
    sent = air.release()
    air.offline(H2)
    air.play(sent, [B1, B2, H1])
    air.later(minutes=13)
    html = page(sign_in("clerk"), sent)
    assert air.state(sent).state is BroadcastState.DONE
    assert numbers(html) == {"应响": 4, "在响": 0, "播完": 3, "没响": 1}
    assert "播完了，1 只没响" in html
    assert html.index("离线，一直没连上") < html.index('id="tree"')
    assert "hx-trigger" not in html


def test_while_loudspeakers_may_still_come_back_the_page_does_not_claim_that_it_is_playing(
    air: Air, sign_in: SignIn
) -> None:
    sent = air.release()
    air.offline(H2)
    air.play(sent, [B1, B2, H1])
    air.later(minutes=3)
    html = page(sign_in("clerk"), sent)
    assert "能响的都播了。还有 1 只没播，10:10 以前连上还会播" in html
    assert "离线，连上后还来得及就会播" in html
    assert "正在播" not in html


def test_the_truth_that_arrives_after_the_end_is_still_shown(air: Air, sign_in: SignIn) -> None:
    sent = air.release(BRIDGE)
    air.later(hours=3)
    client = sign_in("clerk")
    assert "一只喇叭也没响" in page(client, sent)
    air.report(sent, PlayState.FINISHED, [B1, B2])
    assert numbers(page(client, sent)) == {"应响": 2, "在响": 0, "播完": 2, "没响": 0}
    assert "播完了，都响了" in page(client, sent)


def test_every_loudspeaker_stands_under_its_village_with_its_times(air: Air, sign_in: SignIn) -> None:
    sent = air.release()
    air.play(sent, [B1])
    html = page(sign_in("clerk"), sent)
    village = html[html.index(f'id="v-{BRIDGE}"') : html.index(f'id="v-{HILL}"')]
    assert village.count("10:00:00") == 3
    assert "1 / 2" in village
    assert "10:00:00" not in html[html.index(f'id="v-{HILL}"') :]


def test_a_fragment_brings_every_part_that_may_have_changed_and_holds_no_token(air: Air, sign_in: SignIn) -> None:
    sent = air.release(sms=True)
    html = page(sign_in("clerk"), sent, "/progress")
    for part in ("progress", f"n-{NORTH}", f"n-{BRIDGE}-v", f"l-{BRIDGE}", "texts"):
        assert f'id="{part}"' in html
    assert "csrf_token" not in html
    assert "<details" not in html, "what was unfolded must stay so"


def test_what_has_not_changed_is_not_sent_again(air: Air, sign_in: SignIn) -> None:
    sent, clerk = air.release(), sign_in("clerk")
    first = clerk.get(f"/broadcasts/{sent}/progress")
    assert first.headers["Cache-Control"] == "private, no-cache"
    etag = {"If-None-Match": first.headers["ETag"]}
    assert clerk.get(f"/broadcasts/{sent}/progress", headers=etag).status_code == 304
    air.report(sent, PlayState.STARTED, [B1])
    assert clerk.get(f"/broadcasts/{sent}/progress", headers=etag).status_code == 200


def test_the_page_stops_asking_when_it_is_over(air: Air, sign_in: SignIn) -> None:
    sent, clerk = air.release(BRIDGE), sign_in("clerk")
    assert clerk.get(f"/broadcasts/{sent}/progress").status_code == 200
    air.play(sent, [B1, B2])
    air.later(seconds=3)
    last = clerk.get(f"/broadcasts/{sent}/progress")
    assert last.status_code == FINAL
    assert "hx-trigger" not in last.text
    assert re.search(r'<div id="stop-place" hx-swap-oob="true">\s*</div>', last.text)


def test_it_goes_on_asking_while_text_messages_are_on_their_way(air: Air, sign_in: SignIn) -> None:
    sent, clerk = air.release(BRIDGE, sms=True), sign_in("clerk")
    air.play(sent, [B1, B2])
    air.later(minutes=20)
    assert air.state(sent).state is BroadcastState.DONE
    answer = clerk.get(f"/broadcasts/{sent}/progress")
    assert answer.status_code == 200
    assert "喇叭播完了，短信还在发" in answer.text


def test_who_makes_way_for_something_more_urgent_is_said_to_wait_not_to_sound(air: Air, sign_in: SignIn) -> None:
    sent = air.release(BRIDGE)
    air.report(sent, PlayState.STARTED, [B1, B2])
    air.report(sent, PlayState.INTERRUPTED, [B1, B2])
    html = page(sign_in("clerk"), sent)
    assert "2 只先播更急的，播完再播这条" in html
    assert numbers(html) == {"应响": 2, "在响": 0, "播完": 0, "没播完": 2, "还没响": 0}


def test_who_began_late_is_still_said_to_sound_when_the_time_is_over(air: Air, sign_in: SignIn) -> None:
    sent = air.release(BRIDGE)
    air.report(sent, PlayState.FINISHED, [B1])
    air.clock.now += timedelta(minutes=5)
    air.report(sent, PlayState.STARTED, [B2])
    assert "还有 1 只在响" in page(sign_in("clerk"), sent)


# ---- stopping


def stops(runtime: Runtime) -> int:
    with runtime.sessions.read() as session:
        return len(session.scalars(select(AuditEntry).where(AuditEntry.deed == "broadcast.stop")).all())


def test_one_press_stops_it_and_a_second_does_no_harm(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    sent, clerk = air.release(), sign_in("clerk")
    assert f'action="/broadcasts/{sent}/stop"' in page(clerk, sent)
    for _ in range(2):
        answer = clerk.post(f"/broadcasts/{sent}/stop")
        assert answer.status_code == 302
        assert answer.location == f"/broadcasts/{sent}"
    assert air.state(sent).state is BroadcastState.STOPPED
    assert stops(runtime) == 1
    with runtime.sessions.read() as session:
        assert session.get_one(PlayOrder, sent).stop_seq is not None
    assert f'action="/broadcasts/{sent}/stop"' not in page(clerk, sent)
    assert "由北镇广播员叫停" in page(clerk, sent)


def test_who_was_away_when_it_was_stopped_is_not_said_to_play_it_later(air: Air, sign_in: SignIn) -> None:
    sent, clerk = air.release(BRIDGE), sign_in("clerk")
    air.offline(B2)
    clerk.post(f"/broadcasts/{sent}/stop")
    html = page(clerk, sent)
    assert "离线，叫停了，连上也不会再播" in html
    assert "还来得及" not in html


def test_stopping_too_late_is_said_and_changes_nothing(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    sent, clerk = air.release(BRIDGE), sign_in("clerk")
    air.play(sent, [B1, B2])
    air.later(seconds=3)
    answer = clerk.post(f"/broadcasts/{sent}/stop", follow_redirects=True)
    assert "已经播完了，不用停" in answer.text
    assert air.state(sent).state is BroadcastState.DONE
    assert stops(runtime) == 0


def test_text_messages_that_wait_for_the_morning_can_be_held_back_after_the_sound(
    air: Air, sign_in: SignIn, runtime: Runtime
) -> None:
    sent, clerk = air.release(BRIDGE, sms=True), sign_in("clerk")
    air.play(sent, [B1, B2])
    air.later(minutes=20)
    assert "没发的短信不发了" in page(clerk, sent)
    clerk.post(f"/broadcasts/{sent}/stop")
    with runtime.sessions.read() as session:
        assert session.get_one(SmsRun, sent).state is RunState.CANCELLED
        assert session.get_one(PlayOrder, sent).stop_seq is None, "there is nothing left to silence"


def test_who_may_only_look_gets_no_stop_button_and_cannot_stop(air: Air, sign_in: SignIn) -> None:
    sent, viewer = air.release(), sign_in("viewer")
    assert "/stop" not in page(viewer, sent)
    assert viewer.post(f"/broadcasts/{sent}/stop").status_code == 403
    assert air.state(sent).state is BroadcastState.GOING


# ---- who sees what


def test_a_village_sees_its_own_part_of_what_the_township_sent(air: Air, sign_in: SignIn) -> None:
    sent = air.release(NORTH, sms=True)
    air.play(sent, [H1, H2])
    html = page(sign_in("secretary"), sent)
    assert numbers(html) == {"应响": 2, "在响": 0, "播完": 0, "还没响": 2}
    assert "只列出你那里的喇叭" in html
    assert "岭村" not in html
    assert "/stop" not in html


def test_a_village_cannot_stop_what_the_township_sent(air: Air, sign_in: SignIn) -> None:
    sent = air.release(NORTH)
    assert sign_in("secretary").post(f"/broadcasts/{sent}/stop").status_code == 403
    assert air.state(sent).state is BroadcastState.GOING


def test_a_village_does_not_see_what_was_sent_to_its_neighbour(air: Air, sign_in: SignIn) -> None:
    sent, secretary = air.release(HILL, title="岭村开会"), sign_in("secretary")
    assert secretary.get(f"/broadcasts/{sent}").status_code == 404
    assert "岭村开会" not in secretary.get("/broadcasts").text


def test_a_stranger_sees_and_stops_nothing(air: Air, sign_in: SignIn) -> None:
    sent, stranger = air.release(title="北镇的事"), sign_in("stranger")
    for tail in ("", "/progress", "/audio"):
        assert stranger.get(f"/broadcasts/{sent}{tail}").status_code == 404
    assert stranger.post(f"/broadcasts/{sent}/stop").status_code == 404
    for path in ("/", "/overview/on-air", "/overview/news", "/broadcasts"):
        assert "北镇的事" not in stranger.get(path).text
    assert air.state(sent).state is BroadcastState.GOING


def test_nobody_gets_in_without_signing_in(air: Air, app: OpenAPI) -> None:
    sent, nobody = air.release(), app.test_client()
    for path in ("/", "/broadcasts", f"/broadcasts/{sent}", f"/broadcasts/{sent}/audio", "/timetable"):
        answer = nobody.get(path)
        assert answer.status_code == 302
        assert answer.location.startswith("/sign-in")
    for path in (f"/broadcasts/{sent}/progress", "/overview/on-air", "/overview/news"):
        assert nobody.get(path, headers={"HX-Request": "true"}).status_code == 401
    assert nobody.post(f"/broadcasts/{sent}/stop").status_code == 302
    assert air.state(sent).state is BroadcastState.GOING


def test_a_broadcast_that_never_was_is_not_found(sign_in: SignIn) -> None:
    assert sign_in("clerk").get(f"/broadcasts/{uuid4()}").status_code == 404


# ---- the record


def titles(html: str) -> list[str]:
    return re.findall(r"<b>(第\d+条)</b>", html)


def test_the_record_turns_its_pages_without_losing_or_repeating_one(air: Air, sign_in: SignIn) -> None:
    for n in range(23):  # all in the same moment: the key is more than the time
        air.release(BRIDGE, title=f"第{n}条")
    clerk = sign_in("clerk")
    first = clerk.get("/broadcasts").text
    link = re.search(r'href="(/broadcasts\?before=[^"]+)" rel="next"', first)
    assert link
    second = clerk.get(link[1]).text
    seen = titles(first) + titles(second)
    assert sorted(seen) == sorted(f"第{n}条" for n in range(23))
    assert len(titles(first)) == 20
    assert 'rel="next"' not in second


def test_the_record_can_be_narrowed(air: Air, sign_in: SignIn) -> None:
    over = air.release(BRIDGE, title="第1条")
    air.play(over, [B1, B2])
    air.later(seconds=5)
    air.release(NORTH, title="第2条")
    air.release(HILL, title="第3条", kind=Kind.EMERGENCY)
    clerk = sign_in("clerk")
    assert set(titles(clerk.get("/broadcasts").text)) == {"第1条", "第2条", "第3条"}
    assert set(titles(clerk.get("/broadcasts?show=going").text)) == {"第2条", "第3条"}
    assert titles(clerk.get("/broadcasts?show=emergency").text) == ["第3条"]


@pytest.mark.parametrize("args", ["before=nonsense&show=nonsense", "before=0a1ba60e-2c63-43fb-a3ac-2f7d54f5c8d3"])
def test_an_address_that_makes_no_sense_shows_the_first_page(air: Air, sign_in: SignIn, args: str) -> None:
    air.release(title="第1条")
    assert titles(sign_in("clerk").get(f"/broadcasts?{args}").text) == ["第1条"]


def test_empty_lists_say_so(sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    assert "还没有播过广播。" in clerk.get("/broadcasts").text
    assert "还没有应急播发过。" in clerk.get("/broadcasts?show=emergency").text


def test_a_future_start_is_announced_and_nobody_is_called_silent_yet(air: Air, sign_in: SignIn) -> None:
    sent = air.release(starts_in=timedelta(seconds=20))
    html = page(sign_in("clerk"), sent)
    assert "10:00 开播，正在发给喇叭" in html
    assert 'id="silent"' not in html


def test_a_broadcast_of_two_townships_shows_each_only_its_own(air: Air, sign_in: SignIn) -> None:
    sent = air.release(NORTH, SOUTH)
    air.play(sent, [f"s{FERRY[-4:]}-1", f"s{FERRY[-4:]}-2"])
    assert numbers(page(sign_in("clerk"), sent))["应响"] == 4
    assert numbers(page(sign_in("stranger"), sent)) == {"应响": 2, "在响": 0, "播完": 2, "还没响": 0}

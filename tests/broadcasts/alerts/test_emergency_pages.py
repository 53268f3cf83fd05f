"""An emergency by HTTP: choose, confirm, count down, fire, stop; and everything that must not happen."""

import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from builders import BRIDGE, COUNTY, FERRY, HILL, NORTH, SOUTH, a_speaker
from conftest import SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import func, select, update
from uuid6 import uuid7
from werkzeug.test import TestResponse

from broadcasts.alerts import firing, service
from broadcasts.alerts.hazards import hazards, wording
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.alerts.plans.starting import usual_words
from broadcasts.alerts.wishes import Spoken, Wish
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour
from broadcasts.loudspeaker import listing
from broadcasts.loudspeaker.models import OrderState, PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from broadcasts.sms.gateway import Objection
from broadcasts.sms.gateways.local import LocalGateway
from broadcasts.sms.models import SmsRun
from hub.accounts.roles import PERMISSIONS_OF, Role
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM, Actor, Scope
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput
from hub.speakers import registry
from hub.speakers.models import Speaker
from hub.speakers.protocol import Priority

SignIn = Callable[[str], FlaskClient]
KEY = "2f1c9a5e-0000-4000-8000-000000000001"


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alarms made once for all tests: making one takes a second."""
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(autouse=True)
def someone_lives_there(runtime: Runtime, app: OpenAPI, clock: SetClock, recordings: Path) -> None:
    sound = runtime.config.data_dir / "sound"
    shutil.copytree(sound, recordings, dirs_exist_ok=True)
    shutil.rmtree(sound)
    sound.symlink_to(recordings)
    with runtime.sessions.begin() as session:
        for n, region in enumerate((BRIDGE, BRIDGE, HILL)):
            given = ResidentInput(f"村民{n}", region, (f"1380000112{n}",))
            residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock())


def form(**given: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "form_key": KEY,
        "hazard": "flash_flood",
        "colour": "red",
        "area": NORTH,
        "sms": "1",
        "speakers": "4",
    }
    return fields | given


def armed(browser: FlaskClient, **given: object) -> str:
    """Confirm an emergency and return the address of its page."""
    answer = browser.post("/emergency", data=form(**given))
    assert answer.status_code == 302, answer.text
    return answer.location


def id_of(address: str) -> UUID:
    return UUID(address.rpartition("/")[2])


def fire(runtime: Runtime, clock: SetClock, seconds: float = 3.1) -> int:
    clock.now += timedelta(seconds=seconds)
    return firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock())


def count(runtime: Runtime, table: type[Alert | Broadcast | PlayOrder | SmsRun]) -> int:
    with runtime.sessions.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def the_alert(runtime: Runtime) -> Alert:
    with runtime.sessions.read() as session:
        return session.scalars(select(Alert)).one()


def report(runtime: Runtime, state: PlayState, *speaker_ids: str, clock: SetClock) -> None:
    listing.write_all(runtime.sessions, now=clock())
    with runtime.sessions.begin() as session:
        for speaker_id in speaker_ids:
            delivery = session.scalars(select(SpeakerDelivery).where(SpeakerDelivery.speaker_id == speaker_id)).one()
            delivery.state = state
            delivery.started_at = delivery.started_at or clock()


def shown(answer: TestResponse) -> str:
    """The words of a page without tags."""
    text = re.sub(r"<script.*?</script>", "", answer.text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


# Choosing


def test_the_desk_offers_every_hazard_and_level_and_the_officers_own_places(sign_in: SignIn) -> None:
    page = sign_in("duty").get("/emergency")
    assert page.status_code == 200
    assert all(hazard.name in page.text for hazard in hazards().values())
    assert all(colour in shown(page) for colour in ("红色", "橙色", "黄色", "蓝色"))
    assert f'value="{NORTH}"' in page.text
    assert f'value="{BRIDGE}"' in page.text
    assert f'value="{SOUTH}"' not in page.text
    assert FERRY not in page.text
    assert "立即播发" not in page.text


def test_every_step_works_by_plain_links_and_buttons(sign_in: SignIn) -> None:
    browser = sign_in("duty")
    # Without JS a tile is a submit button: its value comes behind the hidden one of the step before.
    page = browser.get(f"/emergency?hazard=&colour=red&hazard=rainstorm&area={NORTH}")
    assert hazards()["rainstorm"].words[Colour.RED].at("北镇").speech in page.text
    page = browser.get(f"/emergency?hazard=rainstorm&colour=red&colour=yellow&area={BRIDGE}")
    assert hazards()["rainstorm"].words[Colour.YELLOW].at("桥村").speech in page.text
    assert 'data-expect="2"' in page.text
    page = browser.get("/emergency?hazard=rainstorm&colour=yellow&area=own")
    assert f'name="village" value="{HILL}"' in page.text
    assert "立即播发" not in page.text
    page = browser.get(f"/emergency?hazard=rainstorm&colour=yellow&area=own&village={HILL}&village={BRIDGE}")
    assert hazards()["rainstorm"].words[Colour.YELLOW].at("桥村、岭村").speech in page.text
    assert 'data-expect="4"' in page.text
    assert "<noscript>" in page.text


def test_it_says_how_many_loudspeakers_phones_and_silent_ones(runtime: Runtime, sign_in: SignIn) -> None:
    with runtime.sessions.begin() as session:
        session.execute(update(Speaker).where(Speaker.id == f"s{HILL[-4:]}-1").values(online=False))
    page = sign_in("duty").get(f"/emergency?hazard=flash_flood&colour=red&area={NORTH}")
    numbers = re.search(r'class="reach">(.*?)</div></div>', page.text, re.DOTALL)
    assert numbers is not None
    assert re.findall(r"<b>(\d+)</b>", numbers[1]) == ["4", "3", "1"]
    assert re.findall(r"<li>(\S+) <b>", page.text) == ["桥村", "岭村"]
    without = sign_in("duty").get(f"/emergency?hazard=flash_flood&colour=red&area={NORTH}&sms=0")
    assert re.findall(r"<b>(\d+)</b>", without.text.split('class="reach"')[1])[:3] == ["4", "0", "1"]


def test_a_text_message_nobody_could_carry_is_said_before_it_is_needed(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = f"/emergency?hazard=flash_flood&colour=red&area={NORTH}"
    duty = sign_in("duty")
    assert "没有一家平台能发" not in duty.get(desk).text
    objection = Objection("sms_content_no_template", blocking=True)
    monkeypatch.setattr(LocalGateway, "check", lambda *_: [objection])
    page = duty.get(desk).text
    assert "这条短信现在没有一家平台能发，喇叭照样会响" in page
    assert "改成报过的模板" in page
    assert "没有一家平台能发" not in duty.get(f"{desk}&sms=0").text


def test_a_fragment_is_the_desk_alone(sign_in: SignIn) -> None:
    page = sign_in("duty").get(f"/emergency?hazard=cold&area={NORTH}", headers={"HX-Request": "true"})
    assert page.text.lstrip().startswith('<div class="urgent-split" id="desk"')
    assert "<html" not in page.text


def test_four_villages_and_more_are_called_by_what_lies_above_them(runtime: Runtime, sign_in: SignIn) -> None:
    page = sign_in("county").get(f"/emergency?hazard=cold&colour=red&area=own&village={NORTH}&village={FERRY}")
    assert hazards()["cold"].words[Colour.RED].at("北镇、渡村").speech in page.text
    page = sign_in("county").get(f"/emergency?hazard=cold&colour=red&area={COUNTY}")
    assert hazards()["cold"].words[Colour.RED].at("试县").speech in page.text


def test_nonsense_in_the_address_is_an_empty_desk_and_no_fault(sign_in: SignIn) -> None:
    page = sign_in("duty").get(f"/emergency?hazard=zombies&colour=pink&area={SOUTH}&village=%00&sms=x")
    assert page.status_code == 200
    assert "立即播发" not in page.text


# Confirming


def test_an_emergency_goes_the_whole_way(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    duty = sign_in("duty")
    address = armed(duty)
    page = duty.get(address)
    assert "data-countdown=" in page.text
    assert "取消，不播" in page.text
    assert '<noscript><meta http-equiv="refresh"' in page.text
    assert count(runtime, Broadcast) == 0
    assert fire(runtime, clock) == 1
    with runtime.sessions.read() as session:
        broadcast = session.scalars(select(Broadcast)).one()
        order = session.scalars(select(PlayOrder)).one()
        run = session.scalars(select(SmsRun)).one()
    assert broadcast.kind is Kind.EMERGENCY
    assert broadcast.text == hazards()["flash_flood"].words[Colour.RED].at("北镇").speech
    assert broadcast.title == wording().title_of(hazards()["flash_flood"], Colour.RED)
    assert broadcast.audio_sha256
    assert broadcast.volume == 100
    assert order.priority == Priority.EMERGENCY
    assert order.priority > Priority.ROUTINE
    assert run.priority == 0
    assert hazards()["flash_flood"].words[Colour.RED].at("北镇").sms in run.text
    page = duty.get(address)
    assert "0 / 4 只喇叭已经在响" in shown(page)
    assert "马上停止" in page.text
    assert "北镇值班员" in page.text


def test_whoever_changed_the_agreed_words_is_told_that_a_second_person_is_asked(
    runtime: Runtime, sign_in: SignIn
) -> None:
    duty = sign_in("duty")
    agreed = duty.post("/emergency", data=form(speakers="3")).text
    own = duty.post("/emergency", data=form(speakers="3", speech="河里涨水了，离河边远一点。")).text
    press = re.compile(r'id="go-speakers"[^>]*>(?:<svg.*?</svg>)?([^<]+)<')
    assert [found[1] for page in (agreed, own) if (found := press.search(page))] == ["立即播发", "请第二个人确认"]
    assert 'data-label="请第二个人确认"' in agreed


def test_a_wrong_number_sends_nothing_and_shows_the_page_again(runtime: Runtime, sign_in: SignIn) -> None:
    answer = sign_in("duty").post("/emergency", data=form(speakers="3"))
    assert answer.status_code == 409
    assert "要响的喇叭是 4 只，你输入的是 3" in answer.text
    assert hazards()["flash_flood"].words[Colour.RED].at("北镇").speech in answer.text
    assert 'data-expect="4"' in answer.text
    assert count(runtime, Alert) == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"speakers": ""}, "还没输入喇叭数"),
        ({"speakers": "四"}, "这里要填数字"),
        ({"speakers": "-4"}, "这里要填数字"),
        ({"speakers": "4" * 30}, "这里要填数字"),
        ({"hazard": "zombies"}, "先选出了什么事"),
        ({"hazard": ""}, "先选出了什么事"),
        ({"area": ""}, "还没选"),
        ({"area": "own"}, "还没选"),
        ({"area": SOUTH}, "还没选"),
        ({"area": "own", "village": [BRIDGE, FERRY]}, "还没选"),
        ({"area": "nowhere"}, "还没选"),
        ({"form_key": ""}, ""),
        ({"form_key": "x" * 90}, ""),
    ],
)
def test_a_form_that_makes_no_sense_arms_nothing(
    runtime: Runtime, sign_in: SignIn, wrong: dict[str, object], words: str
) -> None:
    answer = sign_in("duty").post("/emergency", data=form(**wrong))
    assert answer.status_code == 422
    assert words in answer.text
    assert 'id="errors"' in answer.text
    assert count(runtime, Alert) == 0


def test_reach_that_changed_between_looking_and_pressing_is_asked_again(runtime: Runtime, sign_in: SignIn) -> None:
    duty = sign_in("duty")
    assert 'data-expect="4"' in duty.get(f"/emergency?hazard=flash_flood&colour=red&area={NORTH}").text
    with runtime.sessions.begin() as session:
        a_speaker(session, "late-comer", region=HILL)
    answer = duty.post("/emergency", data=form(speakers="4"))
    assert answer.status_code == 409
    assert 'data-expect="5"' in answer.text
    assert count(runtime, Alert) == 0
    assert armed(duty, speakers="5")


def test_the_same_form_sent_twice_is_one_emergency(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    duty = sign_in("duty")
    assert armed(duty) == armed(duty)
    fire(runtime, clock)
    assert armed(duty, speakers="99").endswith(str(the_alert(runtime).id))
    fire(runtime, clock)
    assert count(runtime, Alert) == 1
    assert count(runtime, Broadcast) == 1


def test_the_form_of_somebody_else_arms_nothing_and_tells_nothing(runtime: Runtime, sign_in: SignIn) -> None:
    armed(sign_in("duty"))
    assert sign_in("strange_duty").post("/emergency", data=form(area=SOUTH, speakers="2")).status_code == 404
    assert count(runtime, Alert) == 1


def test_text_messages_can_be_left_out(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    # The hidden 0 comes first; a ticked box would come behind it.
    armed(sign_in("duty"), sms=["0"])
    fire(runtime, clock)
    assert count(runtime, SmsRun) == 0
    assert count(runtime, PlayOrder) == 1


def test_several_villages_are_one_emergency(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    address = armed(sign_in("county"), area="own", village=[BRIDGE, FERRY], speakers="4")
    fire(runtime, clock)
    assert the_alert(runtime).audience["regions"] == [BRIDGE, FERRY]
    page = sign_in("county").get(address)
    assert "桥村" in page.text
    assert "渡村" in page.text


def test_where_there_is_no_loudspeaker_it_goes_to_phones_alone(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    with runtime.sessions.begin() as session:
        for n in (1, 2):
            registry.retire(session, SYSTEM, f"s{HILL[-4:]}-{n}", now=clock())
    duty = sign_in("duty")
    page = duty.get(f"/emergency?hazard=cold&colour=red&area={HILL}")
    assert "这里没有喇叭" in page.text
    assert 'data-expect="0"' in page.text
    refused = duty.post("/emergency", data=form(area=HILL, speakers="0", sms="0"))
    assert refused.status_code == 422
    assert "也没有短信可发" in refused.text
    armed(duty, area=HILL, speakers="0")
    fire(runtime, clock)
    assert count(runtime, SmsRun) == 1


def test_it_sounds_in_quiet_hours(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    clock.now += timedelta(hours=17)
    duty = sign_in("duty")
    armed(duty)
    assert fire(runtime, clock) == 1
    assert count(runtime, PlayOrder) == 1


# Counting down


def test_cancelling_in_time_sends_nothing(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    duty = sign_in("duty")
    address = armed(duty)
    clock.now += timedelta(seconds=2.9)
    page = duty.post(f"{address}/cancel", follow_redirects=True)
    assert "已取消" in page.text
    assert "喇叭没响，短信没发" in page.text
    assert "data-countdown=" not in page.text
    assert fire(runtime, clock, 600) == 0
    assert [count(runtime, table) for table in (Broadcast, PlayOrder, SmsRun)] == [0, 0, 0]
    assert "已取消" in duty.post(f"{address}/cancel", follow_redirects=True).text


def test_cancelling_too_late_says_so_and_offers_to_stop(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    duty = sign_in("duty")
    address = armed(duty)
    fire(runtime, clock)
    page = duty.post(f"{address}/cancel", follow_redirects=True)
    assert "来不及取消" in page.text
    assert "马上停止" in page.text
    assert the_alert(runtime).state is AlertState.FIRED


def test_the_hub_counts_down_although_the_browser_is_gone(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    armed(sign_in("duty"))
    assert fire(runtime, clock, 2.0) == 0
    assert fire(runtime, clock, 1.1) == 1


def test_a_hub_that_wakes_up_too_late_stays_silent_and_says_so(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    address = armed(sign_in("duty"))
    assert fire(runtime, clock, 2 * 3600) == 0
    assert [count(runtime, table) for table in (Broadcast, PlayOrder, SmsRun)] == [0, 0, 0]
    assert the_alert(runtime).state is AlertState.MISSED
    page = sign_in("duty").get(address)
    assert "系统没在运行" in page.text
    with runtime.sessions.read() as session:
        assert session.scalars(select(AuditEntry.deed).where(AuditEntry.deed == "alert.missed")).all()


def test_between_the_countdown_and_the_first_sound_the_page_waits(clock: SetClock, sign_in: SignIn) -> None:
    duty = sign_in("duty")
    address = armed(duty)
    clock.now += timedelta(seconds=3)
    page = duty.get(address)
    assert "正在送出去" in page.text
    assert "every 1s" in page.text
    assert "马上停止" in page.text


# Sounding


def test_the_page_counts_who_sounds_and_says_where_to_phone(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    with runtime.sessions.begin() as session:
        session.execute(update(Speaker).where(Speaker.id == f"s{HILL[-4:]}-1").values(online=False))
    duty = sign_in("duty")
    assert "岭村 2 只，离线 1" in shown(duty.get("/emergency?hazard=flash_flood&colour=red"))
    address = armed(duty)
    fire(runtime, clock)
    report(runtime, PlayState.STARTED, f"s{BRIDGE[-4:]}-1", f"s{BRIDGE[-4:]}-2", clock=clock)
    words = shown(duty.get(address))
    assert "2 / 4 只喇叭已经在响" in words
    assert "1 只喇叭离线，没有响" in words
    assert "上门去喊：岭村 1 只" in words
    clock.now += timedelta(seconds=16)
    words = shown(duty.get(address))
    assert "2 只喇叭没有响 （1 只离线）" in words.replace("响（", "响 （")
    assert "上门去喊：岭村 2 只" in words


def test_the_page_asks_again_and_gets_only_what_is_new(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    duty = sign_in("duty")
    address = armed(duty)
    fire(runtime, clock)
    first = duty.get(f"{address}/progress?phase=sounding")
    assert first.status_code == 200
    assert "<html" not in first.text
    assert "<form" not in first.text
    again = duty.get(f"{address}/progress?phase=sounding", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    report(runtime, PlayState.STARTED, f"s{BRIDGE[-4:]}-1", clock=clock)
    changed = duty.get(f"{address}/progress?phase=sounding", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert "1</b> / <b>4" in changed.text


def test_when_it_becomes_another_page_the_browser_is_told_to_load_it(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    duty = sign_in("duty")
    address = armed(duty)
    clock.now += timedelta(seconds=3)
    assert "HX-Refresh" not in duty.get(f"{address}/progress?phase=leaving").headers
    fire(runtime, clock)
    assert duty.get(f"{address}/progress?phase=leaving").headers["HX-Refresh"] == "true"


def test_stopping_takes_one_press_and_silences_everything(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    duty = sign_in("duty")
    address = armed(duty)
    fire(runtime, clock)
    page = duty.post(f"{address}/stop", follow_redirects=True)
    assert "已停止" in page.text
    assert "马上停止" not in page.text
    with runtime.sessions.read() as session:
        broadcast = session.scalars(select(Broadcast)).one()
        order = session.scalars(select(PlayOrder)).one()
    assert broadcast.state is BroadcastState.STOPPED
    assert broadcast.stopped_by_name == "北镇值班员"
    assert order.state is OrderState.CALLED_OFF
    assert order.stop_seq is not None
    assert "已停止" in duty.post(f"{address}/stop", follow_redirects=True).text


def test_a_clerk_may_stop_it_even_in_the_countdown(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    address = armed(sign_in("duty"))
    assert "已取消" in sign_in("clerk").post(f"{address}/stop", follow_redirects=True).text
    assert fire(runtime, clock, 60) == 0


def test_what_is_over_cannot_be_stopped_afterwards(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    duty = sign_in("duty")
    address = armed(duty)
    fire(runtime, clock)
    with runtime.sessions.begin() as session:
        session.execute(update(Broadcast).values(state=BroadcastState.DONE))
    page = duty.post(f"{address}/stop", follow_redirects=True)
    assert "播完了" in page.text
    assert the_alert(runtime).state is AlertState.FIRED


def test_once_more_leads_to_the_confirmation_with_the_same_choice(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    county = sign_in("county")
    address = armed(county, area="own", village=[BRIDGE, FERRY], speakers="4", sms=["0"], colour="orange")
    fire(runtime, clock)
    link = re.search(r'href="([^"]+)"[^>]*>(?:(?!</a>).)*再播一遍', county.get(address).text)
    assert link is not None
    page = county.get(link[1].replace("&amp;", "&"))
    assert hazards()["flash_flood"].words[Colour.ORANGE].at("桥村、渡村").speech in page.text
    assert 'data-expect="4"' in page.text
    assert not re.search(r'type="checkbox" id="f-sms"[^>]* checked', page.text)
    assert count(runtime, Alert) == 1


def test_the_tone_alone_is_called_what_it_is(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    # In these tests the tone engine is the only one.
    duty = sign_in("duty")
    address = armed(duty)
    assert "声音没合成出来，喇叭只响警报声" in duty.get(address).text
    fire(runtime, clock)
    assert "声音没合成出来，喇叭只响警报声" in duty.get(address).text


def test_when_no_sound_can_be_made_loudspeakers_sound_what_they_keep(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    sound = runtime.config.data_dir / "sound"
    sound.unlink()
    sound.write_text("not a folder: nothing can be kept here")
    duty = sign_in("duty")
    address = armed(duty)
    assert "声音没做出来，喇叭播自己存的那一段" in duty.get(address).text
    fire(runtime, clock)
    assert "声音没做出来，喇叭播自己存的那一段" in duty.get(address).text
    assert count(runtime, SmsRun) == 1
    with runtime.sessions.read() as session:
        order = session.scalars(select(PlayOrder)).one()
    assert order.pack == "flash_flood-red"
    assert order.text == hazards()["flash_flood"].words[Colour.RED].at("北镇").speech


# Who may


def test_strangers_see_and_change_nothing(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    address = armed(sign_in("duty"))
    stranger = sign_in("strange_duty")
    for method, path in (
        ("GET", address),
        ("GET", f"{address}/progress"),
        ("POST", f"{address}/cancel"),
        ("POST", f"{address}/stop"),
    ):
        assert stranger.open(path, method=method).status_code == 404, path
    assert the_alert(runtime).state is AlertState.ARMED
    fire(runtime, clock)
    assert stranger.post(f"{address}/stop").status_code == 404
    assert the_alert(runtime).state is AlertState.FIRED
    assert stranger.post("/emergency", data=form(form_key="another-key-1", area=NORTH)).status_code == 422
    assert count(runtime, Alert) == 1


@pytest.mark.parametrize("login", ["clerk", "secretary", "viewer"])
def test_only_those_with_the_right_may_call_an_emergency(runtime: Runtime, sign_in: SignIn, login: str) -> None:
    browser = sign_in(login)
    assert browser.get("/emergency").status_code == 403
    assert browser.post("/emergency", data=form()).status_code == 403
    assert count(runtime, Alert) == 0


def test_a_viewer_may_look_but_neither_cancel_nor_stop(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    address = armed(sign_in("duty"))
    viewer = sign_in("viewer")
    page = viewer.get(address)
    assert page.status_code == 200
    assert "取消，不播" not in page.text
    assert viewer.post(f"{address}/cancel").status_code == 403
    assert viewer.post(f"{address}/stop").status_code == 403
    assert fire(runtime, clock) == 1
    assert viewer.post(f"{address}/stop").status_code == 403
    assert "马上停止" not in viewer.get(address).text


def test_nobody_signed_in_is_sent_to_sign_in_and_back(sign_in: SignIn, runtime: Runtime) -> None:
    address = armed(sign_in("duty"))
    browser = sign_in("duty")
    browser.post("/sign-out")
    answer = browser.get("/emergency?hazard=cold")
    assert answer.status_code == 302
    assert answer.location == "/sign-in?next=/emergency?hazard%3Dcold"
    for path in (address, f"{address}/progress"):
        assert "/sign-in" in browser.get(path).location
    for path in ("/emergency", f"{address}/cancel", f"{address}/stop"):
        assert "/sign-in" in browser.post(path, data=form(form_key="another-key-2")).location
    assert the_alert(runtime).state is AlertState.ARMED


def test_the_red_button_stands_in_the_menu_of_those_who_may(sign_in: SignIn) -> None:
    assert "side-emergency" in sign_in("duty").get("/", follow_redirects=True).text
    assert "side-emergency" not in sign_in("clerk").get("/", follow_redirects=True).text


def test_an_officer_of_two_villages_may_stop_what_they_started_in_both(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    """No single right of theirs covers the two villages, whose common region is the township."""
    rights = PERMISSIONS_OF[Role.DUTY_OFFICER]
    scopes = tuple(Scope(path_of(village), rights) for village in (BRIDGE, HILL))
    officer = Actor(id=uuid7(), name="两村值班员", scopes=scopes)
    place = "桥村、岭村"
    wish = Wish(
        form_key=KEY,
        hazard=hazards()["cold"],
        colour=Colour.RED,
        words=usual_words(hazards()["cold"], Colour.RED).at(place),
        place=place,
        audience=Audience((BRIDGE, HILL), sms=True),
        speakers_typed=4,
    )
    with runtime.sessions.begin() as session:
        spoken = Spoken(None, "")
        alert = service.arm(session, officer, wish, spoken, rules=runtime.get(Rules), now=clock())
    fire(runtime, clock)
    with runtime.sessions.begin() as session:
        assert service.stop(session, officer, alert.id, now=clock()).state is AlertState.STOPPED


def test_what_is_not_pressing_makes_way_shortly_before_a_countdown_is_over(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    armed(sign_in("duty"))
    began = the_alert(runtime).fires_at - timedelta(seconds=3)
    made_way: list[float] = []
    for seconds in (2.0, 2.6, 2.8, 3.0, 3.2):
        clock.now = began + timedelta(seconds=seconds)
        way = partial(made_way.append, seconds)
        fired = firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock(), make_way=way)
        assert fired == (seconds == 3.0)
    assert made_way == [2.8, 3.0]

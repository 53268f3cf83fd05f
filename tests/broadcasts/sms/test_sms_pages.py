"""The pages about text messages, and the doors through which providers report."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from builders import BRIDGE, COUNTY, FERRY, HILL, NORTH
from conftest import SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from smslab import lab_run
from sqlalchemy import select, update
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

import cunxiang
from broadcasts.delivery.rules import Rules
from broadcasts.sms.gateways.local import LocalGateway, read_switches
from broadcasts.sms.letters import inbound
from broadcasts.sms.models import SmsAttempt, SmsInbound, SmsMessage, SmsReceipt, SmsRun, SmsSubmission
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.reports import Inbound
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane, MessageState, Priority, Reason, RunState
from hub.app import build, open_runtime
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.residents import service as residents
from hub.residents.models import BlockedNumber
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput
from hub.web.words import catalogue

SignIn = Callable[[str], FlaskClient]
NUMBERS = {"张一": (BRIDGE, "13800001111"), "李二": (HILL, "13800002222"), "王三": (FERRY, "13800003333")}
TOKEN = "a-token-nobody-knows"
PUBLIC = "https://hub.example"


@pytest.fixture(autouse=True)
def people(app: OpenAPI, runtime: Runtime, clock: SetClock) -> None:
    with runtime.sessions.begin() as session:
        for name, (region, number) in NUMBERS.items():
            given = ResidentInput(name, region, (number,))
            residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock())


def a_run(runtime: Runtime, clock: SetClock, *, region: str = NORTH, sent: bool = True) -> UUID:
    """Send a text message to a region and let the simulated phones answer."""
    with runtime.sessions.begin() as session:
        run = lab_run(session, regions=(region,), text="明天上午停水", now=clock(), priority=Priority.EMERGENCY)
        broadcast_id = run.broadcast_id
    if sent:
        work(runtime, clock)
    return broadcast_id


def work(runtime: Runtime, clock: SetClock) -> None:
    gateway = runtime.get(SmsProvider).gateway
    assert isinstance(gateway, LocalGateway)
    rules = runtime.get(Rules)
    pump = SmsPump(
        runtime.sessions,
        runtime.get(PhoneSafe),
        runtime.get(SmsProvider).routes,
        clock,
        rules.sms,
        zone=rules.zone,
        lane=Lane.EMERGENCY,
    )
    while pump.step() == 0.0:
        pass
    clock.now += timedelta(seconds=10)
    gateway.step()
    pump.step()
    pump.close()


def state_of(runtime: Runtime, broadcast_id: UUID, state: MessageState, **values: object) -> None:
    with runtime.sessions.begin() as session:
        session.execute(update(SmsMessage).where(SmsMessage.broadcast_id == broadcast_id).values(state=state, **values))


def wrote(runtime: Runtime, clock: SetClock, name: str, text: str, ref: str) -> None:
    with runtime.sessions.begin() as session:
        number = NUMBERS[name][1] if name in NUMBERS else name
        found = [Inbound(number, text, ref, clock())]
        inbound.receive(session, runtime.get(PhoneSafe), "local", found, now=clock())


def shown(answer: TestResponse) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


# What went out


def test_what_went_out_is_listed_with_who_has_it_and_what_it_costs(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    a_run(runtime, clock)
    words = shown(sign_in("clerk").get("/sms"))
    assert "明天上午停水" in words
    assert "2 / 2 人收到" in words
    assert "2 条" in words
    assert "0.09 元" in words
    assert "发完了" in words
    assert "没有真的发出去" in words


def test_somebody_sees_only_runs_that_reach_their_residents(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    north, south = a_run(runtime, clock), a_run(runtime, clock, region=FERRY)
    whole = a_run(runtime, clock, region=COUNTY)
    stranger = sign_in("stranger")
    page = stranger.get("/sms")
    assert str(north) not in page.text
    assert str(south) in page.text
    assert str(whole) in page.text
    words = shown(stranger.get(f"/sms/{whole}"))
    assert "王三" in words
    assert "张一" not in words
    assert "下面只算你管的村" in words
    assert "一共 1 人要发" in words
    assert "一共 3 人要发" in shown(sign_in("county").get(f"/sms/{whole}"))


def test_one_run_shows_every_person_with_a_masked_number(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    broadcast_id = a_run(runtime, clock)
    page = sign_in("clerk").get(f"/sms/{broadcast_id}")
    assert all(name in page.text for name in ("张一", "李二"))
    assert "138****1111" in page.text
    assert not [number for _, number in NUMBERS.values() if number in page.text]


def test_earlier_tries_stand_below_the_last(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    broadcast_id = a_run(runtime, clock)
    with runtime.sessions.begin() as session:
        message = session.scalars(select(SmsMessage).where(SmsMessage.broadcast_id == broadcast_id)).first()
        assert message is not None
        assert message.submission_id is not None
        tried = {"broadcast_id": broadcast_id, "message_id": message.id, "submission_id": message.submission_id}
        ended = {"ended_at": clock(), "state": MessageState.FAILED, "code": "isv.BLACK"}
        session.add(SmsAttempt(**tried, **ended, provider="aliyun"))
    words = shown(sign_in("clerk").get(f"/sms/{broadcast_id}"))
    assert words.count("第 1 次：阿里云短信，") == 1
    assert "代号 isv.BLACK" in words


def test_what_each_provider_bills_is_named_when_they_differ(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    broadcast_id = a_run(runtime, clock)
    clerk = sign_in("clerk")
    assert "模拟短信" not in shown(clerk.get(f"/sms/{broadcast_id}/summary"))
    with runtime.sessions.begin() as session:
        session.get_one(SmsRun, broadcast_id).tariff = {"aliyun": [2, 550]}
        message = session.scalars(select(SmsMessage).where(SmsMessage.broadcast_id == broadcast_id)).first()
        assert message is not None
        message.provider = "aliyun"
    words = shown(clerk.get(f"/sms/{broadcast_id}/summary"))
    assert "阿里云短信 2 条 0.11 元，模拟短信 1 条 0.05 元。" in words
    assert "一共 3 条" in words


def test_the_old_address_of_a_run_leads_to_it(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    broadcast_id = a_run(runtime, clock)
    assert sign_in("clerk").get(f"/sms?broadcast_id={broadcast_id}").location == f"/sms/{broadcast_id}"


@pytest.mark.parametrize("state", list(MessageState))
def test_every_state_is_said_in_words_and_explained(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, state: MessageState
) -> None:
    broadcast_id = a_run(runtime, clock)
    state_of(runtime, broadcast_id, state)
    words = shown(sign_in("clerk").get(f"/sms/{broadcast_id}?state={state.value}"))
    assert state.value not in words
    assert "张一" in words


def test_no_state_and_no_reason_is_without_words(app: OpenAPI) -> None:
    with app.test_request_context():
        states = app.jinja_env.get_template("broadcasts/sms/_words.html").module.STATES  # type: ignore[attr-defined]
    assert set(states) == {state.value for state in MessageState}
    assert all(len(item) == 3 and all(item) for item in states.values())
    assert len({item[0] for item in states.values()}) == len(MessageState)
    assert {f"sms_reason_{reason.value}" for reason in Reason} <= set(catalogue())


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_said_in_words(runtime: Runtime, clock: SetClock, sign_in: SignIn, reason: Reason) -> None:
    broadcast_id = a_run(runtime, clock)
    state_of(runtime, broadcast_id, MessageState.FAILED, reason=reason.value)
    words = shown(sign_in("clerk").get(f"/sms/{broadcast_id}"))
    assert catalogue()[f"sms_reason_{reason.value}"]["zh"] in words


def test_people_are_paged_and_filtered(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    with runtime.sessions.begin() as session:
        for n in range(60):
            given = ResidentInput(f"村民{n:02d}", BRIDGE, (f"139000{n:05d}",))
            residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock())
    broadcast_id = a_run(runtime, clock)
    clerk = sign_in("clerk")
    page = clerk.get(f"/sms/{broadcast_id}")
    assert page.text.count('data-label="姓名"') == 50
    following = re.search(r'href="([^"]+)" rel="next"', page.text)
    assert following is not None
    rest = clerk.get(following[1].replace("&amp;", "&"))
    assert rest.text.count('data-label="姓名"') == 12
    assert 'rel="next"' not in rest.text
    assert "没有这样的短信" in clerk.get(f"/sms/{broadcast_id}?state=unknown").text


def test_the_numbers_refresh_by_themselves(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    broadcast_id = a_run(runtime, clock, sent=False)
    clerk = sign_in("clerk")
    assert "every 3s" in clerk.get(f"/sms/{broadcast_id}").text
    first = clerk.get(f"/sms/{broadcast_id}/summary")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert clerk.get(f"/sms/{broadcast_id}/summary", headers=tag).status_code == 304
    work(runtime, clock)
    assert clerk.get(f"/sms/{broadcast_id}/summary", headers=tag).status_code == 200


def test_a_run_that_stands_still_says_why_and_goes_on(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    broadcast_id = a_run(runtime, clock, sent=False)
    with runtime.sessions.begin() as session:
        session.execute(update(SmsRun).values(paused_reason="gateway_configuration", paused_code="20003"))
    clerk = sign_in("clerk")
    assert "停住了" in clerk.get("/sms").text
    page = clerk.get(f"/sms/{broadcast_id}")
    assert "20003" in page.text
    assert "继续发" in page.text
    assert clerk.post(f"/sms/{broadcast_id}/resume").status_code == 302
    with runtime.sessions.read() as session:
        assert session.scalars(select(SmsRun.paused_reason)).all() == [""]
    assert clerk.post(f"/sms/{broadcast_id}/resume").status_code == 409


def test_the_doubtful_ones_can_be_sent_once_more(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    broadcast_id = a_run(runtime, clock)
    state_of(runtime, broadcast_id, MessageState.UNKNOWN)
    clerk = sign_in("clerk")
    assert "补发不明的 2 人" in shown(clerk.get(f"/sms/{broadcast_id}"))
    assert "补发不明的 2 人" not in shown(sign_in("approver").get(f"/sms/{broadcast_id}"))
    page = clerk.post(f"/sms/{broadcast_id}/resend", follow_redirects=True)
    assert "正在给 2 个人补发" in page.text
    with runtime.sessions.read() as session:
        assert set(session.scalars(select(SmsMessage.state))) == {MessageState.CREATED}
        assert session.scalars(select(SmsRun.state)).one() is RunState.GOING
    assert clerk.post(f"/sms/{broadcast_id}/resend").status_code == 409


# What residents wrote


def test_cries_for_help_stand_above_everything_else(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    wrote(runtime, clock, "张一", "救命，我家后面在滑坡", "m1")
    wrote(runtime, clock, "李二", "收到，谢谢", "m2")
    wrote(runtime, clock, "张一", "退订", "m3")
    clerk = sign_in("clerk")
    page = clerk.get("/sms/inbox")
    assert page.text.index("滑坡") < page.text.index("收到，谢谢")
    assert page.text.count("救命，我家后面在滑坡") == 1
    assert "退订" not in page.text
    assert "已退订" in clerk.get("/sms/inbox?done=1").text
    assert "可能要救人" in page.text
    assert page.text.count("/handled") == 1, "a cry for help is not closed with one press on a list"
    assert "桥村" in page.text
    assert re.search(r'<b class="count">2<', page.text)


def test_what_is_dealt_with_leaves_the_list(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    wrote(runtime, clock, "张一", "水淹进来了", "m1")
    clerk = sign_in("clerk")
    with runtime.sessions.read() as session:
        kept = session.scalars(select(SmsInbound)).one()
    page = clerk.post(f"/sms/inbox/{kept.id}/handled", follow_redirects=True)
    assert "水淹进来了" not in page.text
    assert "没有要处理的短信" in page.text
    assert 'class="count"' not in page.text
    assert "水淹进来了" in clerk.get("/sms/inbox?done=1").text


def test_a_number_nobody_has_is_dealt_with_by_the_county(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    wrote(runtime, clock, "13900009999", "你好", "m1")
    assert "你好" not in sign_in("clerk").get("/sms/inbox").text
    county = sign_in("county")
    assert "名单上没有的号码" in county.get("/sms/inbox").text
    with runtime.sessions.read() as session:
        kept = session.scalars(select(SmsInbound)).one()
    assert sign_in("clerk").post(f"/sms/inbox/{kept.id}/handled").status_code == 404
    assert "你好" not in county.post(f"/sms/inbox/{kept.id}/handled", follow_redirects=True).text


# Simulated phones


def phone_of(page: TestResponse, name: str) -> str:
    found = re.search(rf'href="(/sms/phones/[0-9a-f]+)">打开 {name} 的手机', page.text)
    assert found is not None, page.text
    return found[1]


def test_a_simulated_phone_shows_what_came_and_can_write_back(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    a_run(runtime, clock)
    clerk = sign_in("clerk")
    page = clerk.get("/sms/phones")
    assert "没有真的发出去" in page.text
    assert page.text.count("明天上午停水") == 2
    assert "王三" not in page.text
    phone = phone_of(page, "张一")
    assert "收到" in clerk.get(phone).text
    assert "1 条 4.5 分" in clerk.get(phone).text
    answer = clerk.post(f"{phone}/reply", data={"text": "退订"}, follow_redirects=True)
    assert "退订" in answer.text
    with runtime.sessions.read() as session:
        assert len(session.scalars(select(BlockedNumber)).all()) == 1
        assert session.scalars(select(SmsInbound.command)).all() == ["opt_out"]


@pytest.mark.parametrize(("text", "words"), [("", "sms_reply_missing"), ("长" * 301, "sms_reply_too_long")])
def test_an_answer_that_cannot_be_is_refused_with_words(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, text: str, words: str
) -> None:
    a_run(runtime, clock)
    clerk = sign_in("clerk")
    phone = phone_of(clerk.get("/sms/phones"), "张一")
    answer = clerk.post(f"{phone}/reply", data={"text": text})
    assert answer.status_code == 422
    assert catalogue()[words]["zh"].split("{")[0] in answer.text
    with runtime.sessions.read() as session:
        assert session.scalars(select(SmsInbound)).all() == []


def test_only_the_county_may_make_the_network_fail(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    wanted = {"fail_percent": "10", "extra_delay_s": "2.5", "drop_percent": "0", "stopped": "1"}
    assert "照这样模拟" not in sign_in("clerk").get("/sms/phones").text
    assert sign_in("clerk").post("/sms/phones/switches", data=wanted).status_code == 403
    with runtime.sessions.read() as session:
        assert not read_switches(session).stopped
    county = sign_in("county")
    assert county.post("/sms/phones/switches", data=wanted).status_code == 302
    with runtime.sessions.read() as session:
        found = read_switches(session)
    assert (found.fail_percent, found.extra_delay_s, found.drop_percent, found.stopped) == (10, 2.5, 0, True)
    wrong = county.post("/sms/phones/switches", data=wanted | {"fail_percent": "1000", "drop_percent": "x"})
    assert wrong.status_code == 422
    assert "0 到 100" in wrong.text


# Who may


ROUTES = (
    ("GET", "/sms/{run}"),
    ("GET", "/sms/{run}/summary"),
    ("POST", "/sms/{run}/resume"),
    ("POST", "/sms/{run}/resend"),
    ("GET", "/sms/inbox/{letter}"),
    ("POST", "/sms/inbox/{letter}/take"),
    ("POST", "/sms/inbox/{letter}/call"),
    ("POST", "/sms/inbox/{letter}/text"),
    ("POST", "/sms/inbox/{letter}/pass-on"),
    ("POST", "/sms/inbox/{letter}/handled"),
    ("POST", "/sms/inbox/{letter}/reopen"),
    ("GET", "/sms/{run}/answers"),
    ("GET", "/sms/phones/{phone}"),
    ("POST", "/sms/phones/{phone}/reply"),
)
OPEN = (("GET", "/sms"), ("GET", "/sms/inbox"), ("GET", "/sms/phones"), ("POST", "/sms/phones/switches"))


@pytest.fixture
def addresses(runtime: Runtime, clock: SetClock) -> dict[str, str]:
    run = a_run(runtime, clock)
    state_of(runtime, run, MessageState.UNKNOWN)
    wrote(runtime, clock, "张一", "救命", "m1")
    with runtime.sessions.begin() as session:
        session.execute(update(SmsRun).values(paused_reason="gateway_configuration"))
        letter = session.scalars(select(SmsInbound.id)).one()
    phone = runtime.get(PhoneSafe).index("+8613800001111").hex()
    return {"run": str(run), "letter": str(letter), "phone": phone}


def test_strangers_see_and_change_nothing(runtime: Runtime, addresses: dict[str, str], sign_in: SignIn) -> None:
    stranger = sign_in("stranger")
    for method, path in ROUTES:
        answer = stranger.open(path.format(**addresses), method=method, data={"text": "冒充"})
        assert answer.status_code == 404, path
    for path in ("/sms", "/sms/inbox", "/sms/inbox?done=1", "/sms/phones"):
        page = stranger.get(path)
        assert "张一" not in page.text
        assert "明天上午停水" not in page.text
    with runtime.sessions.read() as session:
        assert set(session.scalars(select(SmsMessage.state))) == {MessageState.UNKNOWN}
        assert session.scalars(select(SmsInbound.handled_at)).all() == [None]
        assert session.scalars(select(SmsRun.paused_reason)).all() == ["gateway_configuration"]


@pytest.mark.parametrize("login", ["viewer", "duty"])
def test_whoever_may_not_see_residents_sees_none_of_it(addresses: dict[str, str], sign_in: SignIn, login: str) -> None:
    browser = sign_in(login)
    answers = login == "duty"
    for method, path in (*ROUTES, *OPEN):
        if not (answers and ("/inbox" in path or path.endswith("/answers"))):
            assert browser.open(path.format(**addresses), method=method).status_code == 403, path
    assert ("短信收件" in browser.get("/", follow_redirects=True).text) == answers


def test_the_duty_officer_sees_a_cry_for_help_and_deals_with_it(addresses: dict[str, str], sign_in: SignIn) -> None:
    duty = sign_in("duty")
    assert "救命" in duty.get("/").text, "an alarm on the overview"
    where = "/sms/inbox/" + addresses["letter"]
    assert "还没有人接手" in duty.get(where).text
    shown = duty.post(f"{where}/call")
    assert "13800001111" in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    assert "13800001111" not in duty.get(where).text, "shown once, to who asked"
    assert "北镇值班员在处理" in duty.get(where).text
    assert "北镇值班员" in duty.get("/").text, "others see that somebody takes care of it"
    refused = duty.post(f"{where}/pass-on")
    assert (refused.status_code, "先给村干部加上标签" in refused.text) == (422, True)
    assert duty.post(f"{where}/text", data={"text": ""}).status_code == 422
    assert duty.post(f"{where}/text", data={"text": "人先离开屋子"}).status_code == 302
    assert duty.post(f"{where}/handled", data={"note": "已派人接走"}).status_code == 302
    page = duty.get(where).text
    assert "已派人接走" in page
    assert "人先离开屋子" in page
    assert "救命" not in duty.get("/").text


def test_nobody_signed_in_is_sent_to_sign_in(app: OpenAPI, addresses: dict[str, str]) -> None:
    browser = app.test_client()
    for method, path in (*ROUTES, *OPEN):
        answer = browser.open(path.format(**addresses), method=method)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/sign-in"), path


# Providers' reports


@pytest.fixture
def twilio_hub(tmp_path: Path, runtime: Runtime, clock: SetClock) -> Iterator[tuple[OpenAPI, Runtime]]:
    """The same hub opened again with Twilio as its provider, guarded against forged forms as in real life."""
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": runtime.config.data_dir, "public_url": PUBLIC},
        "speech": {"engines": ("tone",)},
        "mqtt": {"engine": "embedded", "port": 0},
        "sms": {"gateways": ("twilio",), "hooks_from": ("twilio=127.0.0.1",)},
        "twilio": {
            "account_sid": "AC00000000000000000000000000000000",
            "auth_token": TOKEN,
            "sender": "+15005550006",
        },
    }
    opened = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=clock)
    yield build(opened, cunxiang.FEATURES), opened
    opened.sessions.engine.dispose()


def signed(path: str, fields: dict[str, str], *, token: str = TOKEN) -> dict[str, str]:
    return {"X-Twilio-Signature": RequestValidator(token).compute_signature(PUBLIC + path, fields)}


def sent_message(opened: Runtime, clock: SetClock) -> SmsMessage:
    with opened.sessions.begin() as session:
        run = lab_run(session, regions=(BRIDGE,), now=clock())
        session.flush()
        message = SmsMessage(
            broadcast_id=run.broadcast_id,
            phone_index=b"i" * 16,
            sealed=b"s",
            masked="138****1111",
            resident_id=run.broadcast_id,
            region_path=path_of(BRIDGE),
            state=MessageState.SENT,
            parts=1,
            attempts=1,
            next_try_at=clock(),
            provider="twilio",
            provider_ref="SM123",
            changed_at=clock(),
        )
        session.add(message)
        session.flush()
        return message


def test_a_signed_report_counts_and_a_replay_is_harmless(twilio_hub: tuple[OpenAPI, Runtime], clock: SetClock) -> None:
    app, opened = twilio_hub
    message = sent_message(opened, clock)
    path = f"/hooks/sms/twilio/receipts?m={message.broadcast_id.hex}.{message.id}"
    fields = {"MessageSid": "SM123", "MessageStatus": "delivered"}
    for _ in range(3):
        answer = app.test_client().post(path, data=fields, headers=signed(path, fields))
        assert answer.status_code == 200
    with opened.sessions.read() as session:
        assert session.scalars(select(SmsMessage.state)).all() == [MessageState.DELIVERED]
        assert len(session.scalars(select(SmsReceipt)).all()) == 1
    late = {"MessageSid": "SM123", "MessageStatus": "sent"}
    assert app.test_client().post(path, data=late, headers=signed(path, late)).status_code == 200
    with opened.sessions.read() as session:
        assert session.scalars(select(SmsMessage.state)).all() == [MessageState.DELIVERED]


def test_a_report_from_elsewhere_than_the_provider_is_turned_away(
    twilio_hub: tuple[OpenAPI, Runtime], clock: SetClock
) -> None:
    app, opened = twilio_hub
    message = sent_message(opened, clock)
    path = f"/hooks/sms/twilio/receipts?m={message.broadcast_id.hex}.{message.id}"
    fields = {"MessageSid": "SM123", "MessageStatus": "delivered"}
    for address, answer, state in (
        ("198.51.100.7", 403, MessageState.SENT),
        ("127.0.0.1", 200, MessageState.DELIVERED),
    ):
        came_from = {"REMOTE_ADDR": address}
        headers = signed(path, fields)
        answered = app.test_client().post(path, data=fields, headers=headers, environ_overrides=came_from)
        assert answered.status_code == answer
        with opened.sessions.read() as session:
            assert session.scalars(select(SmsMessage.state)).all() == [state]


@pytest.mark.parametrize("forged", ["missing", "other token", "other field", "other address"])
def test_a_report_that_is_not_the_providers_changes_nothing(
    twilio_hub: tuple[OpenAPI, Runtime], clock: SetClock, forged: str
) -> None:
    app, opened = twilio_hub
    message = sent_message(opened, clock)
    path = f"/hooks/sms/twilio/receipts?m={message.broadcast_id.hex}.{message.id}"
    fields = {"MessageSid": "SM123", "MessageStatus": "delivered"}
    headers = {
        "missing": {},
        "other token": signed(path, fields, token="guessed"),
        "other field": signed(path, fields | {"MessageStatus": "failed"}),
        "other address": signed("/hooks/sms/twilio/inbound", fields),
    }[forged]
    assert app.test_client().post(path, data=fields, headers=headers).status_code == 403
    with opened.sessions.read() as session:
        assert session.scalars(select(SmsMessage.state)).all() == [MessageState.SENT]
        assert session.scalars(select(SmsReceipt)).all() == []


def test_a_resident_writes_through_the_provider_once_however_often_it_is_delivered(
    twilio_hub: tuple[OpenAPI, Runtime],
) -> None:
    app, opened = twilio_hub
    path = "/hooks/sms/twilio/inbound"
    fields = {"MessageSid": "SM9", "From": "+8613800001111", "Body": "救命，水淹了", "SmsStatus": "received"}
    for _ in range(2):
        answer = app.test_client().post(path, data=fields, headers=signed(path, fields))
        assert answer.status_code == 200
        assert answer.content_type.startswith("text/xml")
        assert answer.text == "<Response/>"
    with opened.sessions.read() as session:
        kept = session.scalars(select(SmsInbound)).one()
    assert kept.urgent
    assert kept.region_path == path_of(BRIDGE)
    assert app.test_client().post(path, data=fields).status_code == 403


def test_no_simulated_phones_beside_a_real_provider(twilio_hub: tuple[OpenAPI, Runtime]) -> None:
    app, _ = twilio_hub
    app.config["WTF_CSRF_ENABLED"] = False
    browser = app.test_client()
    browser.post("/sign-in", data={"login": "county", "password": "correct-horse-7"}, base_url=PUBLIC)
    assert "模拟手机" not in browser.get("/sms", base_url=PUBLIC).text
    assert "短信记录" in browser.get("/sms", base_url=PUBLIC).text
    for method, path in (
        ("GET", "/sms/phones"),
        ("GET", "/sms/phones/abcd"),
        ("POST", "/sms/phones/abcd/reply"),
        ("POST", "/sms/phones/switches"),
    ):
        assert browser.open(path, method=method, base_url=PUBLIC).status_code == 404, path


def test_the_doors_of_other_providers_are_shut(app: OpenAPI, runtime: Runtime) -> None:
    browser = app.test_client()
    for door in ("receipts", "inbound"):
        assert browser.post(f"/hooks/sms/twilio/{door}", data={"MessageSid": "x"}).status_code == 404
        # Nobody reports to the built-in gateway over the web.
        assert browser.post(f"/hooks/sms/local/{door}", data={"MessageSid": "x"}).status_code == 403
    with runtime.sessions.read() as session:
        assert session.scalars(select(SmsSubmission)).all() == []
        assert session.scalars(select(SmsReceipt)).all() == []

"""Ready-made texts with what providers say of them, and the unit's own telephones."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from builders import BRIDGE
from composelab import a_form, residents_in
from conftest import SetClock
from flask.testing import FlaskClient
from smslab import EAST, NOON, WEST, Lab, LabGateway, lab_actor, lab_safe, lab_settings, mobile, somebody
from sqlalchemy import select

from broadcasts.sms.gateway import Caps, Objection
from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.purposes import Purpose
from broadcasts.sms.segments import parts_of, signed
from broadcasts.sms.wording import templates, trying
from broadcasts.sms.wording.objecting import objected
from broadcasts.sms.wording_models import FilingState
from hub.core.db import Sessions
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime

SignIn = Callable[[str], FlaskClient]


def test_the_pack_has_a_text_for_every_need_short_and_without_forbidden_signs(sms_sessions: Sessions) -> None:
    with sms_sessions.begin() as session:
        assert templates.start_with_pack(session, lab_actor(), now=NOON) == len(templates.pack()) >= 12
        assert templates.start_with_pack(session, lab_actor(), now=NOON) == 0, "once"
        for kept in templates.every(session):
            assert not set(kept.template.text) & set("【】①②★※•→")
            assert parts_of(signed(kept.template.text, "青石镇")) <= 2
            assert kept.template.topic in templates.TOPICS


def test_a_changed_text_has_to_be_filed_anew(sms_sessions: Sessions) -> None:
    with sms_sessions.begin() as session:
        one = templates.save(session, lab_actor(), None, "涨水", "safety", "{地点}涨水，快走。", now=NOON)
        with pytest.raises(BadInput, match="sms_template_why"):
            templates.file(session, lab_actor(), one.id, "aliyun", FilingState.REJECTED, now=NOON)
        templates.file(session, lab_actor(), one.id, "aliyun", FilingState.APPROVED, code="SMS_1", now=NOON)
        templates.save(session, lab_actor(), one.id, "涨水了", "safety", "{地点}涨水，快走。", now=NOON)
        (kept,) = templates.every(session)
        assert kept.state("aliyun") is FilingState.APPROVED, "only its title changed"
        found = templates.fitting(session, "沿河村涨水，快走。")
        assert found is not None
        assert templates.fitting(session, "今天开会") is None
        templates.save(session, lab_actor(), one.id, "涨水", "safety", "{地点}涨水，请马上走。", now=NOON)
        (kept,) = templates.every(session)
        assert kept.state("aliyun") is FilingState.DRAFT
        with pytest.raises(NotAllowed):
            templates.save(session, lab_actor(EAST), one.id, "涨水", "safety", "别的", now=NOON)


@pytest.mark.parametrize(
    ("title", "text", "code"),
    [
        ("", "有字", "sms_template_title"),
        ("涨水", "", "sms_template_text"),
        ("涨水", "{地点}{时间}", "sms_template_only_blanks"),
        ("涨水", "【青石镇】涨水", "sms_text_brackets"),
    ],
)
def test_a_text_no_provider_would_take_is_refused(sms_sessions: Sessions, title: str, text: str, code: str) -> None:
    with sms_sessions.begin() as session, pytest.raises(BadInput) as refused:
        templates.save(session, lab_actor(), None, title, "safety", text, now=NOON)
    assert refused.value.code == code


def test_a_test_reaches_the_units_own_telephones_and_never_the_public(lab: Lab) -> None:
    clerk = lab_actor(EAST)
    with lab.sessions.begin() as session:
        for i in range(20):
            somebody(session, mobile(100 + i), name=f"村民{i}")
        with pytest.raises(BadInput, match="test_group_empty"):
            trying.send(session, clerk, "明天停水", settings=lab_settings(), now=NOON)
        phone = trying.add(session, clerk, "小王", "13800000001", safe=lab_safe(), now=NOON)
        for number in ("13800000001", "0871-6123456", "1380"):
            with pytest.raises(BadInput):
                trying.add(session, clerk, "小王", number, safe=lab_safe(), now=NOON)
        with pytest.raises(NotFound):
            trying.remove(session, lab_actor(WEST), phone.id, now=NOON)
        assert trying.send(session, clerk, "明天停水", settings=lab_settings(), now=NOON) == 1
        with pytest.raises(WrongState, match="test_too_often"):
            trying.send(session, clerk, "明天停水", settings=lab_settings(), now=NOON)
    lab.clock.now = NOON + timedelta(minutes=1)
    lab.work()
    assert lab.gateway.numbers == [mobile(1)]
    assert lab.gateway.calls[0].text == "【青石镇】（试发）明天停水"
    with lab.sessions.read() as session:
        assert session.scalars(select(SmsRun.purpose)).all() == [Purpose.TEST]
        assert len(session.scalars(select(SmsMessage.id)).all()) == 1


def test_the_page_of_texts_and_telephones(sign_in: SignIn, runtime: Runtime) -> None:
    county, clerk = sign_in("county"), sign_in("clerk")
    assert county.get("/sms/templates").status_code == 403, "an administrator writes nothing"
    assert "加入现成的" not in clerk.get("/sms/templates").text, "the county's texts are the county's"
    assert clerk.post("/sms/templates/pack").status_code == 403
    assert clerk.post("/sms/test-phones", data={"name": "小王", "phone": "1380"}).status_code == 422
    assert clerk.post("/sms/test-phones", data={"name": "小王", "phone": "13800007777"}).status_code == 302
    page = clerk.get("/sms/templates").text
    assert "138****7777" in page
    assert "13800007777" not in page
    assert "138****7777" not in sign_in("stranger").get("/sms/templates").text


def test_trying_from_the_compose_page_keeps_the_form(sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    residents_in(runtime, BRIDGE, "13800000001")
    clerk = sign_in("clerk")
    form = a_form(channel=["sms"], sms_text="明天停水")
    refused = clerk.post("/compose/try", data=form)
    assert (refused.status_code, "还没有试发手机" in refused.text) == (422, True)
    clerk.post("/sms/test-phones", data={"name": "小王", "phone": "13800007777"})
    answer = clerk.post("/compose/try", data=form)
    assert "发到了 1 部试发手机" in answer.text
    assert "明天停水</textarea>" in answer.text
    with runtime.sessions.read() as session:
        assert session.scalars(select(SmsRun.text)).one().endswith("（试发）明天停水")


def test_what_a_provider_objects_to_is_said_while_writing(sign_in: SignIn, runtime: Runtime) -> None:
    clerk = sign_in("clerk")
    form = a_form(channel=["speakers", "sms"], sms_text="明天【停水】")
    assert "【】" in clerk.post("/compose/preview", data=form).text
    provider = runtime.get(SmsProvider)
    (found,) = objected(provider, "明天【停水】", lab_settings(), "zh")
    assert (found.gateway, found.blocking) == ("local", True)
    assert objected(provider, "明天停水", lab_settings(), "zh") == []
    assert isinstance(provider.gateway.check("【村响】明天【停水】")[0], Objection)


def test_only_a_provider_that_wants_texts_filed_is_filed_with(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        one = templates.save(session, lab_actor(), None, "大雨", "safety", "{地点}今晚有大雨。", now=NOON)
    clerk, address = sign_in("clerk"), f"/sms/templates/{one.id}"
    assert "模拟短信不用报备" in clerk.get(address).text
    assert "报备：" not in clerk.get(address).text
    assert "<th>报备</th>" not in clerk.get("/sms/templates").text.replace(' scope="col"', "")
    caps = Caps(max_per_call=1, receipts=True, inbound=True, query=False, free_text=False, blank="${v#}")
    routes = runtime.get(SmsProvider).routes
    routes.lines = [*routes.lines, replace(routes.lines[0], gateway=LabGateway(name="aliyun", caps=caps))]
    page = clerk.get(address).text
    assert "报备：阿里云短信" in page
    assert "${v1}今晚有大雨。" in page
    assert "阿里云短信 <" in clerk.get("/sms/templates").text

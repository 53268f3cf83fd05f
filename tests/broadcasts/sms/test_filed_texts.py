"""Texts a provider has approved: its gateway sends them by its own code, and the compose page fills them in."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from builders import BRIDGE
from composelab import a_form, residents_in
from faultserver import fault_server
from flask.testing import FlaskClient
from gatewaylab import submission
from smslab import NOON, lab_actor, lab_context, lab_settings

from broadcasts.sms.gateway import Accepted, SmsGateway
from broadcasts.sms.gateways.aliyun import AliyunGateway
from broadcasts.sms.gateways.filed import blanks_of, fit, read_templates, spelled
from broadcasts.sms.gateways.sections import AliyunSettings, TencentSettings
from broadcasts.sms.gateways.tencent import TencentGateway
from broadcasts.sms.providers.filed_texts import FiledTexts
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.providers.routing import routes_of
from broadcasts.sms.wording import templates
from broadcasts.sms.wording.objecting import offers
from broadcasts.sms.wording_models import FilingState
from hub.core.db import Sessions
from hub.core.errors import BadInput
from hub.core.runtime import Runtime

SignIn = Callable[[str], FlaskClient]
TEXT = "{地点}今晚有大雨，请{做什么}。"


def kept(sessions: Sessions, *providers: tuple[str, str], text: str = TEXT) -> UUID:
    with sessions.begin() as session:
        one = templates.save(session, lab_actor(), None, "大雨", "safety", text, now=NOON)
        for provider, code in providers:
            templates.file(session, lab_actor(), one.id, provider, FilingState.APPROVED, code=code, now=NOON)
        return one.id


def test_blanks_are_written_as_each_provider_wants_them() -> None:
    assert spelled(TEXT, "${v#}") == "${v1}今晚有大雨，请${v2}。"
    assert spelled(TEXT, "{#}") == "{1}今晚有大雨，请{2}。"
    assert spelled(TEXT, "") == TEXT
    assert spelled("今晚有大雨。", "{#}") == "今晚有大雨。"
    assert blanks_of(TEXT) == ("地点", "做什么")
    found = fit("石笛村今晚有大雨，请上楼。", read_templates([f"1={spelled(TEXT, '{#}')}"]))
    assert found is not None
    assert found.values == (("1", "石笛村"), ("2", "上楼"))


def test_what_is_approved_on_the_page_goes_out_by_the_providers_code(sms_sessions: Sessions) -> None:
    template_id = kept(sms_sessions, ("aliyun", "SMS_77"), ("tencent", "4455"))
    filed = FiledTexts(sms_sessions)
    with fault_server() as server:
        keys = {"access_key_id": "k", "access_key_secret": "s", "endpoint": server.address}
        context = replace(lab_context(sms_sessions, None, AliyunSettings.model_validate(keys)), filed=filed.of)
        gateway = AliyunGateway(context)
        text = "【青石镇】石笛村今晚有大雨，请上楼。"
        assert gateway.check(text) == []
        assert gateway.check("【青石镇】今天开会")[0].blocking
        server.good = lambda _: (200, b'{"Code": "OK", "BizId": "9^0"}')
        assert isinstance(gateway.submit(replace(submission(1), text=text)), Accepted)
        assert b"TemplateCode=SMS_77&" in server.bodies[0]
        assert b"%22v1%22%3A%22%E7%9F%B3%E7%AC%9B%E6%9D%91%22" in server.bodies[0]
    keys = {"secret_id": "k", "secret_key": "s", "sdk_app_id": "1400000000"}
    other = TencentGateway(
        replace(lab_context(sms_sessions, None, TencentSettings.model_validate(keys)), filed=filed.of)
    )
    assert other.check(text) == []
    with sms_sessions.begin() as session:
        templates.save(session, lab_actor(), template_id, "大雨", "safety", "{地点}要下大雨，请{做什么}。", now=NOON)
    filed.forget()
    assert gateway.check(text)[0].blocking, "its words were changed, so it has to be approved anew"


def test_a_provider_that_sends_by_code_needs_one(sms_sessions: Sessions) -> None:
    template_id = kept(sms_sessions)
    with sms_sessions.begin() as session, pytest.raises(BadInput, match="sms_template_code"):
        templates.file(session, lab_actor(), template_id, "aliyun", FilingState.APPROVED, coded=True, now=NOON)


def test_each_provider_has_its_price(sms_sessions: Sessions) -> None:
    kept(sms_sessions, ("aliyun", "SMS_77"))
    keys = [
        AliyunSettings.model_validate({"access_key_id": "k", "access_key_secret": "s"}),
        TencentSettings.model_validate({"secret_id": "k", "secret_key": "s", "sdk_app_id": "1"}),
    ]
    context = replace(lab_context(sms_sessions, None, *keys), filed=FiledTexts(sms_sessions).of)
    gateways: dict[str, SmsGateway] = {"aliyun": AliyunGateway(context), "tencent": TencentGateway(context)}
    provider = SmsProvider(routes_of(gateways, [[("aliyun", 1)], [("tencent", 1)]], 4), {})
    settings = lab_settings(gateways=("aliyun", "tencent"), prices=("aliyun=3.2",))
    found = offers(provider, "石笛村今晚有大雨，请上楼。", 100, settings)
    assert [(one.gateway, one.fen, one.carries) for one in found] == [("aliyun", 320, True), ("tencent", 450, False)]
    assert str(settings.usual_price) == "3.2"
    assert offers(provider, "", 100, settings) == []


def test_a_text_is_chosen_and_its_blanks_are_filled_while_composing(sign_in: SignIn, runtime: Runtime) -> None:
    residents_in(runtime, BRIDGE, "13800000001")
    template_id = str(kept(runtime.sessions, ("local", "")))
    clerk = sign_in("clerk")
    form = a_form(channel=["sms"], sms_template=template_id)
    first = clerk.post("/compose/sms-template", data=form).text
    assert "大雨（模拟短信已通过）" in clerk.get("/compose").text
    assert ">地点</label>" in first
    assert ">做什么</label>" in first
    half = clerk.post("/compose/sms-template", data=form | {"blanks_of": template_id, "blank": ["石笛村", ""]})
    assert (half.status_code, "每个空都要填" in half.text) == (422, True)
    assert 'value="石笛村"' in half.text
    done = clerk.post("/compose/sms-template", data=form | {"blanks_of": template_id, "blank": ["石笛村", "上楼"]}).text
    assert "石笛村今晚有大雨，请上楼。</textarea>" in done
    others = clerk.post("/compose/sms-template", data=form | {"blanks_of": "x", "blank": ["石笛村", "上楼"]}).text
    assert "石笛村" not in others, "what was typed belongs to another text"
    gone = clerk.post("/compose/sms-template", data=a_form(sms_template=""))
    assert (gone.status_code, "没有这条模板" in gone.text) == (422, True)

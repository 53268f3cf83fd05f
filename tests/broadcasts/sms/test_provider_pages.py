"""The page of the providers, a test message, and `cunxiang sms`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from smslab import LabGateway
from sqlalchemy import select

import cunxiang
from broadcasts.sms.gateway import Refusal, Refused, Unknown
from broadcasts.sms.gateways.local_models import LocalSms
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.states import Lane
from hub.audit.models import AuditEntry
from hub.core.runtime import Runtime

pytestmark = pytest.mark.web
SignIn = Callable[[str], FlaskClient]
FORM = {"number_local": "138 0000 9999", "text_local": "测试短信"}


def test_the_county_sees_how_each_provider_does(runtime: Runtime, sign_in: SignIn) -> None:
    county = sign_in("county")
    assert "还没用过" in county.get("/sms/providers").text
    routes = runtime.get(SmsProvider).routes
    routes.learn(Lane.ORDINARY, "local", [(1, Unknown("timeout"))], runtime.now())
    page = county.get("/sms/providers").text
    assert "出毛病，先歇着" in page
    assert "timeout" in page
    assert county.post("/sms/providers/local/again").status_code == 302
    assert "出毛病，先歇着" not in county.get("/sms/providers").text


def test_shares_are_named_where_there_is_somebody_to_share_with(runtime: Runtime, sign_in: SignIn) -> None:
    county, routes = sign_in("county"), runtime.get(SmsProvider).routes
    alone = county.get("/sms/providers").text
    assert ("份额" in alone, "每条 4.5 分" in alone, "【村响】" in alone) == (False, True, True)
    routes.lines = [*routes.lines, replace(routes.lines[0], gateway=LabGateway(name="twilio"))]
    both = county.get("/sms/providers").text
    assert ("份额" in both, "每条 4.5 分，英文 160 字一条" in both) == (True, True)
    routes.lines = [routes.lines[0], replace(routes.lines[1], rank=2, share=0.4)]
    in_turn = county.get("/sms/providers").text
    assert ("份额" in in_turn, in_turn.count("只用 40%，好了慢慢加回来")) == (False, 1)


def test_one_out_of_order_is_used_again_by_hand(runtime: Runtime, sign_in: SignIn) -> None:
    line = runtime.get(SmsProvider).routes.lines[0]
    line.out = "20003"
    county = sign_in("county")
    assert "再用它" in county.get("/sms/providers").text
    county.post("/sms/providers/local/again")
    assert line.out == ""
    assert county.post("/sms/providers/nobody/again").status_code == 404


@pytest.mark.parametrize("who", ["clerk", "stranger", "viewer"])
def test_nobody_else_sees_or_changes_anything(runtime: Runtime, sign_in: SignIn, who: str) -> None:
    somebody = sign_in(who)
    assert somebody.get("/sms/providers").status_code == 403
    assert somebody.post("/sms/providers/local/again").status_code == 403
    assert somebody.post("/sms/providers/local/test", data=FORM).status_code == 403
    with runtime.sessions.read() as session:
        assert not session.scalars(select(LocalSms)).all()


def test_a_test_message_arrives_and_is_in_the_log_without_its_number(runtime: Runtime, sign_in: SignIn) -> None:
    county = sign_in("county")
    page = county.post("/sms/providers/local/test", data=FORM, follow_redirects=True)
    assert "平台收下了，看看 138****9999 收没收到" in page.text
    with runtime.sessions.read() as session:
        (bubble,) = session.scalars(select(LocalSms)).all()
        entry = session.scalars(select(AuditEntry).where(AuditEntry.deed == "sms.gateway.test")).one()
    assert "测试短信" in bubble.text
    assert "13800009999" not in str(entry.details)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"number_local": "0871-1234567"}, "这不是手机号"),
        ({"number_local": "12"}, "手机"),
        ({"text_local": ""}, "写一句测试的话"),
        ({"text_local": "【别人】你好"}, "不能用【】"),
    ],
)
def test_a_mistake_is_said_beside_the_field(sign_in: SignIn, given: dict[str, str], says: str) -> None:
    page = sign_in("county").post("/sms/providers/local/test", data={**FORM, **given})
    assert page.status_code == 422
    assert says in page.text.partition('<div class="error" id="e-')[2], "beside the field, not only on top"


@pytest.mark.parametrize(
    ("result", "says"),
    [(Refused(Refusal.CONFIGURATION, "20003"), "代号 20003"), (Unknown("timeout"), "可能收到，也可能没有")],
)
def test_what_went_wrong_is_said(runtime: Runtime, sign_in: SignIn, result: object, says: str) -> None:
    gateway = runtime.get(SmsProvider).gateway
    gateway.submit = lambda _: result  # type: ignore[method-assign,assignment,return-value]
    page = sign_in("county").post("/sms/providers/local/test", data=FORM, follow_redirects=True)
    assert says in page.text


def test_every_state_is_explained_on_a_page(sign_in: SignIn) -> None:
    page = sign_in("clerk").get("/sms/states").text
    for word in (
        "等着发",
        "正在交",
        "已交出",
        "收到了",
        "没收到",
        "没有回报",
        "不明",
        "没发成",
        "不用发",
        "取消了",
        "过期没发",
    ):
        assert word in page


def test_the_command_line_lists_checks_and_tests(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    kannel = '[kannel]\nurl = "http://127.0.0.1:9"\nusername = "u"\npassword = "p"\n'
    config.write_text(f'[hub]\ndata_dir = "{tmp_path}"\n[sms]\ngateways = ["local", "kannel"]\n{kannel}')
    runner = CliRunner()

    def run(*words: str, **given: str) -> str:
        result = runner.invoke(cunxiang.main, ["--config", str(config), "sms", *words], **given)  # type: ignore[arg-type]
        return result.output

    runner.invoke(cunxiang.main, ["--config", str(config), "db", "upgrade"])
    listed = run("providers")
    assert "1. local" in listed
    assert "/hooks/sms/kannel/" in listed
    assert "kannel: can carry it" in run("check", "明天停水")
    assert "local: cannot carry it" in run("check", "【镇】明天停水")
    assert "138****9999" in run("test", "local", input="13800009999\n")
    assert "unreachable" in run("test", "kannel", input="13800009999\n")


def test_a_rest_is_over_after_its_time(app: OpenAPI, runtime: Runtime) -> None:
    routes = runtime.get(SmsProvider).routes
    routes.learn(Lane.EMERGENCY, "local", [(1, Unknown("timeout"))], runtime.now())
    assert routes.rest(Lane.EMERGENCY, runtime.now()) == 1.0
    assert routes.rest(Lane.EMERGENCY, runtime.now() + timedelta(seconds=1)) == 0.0

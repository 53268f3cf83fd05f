"""Every provider that speaks HTTP, as one row: how to open it, how it says yes, and how to read what it was sent."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

from smslab import HOOK_TOKEN, NOON, lab_context, lab_settings, mobile
from uuid6 import uuid7

from broadcasts.sms.gateway import Addressee, SmsGateway, Submission, WebhookRequest
from broadcasts.sms.gateways.aliyun import AliyunGateway
from broadcasts.sms.gateways.kannel import KannelGateway
from broadcasts.sms.gateways.mas import MasGateway
from broadcasts.sms.gateways.sections import (
    AliyunSettings,
    HttpSettings,
    KannelSettings,
    MasSettings,
    TencentSettings,
    TwilioSettings,
)
from broadcasts.sms.gateways.sms_http import HttpGateway
from broadcasts.sms.gateways.tencent import TencentGateway
from broadcasts.sms.gateways.twilio import TwilioGateway
from broadcasts.sms.reports import message_ref

BROADCAST = uuid7()
TEXT = "【青石镇】防汛提醒：沟口村今晚有大雨，请马上离开河边。"
PUBLIC = "https://hub.example"
TIMEOUTS = {"connect_timeout_s": 0.5, "answer_timeout_s": 0.5}
ALIYUN_TEMPLATE = "SMS_1=防汛提醒：${place}今晚有大雨，请${what}。"
TENCENT_TEMPLATE = "11=防汛提醒：{1}今晚有大雨，请{2}。"
Said = tuple[list[str], str]
Opener = Callable[[str], SmsGateway]
Good = tuple[int, bytes] | Callable[[bytes], tuple[int, bytes]]


@dataclass(frozen=True)
class Provider:
    """One provider in the tests."""

    name: str
    open: Opener
    good: Good | None
    read: Callable[[bytes, Mapping[str, str]], Said]
    """Numbers and text of what was posted, the text without the signature where that goes apart."""
    people: int = 2
    hint: dict[str, str] = field(default_factory=dict)


def submission(people: int, text: str = TEXT) -> Submission:
    """Return a call to that many people."""
    whom = tuple(Addressee(message_ref(BROADCAST, i), mobile(i)) for i in range(1, people + 1))
    return Submission(uuid7(), text, whom, 1, NOON + timedelta(hours=2), NOON)


def pushed(body: bytes | str, *, token: str = HOOK_TOKEN, query: str = "", **headers: str) -> WebhookRequest:
    """Return what a provider pushed."""
    content = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return WebhookRequest(f"/hooks/sms/x/{token}/receipts{query}", named, {}, content, token)


def opened(kind: type[Any], section: type[Any], **given: object) -> SmsGateway:
    """Open a gateway with short timeouts."""
    settings = lab_settings(**TIMEOUTS)
    gateway: SmsGateway = kind(lab_context(None, settings, section.model_validate(given), base_url=PUBLIC))
    return gateway


def aliyun(address: str) -> SmsGateway:
    """Aliyun."""
    given = {"access_key_id": "LTAI", "access_key_secret": "secret", "templates": (ALIYUN_TEMPLATE,)}
    return opened(AliyunGateway, AliyunSettings, endpoint=address, **given)


def tencent(address: str) -> SmsGateway:
    """Tencent Cloud."""
    given = {"secret_id": "AKID", "secret_key": "secret", "sdk_app_id": "1400000000", "templates": (TENCENT_TEMPLATE,)}
    return opened(TencentGateway, TencentSettings, endpoint=address, **given)


def mas(address: str) -> SmsGateway:
    """China Mobile."""
    given = {"ec_name": "青石镇", "ap_id": "user", "secret_key": "secret", "sign": "SIGN"}
    return opened(MasGateway, MasSettings, url=address, **given)


def kannel(address: str) -> SmsGateway:
    """Kannel."""
    return opened(KannelGateway, KannelSettings, url=address, username="hub", password="secret", sender="10650")


def sms_http(address: str) -> SmsGateway:
    """Anybody."""
    given = {"accepted": '"ok": ?true', "reference": '"id": ?"([^"]+)"', "headers": ("X-Key: {secret}",)}
    return opened(HttpGateway, HttpSettings, url=f"{address}/send", secret="secret", **given)


def twilio(address: str) -> SmsGateway:
    """Twilio."""
    given = {"account_sid": "AC" + "0" * 32, "auth_token": "token", "sender": "+15005550006"}
    return opened(TwilioGateway, TwilioSettings, base_url=address, **given)


def tencent_yes(body: bytes) -> tuple[int, bytes]:
    """Say yes to every number by itself."""
    numbers = json.loads(body)["PhoneNumberSet"]
    states = [
        {"SerialNo": f"5000:{n[-4:]}", "PhoneNumber": n, "Code": "Ok", "Message": "send success"} for n in numbers
    ]
    return 200, json.dumps({"Response": {"SendStatusSet": states, "RequestId": "r"}}).encode()


def _form(body: bytes) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(body.decode()).items()}


def _read_aliyun(body: bytes, head: Mapping[str, str]) -> Said:
    form = _form(body)
    text = ALIYUN_TEMPLATE.partition("=")[2]
    for name, value in json.loads(form["TemplateParam"]).items():
        text = text.replace(f"${{{name}}}", value)
    return form["PhoneNumbers"].split(","), text


def _read_tencent(body: bytes, head: Mapping[str, str]) -> Said:
    said = json.loads(body)
    text = TENCENT_TEMPLATE.partition("=")[2]
    for place, value in enumerate(said["TemplateParamSet"], start=1):
        text = text.replace(f"{{{place}}}", value)
    return said["PhoneNumberSet"], text


def _read_mas(body: bytes, head: Mapping[str, str]) -> Said:
    said = json.loads(base64.b64decode(body))
    return said["mobiles"].split(","), said["content"]


def _read_kannel(body: bytes, head: Mapping[str, str]) -> Said:
    return [head["X-Kannel-To"]], body.decode("utf-16-be")


def _read_http(body: bytes, head: Mapping[str, str]) -> Said:
    said = json.loads(body)
    return [said["to"]], said["text"]


def _read_twilio(body: bytes, head: Mapping[str, str]) -> Said:
    form = _form(body)
    return [form["To"]], form["Body"]


PROVIDERS = (
    Provider("aliyun", aliyun, (200, b'{"Code":"OK","Message":"OK","BizId":"9006^0","RequestId":"r"}'), _read_aliyun),
    Provider("tencent", tencent, tencent_yes, _read_tencent),
    Provider("mas", mas, (200, b'{"rspcod":"success","msgGroup":"0106","success":true}'), _read_mas),
    Provider("kannel", kannel, (202, b"0: Accepted for delivery"), _read_kannel, people=1),
    Provider("sms_http", sms_http, (200, b'{"ok": true, "id": "abc"}'), _read_http, people=1),
    Provider("twilio", twilio, None, _read_twilio, people=1),
)

"""Twilio by its own SDK against a real server that misbehaves: one POST each time, and the right conclusion."""

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from faultserver import FaultServer, fault_server
from smslab import NOON, lab_context, lab_settings, mobile
from twilio.request_validator import RequestValidator
from uuid6 import uuid7

from broadcasts.sms.gateway import (
    Accepted,
    Addressee,
    Found,
    Refusal,
    Refused,
    Submission,
    SubmitResult,
    Unknown,
    WebhookRequest,
)
from broadcasts.sms.gateways.sections import TwilioSettings
from broadcasts.sms.gateways.twilio import REFUSAL_OF, TwilioGateway
from broadcasts.sms.reports import Receipt, message_ref
from broadcasts.sms.states import MessageState

pytestmark = pytest.mark.slow

BROADCAST = uuid7()
TOKEN = "token of nobody"
PUBLIC = "https://hub.example"
TEXT = "【青石镇】明天停水"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server() as running:
        yield running


def gateway_at(address: str, sender: str = "+15005550006", **given: object) -> TwilioGateway:
    settings = lab_settings(**{"connect_timeout_s": 0.5, "answer_timeout_s": 0.6, **given})
    account = {"account_sid": "AC" + "0" * 32, "auth_token": TOKEN, "sender": sender, "base_url": address}
    return TwilioGateway(lab_context(None, settings, TwilioSettings.model_validate(account), base_url=PUBLIC))


def one(i: int = 1) -> Submission:
    person = Addressee(message_ref(BROADCAST, i), mobile(i))
    return Submission(uuid7(), TEXT, (person,), 1, NOON + timedelta(hours=2), NOON)


T = Refused
CASES: list[tuple[str, SubmitResult]] = [
    ("slow", Unknown("timeout")),
    ("cut", Unknown("connection_lost")),
    ("truncated", Unknown("connection_lost")),
    ("garbage", Unknown("unreadable_answer")),
    ("no sid", Unknown("unreadable_answer")),
    ("500", Unknown("http_500")),
    ("503", Unknown("http_503")),
    ("307", Unknown("http_307")),
    ("429", T(Refusal.THROTTLED, "20429")),
    ("429 bare", T(Refusal.THROTTLED, "429")),
    ("401", T(Refusal.CONFIGURATION, "20003")),
    ("404", T(Refusal.CONFIGURATION, "20404")),
    ("400 odd", T(Refusal.REJECTED, "99999")),
    *[(f"code {code}", T(kind, str(code))) for code, kind in REFUSAL_OF.items()],
]


@pytest.mark.parametrize(("mode", "expected"), CASES, ids=[mode for mode, _ in CASES])
def test_a_fault_costs_one_post_and_leads_to_the_right_conclusion(
    server: FaultServer, mode: str, expected: SubmitResult
) -> None:
    server.mode = mode
    result = gateway_at(server.address).submit(one())
    assert len(server.posts) == 1
    assert result == expected


def test_an_accepted_message_brings_back_its_id(server: FaultServer) -> None:
    result = gateway_at(server.address).submit(one())
    assert result == Accepted({message_ref(BROADCAST, 1): f"SM{1:032x}"})


def test_the_post_says_what_twilio_wants_to_hear(server: FaultServer) -> None:
    gateway_at(server.address).submit(one())
    assert server.posts == [
        {
            "To": mobile(1),
            "Body": TEXT,
            "From": "+15005550006",
            "ValidityPeriod": "7200",
            "StatusCallback": f"{PUBLIC}/hooks/sms/twilio/receipts?m={message_ref(BROADCAST, 1)}",
        }
    ]
    assert server.paths == [f"/2010-04-01/Accounts/AC{'0' * 32}/Messages.json"]


def test_a_messaging_service_can_be_the_sender(server: FaultServer) -> None:
    gateway_at(server.address, sender="MG" + "1" * 32).submit(one())
    assert server.posts[0]["MessagingServiceSid"] == "MG" + "1" * 32
    assert "From" not in server.posts[0]


def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        assert gateway_at(f"http://127.0.0.1:{port}").submit(one()) == Refused(Refusal.THROTTLED, "unreachable")


def test_no_number_reaches_a_log_at_any_level(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    gateway = gateway_at(server.address)
    for mode in ("ok", "429", "cut", "truncated", "500", "slow"):
        server.mode = mode
        gateway.submit(one())
    gateway.query(one())
    assert caplog.records, "urllib3 logs at this level, so silence would mean that nothing was looked at"
    assert mobile(1)[3:] not in caplog.text
    assert all(mobile(1)[3:] not in path for path in server.paths)


def test_a_message_of_unknown_fate_is_found_by_number_and_text(server: FaultServer) -> None:
    server.listed = [
        {"sid": "SM-other", "to": mobile(1), "body": "something else"},
        {"sid": "SM-mine", "to": mobile(1), "body": TEXT},
    ]
    gateway = gateway_at(server.address)
    assert gateway.query(one(1)) == Found({message_ref(BROADCAST, 1): "SM-mine"})
    assert gateway.query(one(2)) == Found({})


def test_when_twilio_cannot_be_asked_nothing_is_concluded() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert gateway_at(f"http://127.0.0.1:{free.getsockname()[1]}").query(one()) is None


def signed_request(form: dict[str, str], *, url: str | None = None, token: str = TOKEN) -> WebhookRequest:
    url = url if url is not None else f"/hooks/sms/twilio/receipts?m={message_ref(BROADCAST, 1)}"
    signature = RequestValidator(token).compute_signature(PUBLIC + url, form)
    return WebhookRequest(url, {"x-twilio-signature": signature}, form)


def test_twilios_own_signature_is_accepted() -> None:
    assert gateway_at("").verify(signed_request({"MessageSid": "SM1", "MessageStatus": "delivered"}))


@pytest.mark.parametrize(
    "request_",
    [
        WebhookRequest("/hooks/sms/twilio/receipts", {}, {"MessageSid": "SM1"}),
        WebhookRequest("/hooks/sms/twilio/receipts", {"X-Twilio-Signature": ""}, {}),
        WebhookRequest("/hooks/sms/twilio/receipts", {"X-Twilio-Signature": "绝"}, {}),
        signed_request({"MessageSid": "SM1"}, token="another"),
        WebhookRequest("/other", signed_request({"MessageSid": "SM1"}).headers, {"MessageSid": "SM1"}),
        WebhookRequest(signed_request({"a": "1"}).url, signed_request({"a": "1"}).headers, {"a": "2"}),
        WebhookRequest("", signed_request({"a": "1"}, url="").headers, {"a": "1"}),
        WebhookRequest(
            signed_request({"a": "1"}).url,
            {**signed_request({"a": "1"}).headers, "X-Twilio-Webhooks-Signature-Settings": "algorithm=NONE"},
            {"a": "1"},
        ),
    ],
)
def test_anything_else_is_not(request_: WebhookRequest) -> None:
    assert not gateway_at("").verify(request_)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("queued", MessageState.SENT),
        ("sent", MessageState.SENT),
        ("delivered", MessageState.DELIVERED),
        ("read", MessageState.DELIVERED),
        ("undelivered", MessageState.UNDELIVERED),
        ("failed", MessageState.UNDELIVERED),
        ("receiving", None),
        ("flying", None),
        ("", None),
    ],
)
def test_reports_are_read(status: str, state: MessageState | None) -> None:
    request = signed_request({"MessageSid": "SM1", "MessageStatus": status, "ErrorCode": "30005"})
    reports = gateway_at("").parse_receipts(request, NOON)
    expected = Receipt("SM1", state, message_ref(BROADCAST, 1), "30005") if state else None
    assert list(reports) == ([expected] if expected else [])


def test_a_report_without_an_id_is_nothing() -> None:
    assert not gateway_at("").parse_receipts(WebhookRequest("/x", {}, {"MessageStatus": "delivered"}), NOON)


def test_a_residents_message_is_read_and_a_report_is_none() -> None:
    form = {"From": mobile(1), "Body": "退订", "MessageSid": "SM2", "SmsStatus": "received"}
    (message,) = gateway_at("").parse_inbound(WebhookRequest("/x", {}, form), NOON)
    assert (message.number, message.text, message.provider_ref) == (mobile(1), "退订", "SM2")
    report = {"From": mobile(1), "MessageSid": "SM2", "SmsStatus": "delivered"}
    assert not gateway_at("").parse_inbound(WebhookRequest("/x", {}, report), NOON)


def test_twilio_is_not_imported_unless_it_is_configured() -> None:
    code = (
        "import sys, broadcasts.sms.sending.pump, broadcasts.sms.sending.outbox, broadcasts.sms.gateways.local,"
        " broadcasts.sms.gateways.finding; sys.exit('twilio' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

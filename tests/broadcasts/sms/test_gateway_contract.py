"""What every provider has to keep: one attempt, honest conclusions, no number in an address or a log."""

import json
import logging
import socket
from collections.abc import Iterator

import pytest
from faultserver import FaultServer, fault_server
from gatewaylab import PROVIDERS, TEXT, Opener, Provider, aliyun, kannel, mas, pushed, sms_http, submission, tencent
from hypothesis import given
from hypothesis import strategies as st
from smslab import NOON, mobile

from broadcasts.sms.gateway import Accepted, Refusal, Refused, SmsGateway, SubmitResult, Unknown
from broadcasts.sms.gateways import aliyun as aliyun_file
from broadcasts.sms.gateways import mas as mas_file
from broadcasts.sms.gateways import tencent as tencent_file
from broadcasts.sms.reports import Receipt
from broadcasts.sms.states import MessageState

pytestmark = pytest.mark.slow

each_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: str(provider.name))
FAULTS: list[tuple[str, SubmitResult]] = [
    ("slow", Unknown("timeout")),
    ("cut", Unknown("connection_lost")),
    ("truncated", Unknown("connection_lost")),
    ("garbage", Unknown("unreadable_answer")),
    ("503", Unknown("http_503")),
    ("500", Unknown("http_500")),
    ("307", Unknown("http_307")),
]


@pytest.fixture(scope="module")
def running() -> Iterator[FaultServer]:
    with fault_server() as server:
        yield server


@pytest.fixture
def server(running: FaultServer) -> FaultServer:
    """The same server, as if nothing had happened."""
    for kept in (running.posts, running.paths, running.bodies, running.heads):
        kept.clear()
    running.mode, running.good, running.slow_s = "ok", None, 1.0
    return running


def says(server: FaultServer, provider: Provider, mode: str = "ok") -> SubmitResult:
    server.mode, server.good = mode, provider.good
    return provider.open(server.address).submit(submission(provider.people))


@each_provider
def test_a_yes_is_understood_and_every_person_has_an_answer(server: FaultServer, provider: Provider) -> None:
    result = says(server, provider)
    assert isinstance(result, Accepted)
    assert set(result.refs) == {person.ref for person in submission(provider.people).people}
    assert not result.refused


@each_provider
def test_what_arrives_is_what_was_meant(server: FaultServer, provider: Provider) -> None:
    says(server, provider)
    numbers, text = provider.read(server.bodies[0], server.heads[0])
    assert [number[-11:] for number in numbers] == [mobile(i)[-11:] for i in range(1, provider.people + 1)]
    assert text in {TEXT, TEXT.removeprefix("【青石镇】")}


@each_provider
@pytest.mark.parametrize(("mode", "expected"), FAULTS, ids=[mode for mode, _ in FAULTS])
def test_a_fault_costs_one_post_and_is_never_called_failed(
    server: FaultServer, provider: Provider, mode: str, expected: SubmitResult
) -> None:
    assert says(server, provider, mode) == expected
    assert len(server.posts) == 1


@each_provider
def test_too_fast_means_later_for_everybody(server: FaultServer, provider: Provider) -> None:
    result = says(server, provider, "429")
    assert isinstance(result, Refused)
    assert result.kind is Refusal.THROTTLED
    assert len(server.posts) == 1


@each_provider
def test_a_wrong_key_is_a_matter_for_the_administrator(server: FaultServer, provider: Provider) -> None:
    result = says(server, provider, "401")
    assert isinstance(result, Refused)
    assert result.kind is Refusal.CONFIGURATION


@each_provider
def test_where_nobody_listens_nothing_was_sent(provider: Provider) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        result = provider.open(address).submit(submission(provider.people))
    assert result == Refused(Refusal.THROTTLED, "unreachable")


@each_provider
@pytest.mark.parametrize("mode", ["ok", "cut", "slow", "429"])
def test_no_number_stands_in_an_address_or_a_log(
    server: FaultServer, provider: Provider, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    says(server, provider, mode)
    said = caplog.text + "".join(server.paths) + server.heads[0].get("X-Kannel-DLR-Url", "")
    assert not [i for i in range(1, provider.people + 1) if mobile(i)[3:] in said]
    assert "secret" not in said


@each_provider
@given(text=st.text(max_size=80))
def test_any_text_can_be_checked_without_the_network(provider: Provider, text: str) -> None:
    found = opened_once(provider).check(text)
    assert all(objection.code.startswith("sms_content_") for objection in found)


@each_provider
@given(body=st.one_of(st.binary(max_size=200), st.from_regex(r"[\[{].{0,60}[\]}]").map(str.encode)))
def test_nonsense_from_outside_is_no_report_and_no_letter(provider: Provider, body: bytes) -> None:
    gateway = opened_once(provider)
    assert not gateway.parse_receipts(pushed(body), NOON)
    gateway.parse_inbound(pushed(body), NOON)


OPENED: dict[str, SmsGateway] = {}


def opened_once(provider: Provider) -> SmsGateway:
    if provider.name not in OPENED:
        OPENED[provider.name] = provider.open("http://127.0.0.1:9")
    return OPENED[provider.name]


@pytest.mark.parametrize("opener", [aliyun, tencent, mas, kannel, sms_http], ids=lambda opener: str(opener.__name__))
def test_who_does_not_know_the_address_is_nobody(opener: Opener) -> None:
    gateway = opener("http://127.0.0.1:9")
    assert gateway.verify(pushed("{}"))
    assert not gateway.verify(pushed("{}", token="t" * 31 + "u"))
    assert not gateway.verify(pushed("{}", token=""))


# Refusals by name


@pytest.mark.parametrize(("code", "kind"), aliyun_file.REFUSAL_OF.items())
def test_aliyuns_refusals(server: FaultServer, code: str, kind: Refusal) -> None:
    server.good = (200, json.dumps({"Code": code, "Message": "no"}).encode())
    assert aliyun(server.address).submit(submission(2)) == Refused(kind, code)


def test_aliyun_says_that_it_had_this_request_before(server: FaultServer) -> None:
    server.good = (400, b'{"Code": "SignatureNonceUsed", "Message": "used"}')
    assert aliyun(server.address).submit(submission(2)) == Unknown("SignatureNonceUsed")


@pytest.mark.parametrize(("code", "kind"), tencent_file.REFUSAL_OF.items())
def test_tencents_refusals_for_one_and_for_all(server: FaultServer, code: str, kind: Refusal) -> None:
    call = submission(2)
    states = [
        {"PhoneNumber": mobile(1), "Code": "Ok", "SerialNo": "5000:1"},
        {"PhoneNumber": mobile(2), "Code": code, "SerialNo": ""},
    ]
    server.good = (200, json.dumps({"Response": {"SendStatusSet": states}}).encode())
    first, second = (person.ref for person in call.people)
    assert tencent(server.address).submit(call) == Accepted({first: "5000:1"}, {second: Refused(kind, code)})
    server.good = (200, json.dumps({"Response": {"Error": {"Code": code, "Message": "no"}}}).encode())
    assert tencent(server.address).submit(call) == Refused(kind, code)


def test_a_number_tencent_does_not_mention_is_left_open(server: FaultServer) -> None:
    states = [{"PhoneNumber": mobile(1), "Code": "Ok", "SerialNo": "5000:1"}]
    server.good = (200, json.dumps({"Response": {"SendStatusSet": states}}).encode())
    result = tencent(server.address).submit(submission(2))
    assert isinstance(result, Accepted)
    assert len(result.refs) == 1
    assert not result.refused


@pytest.mark.parametrize(("code", "kind"), mas_file.REFUSAL_OF.items())
def test_mobiles_refusals(server: FaultServer, code: str, kind: Refusal) -> None:
    server.good = (200, json.dumps({"rspcod": code, "success": False, "msgGroup": ""}).encode())
    assert mas(server.address).submit(submission(2)) == Refused(kind, code)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((202, b"3: Queued for later delivery"), Accepted),
        ((503, b"Temporal failure, try again later."), Refused(Refusal.THROTTLED, "http_503")),
        ((400, b"Invalid receiver"), Refused(Refusal.INVALID_NUMBER, "http_400")),
        ((403, b"Authorization failed for sendsms"), Refused(Refusal.CONFIGURATION, "http_403")),
        ((202, b"?"), Unknown("unreadable_answer")),
    ],
)
def test_kannels_answers(server: FaultServer, answer: tuple[int, bytes], expected: object) -> None:
    server.good = answer
    result = kannel(server.address).submit(submission(1))
    assert isinstance(result, Accepted) if expected is Accepted else result == expected


def test_an_answer_that_is_not_as_agreed_leaves_it_open(server: FaultServer) -> None:
    for body in (b'{"ok": false, "id": "abc"}', b'{"ok": true}', b"ok"):
        server.good = (200, body)
        assert sms_http(server.address).submit(submission(1)) == Unknown("unreadable_answer")


@pytest.mark.parametrize("opener", [aliyun, tencent], ids=lambda opener: str(opener.__name__))
def test_a_text_that_fits_no_filed_template_is_not_even_tried(server: FaultServer, opener: Opener) -> None:
    text = "【青石镇】明天停水。"
    gateway = opener(server.address)
    assert [each.code for each in gateway.check(text) if each.blocking] == ["sms_content_no_template"]
    assert not gateway.check(TEXT)
    assert gateway.submit(submission(1, text)) == Refused(Refusal.REJECTED, "no_template")
    assert not server.posts


# What is pushed


def test_aliyuns_push_names_call_and_number() -> None:
    call = submission(1)
    report = {"phone_number": "13800000001", "success": False, "err_code": "MOBILE_NOT_ON_SERVICE", "biz_id": "9^0"}
    body = json.dumps([{**report, "out_id": call.id.hex, "report_time": "2026-11-23 12:00:05"}])
    (receipt,) = aliyun("http://127.0.0.1:9").parse_receipts(pushed(body), NOON)
    assert (receipt.provider_ref, receipt.call, receipt.number) == ("9^0", call.id, "13800000001")
    assert (receipt.state, receipt.code) == (MessageState.UNDELIVERED, "MOBILE_NOT_ON_SERVICE")
    assert receipt.reported_at == NOON.replace(second=5)
    assert "13800000001" not in repr(receipt)


def test_tencents_push_names_the_message() -> None:
    body = '[{"user_receive_time":"2026-11-23 12:00:05","nationcode":"86","mobile":"13800000001",'
    body += '"report_status":"SUCCESS","errmsg":"DELIVRD","description":"ok","sid":"5000:1"}]'
    (receipt,) = tencent("http://127.0.0.1:9").parse_receipts(pushed(body), NOON)
    assert receipt == Receipt("5000:1", MessageState.DELIVERED, reported_at=NOON.replace(second=5))


def test_mobiles_push_names_group_and_number() -> None:
    body = '[{"mobile":"13800000001","reportStatus":"CM:0000","errorCode":"DELIVRD","msgGroup":"0106"}]'
    (receipt,) = mas("http://127.0.0.1:9").parse_receipts(pushed(body), NOON)
    assert (receipt.provider_ref, receipt.number, receipt.state) == ("0106", "13800000001", MessageState.DELIVERED)


@pytest.mark.parametrize(
    ("opener", "body"),
    [
        (
            aliyun,
            '[{"phone_number":"13800000001","content":"退订","sequence_id":"1","send_time":"2026-11-23 12:00:00"}]',
        ),
        (tencent, '{"mobile":"13800000001","nationcode":"86","text":"退订","time":1795406400}'),
        (mas, '{"mobile":"13800000001","smsContent":"退订","sendTime":"2026-11-23 12:00:00"}'),
        (sms_http, '{"from":"+8613800000001","text":"退订","id":"1"}'),
    ],
    ids=["aliyun", "tencent", "mas", "sms_http"],
)
def test_a_resident_writes(opener: Opener, body: str) -> None:
    (letter,) = opener("http://127.0.0.1:9").parse_inbound(pushed(body), NOON)
    assert letter.number[-11:] == "13800000001"
    assert letter.text == "退订"
    assert letter.received_at == NOON


def test_a_resident_writes_by_kannel_in_any_charset() -> None:
    for charset in ("UTF-16BE", "UTF-8", "GB18030"):
        asked = pushed(
            "退订".encode(charset), X_Kannel_From="+8613800000001", Content_Type=f'text/plain; charset="{charset}"'
        )
        (letter,) = kannel("http://127.0.0.1:9").parse_inbound(asked, NOON)
        assert (letter.number, letter.text) == ("+8613800000001", "退订")


@pytest.mark.parametrize(
    ("status", "state"),
    [("delivered", MessageState.DELIVERED), ("queued", MessageState.SENT), ("gone", MessageState.UNDELIVERED)],
)
def test_anybodys_push(status: str, state: MessageState) -> None:
    body = json.dumps({"ref": "r", "id": "abc", "status": status})
    (receipt,) = sms_http("http://127.0.0.1:9").parse_receipts(pushed(body), NOON)
    assert (receipt.message_ref, receipt.provider_ref, receipt.state) == ("r", "abc", state)

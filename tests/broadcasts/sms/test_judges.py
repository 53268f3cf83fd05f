"""Programs of others as judges: the vendors' SDKs of our signatures and answers, three counters of our parts."""

import hashlib
import json
import os
import random
from datetime import UTC, datetime

import pytest
from faultserver import fault_server
from gatewaylab import PROVIDERS, Provider, submission
from judgelab import judge
from smslab import NOON

from broadcasts.sms.gateway import Accepted, Refused
from broadcasts.sms.gateways import aliyun, tencent
from broadcasts.sms.segments import Policy, parts_of, split

pytestmark = pytest.mark.slow
LONG = os.environ.get("CUNXIANG_LONG") == "1"
ALIYUN, TENCENT = PROVIDERS[0], PROVIDERS[1]


def captured(provider: Provider) -> tuple[dict[str, str], bytes]:
    """Return headers and body of what our gateway really posts."""
    with fault_server() as server:
        server.good = provider.good
        assert isinstance(provider.open(server.address).submit(submission(2)), Accepted)
        return server.heads[0], server.bodies[0]


def test_aliyuns_sdk_signs_what_we_post_just_as_we_do() -> None:
    head, body = captured(ALIYUN)
    lower = {name.lower(): value for name, value in head.items()}
    ours = lower["authorization"]
    signed_names = ours.split("SignedHeaders=")[1].split(",")[0].split(";")
    assert {"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-version"} <= set(signed_names)
    headers = {name: lower[name] for name in signed_names}
    assert headers["x-acs-content-sha256"] == hashlib.sha256(body).hexdigest()
    said = judge("aliyun", {"do": "sign", "headers": headers, "key": "LTAI", "secret": "secret"})
    assert said["authorization"] == ours


def test_tencents_sdk_signs_what_we_post_just_as_we_do() -> None:
    head, body = captured(TENCENT)
    day = datetime.fromtimestamp(int(head["X-TC-Timestamp"]), UTC).strftime("%Y-%m-%d")
    asked = {"do": "sign", "headers": head, "body": body.decode(), "day": day, "secret": "secret"}
    assert head["Authorization"].endswith("Signature=" + judge("tencent", asked)["signature"])
    assert f"Credential=AKID/{day}/sms/tc3_request" in head["Authorization"]


@pytest.mark.parametrize("code", ["OK", "isv.BUSINESS_LIMIT_CONTROL"])
def test_aliyuns_sdk_understands_our_stand_ins_answers_as_our_gateway_does(code: str) -> None:
    with fault_server() as server:
        server.good = (200, json.dumps({"Code": code, "Message": code, "BizId": "9006^0", "RequestId": "r"}).encode())
        said = judge("aliyun", {"do": "send", "endpoint": server.address.removeprefix("http://")})
        ours = ALIYUN.open(server.address).submit(submission(1))
    assert said["code"] == code
    if code == "OK":
        assert isinstance(ours, Accepted)
        assert set(ours.refs.values()) == {said["biz_id"]}
    else:
        assert ours == Refused(aliyun.REFUSAL_OF[code], said["code"])


@pytest.mark.parametrize("code", ["", "FailedOperation.InsufficientBalanceInSmsPackage"])
def test_tencents_sdk_understands_our_stand_ins_answers_as_our_gateway_does(code: str) -> None:
    refusal = json.dumps({"Response": {"Error": {"Code": code, "Message": "no"}, "RequestId": "r"}}).encode()
    with fault_server() as server:
        server.good = (200, refusal) if code else TENCENT.good
        said = judge("tencent", {"do": "send", "endpoint": server.address.removeprefix("http://")})
        ours = TENCENT.open(server.address).submit(submission(1))
    if code:
        assert ours == Refused(tencent.REFUSAL_OF[code], said["error"])
    else:
        assert isinstance(ours, Accepted)
        assert said["states"] == [["+8613800000001", "Ok", "5000:0001"]]


# Parts


def texts(count: int, *, plain: bool) -> list[str]:
    """Return random texts around the edges of parts; `plain` ones hold nothing outside the basic plane."""
    chance = random.Random(20261123)
    alphabets = ["明天停水请到村委会领取", "abc XYZ 019,.!?@", "€[]{}^~|\\", "，。：；（）"]
    alphabets += [] if plain else ["😀🌊🚨", "𠮷𡃁𢒉"]
    edges = [1, 69, 70, 71, 133, 134, 135, 153, 160, 161, 201, 306, 307]
    made = []
    for _ in range(count):
        length = max(1, chance.choice(edges) + chance.randint(-2, 2))
        pool = "".join(chance.sample(alphabets, chance.randint(1, len(alphabets))))
        made.append("".join(chance.choices(pool, k=length)))
    return made


def test_three_others_count_the_same_parts() -> None:
    wanted = texts(100_000 if LONG else 1500, plain=True)
    said = judge("segments", wanted, timeout_s=600)
    for text, (smsutil, smpplib, gammu) in zip(wanted, said, strict=True):
        ours = parts_of(text)
        assert smpplib == ours, repr(text)
        # libgammu takes two ~ for one, so texts with them are not the same to it.
        assert gammu == ours or "~" in text, repr(text)
        assert smsutil == parts_of(text, Policy.GSM), repr(text)
        assert len(split(text)) == ours


def test_rare_characters_and_emoji_are_counted_the_same() -> None:
    wanted = texts(100_000 if LONG else 1500, plain=False)
    said = judge("segments", wanted, timeout_s=600)
    for text, (smsutil, _, _) in zip(wanted, said, strict=True):
        assert smsutil == parts_of(text, Policy.GSM), repr(text)
        pieces = split(text)
        assert "".join(pieces) == text
        assert len(pieces) == parts_of(text)


def test_the_clock_of_a_signature_is_the_hubs() -> None:
    head, _ = captured(TENCENT)
    assert int(head["X-TC-Timestamp"]) == int(NOON.timestamp())

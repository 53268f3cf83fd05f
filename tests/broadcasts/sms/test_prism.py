"""Twilio's own description as judge, by Prism: of what its SDK makes of our calls, and of our stand-in's answers."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from brokerlab import free_port
from carrierlab import listens, started, wait_for
from faultserver import fault_server
from gatewaylab import PUBLIC, submission
from judgelab import PRISM
from smslab import lab_context, lab_settings
from twilio.request_validator import RequestValidator

from broadcasts.sms.gateway import Accepted, Refusal, Refused, SubmitResult, Unknown
from broadcasts.sms.gateways.sections import TwilioSettings
from broadcasts.sms.gateways.twilio import TwilioGateway
from broadcasts.sms.providers.stand_in import StandIn, signature

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
WHOLE = Path(os.environ.get("CUNXIANG_TWILIO_SPEC", ROOT / "tests" / "judges" / "twilio_messages.json"))
ACCOUNT, TOKEN = "AC" + "0" * 32, "token"


@contextmanager
def prism(folder: Path, *how: str) -> Iterator[str]:
    """Run Prism on Twilio's description; yield its address."""
    if not PRISM.exists():
        pytest.skip("Prism is not installed: scripts/judges (needs npm)")
    port = free_port()
    command = [str(PRISM), how[0], "-h", "127.0.0.1", "-p", str(port), *how[1:2], str(WHOLE), *how[2:]]
    with started(command, folder, None):
        wait_for(lambda: listens(port), "Prism did not start", within_s=90)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    server = StandIn(ACCOUNT, TOKEN)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def by_sdk(address: str, *, account: str = ACCOUNT) -> SubmitResult:
    own = {"account_sid": account, "auth_token": TOKEN, "sender": "+15005550006", "base_url": address}
    settings = lab_settings(answer_timeout_s=20)
    gateway = TwilioGateway(lab_context(None, settings, TwilioSettings.model_validate(own), base_url=PUBLIC))
    return gateway.submit(submission(1))


def test_twilios_description_accepts_what_we_post(tmp_path: Path) -> None:
    with prism(tmp_path, "mock") as address:
        assert isinstance(by_sdk(address), Accepted)
        refused = by_sdk(address, account="AC-wrong")
    assert isinstance(refused, Refused), "Prism is no judge when it accepts anything"


def test_twilios_description_accepts_our_stand_ins_answers(tmp_path: Path, stand_in: StandIn) -> None:
    with prism(tmp_path, "proxy", "--errors", stand_in.url) as address:
        taken = by_sdk(address)
        assert isinstance(taken, Accepted)
        assert list(taken.refs.values()) == [stand_in.messages[0]["sid"]]
        stand_in.status = "flying"
        assert by_sdk(address) == Unknown("http_500"), "Prism lets a wrong answer pass, so it judges nothing"
    assert len(stand_in.messages) == 2


def test_the_stand_in_signs_its_reports_as_twilio_does(stand_in: StandIn) -> None:
    with fault_server() as hub:
        url = f"{hub.address}/hooks/sms/twilio/receipts?m=abc"
        stand_in.report(url, {"sid": "SM1", "to": "+8613800000001"})
        posted, head = hub.posts[0], hub.heads[0]
    assert RequestValidator(TOKEN).validate(url, posted, head["X-Twilio-Signature"])
    assert head["X-Twilio-Signature"] == signature(TOKEN, url, posted)


def test_the_stand_in_refuses_as_twilio_does(stand_in: StandIn) -> None:
    begin = time.monotonic()
    assert by_sdk(stand_in.url, account="AC" + "1" * 32) == Refused(Refusal.CONFIGURATION, "20003")
    assert not isinstance(by_sdk(stand_in.url), Unknown)
    assert time.monotonic() - begin < 20

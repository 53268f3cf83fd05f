"""What a broker really does: asked of real ones, well and badly set up."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from brokerlab import free_port, need_mosquitto
from click.testing import CliRunner
from livehub import until

import cunxiang
from hub.commands.top import command_line
from hub.core.checks import Level
from hub.core.runtime import Runtime
from hub.speakers import probing
from hub.speakers.broker.accounts import BrokerAccount, hash_password
from hub.speakers.broker.export import export_mosquitto
from hub.speakers.link import BrokerAddress, SpeakerLink
from hub.speakers.station import Station
from hub.watching import questions

Start = Callable[..., BrokerAddress]
ACCOUNT, PASSWORD = "hub", "a-long-password-of-its-own"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a mosquitto as an operator might have set it up."""
    binary, running = need_mosquitto(), []

    def begin(*lines: str) -> BrokerAddress:
        export_mosquitto(tmp_path, [BrokerAccount(ACCOUNT, hash_password(PASSWORD), is_hub=True)])
        port = free_port()
        own = (f"password_file {tmp_path / 'passwords'}", f"acl_file {tmp_path / 'acl'}", "user root")
        text = [f"listener {port} 127.0.0.1", *own, *lines, ""]
        (tmp_path / "mosquitto.conf").write_text("\n".join(text), encoding="utf-8")
        running.append(subprocess.Popen([binary, "-c", str(tmp_path / "mosquitto.conf")], stderr=subprocess.DEVNULL))
        address = BrokerAddress("127.0.0.1", port, ACCOUNT, PASSWORD)
        until(lambda: probing.lets_strangers_in(address, wait_s=0.5).reached, what="the broker")
        return address

    yield begin
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "strangers", "keeps", "carries"),
    [
        (("allow_anonymous false", "use_username_as_clientid true"), False, True, True),
        (("allow_anonymous true",), True, True, True),
        (("allow_anonymous false", "retain_available false"), False, False, False),
        (("allow_anonymous false", "message_size_limit 4096"), False, False, False),
    ],
)
def test_a_broker_is_asked_and_says_what_it_is(
    start: Start, lines: tuple[str, ...], strangers: bool, keeps: bool, carries: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing.try_out, "__kwdefaults__", {"wait_s": 0.5})
    address = start(*lines)
    link, greeted = SpeakerLink(address), []
    link.on_connected(lambda: greeted.append(1))
    assert link.start(wait_s=5)
    try:
        question = probing.BrokerQuestion(lambda: address, lambda: link)
        question.step()
        assert question.found is not None
        found = question.found
        assert (found.reached, found.strangers, found.keeps, found.echo_ms is not None) == (
            True,
            strangers,
            keeps,
            carries,
        )
        if carries:
            until(lambda: greeted, what="the greeting")
            assert (found.asked, link.connected, len(greeted)) == (True, True, 1), "the hub's own line stood all along"
    finally:
        link.stop()


@pytest.mark.slow
def test_before_the_first_start_an_open_broker_is_spoken_of(start: Start, tmp_path: Path) -> None:
    address = start("allow_anonymous true")
    config = tmp_path / "config.toml"
    config.write_text(
        f'[hub]\ndata_dir = "{tmp_path / "var"}"\n[mqtt]\nengine = "external"\nport = {address.port}\n'
        f'username = "{ACCOUNT}"\npassword = "{PASSWORD}"\n',
        encoding="utf-8",
    )
    answer = CliRunner().invoke(command_line(cunxiang.FEATURES), ["--config", str(config), "check"])
    assert answer.exit_code == 1, answer.output
    assert "lets in whoever comes" in answer.output


def test_a_broker_that_is_not_there_is_asked_again_soon() -> None:
    nobody = BrokerAddress("127.0.0.1", free_port(), ACCOUNT, PASSWORD)
    question = probing.BrokerQuestion(lambda: nobody, lambda: None)
    assert question.step() == probing.ASKED_AGAIN_S
    assert question.found == probing.Found()
    assert probing.BrokerQuestion(lambda: None, lambda: None).step() <= 1.0


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        (probing.Found(reached=True, strangers=True), {"check_broker_anybody": Level.BAD}),
        (probing.Found(reached=True, asked=True, keeps=True, echo_ms=7), {"check_broker_able": Level.GOOD}),
        (probing.Found(reached=True, asked=True, keeps=False, echo_ms=7), {"check_broker_forgets": Level.BAD}),
        (probing.Found(reached=True, asked=True), {"check_broker_mute": Level.BAD}),
    ],
)
def test_what_was_found_is_said(app: object, runtime: Runtime, found: probing.Found, codes: dict[str, Level]) -> None:
    runtime.get(Station).question.found = found
    assert {f.code: f.level for f in questions.broker_abilities(runtime)} == codes

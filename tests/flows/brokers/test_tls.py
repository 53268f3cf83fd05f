"""A broker that speaks TLS alone: devices know its authority, believe no other, and nothing goes out in clear."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from brokerlab import External, certificates
from countylab import TOWN, County, a_county
from speakerlab import soon

from broadcasts.loudspeaker.states import PlayState
from hub.speakers.device.client import ReferenceSpeaker, SpeakerSettings
from hub.speakers.link import BrokerAddress, SpeakerLink

pytestmark = [
    pytest.mark.slow,
    # paho leaves the socket of a refused handshake to the garbage collector
    pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"),
]
CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x05\x00\x04who?"


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    folder = tmp_path_factory.mktemp("tls")
    with a_county(folder, External(folder / "broker", certificates(folder / "authority"))) as running:
        assert running.everyone_online()
        yield running


def test_what_is_released_goes_through_tls(county: County) -> None:
    broadcast = county.release(TOWN)
    assert soon(lambda: county.all_are(broadcast, PlayState.FINISHED), 15), county.states(broadcast)


def test_a_device_with_another_authority_does_not_give_its_secret_away(county: County, tmp_path: Path) -> None:
    county.speakers.pop("hill-2").stop()
    stranger = certificates(tmp_path / "stranger")
    speaker = ReferenceSpeaker(SpeakerSettings(county.device("hill-2", ca=stranger.ca), sink="file"))
    speaker.start()
    try:
        assert not soon(lambda: speaker.connected, 2)
    finally:
        speaker.stop()


def test_a_hub_with_another_authority_does_not_connect(county: County, tmp_path: Path) -> None:
    host, port = county.hosting.addresses(county.station)[0]
    stranger = certificates(tmp_path / "stranger")
    link = SpeakerLink(BrokerAddress(host, port, "hub-2", "x", tls=True, ca_file=str(stranger.ca)))
    try:
        assert not link.start(wait_s=2)
        assert link.problem
    finally:
        link.stop()


def test_the_port_answers_nobody_in_clear(county: County) -> None:
    with socket.create_connection(county.hosting.addresses(county.station)[0], timeout=5) as sock:
        sock.sendall(CONNECT)
        try:
            answer = sock.recv(100)
        except ConnectionResetError:
            answer = b""
    assert not answer.startswith(b"\x20"), "it spoke MQTT without TLS"


def test_the_certificate_must_carry_the_name_that_was_asked_for(county: County) -> None:
    host, port = county.hosting.addresses(county.station)[0]
    assert host == "127.0.0.1"
    link = SpeakerLink(BrokerAddress("localhost", port, "hub-2", "x", tls=True, ca_file=str(county.hosting.ca)))
    try:
        assert not link.start(wait_s=2)
    finally:
        link.stop()

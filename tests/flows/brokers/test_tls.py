"""A broker that speaks TLS alone: devices know its authority, believe no other, and nothing goes out in clear."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from brokerlab import External, certificates
from countylab import TOWN, County, a_county
from speakerlab import soon

from broadcasts.loudspeaker.states import PlayState
from hub.speakers.device.client import ReferenceSpeaker, SpeakerSettings
from hub.speakers.device.device_file import BadDeviceFile, save_devices
from hub.speakers.device.simulator import Simulation, SimulationOptions, run_simulation
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
    assert soon(lambda: county.all_are(broadcast, PlayState.FINISHED)), county.states(broadcast)


def test_a_device_with_another_authority_does_not_give_its_secret_away(
    county: County, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    county.speakers.pop("hill-2").stop()
    stranger = certificates(tmp_path / "stranger")
    speaker = ReferenceSpeaker(SpeakerSettings(county.device("hill-2", ca=stranger.ca), sink="file"))
    speaker.start()
    try:
        assert not soon(lambda: speaker.connected, 2)
    finally:
        speaker.stop()
    said = [vars(record)["reason"] for record in caplog.records if record.message == "broker_not_trusted"]
    assert said
    assert "certificate is not believed" in said[0]


@contextmanager
def a_simulation(county: County, name: str, folder: Path, ca: Path | None) -> Iterator[Simulation]:
    """The simulator as one device of the county, which must not be running."""
    simulation = Simulation([county.device(name, ca=ca)], SimulationOptions(folder / "crowd"))
    thread = threading.Thread(target=simulation.run)
    thread.start()
    try:
        yield simulation
    finally:
        simulation.halt()
        thread.join(20)
        assert not thread.is_alive()


def test_a_simulated_device_speaks_through_tls(county: County, tmp_path: Path) -> None:
    county.speakers.pop("bridge-3").stop()
    with a_simulation(county, "bridge-3", tmp_path, county.hosting.ca) as simulation:
        assert soon(lambda: simulation.crowd().up == 1)
        broadcast = county.release(TOWN)
        assert soon(lambda: county.states(broadcast)["bridge-3"] is PlayState.FINISHED), county.states(broadcast)


def test_a_simulated_device_with_another_authority_is_not_let_in_and_says_why(
    county: County, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = certificates(tmp_path / "stranger")
    with a_simulation(county, "bridge-3", tmp_path, stranger.ca) as simulation:
        assert not soon(lambda: simulation.crowd().up == 1, 4)
    said = [vars(record)["reason"] for record in caplog.records if record.message == "broker_not_trusted"]
    assert len(said) == 1, "several attempts, one sentence"
    assert "certificate is not believed" in said[0]
    assert "broker_ca" in said[0]


def test_an_authority_that_is_none_is_said_before_anything_begins(county: County, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")
    for ca in (tmp_path / "ca.crt", tmp_path / "missing.crt"):
        save_devices(tmp_path / "devices.jsonl", [county.device("bridge-3", ca=ca)])
        with pytest.raises(BadDeviceFile, match="broker_ca"):
            run_simulation(tmp_path / "devices.jsonl", SimulationOptions(tmp_path / "crowd"))
        with pytest.raises(BadDeviceFile, match="broker_ca"):
            ReferenceSpeaker(SpeakerSettings(county.device("bridge-3", ca=ca), sink="file"))


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

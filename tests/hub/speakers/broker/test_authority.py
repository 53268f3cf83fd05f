"""Our own small authority: what it signs is what TLS libraries accept, and nothing is overwritten."""

import ipaddress
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import NOON
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

from hub.speakers.broker.authority import CannotMake, Files, make
from hub.speakers.broker.child import Secure
from hub.speakers.broker.mosquitto import config_text
from hub.speakers.broker.process import BrokerFailed, start_broker

HOSTS = ("broker.example", "10.20.30.40", "fd00::7")


def loaded(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return make(tmp_path / "tls", HOSTS, now=NOON)


@pytest.mark.parametrize("host", HOSTS)
def test_a_client_that_knows_the_authority_accepts_the_broker(files: Files, host: str) -> None:
    subject: x509.GeneralName
    try:
        subject = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    verifier = PolicyBuilder().store(Store([loaded(files.ca)])).time(NOON).build_server_verifier(subject)
    assert len(verifier.verify(loaded(files.cert), [])) == 2


def test_another_name_or_another_authority_is_not_accepted(files: Files, tmp_path: Path) -> None:
    other = make(tmp_path / "other", HOSTS, now=NOON)
    for known, host in ((files, "else.example"), (other, HOSTS[0])):
        verifier = PolicyBuilder().store(Store([loaded(known.ca)])).time(NOON).build_server_verifier(x509.DNSName(host))
        with pytest.raises(x509.verification.VerificationError):
            verifier.verify(loaded(files.cert), [])


def test_keys_are_p256_and_for_their_owner_alone(files: Files) -> None:
    for key in (files.key, files.ca_key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    for path in (files.cert, files.ca):
        public = loaded(path).public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        assert public.curve.name == "secp256r1"


def test_how_long_they_live(files: Files) -> None:
    assert loaded(files.cert).not_valid_after_utc == NOON + timedelta(days=825)
    assert loaded(files.ca).not_valid_after_utc == NOON + timedelta(days=3652)
    assert loaded(files.cert).not_valid_before_utc < NOON


def test_nothing_is_overwritten(files: Files) -> None:
    before = {path.name: path.read_bytes() for path in files.folder.iterdir()}
    with pytest.raises(CannotMake, match="--renew"):
        make(files.folder, HOSTS, now=NOON)
    assert {path.name: path.read_bytes() for path in files.folder.iterdir()} == before


def test_a_renewed_certificate_comes_from_the_same_authority(files: Files) -> None:
    ca, cert = files.ca.read_bytes(), files.cert.read_bytes()
    make(files.folder, HOSTS, now=NOON + timedelta(days=800), renew=True)
    assert files.ca.read_bytes() == ca
    assert files.cert.read_bytes() != cert
    make(files.folder, HOSTS, now=NOON + timedelta(days=3600), renew=True)
    assert loaded(files.cert).not_valid_after_utc == loaded(files.ca).not_valid_after_utc, (
        "never longer than its authority"
    )
    with pytest.raises(CannotMake, match="is over"):
        make(files.folder, HOSTS, now=NOON + timedelta(days=3653), renew=True)


@pytest.mark.parametrize("hosts", [(), ("",), ("http://x",), ("a b",), ("村响",), ("a:1883",)])
def test_what_is_no_host_is_refused_before_anything_is_made(tmp_path: Path, hosts: tuple[str, ...]) -> None:
    with pytest.raises(CannotMake):
        make(tmp_path / "tls", hosts, now=NOON)
    assert not (tmp_path / "tls").exists()


def test_half_an_authority_is_none(files: Files) -> None:
    files.ca_key.unlink()
    with pytest.raises(CannotMake, match="belong together"):
        make(files.folder, HOSTS, now=NOON, renew=True)


def test_mosquitto_listens_for_tls_beside_the_plain_port(tmp_path: Path) -> None:
    secure = Secure("0.0.0.0", 8883, Path("/c.pem"), Path("/k.pem"))  # noqa: S104
    lines = config_text(tmp_path, "127.0.0.1", 1883, secure).splitlines()
    assert lines[:5] == [
        "listener 1883 127.0.0.1",
        "listener 8883 0.0.0.0",
        "certfile /c.pem",
        "keyfile /k.pem",
        "tls_version tlsv1.2",
    ]
    assert "allow_anonymous false" in lines
    assert "certfile" not in config_text(tmp_path, "127.0.0.1", 1883)


def test_a_wrong_certificate_is_said_before_the_broker_starts(tmp_path: Path, files: Files) -> None:
    wrong = Secure("127.0.0.1", 0, files.cert, files.ca_key)
    with pytest.raises(BrokerFailed, match="tls make"):
        start_broker("embedded", tmp_path / "broker", secure=wrong)
    with pytest.raises(BrokerFailed, match="tls make"):
        start_broker("embedded", tmp_path / "broker", secure=Secure("127.0.0.1", 0, tmp_path / "no", tmp_path / "no"))

"""A small certificate authority of one's own, for the broker that loudspeakers reach by TLS."""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE: Final = timedelta(days=3652)
SERVER_LIFE: Final = timedelta(days=825)
SLACK: Final = timedelta(days=1)
"""Clocks of devices are not always right."""
NAME: Final = "Cunxiang local authority"


class CannotMake(Exception):
    """No certificate was made; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything lies. Who has `ca_key` can pretend to be the broker: keep it off the server if you can."""

    folder: Path

    @property
    def ca(self) -> Path:
        """Certificate of the authority: loudspeakers are given it."""
        return self.folder / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """Its private key."""
        return self.folder / "ca.key"

    @property
    def cert(self) -> Path:
        """Certificate of the broker."""
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        """Its private key."""
        return self.folder / "server.key"


def make(folder: Path, hosts: Sequence[str], *, now: datetime, renew: bool = False) -> Files:
    """Make a certificate for these names and addresses, and the authority if there is none yet.

    Nothing is overwritten: CannotMake, unless `renew` replaces the broker's certificate. Loudspeakers know the
    authority, so a renewed certificate needs nothing from them.
    """
    files = Files(folder)
    names = [_name(host) for host in dict.fromkeys(hosts)]
    if not names:
        raise CannotMake("Name at least one --host: the name or address by which loudspeakers reach the broker.")
    if files.cert.exists() and not renew:
        raise CannotMake(f"{files.cert} exists. Use --renew to replace it, or another --out folder.")
    if files.ca.exists() != files.ca_key.exists():
        raise CannotMake(f"{files.ca} and {files.ca_key} belong together, and one of them is missing.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not files.ca.exists():
        _make_authority(files, now)
    _make_server(files, names, now)
    return files


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not host or not host.isascii() or any(c.isspace() or c in "/:@" for c in host):
        raise CannotMake(f"{host!r} is neither a host name nor an address.")
    return x509.DNSName(host)


def _make_authority(files: Files, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        _begin(name, name, key.public_key(), now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(files.ca_key, _private(key), 0o600)
    _write(files.ca, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _make_server(files: Files, names: Sequence[x509.GeneralName], now: datetime) -> None:
    try:
        authority = x509.load_pem_x509_certificate(files.ca.read_bytes())
        ca_key = serialization.load_pem_private_key(files.ca_key.read_bytes(), None)
    except ValueError as error:
        raise CannotMake(f"{files.ca} or {files.ca_key} is damaged: {error}") from error
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise CannotMake(f"{files.ca_key} was not made by this command.")
    key = ec.generate_private_key(ec.SECP256R1())
    life = min(SERVER_LIFE, authority.not_valid_after_utc - now)
    if life <= timedelta(0):
        raise CannotMake(f"{files.ca} is over. Make a new authority in another --out folder and give it to everybody.")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(names[0].value)[:64])])
    certificate = (
        _begin(subject, authority.subject, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write(files.key, _private(key), 0o600)
    _write(files.cert, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    beside = path.with_suffix(path.suffix + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    beside.replace(path)

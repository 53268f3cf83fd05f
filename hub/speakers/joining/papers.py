"""What a new loudspeaker is given, and the seal that only the holder of the claim code can make or open."""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hub.regions.tree import nearest, path_of
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.envelope import KID, KeyRing
from hub.speakers.joining.codes import claim_id, papers_key
from hub.speakers.protocol import DeviceId, RegionCode

NONCE_BYTES: Final = 12
NO_NUMBER_YET: Final = 2**53 - 1
"""Higher than any enrolment number: until its first settings give it its own, no command to a region means it."""


class Papers(BaseModel):
    """Name, credential, broker and hub keys of one loudspeaker."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: DeviceId
    secret: str = Field(min_length=16, max_length=200, repr=False)
    broker_host: str = Field(max_length=253)
    """Empty: the host under which the device has reached the hub."""
    broker_port: int = Field(ge=1, le=65_535)
    broker_tls: bool = False
    ca: str = Field("", max_length=20_000)
    """Certificate of the authority that signed the broker's, PEM; empty: one that every system knows."""
    regions: tuple[RegionCode, ...] = Field(min_length=1, max_length=16)
    hub_keys: dict[Annotated[str, Field(pattern=KID)], str] = Field(min_length=1, max_length=8)

    @field_validator("hub_keys")
    @classmethod
    def _keys_are_keys(cls, keys: dict[str, str]) -> dict[str, str]:
        KeyRing.of(keys)
        return keys

    def device_file(self, hub_host: str, ca_file: Path | None) -> DeviceFile:
        """Return the device file. `hub_host` is where the hub was reached, `ca_file` where `ca` has been written."""
        return DeviceFile(
            id=self.id,
            number=NO_NUMBER_YET,
            secret=self.secret,
            broker_host=self.broker_host or hub_host,
            broker_port=self.broker_port,
            broker_tls=self.broker_tls,
            broker_ca=str(ca_file) if ca_file else None,
            regions=self.regions,
            hub_keys=self.hub_keys,
        )


@dataclass(frozen=True, slots=True)
class Issuer:
    """What the papers of all loudspeakers have in common."""

    broker_host: str
    broker_port: int
    broker_tls: bool
    ca: str
    hub_keys: dict[str, str]
    shards: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Brokers of single places, by their codes."""

    def papers(self, speaker_id: str, secret: str, regions: tuple[str, ...]) -> Papers:
        """Return the papers of one."""
        place = nearest(self.shards, path_of(regions[-1]))
        host, port = self.shards[place] if place else (self.broker_host, self.broker_port)
        return Papers(
            id=speaker_id,
            secret=secret,
            broker_host=host,
            broker_port=port,
            broker_tls=self.broker_tls,
            ca=self.ca,
            regions=regions,
            hub_keys=self.hub_keys,
        )


def seal_papers(code: str, papers: Papers) -> str:
    """Return the papers as only that code can read them (AES-256-GCM, the claim's name as associated data)."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(papers_key(code)).encrypt(nonce, papers.model_dump_json().encode(), _bound_to(code))
    return base64.b64encode(nonce + sealed).decode("ascii")


def open_papers(code: str, text: str) -> Papers | None:
    """Return what was sealed; None when it was not sealed by somebody who knows this code."""
    try:
        data = base64.b64decode(text, validate=True)
        plain = AESGCM(papers_key(code)).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], _bound_to(code))
        return Papers.model_validate_json(plain)
    except (binascii.Error, InvalidTag, ValidationError, ValueError):
        return None


def _bound_to(code: str) -> bytes:
    return bytes.fromhex(claim_id(code))

"""The small TOML file that makes a machine one loudspeaker."""

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hub.speakers.envelope import KID, KeyRing
from hub.speakers.protocol import DeviceId, RegionCode, Settings, first_fault

HOST_AND_PORT: Final = r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$"


class BadDeviceFile(ValueError):
    """The file cannot be used; the message says why and what to do."""


class DeviceFile(BaseModel):
    """Name, credential, broker, the hub's public keys and the regions of one loudspeaker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: DeviceId
    number: int = Field(ge=1)
    secret: str = Field(min_length=16, max_length=200, repr=False)
    broker_host: str = Field(min_length=1)
    broker_port: int = Field(ge=1, le=65_535)
    brokers: tuple[Annotated[str, Field(pattern=HOST_AND_PORT)], ...] = Field(default=(), max_length=16)
    """More nodes of the same broker, as `host:port`: the next one is tried when one is lost."""
    broker_qos: int = Field(default=1, ge=0, le=1)
    """QoS of its subscriptions: 0 on a NATS cluster, where each with QoS 1 is an election of its own."""
    broker_tls: bool = False
    broker_ca: str | None = None
    regions: tuple[RegionCode, ...] = Field(min_length=1)
    state_dir: str = "state"
    hub_keys: dict[Annotated[str, Field(pattern=KID)], str] = Field(min_length=1)

    @field_validator("hub_keys")
    @classmethod
    def _keys_are_keys(cls, keys: dict[str, str]) -> dict[str, str]:
        KeyRing.of(keys)
        return keys

    @field_validator("brokers")
    @classmethod
    def _ports_are_ports(cls, brokers: tuple[str, ...]) -> tuple[str, ...]:
        for each in brokers:
            if not 0 < int(each.rpartition(":")[2]) <= 65_535:
                raise ValueError(f"{each} names no port")
        return brokers

    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each node, the first one first."""
        more = [each.rpartition(":") for each in self.brokers]
        found = [(self.broker_host, self.broker_port), *((host.strip("[]"), int(port)) for host, _, port in more)]
        return list(dict.fromkeys(found))

    def settings(self) -> Settings:
        """What the device knows of itself until the hub tells it more."""
        return Settings(version=0, number=self.number, regions=self.regions, keys=self.hub_keys)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a device file. A relative `state_dir` counts from the file's folder."""
        try:
            fields = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise BadDeviceFile(f"{path}: there is no such device file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise BadDeviceFile(f"{path}: cannot be read: {error}") from error
        try:
            device = cls.model_validate(fields)
        except ValidationError as error:
            raise BadDeviceFile(f"{path}: {first_fault(error)}") from error
        return device.model_copy(update={"state_dir": str(path.parent / device.state_dir)})

    def save(self, path: Path) -> None:
        """Write it for its owner alone: it holds the device's secret."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(self.text())

    def text(self) -> str:
        """What stands in the file. It holds the device's secret."""
        lines = [f"{name} = {json.dumps(value)}" for name, value in self._plain().items()]
        lines += ["", "[hub_keys]", *(f"{kid} = {json.dumps(key)}" for kid, key in self.hub_keys.items()), ""]
        return "\n".join(lines)

    def _plain(self) -> dict[str, object]:
        fields = self.model_dump(mode="json", exclude={"hub_keys"})
        return {name: value for name, value in fields.items() if value is not None and value != []}


def load_devices(path: Path) -> list[DeviceFile]:
    """Many devices: one JSON object per line, with the names of the device file."""
    devices: list[DeviceFile] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadDeviceFile(f"{path}: cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            devices.append(DeviceFile.model_validate_json(line))
        except ValidationError as error:
            raise BadDeviceFile(f"{path}, line {number}: {first_fault(error)}") from error
    if not devices:
        raise BadDeviceFile(f"{path}: holds no devices")
    return devices


def save_devices(path: Path, devices: list[DeviceFile]) -> None:
    """Write many devices, for their owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(device.model_dump_json() + "\n" for device in devices)

"""How loudspeakers are reached."""

from typing import Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from hub.core.config import OptionalPath, Section
from hub.speakers.topics import is_region_code as is_code

THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
HOST: Final = r"^([A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?)?$"
CLOCK = r"^(([01]\d|2[0-3]):[0-5]\d)?$"


def _door(text: str) -> tuple[str, int]:
    host, _, port = text.strip().rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"{text!r} is not a host and a port, like broker-1.example:1883")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _shard(text: str) -> tuple[str, tuple[tuple[str, int], ...]]:
    place, _, doors = text.partition("=")
    found = tuple(_door(each) for each in doors.split())
    if not is_code(place.strip()) or not found:
        raise ValueError(f"{text!r} is not a region code and a broker, like 990102000000=10.0.0.12:1883")
    return place.strip(), found


class MqttSettings(Section):
    """The broker between hub and loudspeakers."""

    table = "mqtt"

    engine: Literal["auto", "embedded", "mosquitto", "external"] = Field(
        "auto",
        description="auto = mosquitto if it is installed, else the embedded broker; external = host and port below",
    )
    host: str = Field("127.0.0.1", description="where the broker listens, or where an external one is reached")
    port: int = Field(1883, ge=0, le=65535, description="its port; 0 takes a free one (own broker only)")
    hosts: tuple[str, ...] = Field(
        (),
        description="doors of an external cluster, each host:port, taken in turn when one does not open; "
        "empty = host and port above",
    )
    shards: tuple[str, ...] = Field(
        (),
        description="brokers of single counties or townships, each 'region code=host:port', with further doors of the "
        "same cluster after a space; what has none of its own is on the broker above. Account and TLS are the same",
    )
    public_shards: tuple[str, ...] = Field(
        (), description="where loudspeakers reach them, each 'region code=host:port', if not under the addresses above"
    )
    public_host: str = Field(
        "",
        pattern=HOST,
        description="where loudspeakers reach the broker, if not under `host`; empty = where they reach the hub",
    )
    public_port: int = Field(
        0, ge=0, le=65535, description="the port they use there, if not `port` (or `tls_port`); 0 = the same"
    )
    username: str = Field("hub", description="the hub's name at an external broker")
    password: SecretStr = Field(
        SecretStr(""), description="its password there; the own broker makes one. Better: CUNXIANG_MQTT_PASSWORD"
    )
    tls: bool = Field(False, description="speak TLS to an external broker")
    ca_file: OptionalPath = Field(None, description="the authority that signed the broker's certificate")
    tls_cert: OptionalPath = Field(
        None, description="certificate of the own broker (PEM); with it loudspeakers speak TLS. See `cunxiang tls make`"
    )
    tls_key: OptionalPath = Field(None, description="private key of that certificate")
    tls_port: int = Field(8883, ge=0, le=65535, description="the own broker's port for TLS; 0 takes a free one")
    plain_too: bool = Field(
        False, description="with TLS, still let loudspeakers in without it; else `port` answers this machine alone"
    )
    heartbeat_seconds: int = Field(60, ge=5, le=3600, description="how often loudspeakers report")
    pack_within_seconds: int = Field(
        600,
        ge=0,
        le=86_400,
        description="over how long loudspeakers spread the fetching of a new emergency pack",
    )

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together: set both, or neither")
        return self

    @field_validator("hosts")
    @classmethod
    def _hosts_have_ports(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for each in hosts:
            _door(each)
        return hosts

    @field_validator("shards", "public_shards")
    @classmethod
    def _shards_have_places(cls, shards: tuple[str, ...]) -> tuple[str, ...]:
        places = [_shard(each)[0] for each in shards]
        if len(set(places)) != len(places):
            raise ValueError("a region stands twice")
        return shards

    @model_validator(mode="after")
    def _shards_are_external(self) -> Self:
        if self.shards and self.own:
            raise ValueError('shards need engine = "external": the hub runs no more than one broker itself')
        unknown = {_shard(each)[0] for each in self.public_shards} - self.shard_doors.keys()
        if unknown:
            raise ValueError(f"public_shards: {', '.join(sorted(unknown))} is not in shards")
        return self

    @property
    def shard_doors(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """The doors of every place's own broker, by its code."""
        return dict(_shard(each) for each in self.shards)

    @property
    def told_shards(self) -> dict[str, tuple[str, int]]:
        """Where loudspeakers reach those brokers."""
        given = dict(_shard(each) for each in self.public_shards)
        return {place: given.get(place, doors)[0] for place, doors in self.shard_doors.items()}

    @property
    def doors(self) -> tuple[tuple[str, int], ...]:
        """Host and port of every address under which the broker may be reached."""
        return tuple(_door(each) for each in self.hosts) or ((self.host, self.port),)

    @property
    def own(self) -> bool:
        """Whether the hub runs the broker itself."""
        return self.engine != "external"

    @property
    def secure(self) -> bool:
        """Whether loudspeakers speak TLS."""
        return self.tls_cert is not None if self.own else self.tls

    @property
    def told_host(self) -> str:
        """Where loudspeakers reach the broker; empty: under the address by which they reach the hub."""
        if self.public_host:
            return self.public_host
        host = self.doors[0][0]
        return "" if host in THIS_MACHINE | EVERYWHERE else host

    def told_port(self, plain: int, secure: int) -> int:
        """Return the port loudspeakers use, given those the broker really listens on (0: none)."""
        return self.public_port or (secure if self.own and self.secure else plain) or self.port or 1883

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach the own broker without TLS."""
        return self.own and self.host not in THIS_MACHINE and (not self.secure or self.plain_too)


class CareSettings(Section):
    """Looking after loudspeakers."""

    table = "speakers"

    offline_alarm_minutes: int = Field(
        15, ge=1, le=1440, description="how long a loudspeaker must be silent before people are told"
    )
    self_test_at: str = Field(
        "03:00",
        pattern=CLOCK,
        description="local time at which every loudspeaker tests itself without a sound; empty = never",
    )
    digest_at: str = Field("08:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="local time of the daily summary")
    digest_by_text: Literal["trouble", "always", "never"] = Field(
        "trouble",
        description="whether the first on a township's and the county's roster is texted the daily summary: when "
        "something is wrong, always, or never",
    )
    keep_events_days: int = Field(400, ge=30, le=4000, description="how long the history of a loudspeaker is kept")

"""The sentences of protocol version 1: commands to loudspeakers and their answers."""

from enum import IntEnum, StrEnum
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from hub.speakers.envelope import KID, MAX_MESSAGE, KeyRing, Refused, SigningKey, open_envelope, seal
from hub.speakers.topics import DEVICE_ID, REGION_CODE

VERSION: Final = 1
MINUTES_A_DAY: Final = 1440
UUID: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Ms = Annotated[int, Field(ge=0, lt=2**53)]
CommandId = Annotated[str, Field(pattern=UUID)]
DeviceId = Annotated[str, Field(pattern=DEVICE_ID)]
RegionCode = Annotated[str, Field(pattern=REGION_CODE)]
Percent = Annotated[int, Field(ge=0, le=100)]
Minute = Annotated[int, Field(ge=0, le=MINUTES_A_DAY)]


class Priority(IntEnum):
    """Which sound yields to which."""

    RELAY = 0
    ROUTINE = 1
    SHOUT = 2
    EMERGENCY = 3


class Reached(StrEnum):
    """How far a command has come on one device, as its receipts say."""

    RECEIVED = "received"
    FETCHED = "fetched"
    STARTED = "started"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    REFUSED = "refused"
    EXPIRED = "expired"
    DUPLICATE = "duplicate"


ENDED: Final = frozenset({Reached.FINISHED, Reached.FAILED, Reached.STOPPED, Reached.REFUSED, Reached.EXPIRED})


PASSING: Final = frozenset({"not_yet", "busy"})
"""Refusals that are not the last word: the same command may be sent again."""


class Doing(StrEnum):
    """What a device is doing at the moment of its heartbeat."""

    IDLE = "idle"
    PLAYING = "playing"
    FAULT = "fault"


class Wire(BaseModel):
    """Strict in types; unknown fields are ignored, so that version 1 can grow."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", populate_by_name=True)

    def to_bytes(self) -> bytes:
        """The JSON that goes out."""
        return self.model_dump_json(by_alias=True).encode()


class ToDevice(Wire):
    """Exactly one loudspeaker."""

    model_config = ConfigDict(extra="forbid")
    device: DeviceId

    def means(self, device: str, number: int, regions: frozenset[str]) -> bool:
        """Whether that device is addressed."""
        return device == self.device


class ToRegion(Wire):
    """Every loudspeaker of a region whose enrolment number is at most `upto`, except those in `excluded`."""

    model_config = ConfigDict(extra="forbid")
    region: RegionCode
    upto: int = Field(ge=0, lt=2**53)
    excluded: tuple[DeviceId, ...] = Field(default=(), alias="not", strict=False)

    def means(self, device: str, number: int, regions: frozenset[str]) -> bool:
        """Whether the device with that number and chain of regions is addressed."""
        return self.region in regions and number <= self.upto and device not in self.excluded


class Audio(Wire):
    """A recording, named by the hash of its bytes: where it comes from does not matter."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    url: str = Field(pattern=r"^https?://[^\s]{1,1000}$")
    size: int = Field(gt=0, le=100_000_000, alias="bytes")
    duration_ms: int = Field(gt=0, le=86_400_000)
    codec: str = Field(pattern=r"^[a-z0-9_.-]{1,20}$")


class CommandBase(Wire):
    """What every command carries. Times are milliseconds UTC; `seq` rises with every command of an issuer."""

    v: Literal[1] = VERSION
    id: CommandId
    issuer: str = Field(pattern=KID)
    iat: Ms
    nbf: Ms
    exp: Ms
    seq: int = Field(ge=0, lt=2**63)
    to: ToDevice | ToRegion

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        if self.exp <= self.nbf:
            raise ValueError("exp must be later than nbf")
        return self


class Play(CommandBase):
    """Sound a recording once. `volume` None leaves it, 0 mutes; `start_at` None means at once."""

    op: Literal["play"] = "play"
    pri: Priority
    mode: Literal["live", "drill"]
    broadcast: CommandId
    audio: Audio
    volume: Percent | None = None
    start_at: Ms | None = None

    @field_validator("pri", mode="before")
    @classmethod
    def _priority_is_a_number(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and value in set(Priority):
            return Priority(value)
        raise ValueError("pri must be 0, 1, 2 or 3")


class Stop(CommandBase):
    """Silence what is named, by command or broadcast, or everything issued before. Never expires."""

    op: Literal["stop"] = "stop"
    ids: tuple[CommandId, ...] = Field(default=(), strict=False)
    broadcasts: tuple[CommandId, ...] = Field(default=(), strict=False)
    all: Literal[True] | None = None

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        named = bool(self.ids or self.broadcasts)
        if named == bool(self.all):
            raise ValueError('a stop names ids or broadcasts, or says "all": true, and never both')
        return self


class SetVolume(CommandBase):
    """The lasting volume; 0 mutes."""

    op: Literal["volume"] = "volume"
    level: Percent


class Ping(CommandBase):
    """Answer, to show that commands arrive."""

    op: Literal["ping"] = "ping"


class QuietTime(Wire):
    """Minutes of the local day; `end` before `start` runs over midnight."""

    start: Minute
    end: Minute

    def holds(self, minute: int) -> bool:
        """Whether that minute of the day lies inside."""
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


class Settings(Wire):
    """All a device is told about itself. A higher version replaces a lower one."""

    version: int = Field(ge=0, lt=2**53)
    number: int = Field(ge=1, lt=2**53)
    regions: tuple[RegionCode, ...] = Field(min_length=1, max_length=16, strict=False)
    keys: dict[Annotated[str, Field(pattern=KID)], str] = Field(min_length=1, max_length=8)
    volume_cap: Percent = 100
    quiet: tuple[QuietTime, ...] = Field(default=(), max_length=8, strict=False)
    utc_offset_min: int = Field(default=480, ge=-900, le=900)
    beat_s: int = Field(default=60, ge=1, le=3600)

    @field_validator("keys")
    @classmethod
    def _keys_are_keys(cls, keys: dict[str, str]) -> dict[str, str]:
        KeyRing.of(keys)
        return keys

    def is_quiet(self, now: int) -> bool:
        """Whether quiet hours hold at `now` (ms UTC) on the device's local clock."""
        minute = (now // 60_000 + self.utc_offset_min) % MINUTES_A_DAY
        return any(each.holds(minute) for each in self.quiet)


class Configure(CommandBase):
    """New settings, kept on the retained topic. Valid while no higher version is known; `exp` is not looked at."""

    op: Literal["config"] = "config"
    settings: Settings


class TimeAnswer(CommandBase):
    """The hub's clock (`iat`), in answer to the heartbeat that carried `nonce`."""

    op: Literal["time"] = "time"
    nonce: str = Field(pattern=r"^[0-9a-f]{8,64}$")


Command = Play | Stop | SetVolume | Ping | Configure | TimeAnswer
_COMMANDS: Final = TypeAdapter[Command](Annotated[Command, Field(discriminator="op")])


class Receipt(Wire):
    """What a device says about a command. `n` counts its receipts; `id` is None where nothing could be believed."""

    id: CommandId | None
    dev: DeviceId
    n: int = Field(ge=0, lt=2**53)
    st: Annotated[Reached, Field(strict=False)]
    ts: Ms
    reason: str | None = Field(default=None, max_length=200)
    played_ms: int | None = Field(default=None, ge=0)
    reached: Annotated[Reached, Field(strict=False)] | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more is to come from this device about this command."""
        return self.st in ENDED and not (self.st is Reached.REFUSED and self.reason in PASSING)


class Beat(Wire):
    """A heartbeat. `last` repeats the newest states, so that a lost receipt heals."""

    dev: DeviceId
    st: Annotated[Doing, Field(strict=False)]
    now: CommandId | None
    last: tuple[tuple[CommandId, Annotated[Reached, Field(strict=False)]], ...] = Field(max_length=8, strict=False)
    seq: int = Field(ge=-1, lt=2**63)
    ts: Ms
    free: int = Field(ge=0)
    vol: Percent
    ver: str = Field(max_length=40)
    cfg: int = Field(ge=0)
    nonce: str = Field(pattern=r"^[0-9a-f]{8,64}$")
    bad: int = Field(default=0, ge=0)


class Presence(Wire):
    """Whether the device is connected: it says so itself, or its last will says the opposite."""

    dev: DeviceId
    up: bool
    ts: Ms | None = None


Answer = TypeVar("Answer", bound=Wire)


def seal_command(command: Command, key: SigningKey) -> bytes:
    """The signed message to publish."""
    return seal(command.to_bytes(), key)


def read_command(message: bytes, keys: KeyRing) -> Command | Refused:
    """Open a signed message and read the command in it."""
    opened = open_envelope(message, keys)
    if isinstance(opened, Refused):
        return opened
    try:
        return _COMMANDS.validate_json(opened.payload)
    except ValidationError as error:
        return Refused("malformed", first_fault(error))


def read_answer(kind: type[Answer], message: bytes) -> Answer | Refused:
    """Read what a device sent: a Receipt, Beat or Presence."""
    if len(message) > MAX_MESSAGE:
        return Refused("malformed", f"{len(message)} bytes, at most {MAX_MESSAGE} are accepted")
    try:
        return kind.model_validate_json(message)
    except ValidationError as error:
        return Refused("malformed", first_fault(error))


def first_fault(error: ValidationError) -> str:
    """The first thing that is wrong, in one line, without the value."""
    fault = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"]

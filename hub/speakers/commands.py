"""What the hub says to loudspeakers: commands and settings."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from hub.speakers.envelope import KID, KeyRing
from hub.speakers.wire import (
    MINUTES_A_DAY,
    SLOT,
    VERSION,
    CommandId,
    DeviceId,
    Minute,
    Ms,
    Percent,
    Priority,
    RegionCode,
    Severity,
    Wire,
)


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


class Stream(Wire):
    """A programme that runs elsewhere: a radio stream by address, or `line:<name>`, the device's own input.

    When it dies, `fallback` sounds instead, if there is one.
    """

    url: str = Field(pattern=r"^(https?://[^\s]{1,1000}|line:[A-Za-z0-9:,._-]{1,60})$")
    duration_ms: int = Field(gt=0, le=86_400_000)
    fallback: Audio | None = None


class Shout(Wire):
    """A voice that is speaking now: it comes in `chunk` commands, at most `duration_ms` in all."""

    codec: Literal["opus"] = "opus"
    duration_ms: int = Field(gt=0, le=600_000)


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
    """Sound something: a recording, a stream or a voice that is speaking now; exactly one of the three.

    `volume` None leaves it, 0 mutes; `start_at` None means at once. `repeat` counts all passes, `gap_ms` lies between
    them. `by` is the person who stands by an emergency, `severity` its colour: without them it does not break quiet
    hours. `pack` names a recording kept for the case that `audio` cannot be fetched, `text` is what a device that has a
    voice of its own may say then. `fetch_within_ms` spreads the fetching over time.
    """

    op: Literal["play"] = "play"
    pri: Priority
    mode: Literal["live", "drill"]
    broadcast: CommandId
    audio: Audio | None = None
    stream: Stream | None = None
    shout: Shout | None = None
    volume: Percent | None = None
    start_at: Ms | None = None
    repeat: int = Field(default=1, ge=1, le=99)
    gap_ms: int = Field(default=0, ge=0, le=600_000)
    severity: Annotated[Severity, Field(strict=False)] | None = None
    by: str | None = Field(default=None, max_length=60)
    pack: str | None = Field(default=None, pattern=SLOT)
    text: str | None = Field(default=None, max_length=800)
    fetch_within_ms: int = Field(default=0, ge=0, le=86_400_000)

    @field_validator("pri", mode="before")
    @classmethod
    def _priority_is_a_number(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and value in set(Priority):
            return Priority(value)
        raise ValueError("pri must be 0, 1, 2 or 3")

    @model_validator(mode="after")
    def _has_one_sound(self) -> Self:
        if sum(each is not None for each in (self.audio, self.stream, self.shout)) != 1:
            raise ValueError("a play has audio, or stream, or shout, and only one of them")
        return self

    @property
    def duration_ms(self) -> int:
        """How long one pass lasts, as far as the hub knows."""
        sound = self.audio or self.stream or self.shout
        return sound.duration_ms if sound is not None else 0


class Chunk(CommandBase):
    """One second or so of a shout. Chunks are not remembered and get no receipts.

    `n` counts from 0; `data` is base64 of Opus packets, each after two bytes of length (big-endian); `last` is the end.
    """

    op: Literal["chunk"] = "chunk"
    play: CommandId
    n: int = Field(ge=0, le=3600)
    data: str = Field(max_length=10_000, pattern=r"^[A-Za-z0-9+/=]*$")
    last: bool = False


class Prefetch(CommandBase):
    """Fetch a recording that will be needed, at a moment of the device's own within `within_ms`."""

    op: Literal["prefetch"] = "prefetch"
    audio: Audio
    within_ms: int = Field(default=0, ge=0, le=86_400_000)


class Restart(CommandBase):
    """Start anew, as after a power cut, when nothing sounds or after at most a minute."""

    op: Literal["restart"] = "restart"


class SelfTest(CommandBase):
    """Look at yourself and report; with `sound` also sound three seconds of tone, unless quiet hours hold."""

    op: Literal["test"] = "test"
    sound: bool = False


class Records(CommandBase):
    """Send the receipts after number `after` again, as far as they are kept."""

    op: Literal["records"] = "records"
    after: int = Field(ge=0, lt=2**53)


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


class LoudTime(QuietTime):
    """A time of the local day in which routine sounds are no louder than `cap`."""

    cap: Percent


class Settings(Wire):
    """All a device is told about itself. A higher version replaces a lower one.

    `pack` are the recordings for emergencies that the device keeps for ever; `lead_in_ms` is how long its amplifier
    needs before the first word; a `drill` device sounds drills and nothing else, any other sounds no drills.
    """

    version: int = Field(ge=0, lt=2**53)
    number: int = Field(ge=1, lt=2**53)
    regions: tuple[RegionCode, ...] = Field(min_length=1, max_length=16, strict=False)
    keys: dict[Annotated[str, Field(pattern=KID)], str] = Field(min_length=1, max_length=8)
    volume_cap: Percent = 100
    quiet: tuple[QuietTime, ...] = Field(default=(), max_length=8, strict=False)
    utc_offset_min: int = Field(default=480, ge=-900, le=900)
    beat_s: int = Field(default=60, ge=1, le=3600)
    loudness: tuple[LoudTime, ...] = Field(default=(), max_length=8, strict=False)
    lead_in_ms: int = Field(default=0, ge=0, le=5000)
    drill: bool = False
    pack: dict[Annotated[str, Field(pattern=SLOT)], Audio] = Field(default_factory=dict, max_length=24)
    pack_within_s: int = Field(default=60, ge=0, le=86_400)
    """Over how long the devices spread the fetching of a new pack: each waits its own share of it."""

    @field_validator("keys")
    @classmethod
    def _keys_are_keys(cls, keys: dict[str, str]) -> dict[str, str]:
        KeyRing.of(keys)
        return keys

    def is_quiet(self, now: int) -> bool:
        """Whether quiet hours hold at `now` (ms UTC) on the device's local clock."""
        return any(each.holds(self._minute(now)) for each in self.quiet)

    def cap_at(self, now: int) -> int:
        """The loudest a routine sound may be at `now` (ms UTC)."""
        minute = self._minute(now)
        return min([self.volume_cap, *(each.cap for each in self.loudness if each.holds(minute))])

    def _minute(self, now: int) -> int:
        return (now // 60_000 + self.utc_offset_min) % MINUTES_A_DAY


class Configure(CommandBase):
    """New settings, kept on the retained topic. Valid while no higher version is known; `exp` is not looked at."""

    op: Literal["config"] = "config"
    settings: Settings


class TimeAnswer(CommandBase):
    """The hub's clock (`iat`), in answer to the heartbeat that carried `nonce`."""

    op: Literal["time"] = "time"
    nonce: str = Field(pattern=r"^[0-9a-f]{8,64}$")
    offset_ms: int = Field(default=0, gt=-(2**53), lt=2**53)
    """How far the device's clock was ahead of the hub's, by its heartbeat."""


Command = Play | Stop | SetVolume | Ping | Configure | TimeAnswer | Chunk | Prefetch | Restart | SelfTest | Records

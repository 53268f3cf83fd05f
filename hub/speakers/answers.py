"""What loudspeakers say: receipts, heartbeats, faults, presence."""

from typing import Annotated, Literal

from pydantic import Field

from hub.speakers.wire import (
    ENDED,
    PASSING,
    CommandId,
    DeviceId,
    Doing,
    Ms,
    Percent,
    Reached,
    Used,
    Wire,
)


class Receipt(Wire):
    """What a device says about a command. `progress` changes no state: it says what happens meanwhile.

    `n` counts its receipts; `id` is None where nothing could be believed: such a receipt repeats the last number.
    """

    id: CommandId | None
    dev: DeviceId
    n: int = Field(ge=0, lt=2**53)
    st: Annotated[Reached, Field(strict=False)]
    ts: Ms
    reason: str | None = Field(default=None, max_length=200)
    played_ms: int | None = Field(default=None, ge=0)
    reached: Annotated[Reached, Field(strict=False)] | None = None
    volume: Percent | None = None
    used: Annotated[Used, Field(strict=False)] | None = None
    round: int | None = Field(default=None, ge=1, le=99)
    offset_ms: int | None = Field(default=None, gt=-(2**53), lt=2**53)
    report: dict[Annotated[str, Field(max_length=24)], Annotated[str, Field(max_length=80)]] | None = Field(
        default=None, max_length=16
    )

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
    n: int = Field(default=0, ge=0, lt=2**53)
    """Number of its newest receipt: the hub sees a gap by it."""
    up_s: int | None = Field(default=None, ge=0)
    amp: Literal["on", "off", "fault"] | None = None
    mains: bool | None = None
    battery: Percent | None = None
    temp: int | None = Field(default=None, ge=-60, le=150)
    signal: int | None = Field(default=None, ge=-150, le=0)
    pack: int | None = Field(default=None, ge=0, le=24)
    """How many recordings of its emergency pack are here and right."""
    faults: tuple[Annotated[str, Field(max_length=24)], ...] = Field(default=(), max_length=16, strict=False)


class FaultReport(Wire):
    """A fault that came (`on`) or went, at the moment it did. Heartbeats repeat those that last."""

    dev: DeviceId
    code: str = Field(max_length=24)
    on: bool
    ts: Ms
    detail: str | None = Field(default=None, max_length=80)


class Presence(Wire):
    """Whether the device is connected: it says so itself, or its last will says the opposite."""

    dev: DeviceId
    up: bool
    ts: Ms | None = None

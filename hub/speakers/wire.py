"""What all sentences of the protocol are made of: types, states, codes."""

from enum import IntEnum, StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from hub.speakers.topics import DEVICE_ID, REGION_CODE

VERSION: Final = 1
MINUTES_A_DAY: Final = 1440
SLOT: Final = r"^[a-z0-9][a-z0-9_-]{0,31}$"
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
    PROGRESS = "progress"
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


class Severity(StrEnum):
    """Colour of an emergency, most severe first."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"


WAKES: Final = frozenset({Severity.RED, Severity.ORANGE})
"""Emergencies that may sound in quiet hours, if a person stands by them with a name."""


class Used(StrEnum):
    """What sounded: what was ordered, or what stood in for it."""

    AUDIO = "audio"
    STREAM = "stream"
    SHOUT = "shout"
    PACK = "pack"
    SPEECH = "speech"
    TONE = "tone"


class FaultCode(StrEnum):
    """What a device can find wrong with itself. The first five are the field's own (GD/J 089)."""

    POWER_CURRENT_LOW = "power_current_low"
    POWER_AVERAGE_LOW = "power_average_low"
    AMP_VOLTAGE_LOW = "amp_voltage_low"
    FIELD_STRENGTH_LOW = "field_strength_low"
    MONITOR_LOST = "monitor_lost"
    MAINS_LOST = "mains_lost"
    BATTERY_LOW = "battery_low"
    TEMPERATURE_HIGH = "temperature_high"
    STORAGE_LOW = "storage_low"
    CLOCK_WRONG = "clock_wrong"
    PLAYBACK = "playback"
    SELF_TEST = "self_test"


FIELD_NUMBERS: Final = {
    FaultCode.POWER_CURRENT_LOW: 1,
    FaultCode.POWER_AVERAGE_LOW: 2,
    FaultCode.AMP_VOLTAGE_LOW: 3,
    FaultCode.FIELD_STRENGTH_LOW: 4,
    FaultCode.MONITOR_LOST: 5,
}
"""Numbers of the field's loudspeaker protocol, where it has one for the fault."""


class Wire(BaseModel):
    """Strict in types; unknown fields are ignored, so that version 1 can grow."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", populate_by_name=True)

    def to_bytes(self) -> bytes:
        """The JSON that goes out."""
        return self.model_dump_json(by_alias=True).encode()

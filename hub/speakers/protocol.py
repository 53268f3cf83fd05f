"""Protocol version 1 as one door: every sentence of it, how it is signed, how it is read."""

from typing import Annotated, Final, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from hub.speakers.answers import Beat, FaultReport, Presence, Receipt
from hub.speakers.commands import (
    Audio,
    Chunk,
    Command,
    CommandBase,
    Configure,
    LoudTime,
    Ping,
    Play,
    Prefetch,
    QuietTime,
    Records,
    Restart,
    SelfTest,
    Settings,
    SetVolume,
    Shout,
    Stop,
    Stream,
    TimeAnswer,
    ToDevice,
    ToRegion,
)
from hub.speakers.envelope import MAX_MESSAGE, KeyRing, Refused, SigningKey, open_envelope, seal
from hub.speakers.wire import (
    ENDED,
    FIELD_NUMBERS,
    MINUTES_A_DAY,
    PASSING,
    SLOT,
    UUID,
    VERSION,
    WAKES,
    CommandId,
    DeviceId,
    Doing,
    FaultCode,
    Minute,
    Ms,
    Percent,
    Priority,
    Reached,
    RegionCode,
    Severity,
    Used,
    Wire,
)

__all__ = [
    "ENDED",
    "FIELD_NUMBERS",
    "MINUTES_A_DAY",
    "PASSING",
    "SLOT",
    "UUID",
    "VERSION",
    "WAKES",
    "Audio",
    "Beat",
    "Chunk",
    "Command",
    "CommandBase",
    "CommandId",
    "Configure",
    "DeviceId",
    "Doing",
    "FaultCode",
    "FaultReport",
    "LoudTime",
    "Minute",
    "Ms",
    "Percent",
    "Ping",
    "Play",
    "Prefetch",
    "Presence",
    "Priority",
    "QuietTime",
    "Reached",
    "Receipt",
    "Records",
    "RegionCode",
    "Restart",
    "SelfTest",
    "SetVolume",
    "Settings",
    "Severity",
    "Shout",
    "Stop",
    "Stream",
    "TimeAnswer",
    "ToDevice",
    "ToRegion",
    "Used",
    "Wire",
    "first_fault",
    "read_answer",
    "read_command",
    "seal_command",
]

_COMMANDS: Final = TypeAdapter[Command](Annotated[Command, Field(discriminator="op")])


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
    """Read what a device sent: a Receipt, Beat, Presence or FaultReport."""
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

"""Names on the wire: topics, device names, region codes."""

import re
from enum import StrEnum
from typing import Final

ROOT: Final = "cx/1"
DEVICE_ID: Final = r"^[a-z0-9][a-z0-9_-]{0,39}$"
REGION_CODE: Final = r"^([0-9]{12}|[0-9]{14})$"
TOPIC_PARTS: Final = 5


class Kind(StrEnum):
    """What is said on a device's own topics."""

    COMMAND = "cmd"
    CONFIG = "cfg"
    TIME = "time"
    RECEIPT = "ack"
    BEAT = "hb"
    PRESENCE = "state"
    FAULT = "fault"


DOWN: Final = (Kind.COMMAND, Kind.CONFIG, Kind.TIME)
UP: Final = (Kind.RECEIPT, Kind.BEAT, Kind.PRESENCE, Kind.FAULT)


def is_device_id(text: str) -> bool:
    """Whether `text` may name a loudspeaker: 1-40 of a-z 0-9 _ -, not starting with a sign."""
    return re.match(DEVICE_ID, text) is not None and not text.endswith("\n")


def is_region_code(text: str) -> bool:
    """Whether `text` has the form of a region code: 12 digits, or 14 for a group."""
    return re.match(REGION_CODE, text) is not None and not text.endswith("\n")


def region_command(code: str) -> str:
    """The topic every loudspeaker of the region listens to."""
    if not is_region_code(code):
        raise ValueError(f"{code!r} is not a region code: 12 digits, or 14 for a group")
    return f"{ROOT}/region/{code}/cmd"


def read_region_command(topic: str) -> str | None:
    """The code of the region a command topic is for; None for anything else."""
    head, _, rest = topic.partition(f"{ROOT}/region/")
    code, _, kind = rest.partition("/")
    return code if not head and kind == Kind.COMMAND and is_region_code(code) else None


def device_topic(device: str, kind: Kind) -> str:
    """One of the device's own topics."""
    if not is_device_id(device):
        raise ValueError(f"{device!r} is not a device name: 1-40 characters of a-z, 0-9, _ and -")
    return f"{ROOT}/dev/{device}/{kind}"


def every_device(kind: Kind) -> str:
    """The filter by which the hub hears all devices."""
    return f"{ROOT}/dev/+/{kind}"


def read_device_topic(topic: str) -> tuple[str, Kind] | None:
    """Device and kind of a device topic; None for anything else."""
    parts = topic.split("/")
    if len(parts) != TOPIC_PARTS or "/".join(parts[:2]) != ROOT or parts[2] != "dev":
        return None
    if not is_device_id(parts[3]) or parts[4] not in set(Kind):
        return None
    return parts[3], Kind(parts[4])

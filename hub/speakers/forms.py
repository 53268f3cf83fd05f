"""What people type on the pages about loudspeakers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from hub.core.errors import BadInput

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")
_PLACE = re.compile(r"([012])\.([a-z0-9][a-z0-9_-]*)")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which loudspeakers the list shows."""

    region: str = ""
    offline: bool = False
    query: str = ""
    after: str = ""

    @classmethod
    def read(cls, args: Mapping[str, str]) -> Self:
        """Take what the address says."""
        return cls(
            region=args.get("region", ""),
            offline=args.get("offline") == "1",
            query=args.get("q", "").strip(),
            after=args.get("after", ""),
        )

    def place(self) -> tuple[int, str] | None:
        """Return where the page before ended; None on the first page."""
        match = _PLACE.fullmatch(self.after)
        return (int(match[1]), match[2]) if match else None

    def chosen(self) -> dict[str, str]:
        """Return the choice as parts of an address, without the page."""
        parts = {"region": self.region, "offline": "1" if self.offline else "", "q": self.query}
        return {name: value for name, value in parts.items() if value}


@dataclass(frozen=True, slots=True)
class NewSpeaker:
    """The form for a new loudspeaker."""

    speaker_id: str = ""
    name: str = ""
    region_code: str = ""
    broker_host: str = ""

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Take what was sent."""
        return cls(
            speaker_id=form.get("speaker_id", "").strip().lower(),
            name=form.get("name", "").strip(),
            region_code=form.get("region_code", ""),
            broker_host=form.get("broker_host", "").strip(),
        )

    def host(self) -> str:
        """Return the hub's address as the device reaches it; BadInput when it cannot be one."""
        if not _HOST.fullmatch(self.broker_host):
            raise BadInput("broker_host_malformed", field="broker_host")
        return self.broker_host


def volume(form: Mapping[str, str]) -> int:
    """Return the typed volume; BadInput unless it is a number."""
    text = form.get("volume", "").strip()
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise BadInput("volume_range", field="volume")
    return int(text)

"""What devices and people send when a loudspeaker joins."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from hub.core.errors import BadInput
from hub.speakers.joining.claims import MOST_CODES, Device, Place

Said = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]


class Announcement(BaseModel):
    """What a device posts to /join. Unknown fields are for later versions."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    claim: str = Field(pattern=r"^[0-9a-f]{40}$")
    serial: Said = Field("", max_length=60)
    model: Said = Field("", max_length=40)
    version: Said = Field("", max_length=40)

    def device(self) -> Device:
        """Return it for the service."""
        return Device(self.claim, self.serial, self.model, self.version)


@dataclass(frozen=True, slots=True)
class JoinForm:
    """Where a new loudspeaker goes, with the code on it or how many codes to make."""

    code: str = ""
    name: str = ""
    region_code: str = ""
    replaces: str = ""
    count: str = "1"

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Take what was sent."""
        return cls(
            code=form.get("code", "").strip()[:200],
            name=form.get("name", "").strip(),
            region_code=form.get("region_code", ""),
            replaces=form.get("replaces", ""),
            count=form.get("count", "1").strip(),
        )

    def place(self) -> Place:
        """Return where it goes."""
        return Place(self.name, self.region_code, self.replaces)

    def how_many(self) -> int:
        """Return how many codes are wanted; BadInput unless it is a number."""
        if not re.fullmatch(r"[0-9]{1,3}", self.count):
            raise BadInput("code_count", field="count", most=MOST_CODES)
        return int(self.count)

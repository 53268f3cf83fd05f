"""The `[warnings]` section of the configuration."""

from typing import Literal

from pydantic import Field, field_validator

from broadcasts.cap.values import NAME
from hub.core.config import Section


class WarningSettings(Section):
    """Official warnings: what may come in, and under which name this hub's own emergencies go out."""

    table = "warnings"

    largest_document_kb: int = Field(
        2000, ge=50, le=20_000, description="largest CAP document or feed that is looked at"
    )
    refused_days: int = Field(
        30, ge=1, le=3650, description="how long a document that was refused is kept to be read, in days"
    )
    sender: str = Field(
        "cunxiang",
        min_length=1,
        max_length=120,
        description="what stands as sender in CAP documents of this hub, "
        "worldwide unique: an address at a domain of your own, as in warning@yunxiu.example",
    )
    sender_name: str = Field("", max_length=60, description="who issues them, in words; empty = the county's name")
    feed: Literal["off", "key", "open"] = Field(
        "key",
        description="who may read the Atom feed of this hub's emergencies: nobody, programs with a key, everybody",
    )

    @field_validator("sender")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError("must hold no space, comma, < or &")
        return value

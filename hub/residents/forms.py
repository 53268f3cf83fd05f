"""What people type on the pages about residents."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from werkzeug.datastructures import MultiDict

from hub.residents.models import AwayConsent, Resident
from hub.residents.service import MAX_PHONES, ResidentInput

_SPLIT = re.compile(r"[、,，;；\s]+")
ONLY_BLANKS = 2


@dataclass(frozen=True, slots=True)
class Filter:
    """Which residents the list shows."""

    region: str = ""
    tag: str = ""
    query: str = ""
    after: UUID | None = None
    without_mobile: bool = False

    @classmethod
    def read(cls, args: Mapping[str, str]) -> Self:
        """Take what the address says."""
        return cls(
            args.get("region", ""),
            args.get("tag", ""),
            args.get("q", "").strip(),
            _id(args.get("after", "")),
            args.get("mobile", "") == "none",
        )

    def chosen(self) -> dict[str, str]:
        """Return the choice as parts of an address, without the page."""
        mobile = "none" if self.without_mobile else ""
        parts = {"region": self.region, "tag": self.tag, "q": self.query, "mobile": mobile}
        return {name: value for name, value in parts.items() if value}


@dataclass(frozen=True, slots=True)
class ResidentForm:
    """The form for one resident. Numbers that were not touched come back masked, as they were shown."""

    name: str = ""
    region: str = ""
    phones: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    more_tags: str = ""
    away: bool = False
    away_consent: str = AwayConsent.UNASKED.value
    household: str = ""

    @classmethod
    def read(cls, form: MultiDict[str, str]) -> Self:
        """Take what was sent."""
        return cls(
            name=form.get("name", "").strip(),
            region=form.get("region", ""),
            phones=tuple(form.get(name, "").strip() for name in phone_fields(MAX_PHONES)),
            tags=tuple(form.getlist("tag")),
            more_tags=form.get("tags", "").strip(),
            away=form.get("away") == "1",
            away_consent=form.get("away_consent", AwayConsent.UNASKED.value),
            household=form.get("household", "").strip(),
        )

    @classmethod
    def of(cls, resident: Resident) -> Self:
        """Show what is known."""
        return cls(
            name=resident.name,
            region=resident.region_code,
            phones=tuple(phone.masked for phone in resident.phones),
            tags=tuple(sorted(tag.tag for tag in resident.tags)),
            away=resident.away,
            away_consent=resident.away_consent.value,
            household=resident.household,
        )

    def given(self) -> ResidentInput:
        """Return it as the service takes it."""
        more = [tag for tag in _SPLIT.split(self.more_tags) if tag]
        known = self.away_consent in set(AwayConsent)
        return ResidentInput(
            name=self.name,
            region_code=self.region,
            phones=self.phones,
            tags=(*self.tags, *more),
            away=self.away,
            away_consent=AwayConsent(self.away_consent) if known else AwayConsent.UNASKED,
            household=self.household,
        )

    def phone_lines(self) -> list[tuple[str, str]]:
        """Return (field name, what stands in it): everything typed, and room for another number."""
        filled = [i for i, text in enumerate(self.phones) if text]
        lines = min(MAX_PHONES, max(ONLY_BLANKS, (filled[-1] + 2) if filled else 0))
        texts = [*self.phones, *[""] * MAX_PHONES]
        return list(zip(phone_fields(lines), texts[:lines], strict=True))


def phone_fields(count: int) -> Sequence[str]:
    """Return the names of the fields for numbers."""
    return ["phone" if i == 0 else f"phone-{i}" for i in range(count)]


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

"""Who is meant, as a value that can be stored, compared and shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.core.errors import BadInput
from hub.regions.tree import level_of, outermost, path_of
from hub.residents.wanted import Away, Wanted

MOST_NUMBERS = 50
_INDEX = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Audience:
    """Regions by code (each with everything below it), and through which channels they are reached.

    `tags` narrows the SMS side to residents who carry one of them, or all of them with `every_tag`; whoever carries one
    of `without_tags` gets no message, nor whoever is at home or away as `away` says. `numbers` are single telephones
    besides, each by the keyed hash under which the hub keeps it. Loudspeakers cannot be narrowed like that: of those
    there, `only` names the ones that are meant, all of them when it is empty; `without` never sound.
    """

    regions: tuple[str, ...]
    speakers: bool = True
    sms: bool = False
    tags: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    every_tag: bool = False
    without_tags: tuple[str, ...] = ()
    away: Away = Away.TOO
    numbers: tuple[str, ...] = ()
    people: bool = True
    """False: nobody of the list of residents, only `numbers`."""

    @property
    def wanted(self) -> Wanted:
        """Whom its text messages are meant for."""
        return Wanted(
            paths=self.paths,
            tags=self.tags,
            every_tag=self.every_tag,
            without_tags=self.without_tags,
            away=self.away,
            numbers=tuple(bytes.fromhex(number) for number in self.numbers),
            people=self.people,
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """The outermost paths that are meant, in the order of the tree."""
        return tuple(outermost([path_of(code) for code in self.regions]))

    def checked(self) -> "Audience":
        """Return it with regions inside other chosen regions dropped; BadInput if it reaches nobody."""
        if not self.regions:
            raise BadInput("no_region_chosen", field="region")
        try:
            for code in self.regions:
                level_of(code)
        except BadInput as error:
            raise BadInput(error.code, field="region", **error.params) from error
        if not (self.speakers or self.sms):
            raise BadInput("no_channel_chosen", field="channel")
        if len(self.numbers) > MOST_NUMBERS:
            raise BadInput("too_many_numbers", field="numbers", most=MOST_NUMBERS)
        if any(not _INDEX.fullmatch(number) for number in self.numbers):
            raise BadInput("number_index_malformed", field="numbers")
        if set(self.tags) & set(self.without_tags):
            raise BadInput("tag_wanted_and_not", field="without_tags", tag=min(set(self.tags) & set(self.without_tags)))
        codes = tuple(path.rstrip("/").rpartition("/")[2] for path in self.paths)
        return replace(self, regions=codes).sorted

    @property
    def sorted(self) -> "Audience":
        """The same with its lists in order, so that two that mean the same are equal."""
        return replace(
            self,
            tags=tuple(sorted(set(self.tags))),
            only=tuple(sorted(set(self.only))),
            without=tuple(sorted(set(self.without))),
            without_tags=tuple(sorted(set(self.without_tags))),
            numbers=tuple(sorted(set(self.numbers))),
            every_tag=self.every_tag and len(set(self.tags)) > 1,
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        stored: dict[str, Any] = {
            "regions": list(self.regions),
            "speakers": self.speakers,
            "sms": self.sms,
            "tags": list(self.tags),
        }
        # Left out when empty: what was approved before they existed keeps its hash.
        chosen: dict[str, Any] = {
            "only": list(self.only),
            "without": list(self.without),
            "without_tags": list(self.without_tags),
            "numbers": list(self.numbers),
            "every_tag": self.every_tag,
            "away": self.away.value if self.away is not Away.TOO else "",
            "people": "none" if not self.people else "",
        }
        return stored | {name: value for name, value in chosen.items() if value}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Audience":
        """Return it as it was stored."""
        return cls(
            regions=tuple(stored.get("regions", ())),
            speakers=bool(stored.get("speakers", False)),
            sms=bool(stored.get("sms", False)),
            tags=tuple(stored.get("tags", ())),
            only=tuple(stored.get("only", ())),
            without=tuple(stored.get("without", ())),
            every_tag=bool(stored.get("every_tag", False)),
            without_tags=tuple(stored.get("without_tags", ())),
            away=Away(stored.get("away", Away.TOO)),
            numbers=tuple(stored.get("numbers", ())),
            people=stored.get("people", "") != "none",
        )

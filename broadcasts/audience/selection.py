"""Who is meant, as a value that can be stored, compared and shown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.core.errors import BadInput
from hub.regions.tree import level_of, outermost, path_of


@dataclass(frozen=True, slots=True)
class Audience:
    """Regions by code (each with everything below it), and through which channels they are reached.

    `tags` narrows the SMS side to residents who carry one of them; loudspeakers cannot be narrowed that way. Of the
    loudspeakers there, `only` names the ones that are meant, all of them when it is empty; `without` never sound.
    """

    regions: tuple[str, ...]
    speakers: bool = True
    sms: bool = False
    tags: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The outermost paths that are meant, in the order of the tree."""
        return tuple(outermost([path_of(code) for code in self.regions]))

    def checked(self) -> "Audience":
        """Return it with regions inside other chosen regions dropped; BadInput if it reaches nobody."""
        if not self.regions:
            raise BadInput("no_region_chosen", field="region")
        for code in self.regions:
            level_of(code)
        if not (self.speakers or self.sms):
            raise BadInput("no_channel_chosen", field="channel")
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
        chosen = {"only": list(self.only), "without": list(self.without)}
        return stored | {name: ids for name, ids in chosen.items() if ids}

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
        )

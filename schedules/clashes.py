"""Which planned items want the same loudspeaker at the same time: pure arithmetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from hub.regions.tree import codes_in, contains, is_above


class Overlap(StrEnum):
    """What happens to two that overlap."""

    CLASH = "clash"
    """One plays after the other, late."""
    YIELDS = "yields"
    """The second gives way to the first, which stands above it, and is not heard."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something planned. `only` and `without` are ids of loudspeakers, as an audience has them."""

    key: UUID
    start: datetime
    end: datetime
    title: str
    home_path: str
    paths: tuple[str, ...]
    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    silence: bool = False

    def sounds_on(self, speaker_ids: frozenset[str]) -> frozenset[str]:
        """Return which of some loudspeakers below its paths it wants."""
        wanted = speaker_ids & self.only if self.only else speaker_ids
        return wanted - self.without


@dataclass(frozen=True, slots=True)
class Clash:
    """Two that overlap, and on how many loudspeakers."""

    first: Item
    second: Item
    overlap: Overlap
    speakers: int
    places: tuple[str, ...]


def find(items: Sequence[Item], speakers: Mapping[str, frozenset[str]]) -> list[Clash]:
    """Return every pair that wants a common loudspeaker at a common moment, by time.

    `speakers` are the ids of loudspeakers by the path of the place they hang in. Places reached by the same items are
    looked at together.
    """
    ordered = sorted(items, key=lambda item: (item.start, item.end))
    below: dict[str, list[int]] = {}
    for number, item in enumerate(ordered):
        for path in item.paths:
            below.setdefault(path, []).append(number)
    alike: dict[tuple[str, ...], list[str]] = {}
    for place in speakers:
        alike.setdefault(tuple(path for path in _prefixes(place) if path in below), []).append(place)
    hit: dict[tuple[int, int], list[str]] = {}
    for paths, places in alike.items():
        numbers = sorted({n for path in paths for n in below[path]})
        for pair in _overlapping(ordered, numbers):
            hit.setdefault(pair, []).extend(places)
    found = [_clash(ordered[a], ordered[b], places, speakers) for (a, b), places in sorted(hit.items())]
    return [clash for clash in found if clash is not None]


def _prefixes(path: str) -> list[str]:
    codes = codes_in(path)
    return ["".join(f"{code}/" for code in codes[:n]) for n in range(1, len(codes) + 1)]


def _overlapping(ordered: Sequence[Item], numbers: Sequence[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    open_: list[int] = []
    for number in numbers:
        start = ordered[number].start
        open_ = [other for other in open_ if ordered[other].end > start]
        found += [(other, number) for other in open_]
        open_.append(number)
    return found


def _clash(a: Item, b: Item, places: Sequence[str], speakers: Mapping[str, frozenset[str]]) -> Clash | None:
    common = [(place, len(a.sounds_on(speakers[place]) & b.sounds_on(speakers[place]))) for place in places]
    where = tuple(sorted(place for place, number in common if number))
    if not where or (a.silence and b.silence):
        return None
    first, second = (b, a) if _gives_way(a, b) else (a, b)
    overlap = Overlap.YIELDS if _gives_way(second, first) else Overlap.CLASH
    return Clash(first, second, overlap, sum(number for _, number in common), where)


def _gives_way(item: Item, other: Item) -> bool:
    covered = all(any(contains(theirs, path) for theirs in other.paths) for path in item.paths)
    return covered and not item.silence and (other.silence or is_above(other.home_path, item.home_path))

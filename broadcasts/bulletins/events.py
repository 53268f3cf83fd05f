"""What authorities call things: kinds of events by name, colours, and how long a warning counts by itself."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from broadcasts.kinds import Colour

FOLDER = Path(__file__).resolve().parents[2] / "templates" / "messages" / "warnings"
OTHER: Final = "other"
USUAL_LIFE: Final = timedelta(hours=6)
_ORDER: Final = (Colour.BLUE, Colour.YELLOW, Colour.ORANGE, Colour.RED)
_COLOUR_WORDS: Final = {
    Colour.RED: ("红色", "Ⅰ级", "I级"),
    Colour.ORANGE: ("橙色", "Ⅱ级", "II级"),
    Colour.YELLOW: ("黄色", "Ⅲ级", "III级"),
    Colour.BLUE: ("蓝色", "Ⅳ级", "IV级"),
}
_WARNING: Final = "预警"
"""Only of a warning does a level stand for a colour: responses and winds have levels too."""
_BY_SEVERITY: Final = {
    "Extreme": Colour.RED,
    "Severe": Colour.ORANGE,
    "Moderate": Colour.YELLOW,
    "Minor": Colour.BLUE,
}
SEVERITY_OF: Final = {colour: severity for severity, colour in _BY_SEVERITY.items()}


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event. `hazard` is the kind of emergency this hub has approved words for, or empty."""

    key: str
    names: tuple[str, ...]
    hazard: str
    codes: tuple[str, ...]
    life: Mapping[Colour, timedelta]

    def life_of(self, colour: Colour | None) -> timedelta:
        """Return how long it counts when nothing is said; without a colour as long as the shortest."""
        if colour is not None:
            return self.life.get(colour, USUAL_LIFE)
        return min(self.life.values(), default=USUAL_LIFE)


@cache
def kinds() -> Mapping[str, EventKind]:
    """Return all kinds in the order in which their names are looked for."""
    raw = tomllib.loads((FOLDER / "events.toml").read_text(encoding="utf-8"))
    return {key: _kind(key, item) for key, item in raw.items()}


def _kind(key: str, item: Mapping[str, Any]) -> EventKind:
    hours = item.get("life", [])
    life = {colour: timedelta(hours=int(n)) for colour, n in zip(_ORDER, hours, strict=False)}
    return EventKind(key, tuple(map(str, item["names"])), str(item["hazard"]), tuple(map(str, item["codes"])), life)


_NONE = EventKind(OTHER, (), "", (), {})


def kind_of(texts: Iterable[str], codes: Iterable[str] = ()) -> EventKind:
    """Return the kind that is named, the first text first; else the one a code stands for alone; else OTHER."""
    for text in texts:
        low = text.lower()
        for kind in kinds().values():
            if any(name in low for name in kind.names):
                return kind
    given = set(codes)
    return next((kind for kind in kinds().values() if given.intersection(kind.codes)), _NONE)


def colour_named(text: str) -> Colour | None:
    """Return the colour a text names; None when it names none, or several."""
    count = None if _WARNING in text else 1
    found = {colour for colour, names in _COLOUR_WORDS.items() if any(_stands(name, text) for name in names[:count])}
    return found.pop() if len(found) == 1 else None


def _stands(name: str, text: str) -> bool:
    """Return whether a name stands in a text and is not the tail of another: I级 stands in II级 too."""
    at = text.find(name)
    while at >= 0:
        if name[0] not in "IV" or at == 0 or text[at - 1] not in "IV":
            return True
        at = text.find(name, at + 1)
    return False


def colour_of_severity(severity: str) -> Colour | None:
    """Return the colour that a severity of CAP usually stands for; None for Unknown."""
    return _BY_SEVERITY.get(severity)

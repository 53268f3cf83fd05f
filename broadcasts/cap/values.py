"""How CAP writes moments, names of documents, lists and shapes. Everything that cannot be read raises ValueError."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from broadcasts.cap.document import Circle, Reference, Ring
from broadcasts.cap.tree import words

_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T)([0-9]{2}):([0-9]{2}:[0-9]{2})([+-])([0-9]{2}):([0-9]{2})")
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PAIR = re.compile(rf"({_NUMBER}),({_NUMBER})")
_CIRCLE = re.compile(rf"({_NUMBER}),({_NUMBER})[ \t\r\n]+({_NUMBER})")
_ITEM = re.compile(r'"([^"]*)"|([^" \t\r\n]+)')
NAME: Final = re.compile(r"[^\s,&<]+")
"""What `identifier` and `sender` may consist of."""
FURTHEST_OFFSET = timedelta(hours=14)


def moment(text: str) -> datetime:
    """Return a moment. 24:00:00 is the next midnight; `-00:00` is how CAP writes UTC."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day, hour, rest, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if offset > FURTHEST_OFFSET or int(minutes) > 59:
        raise ValueError(text)
    midnight = hour == "24"
    if midnight and rest != "00:00":
        raise ValueError(text)
    zone = timezone(-offset if sign == "-" else offset)
    found = datetime.fromisoformat(f"{day}{'00' if midnight else hour}:{rest}").replace(tzinfo=zone)
    try:
        return (found + timedelta(days=1) if midnight else found).astimezone(UTC)
    except OverflowError:
        raise ValueError(text) from None


def written(at: datetime) -> str:
    """Return a moment as CAP writes it."""
    text = at.replace(microsecond=0).isoformat()
    return text[:-6] + "-00:00" if text.endswith("+00:00") else text


def reference(text: str) -> Reference:
    """Return what one word of `references` names."""
    parts = text.split(",")
    if len(parts) != 3 or not all(NAME.fullmatch(part) for part in parts[:2]):
        raise ValueError(text)
    return Reference(parts[0], parts[1], moment(parts[2]))


def references(text: str) -> tuple[Reference, ...]:
    """Return everything that `references` names."""
    return tuple(reference(word) for word in words(text))


def quoted_list(text: str) -> tuple[str, ...]:
    """Return a list whose items stand between white space, or in double quotes where they hold some."""
    rest = _ITEM.sub("", text)
    if rest.strip():
        raise ValueError(text)
    return tuple(match.group(1) if match.group(1) is not None else match.group(2) for match in _ITEM.finditer(text))


def quoted(items: Iterable[str]) -> str:
    """Return a list as it is written."""
    return " ".join(f'"{item}"' if re.search(r"\s", item) or not item else item for item in items)


def point(text: str) -> tuple[float, float]:
    """Return latitude and longitude."""
    match = _PAIR.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return float(match.group(1)), float(match.group(2))


def polygon(text: str) -> Ring:
    """Return the points of a polygon as they stand; whether they make one is another question."""
    return tuple(point(word) for word in words(text))


def circle(text: str) -> Circle:
    """Return a circle as it stands."""
    match = _CIRCLE.fullmatch(text.strip(" \t\r\n"))
    if match is None:
        raise ValueError(text)
    return Circle(*(float(part) for part in match.groups()))


def on_earth(lat: float, lon: float) -> bool:
    """Return whether there is such a place."""
    return math.isfinite(lat) and math.isfinite(lon) and -90 <= lat <= 90 and -180 <= lon <= 180

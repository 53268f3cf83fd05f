"""Arithmetic on region codes and paths.

A code has 12 digits for county, township and village (GB/T 2260 plus three digits each), 14 for a group below one.
A path lists the codes from the top, each closed by a slash, so that "lies below" is "starts with".
"""

import re
from collections.abc import Iterable
from enum import StrEnum

from hub.core.errors import BadInput


class Level(StrEnum):
    """How high a region stands."""

    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"
    GROUP = "group"


BELOW: dict[Level, Level] = {
    Level.COUNTY: Level.TOWNSHIP,
    Level.TOWNSHIP: Level.VILLAGE,
    Level.VILLAGE: Level.GROUP,
}
_CODE = re.compile(r"[0-9]{12}([0-9]{2})?")


def level_of(code: str) -> Level:
    """Return the level a code stands for; BadInput when it is no code."""
    if not _CODE.fullmatch(code) or code.startswith("00"):
        raise BadInput("region_code_malformed", field="code", code_given=code)
    if len(code) == 14:
        return Level.GROUP
    if code[6:] == "000000":
        return Level.COUNTY
    return Level.TOWNSHIP if code[9:] == "000" else Level.VILLAGE


def parent_code(code: str) -> str | None:
    """Return the code one level up, None for a county."""
    match level_of(code):
        case Level.COUNTY:
            return None
        case Level.TOWNSHIP:
            return code[:6] + "000000"
        case Level.VILLAGE:
            return code[:9] + "000"
        case Level.GROUP:
            return code[:12]


def path_of(code: str) -> str:
    """Return the whole path of a code: county/…/code/."""
    above = parent_code(code)
    return (path_of(above) if above else "") + code + "/"


def codes_in(path: str) -> tuple[str, ...]:
    """Return the codes of a path from the top."""
    return tuple(part for part in path.split("/") if part)


def village_of(path: str) -> str:
    """Return the path of the village that a region lies in, or of the region itself if it is larger."""
    return "".join(f"{code}/" for code in codes_in(path)[:3])


def contains(above: str, below: str) -> bool:
    """Return whether the region at path `below` is the one at `above` or lies inside it."""
    return below.startswith(above)


def is_above(above: str, below: str) -> bool:
    """Return whether one region holds another and is not that region."""
    return above != below and contains(above, below)


def nearest(places: Iterable[str], path: str) -> str:
    """Return the innermost of the places that holds `path`; empty when none does."""
    paths = {path_of(place): place for place in places}
    return paths.get(max((above for above in paths if contains(above, path)), key=len, default=""), "")


def outermost(paths: list[str]) -> list[str]:
    """Drop every path that lies inside another one of the list; keep the order of the tree."""
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not kept or not contains(kept[-1], path):
            kept.append(path)
    return kept


def common(paths: list[str]) -> str:
    """Return the deepest path that holds all of them; empty when they share nothing."""
    shared: list[str] = []
    for parts in zip(*(codes_in(path) for path in paths), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "".join(code + "/" for code in shared)

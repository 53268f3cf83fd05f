"""Read the borders of regions from GeoJSON (RFC 7946): longitude first, WGS 84, a property that holds the code."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.core.errors import BadInput

CODE_NAMES: Final = ("code", "adcode", "区划码", "区划代码", "id")
"""Properties in which a region's code is looked for, the first one that is there."""
MOST_POINTS: Final = 20_000
"""Of one region: a village's border has hundreds."""
MOST_REGIONS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Border:
    """The geometry of one region as it is kept."""

    code: str
    geometry: dict[str, Any]


def borders(data: bytes) -> list[Border]:
    """Return every border in a file. BadInput names the first thing that is wrong, and where."""
    try:
        raw = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadInput("borders_no_geojson", field="file") from None
    features = raw.get("features") if isinstance(raw, dict) else None
    if not isinstance(features, list) or raw.get("type") != "FeatureCollection":
        raise BadInput("borders_no_geojson", field="file")
    if len(features) > MOST_REGIONS:
        raise BadInput("borders_too_many", field="file", most=MOST_REGIONS)
    found = [_border(feature, number) for number, feature in enumerate(features, start=1)]
    if not found:
        raise BadInput("borders_empty", field="file")
    seen: set[str] = set()
    for border in found:
        if border.code in seen:
            raise BadInput("border_twice", field="file", code_given=border.code)
        seen.add(border.code)
    return found


def _border(feature: object, number: int) -> Border:
    if not isinstance(feature, dict):
        raise BadInput("border_malformed", field="file", number=number)
    return Border(_code(feature, number), _geometry(feature.get("geometry"), number))


def _code(feature: Mapping[str, Any], number: int) -> str:
    properties = feature.get("properties")
    known = properties if isinstance(properties, dict) else {}
    given = next((known[name] for name in CODE_NAMES if known.get(name)), feature.get("id"))
    code = str(given or "").strip()
    if len(code) in (6, 9) and code.isdigit():
        code = code.ljust(12, "0")
    if not (len(code) in (12, 14) and code.isascii() and code.isdigit()):
        raise BadInput("border_without_code", field="file", number=number)
    return code


def _geometry(raw: object, number: int) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise BadInput("border_malformed", field="file", number=number)
    kind, coordinates = raw.get("type"), raw.get("coordinates")
    try:
        if kind == "Point":
            return {"type": "Point", "coordinates": _point(coordinates)}
        parts = [coordinates] if kind == "Polygon" else coordinates if kind == "MultiPolygon" else None
        polygons = [[_ring(ring) for ring in _list(part)] for part in _list(parts)]
    except (ValueError, TypeError, IndexError):
        raise BadInput("border_malformed", field="file", number=number) from None
    if not polygons or not all(polygons):
        raise BadInput("border_malformed", field="file", number=number)
    if sum(len(ring) for rings in polygons for ring in rings) > MOST_POINTS:
        raise BadInput("border_too_fine", field="file", number=number, most=MOST_POINTS)
    return {"type": "MultiPolygon", "coordinates": polygons}


def _list(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _point(value: object) -> list[float]:
    lon, lat = (float(part) for part in _list(value)[:2])
    if not (math.isfinite(lon) and math.isfinite(lat) and -180 <= lon <= 180 and -90 <= lat <= 90):
        raise ValueError(value)
    return [lon, lat]


def _ring(value: object) -> list[list[float]]:
    points = [_point(part) for part in _list(value)]
    if len(points) < 4 or points[0] != points[-1]:
        raise ValueError(value)
    return points


def _no_constant(word: str) -> object:
    raise ValueError(word)


def rings(geometry: Mapping[str, Any]) -> Iterator[list[list[tuple[float, float]]]]:
    """Return the polygons of a kept geometry as rings of (latitude, longitude); nothing for a point."""
    if geometry["type"] == "MultiPolygon":
        for polygon in geometry["coordinates"]:
            yield [[(lat, lon) for lon, lat in ring] for ring in polygon]


def middle(geometry: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return (latitude, longitude) of a kept point, None for a border."""
    if geometry["type"] != "Point":
        return None
    lon, lat = geometry["coordinates"]
    return float(lat), float(lon)

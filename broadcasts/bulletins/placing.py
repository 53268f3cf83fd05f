"""Whom a warning means: its codes and shapes, laid on the region tree. What is meant and cannot be found is an error.

Codes of other counties say nothing to this hub. A code inside this county that is not in the tree is refused: it names
people who would otherwise hear nothing. See docs/warnings.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.bulletins.gist import Gist
from broadcasts.cap.document import Area
from broadcasts.cap.findings import Finding, Stage
from broadcasts.cap.geometry import Ground, covers, touches
from hub.core.db import like_below
from hub.regions import geojson, shapes
from hub.regions.models import Region, RegionShape
from hub.regions.tree import Level, codes_in, outermost, path_of
from hub.speakers.models import Speaker, SpeakerState

_LENGTHS: Final = (2, 4, 6, 9, 12, 14)
"""Digits that name a province, a prefecture, a county, a township, a village, a group."""


@dataclass(frozen=True)
class Land:
    """The part of the tree a document may speak to."""

    regions: Mapping[str, Region]
    shapes: Mapping[str, RegionShape]
    horns: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """Where loudspeakers hang, by the code of their village."""
    elsewhere: frozenset[str] = frozenset()
    """Codes of regions the hub knows and this document may not speak to."""

    @property
    def villages(self) -> list[Region]:
        """The regions that shapes are compared with."""
        return [region for region in self.regions.values() if region.level is Level.VILLAGE]


@dataclass(frozen=True)
class Placed:
    """The outermost regions that are meant, or what is wrong."""

    codes: tuple[str, ...]
    findings: tuple[Finding, ...]


def land_of(session: Session, path: str) -> Land:
    """Return the land at and below a path."""
    regions = {r.code: r for r in session.scalars(select(Region).where(Region.path.like(like_below(path))))}
    horns: dict[str, list[tuple[float, float]]] = {}
    rows = session.execute(
        select(Speaker.region_path, Speaker.lat, Speaker.lon).where(
            Speaker.region_path.like(like_below(path)),
            Speaker.state == SpeakerState.ACTIVE,
            Speaker.lat.is_not(None),
            Speaker.lon.is_not(None),
        )
    )
    for row in rows:
        village = next((code for code in codes_in(row.region_path) if _is_village(code)), None)
        if village is not None:
            horns.setdefault(village, []).append((row.lat, row.lon))
    known = frozenset(session.scalars(select(Region.code)))
    return Land(regions, shapes.of_paths(session, [path]), horns, known - regions.keys())


def _is_village(code: str) -> bool:
    return len(code) == 12 and code[9:] != "000"


def place(gist: Gist, land: Land) -> Placed:
    """Lay what a warning means on the land."""
    by_code, findings = _by_codes(gist.codes, land)
    # A border that was drawn around codes says the same again, only less exactly.
    by_shape = [] if gist.codes else _by_shapes(gist.areas, land)
    paths = [land.regions[code].path for code in (*by_code, *by_shape)]
    if not paths and not any(not f.warning for f in findings):
        findings.append(_finding("policy_area_nothing"))
    whole = _folded(outermost(paths), land)
    return Placed(tuple(codes_in(path)[-1] for path in whole), tuple(findings))


def _by_codes(codes: Iterable[str], land: Land) -> tuple[list[str], list[Finding]]:
    found: list[str] = []
    findings: list[Finding] = []
    counties = {code[:6] for code in land.regions}
    for code in codes:
        if not (code.isascii() and code.isdigit() and len(code) in _LENGTHS):
            findings.append(_finding("policy_area_code_malformed", given=code[:20]))
            continue
        digits = significant(code)
        inside = [c for c in land.regions if c.startswith(digits)]
        found += inside
        if not inside and digits[:6] in counties and not any(c.startswith(digits) for c in land.elsewhere):
            findings.append(_finding("policy_area_unknown_code", given=code))
    return found, findings


def significant(code: str) -> str:
    """Return a code without the zeros that only fill it up, cut where a level ends: 990101002000 → 990101002."""
    bare = code.rstrip("0")
    for length in _LENGTHS:
        if len(bare) <= length <= len(code):
            return code[:length]
    return code


def _by_shapes(areas: Iterable[Area], land: Land) -> list[str]:
    drawn = [area for area in areas if area.polygons or area.circles]
    return [region.code for region in land.villages if any(_meant(area, region, land) for area in drawn)]


def _meant(area: Area, region: Region, land: Land) -> bool:
    shape = land.shapes.get(region.code)
    if shape is not None:
        rings = tuple(tuple(tuple(ring) for ring in rings) for rings in geojson.rings(shape.geometry))
        if rings:
            return touches(area, Ground(rings))
    points = list(land.horns.get(region.code, ()))
    middle = geojson.middle(shape.geometry) if shape is not None else None
    return any(covers(area, point) for point in (*points, *([middle] if middle else [])))


def _folded(paths: Sequence[str], land: Land) -> list[str]:
    """Return a township where all of its villages are meant, and so on: people then hear its name and not a list."""
    found = list(paths)
    villages = [village.path for village in land.villages]
    for level in (Level.TOWNSHIP, Level.COUNTY):
        for region in land.regions.values():
            below = [path for path in villages if path.startswith(region.path)]
            if region.level is level and len(below) > 1 and all(_inside(path, found) for path in below):
                found = outermost([*found, region.path])
    return outermost(found)


def _inside(path: str, others: Sequence[str]) -> bool:
    return any(path.startswith(other) for other in others)


def _finding(code: str, **params: str) -> Finding:
    return Finding(Stage.POLICY, code, "/alert/info/area", params=params)


def villages_below(session: Session, codes: Sequence[str]) -> list[str]:
    """Return the codes of the villages at and below some regions."""
    if not codes:
        return []
    below = or_(*(Region.path.like(like_below(path_of(code))) for code in codes))
    return list(session.scalars(select(Region.code).where(below, Region.level == Level.VILLAGE)))

"""Does this shape touch that place? Plane geometry on degrees, with kilometres measured on the ball of the earth.

Exact enough for areas of one county; lines across the date line or a pole are cut up or widened, never narrowed.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from broadcasts.cap.document import Area, Circle, Ring

EARTH_KM = 6371.0088
Point = tuple[float, float]
_EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class Box:
    """The smallest rectangle of latitudes and longitudes around something."""

    south: float
    west: float
    north: float
    east: float

    @classmethod
    def around(cls, points: Iterable[Point]) -> "Box":
        """Return the box around points."""
        lats, lons = zip(*points, strict=True)
        return cls(min(lats), min(lons), max(lats), max(lons))

    def meets(self, other: "Box") -> bool:
        """Return whether two boxes share a point."""
        apart = self.north < other.south or other.north < self.south or self.east < other.west or other.east < self.west
        return not apart


@dataclass(frozen=True, slots=True)
class Ground:
    """What one region covers: polygons of (latitude, longitude), each an outer ring and the holes in it."""

    polygons: tuple[tuple[Ring, ...], ...]

    @property
    def box(self) -> Box:
        """The box around all of it."""
        return Box.around(point for rings in self.polygons for point in rings[0])


def km_between(a: Point, b: Point) -> float:
    """Return the distance on the ground."""
    lat_a, lat_b = math.radians(a[0]), math.radians(b[0])
    half = math.sin((lat_b - lat_a) / 2) ** 2
    half += math.cos(lat_a) * math.cos(lat_b) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def inside(point: Point, ring: Sequence[Point]) -> bool:
    """Return whether a point lies in a ring or on its line."""
    y, x = point
    found = False
    for (y1, x1), (y2, x2) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if _on_line((y, x), (y1, x1), (y2, x2)):
            return True
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            found = not found
    return found


def holds(ground: Ground, point: Point) -> bool:
    """Return whether a point lies in a region and in none of its holes."""
    return any(
        inside(point, rings[0]) and not any(inside(point, hole) for hole in rings[1:]) for rings in ground.polygons
    )


def touches(area: Area, ground: Ground) -> bool:
    """Return whether a polygon or circle of an area and a region share a point."""
    return any(_ring_touches(ring, ground) for ring in area.polygons) or any(
        _circle_touches(circle, ground) for circle in area.circles
    )


def covers(area: Area, point: Point) -> bool:
    """Return whether a point lies in a polygon or circle of an area."""
    if any(inside(point, ring) for ring in area.polygons):
        return True
    return any(km_between((circle.lat, circle.lon), point) <= circle.km for circle in area.circles)


def _ring_touches(ring: Ring, ground: Ground) -> bool:
    if not Box.around(ring).meets(ground.box):
        return False
    for rings in ground.polygons:
        outer = rings[0]
        if _lines_cross(ring, outer):
            return True
        if inside(outer[0], ring):
            return True
        if inside(ring[0], outer) and not any(_swallowed(ring, hole) for hole in rings[1:]):
            return True
    return False


def _swallowed(ring: Ring, hole: Ring) -> bool:
    """Return whether a ring lies in a hole and touches nothing around it."""
    return all(inside(point, hole) for point in ring) and not _lines_cross(ring, hole)


def _lines_cross(one: Ring, other: Ring) -> bool:
    box = Box.around(other)
    for a, b in pairwise(one):
        if not Box.around((a, b)).meets(box):
            continue
        if any(_cross(a, b, c, d) for c, d in pairwise(other)):
            return True
    return False


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    if not Box.around((a, b)).meets(Box.around((c, d))):
        return False
    one, two = _side(a, b, c), _side(a, b, d)
    three, four = _side(c, d, a), _side(c, d, b)
    if one * two < 0 and three * four < 0:
        return True
    return any(_on_line(point, start, end) for point, start, end in ((c, a, b), (d, a, b), (a, c, d), (b, c, d)))


def _side(a: Point, b: Point, p: Point) -> float:
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


def _on_line(p: Point, a: Point, b: Point) -> bool:
    if abs(_side(a, b, p)) > _EPSILON:
        return False
    return min(a[0], b[0]) <= p[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= p[1] <= max(a[1], b[1])


def _circle_touches(circle: Circle, ground: Ground) -> bool:
    middle = (circle.lat, circle.lon)
    if holds(ground, middle):
        return True
    return any(
        _km_to_line(middle, a, b) <= circle.km for rings in ground.polygons for ring in rings for a, b in pairwise(ring)
    )


def _km_to_line(point: Point, a: Point, b: Point) -> float:
    """Return the distance to a line of some kilometres, on the plane that touches the earth at the point."""
    scale = math.cos(math.radians(point[0]))
    degree = math.pi * EARTH_KM / 180
    ay, ax = (a[0] - point[0]) * degree, (a[1] - point[1]) * degree * scale
    by, bx = (b[0] - point[0]) * degree, (b[1] - point[1]) * degree * scale
    length = (by - ay) ** 2 + (bx - ax) ** 2
    share = 0.0 if not length else max(0.0, min(1.0, -(ay * (by - ay) + ax * (bx - ax)) / length))
    return math.hypot(ay + share * (by - ay), ax + share * (bx - ax))

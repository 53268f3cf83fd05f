"""Village outlines as the map draws them: the stored points, moved and scaled to fill the picture."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 480, 300
MARGIN = 8
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """One area: SVG path data, and where its name stands."""

    path: str
    x: int
    y: int


def shapes(outlines: Sequence[str]) -> list[Shape | None]:
    """Return a shape for each outline (`x,y x,y …`), None for those without; together they fill the picture."""
    polygons = [_points(outline) for outline in outlines]
    known = [point for polygon in polygons for point in polygon]
    if not known:
        return [None] * len(outlines)
    left, top = min(x for x, _ in known), min(y for _, y in known)
    across, down = max(x for x, _ in known) - left, max(y for _, y in known) - top
    scale = min((WIDTH - 2 * MARGIN) / (across or 1), (HEIGHT - 2 * MARGIN) / (down or 1))
    shift_x, shift_y = (WIDTH - across * scale) / 2 - left * scale, (HEIGHT - down * scale) / 2 - top * scale
    return [_shape([(x * scale + shift_x, y * scale + shift_y) for x, y in polygon]) for polygon in polygons]


def _points(outline: str) -> list[Point]:
    points = []
    for pair in outline.split():
        x, _, y = pair.partition(",")
        try:
            points.append((float(x), float(y)))
        except ValueError:
            return []
    return points if len(points) > 2 else []


def _shape(polygon: list[Point]) -> Shape | None:
    if not polygon:
        return None
    path = "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in polygon) + "Z"
    x, y = _middle(polygon)
    return Shape(path, round(x), round(y))


def _middle(polygon: list[Point]) -> Point:
    """Return the centre of gravity; the mean of the corners for an area without extent."""
    area = x = y = 0.0
    for (x1, y1), (x2, y2) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        cross = x1 * y2 - x2 * y1
        area += cross
        x += (x1 + x2) * cross
        y += (y1 + y2) * cross
    if abs(area) < 1e-6:
        return sum(p[0] for p in polygon) / len(polygon), sum(p[1] for p in polygon) / len(polygon)
    return x / (3 * area), y / (3 * area)

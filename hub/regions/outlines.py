"""Turn the outlines of regions into shapes that a page can draw in a box of its own size."""

from collections.abc import Iterable
from dataclasses import dataclass

Point = tuple[float, float]
MARGIN = 4.0


@dataclass(frozen=True, slots=True)
class Shape:
    """One region in the box: SVG path data, and where its name stands."""

    code: str
    path: str
    x: int
    y: int


def fitted(outlines: Iterable[tuple[str, str]], *, width: int, height: int) -> tuple[Shape, ...]:
    """Return shapes for (code, outline) pairs, as large as the box allows; regions without an outline are left out."""
    polygons = [(code, found) for code, outline in outlines if len(found := _points(outline)) >= 3]
    if not polygons:
        return ()
    xs = [x for _, polygon in polygons for x, _ in polygon]
    ys = [y for _, polygon in polygons for _, y in polygon]
    wide, tall = max(max(xs) - min(xs), 1.0), max(max(ys) - min(ys), 1.0)
    scale = min((width - 2 * MARGIN) / wide, (height - 2 * MARGIN) / tall)
    left, top = (width - scale * wide) / 2 - scale * min(xs), (height - scale * tall) / 2 - scale * min(ys)
    return tuple(_shape(code, [(scale * x + left, scale * y + top) for x, y in polygon]) for code, polygon in polygons)


def _shape(code: str, polygon: list[Point]) -> Shape:
    path = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in polygon) + "Z"
    count = len(polygon)
    return Shape(code, path, round(sum(x for x, _ in polygon) / count), round(sum(y for _, y in polygon) / count))


def _points(outline: str) -> list[Point]:
    pairs = [pair.split(",") for pair in outline.split()]
    return [(float(pair[0]), float(pair[1])) for pair in pairs if len(pair) == 2]

"""Draw village borders for an invented county: each village gets the land nearest to it inside an oval."""

import math

Point = tuple[float, float]
WIDTH, HEIGHT = 1000, 700
_CORNERS = 72


def village_seeds(townships: int = 4, villages: int = 6) -> list[list[Point]]:
    """Return a point for every village, four townships around the middle, slightly uneven as land is."""
    centres = [(320.0, 230.0), (685.0, 230.0), (320.0, 472.0), (685.0, 472.0)]
    seeds = []
    for t in range(townships):
        cx, cy = centres[t % 4]
        points = []
        for v in range(villages):
            column, row = v % 3, v // 3
            wobble = 28 * math.sin(5 * t + 3 * v), 24 * math.cos(7 * t + 2 * v)
            points.append((cx + (column - 1) * 122 + wobble[0], cy + (row - 0.5) * 122 + wobble[1]))
        seeds.append(points)
    return seeds


def outlines(seeds: list[Point]) -> list[str]:
    """Return SVG polygon points for each seed: the part of the oval that lies nearer to it than to any other."""
    return [_as_points(_cell(seed, [s for s in seeds if s != seed])) for seed in seeds]


def _cell(seed: Point, others: list[Point]) -> list[Point]:
    cell = _oval()
    for other in others:
        cell = _nearer(cell, seed, other)
    return cell


def _oval() -> list[Point]:
    points = []
    for k in range(_CORNERS):
        angle = 2 * math.pi * k / _CORNERS
        bend = 1 + 0.035 * math.sin(5 * angle) + 0.025 * math.cos(3 * angle)
        points.append((WIDTH / 2 + 470 * bend * math.cos(angle), HEIGHT / 2 + 325 * bend * math.sin(angle)))
    return points


def _nearer(polygon: list[Point], seed: Point, other: Point) -> list[Point]:
    """Cut away what lies nearer to `other` (Sutherland-Hodgman with one line)."""

    def side(p: Point) -> float:
        return math.dist(p, other) ** 2 - math.dist(p, seed) ** 2

    kept: list[Point] = []
    for current, following in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        here, there = side(current), side(following)
        if here >= 0:
            kept.append(current)
        if (here >= 0) != (there >= 0):
            share = here / (here - there)
            kept.append(
                (
                    current[0] + share * (following[0] - current[0]),
                    current[1] + share * (following[1] - current[1]),
                )
            )
    return kept


def _as_points(polygon: list[Point]) -> str:
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in polygon)

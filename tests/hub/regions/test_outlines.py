"""Outlines are fitted into the box they are drawn in."""

import re

from hub.regions.outlines import MARGIN, fitted

SQUARE = "100,100 200,100 200,200 100,200"
FAR = "800,500 900,500 900,700"


def corners(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", path)]


def test_shapes_fill_the_box_and_keep_their_proportions() -> None:
    (shape,) = fitted([("a", SQUARE)], width=300, height=100)
    xs, ys = zip(*corners(shape.path), strict=True)
    assert (min(ys), max(ys)) == (MARGIN, 100 - MARGIN)
    assert max(xs) - min(xs) == max(ys) - min(ys)
    assert (shape.x, shape.y) == (150, 50)


def test_several_shapes_stay_where_they_lie_to_each_other() -> None:
    first, second = fitted([("a", SQUARE), ("b", FAR)], width=480, height=290)
    assert first.x < second.x
    assert first.y < second.y
    for shape in (first, second):
        assert all(0 <= x <= 480 and 0 <= y <= 290 for x, y in corners(shape.path))


def test_a_region_without_an_outline_is_left_out() -> None:
    assert [s.code for s in fitted([("a", SQUARE), ("b", ""), ("c", "1,2 3,4")], width=10, height=10)] == ["a"]
    assert fitted([("a", "")], width=10, height=10) == ()


def test_a_line_is_drawn_without_dividing_by_nothing() -> None:
    assert len(fitted([("a", "5,5 5,5 5,5")], width=100, height=100)) == 1

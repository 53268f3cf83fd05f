"""Two that want a loudspeaker at the same moment are found, and who gives way is said: held against counting."""

from datetime import UTC, datetime, timedelta
from itertools import combinations
from uuid import UUID

from builders import BRIDGE, COUNTY, FERRY, HILL, NORTH
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.regions.tree import contains, path_of
from schedules.clashes import Item, Overlap, find

START = datetime(2026, 11, 23, tzinfo=UTC)
HORNS = {path_of(code): frozenset({f"{code}-1", f"{code}-2"}) for code in (BRIDGE, HILL, FERRY)}
PATHS = [path_of(code) for code in (COUNTY, NORTH, BRIDGE, HILL, FERRY)]
ALL = sorted(horn for ids in HORNS.values() for horn in ids)


def item(number: int, start: int, minutes: int, path: str, without: frozenset[str] = frozenset()) -> Item:
    begins = START + timedelta(minutes=start)
    return Item(
        UUID(int=number), begins, begins + timedelta(minutes=minutes), f"{number}", path, (path,), without=without
    )


def wants(one: Item, horn: str) -> bool:
    place = next(path for path, ids in HORNS.items() if horn in ids)
    return contains(one.paths[0], place) and horn not in one.without


some_items = st.lists(
    st.tuples(
        st.integers(0, 40), st.integers(1, 20), st.sampled_from(PATHS), st.frozensets(st.sampled_from(ALL), max_size=2)
    ),
    max_size=8,
)


@given(some_items)
@settings(max_examples=150, deadline=None)
def test_what_is_found_is_what_counting_finds(rows: list[tuple[int, int, str, frozenset[str]]]) -> None:
    items = [item(n, *row) for n, row in enumerate(rows)]
    counted = {}
    for a, b in combinations(items, 2):
        common = sum(wants(a, horn) and wants(b, horn) for horn in ALL)
        if common and a.start < b.end and b.start < a.end:
            counted[frozenset({a.key, b.key})] = common
    assert {frozenset({c.first.key, c.second.key}): c.speakers for c in find(items, HORNS)} == counted


def test_the_lower_level_gives_way_whichever_comes_first() -> None:
    upper, lower = item(1, 10, 10, path_of(NORTH)), item(2, 5, 10, path_of(BRIDGE))
    found = find([lower, upper], HORNS)
    assert [(c.overlap, c.first.key, c.second.key, c.speakers) for c in found] == [
        (Overlap.YIELDS, upper.key, lower.key, 2)
    ]


def test_equals_play_one_after_the_other_and_neighbours_do_not_meet() -> None:
    assert [c.overlap for c in find([item(1, 0, 5, PATHS[2]), item(2, 4, 5, PATHS[2])], HORNS)] == [Overlap.CLASH]
    assert find([item(1, 0, 5, PATHS[2]), item(2, 5, 5, PATHS[2])], HORNS) == []
    assert find([item(1, 0, 5, PATHS[2]), item(2, 0, 5, PATHS[3])], HORNS) == []

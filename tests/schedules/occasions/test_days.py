"""The calendar's dates: by rule, against what is known of some years; every entry is whole."""

from datetime import date

import pytest

from broadcasts.texts import shelf
from schedules.occasions.days import begins, occasions, span


@pytest.mark.parametrize(
    ("on", "year", "day"),
    [
        ("12-04", 2026, date(2026, 12, 4)),
        ("spring+0", 2026, date(2026, 2, 17)),
        ("spring+0", 2027, date(2027, 2, 6)),
        ("spring+0", 2028, date(2028, 1, 26)),
        ("spring-15", 2027, date(2027, 1, 22)),
        ("qingming+0", 2026, date(2026, 4, 5)),
        ("qingming-10", 2028, date(2028, 3, 25)),
        ("09-w3", 2026, date(2026, 9, 21)),
        ("09-w3", 2025, date(2025, 9, 15)),
        ("04-last", 2026, date(2026, 4, 20)),
        ("04-last", 2028, date(2028, 4, 24)),
        ("12-last", 2026, date(2026, 12, 21)),
    ],
)
def test_a_rule_means_the_right_day(on: str, year: int, day: date) -> None:
    assert begins(on, year) == day


def test_the_last_week_lies_whole_in_its_month_whatever_the_year() -> None:
    for year in range(2026, 2060):
        first = begins("04-last", year)
        assert (first.month, first.weekday()) == (4, 0)
        assert 18 <= first.day <= 24


def test_every_entry_can_be_drafted() -> None:
    for one in occasions().values():
        found = span(one, 2027)
        assert found.first_day <= found.last_day, one.key
        assert found.draft_from < found.first_day
        assert one.departments, one.key
        texts = [shelf.find(key) for key in one.texts]
        assert all(text is not None and not text.blanks for text in texts), one.key
        assert bool(one.texts) == bool(one.times), one.key
        assert len(one.name) <= 15


def test_days_that_differ_from_place_to_place_are_not_called_certain() -> None:
    uncertain = {key for key, one in occasions().items() if not one.certain}
    assert {"chunyun", "network", "forest_season", "siren", "flood", "heating", "gaokao"} <= uncertain
    assert {"constitution", "security", "traffic", "drugs", "consumer"} & uncertain == set()


def test_exam_days_are_quiet_and_have_no_campaign() -> None:
    assert [one.key for one in occasions().values() if one.quiet] == ["gaokao"]
    assert occasions()["gaokao"].texts == ()

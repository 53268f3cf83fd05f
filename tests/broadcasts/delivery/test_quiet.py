"""Quiet hours as arithmetic."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.delivery.quiet import MINUTES_A_DAY, QuietHours

ZONE = ZoneInfo("Asia/Shanghai")
QUIET = QuietHours.of(("21:00-06:30", "12:30-14:00"), ZONE)


def local(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, 23, hour, minute, second, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        (local(6, 29, 59), True),
        (local(6, 30), False),
        (local(12, 29), False),
        (local(12, 30), True),
        (local(14), False),
        (local(20, 59), False),
        (local(21), True),
        (local(0), True),
    ],
)
def test_the_edges_belong_where_people_expect_them(moment: datetime, quiet: bool) -> None:
    assert QUIET.holds_at(moment) is quiet


@pytest.mark.parametrize(
    ("start", "seconds", "touches"),
    [
        (local(12, 29), 60, False),
        (local(12, 29), 62, True),
        (local(20), 3600, False),
        (local(20), 3602, True),
        (local(11), 3 * 3600, True),
    ],
)
def test_a_programme_may_end_exactly_when_quiet_begins(start: datetime, seconds: int, touches: bool) -> None:
    assert QUIET.touches(start, seconds) is touches


def test_a_free_time_is_offered() -> None:
    assert QUIET.next_free(local(22), 60) == local(6, 30) + timedelta(days=1)
    assert QUIET.next_free(local(12, 40), 60) == local(14)
    assert QUIET.next_free(local(9, 10), 60) == local(9, 30)
    assert QuietHours.of(("00:00-23:59",), ZONE).next_free(local(9), 120) is None


def test_a_drawing_cuts_the_night_in_two() -> None:
    assert QUIET.as_day() == [(0, 390), (750, 840), (1260, MINUTES_A_DAY)]


@given(st.integers(0, MINUTES_A_DAY - 1), st.integers(1, 7200))
def test_what_touches_no_quiet_minute_is_never_refused(minute: int, seconds: int) -> None:
    start = local(0) + timedelta(minutes=minute)
    covered = range(minute, minute + (seconds - 1) // 60 + 1)
    expected = any(QUIET.holds_minute(m % MINUTES_A_DAY) for m in covered)
    assert QUIET.touches(start, seconds) is expected

"""When a slot comes round, held against dateutil's recurrence and against counting minutes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import DAILY, MONTHLY, WEEKLY, rrule
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.calendar import Days, Pattern, Rhythm, Rule, occurrences

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = [SHANGHAI, *(ZoneInfo(name) for name in ("America/New_York", "Australia/Lord_Howe", "Asia/Urumqi"))]
YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 12, 31, tzinfo=UTC))
AT = time(7, 30)


def on_days(
    pattern: Pattern, first: date, last: date, days: Days | None = None, zone: ZoneInfo = SHANGHAI
) -> list[date]:
    """The local days on which a pattern comes round."""
    rule = Rule(zone, daily_at=AT, pattern=pattern)
    start = datetime.combine(first, time(), tzinfo=zone) - timedelta(seconds=1)
    end = datetime.combine(last, time(23, 59), tzinfo=zone)
    return [moment.astimezone(zone).date() for moment in occurrences(rule, start, end, days or Days())]


def by_dateutil(pattern: Pattern, first: date, last: date) -> list[date]:
    anchor = datetime.combine(pattern.anchor or first, time())
    weekdays = [day - 1 for day in sorted(pattern.weekdays)]
    start, end = datetime.combine(first, time()), datetime.combine(last, time(23, 59))
    match pattern.rhythm:
        case Rhythm.WEEKDAYS:
            found = rrule(WEEKLY, dtstart=start, until=end, byweekday=weekdays)
        case Rhythm.WEEKS:
            monday = anchor - timedelta(days=anchor.weekday())
            found = rrule(WEEKLY, interval=pattern.every, dtstart=monday, until=end, byweekday=weekdays, wkst=0)
        case Rhythm.MONTH_DAYS:
            found = rrule(MONTHLY, dtstart=start, until=end, bymonthday=sorted(pattern.month_days))
        case _:
            found = rrule(DAILY, dtstart=start, until=end)
    return [moment.date() for moment in found if start <= moment <= end]


some_days = st.dates(date(2026, 1, 1), date(2028, 12, 31))
patterns = st.one_of(
    st.builds(Pattern, rhythm=st.just(Rhythm.DAILY)),
    st.builds(Pattern, rhythm=st.just(Rhythm.WEEKDAYS), weekdays=st.frozensets(st.integers(1, 7), min_size=1)),
    st.builds(
        Pattern,
        rhythm=st.just(Rhythm.WEEKS),
        weekdays=st.frozensets(st.integers(1, 7), min_size=1),
        every=st.integers(1, 9),
        anchor=st.dates(date(2025, 6, 1), date(2026, 1, 1)),
    ),
    st.builds(
        Pattern,
        rhythm=st.just(Rhythm.MONTH_DAYS),
        month_days=st.frozensets(st.integers(1, 31) | st.just(-1), min_size=1),
    ),
)


@given(patterns, some_days, st.integers(0, 500))
@settings(max_examples=150, deadline=None)
def test_days_are_those_of_dateutil(pattern: Pattern, first: date, length: int) -> None:
    last = first + timedelta(days=length)
    assert on_days(pattern, first, last) == by_dateutil(pattern, first, last)


@given(patterns, some_days, st.integers(1, 60), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_two_stretches_together_are_the_whole(pattern: Pattern, first: date, a: int, b: int) -> None:
    rule = Rule(SHANGHAI, daily_at=AT, pattern=pattern)
    start = datetime.combine(first, AT, tzinfo=SHANGHAI)
    middle, end = start + timedelta(days=a), start + timedelta(days=a + b)
    whole = occurrences(rule, start, end)
    assert whole == occurrences(rule, start, middle) + occurrences(rule, middle, end)
    assert start.astimezone(UTC) not in whole, "the left end is open: what was planned is not planned again"


def first_minute(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The first minute of a local day at which its clocks show that time or a later one: by counting."""
    moment = datetime.combine(day, time(), tzinfo=UTC) - timedelta(hours=15)
    while True:
        local = moment.astimezone(zone)
        if local.date() == day and local.time() >= at:
            return moment
        moment += timedelta(minutes=1)


CHANGES = {
    "America/New_York": [date(2027, 3, 14), date(2027, 11, 7)],
    "Australia/Lord_Howe": [date(2027, 4, 4), date(2027, 10, 3)],
}


@pytest.mark.parametrize("name", sorted(CHANGES))
@pytest.mark.parametrize("at", [time(0, 30), time(1, 45), time(2, 0), time(2, 15), time(2, 30)])
def test_where_clocks_change_it_sounds_once_at_the_first_valid_minute(name: str, at: time) -> None:
    zone = ZoneInfo(name)
    rule = Rule(zone, daily_at=at, pattern=Pattern())
    for change in CHANGES[name]:
        around = [change + timedelta(days=n) for n in (-1, 0, 1)]
        start = datetime.combine(around[0], time(), tzinfo=zone) - timedelta(seconds=1)
        end = datetime.combine(around[-1], time(23, 59), tzinfo=zone)
        assert occurrences(rule, start, end) == [first_minute(day, at, zone) for day in around]


def test_year_ends_and_leap_days() -> None:
    last_days = Pattern(Rhythm.MONTH_DAYS, month_days=frozenset({31, -1}))
    shown = on_days(last_days, date(2027, 12, 1), date(2028, 3, 31))
    assert shown == [date(2027, 12, 31), date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31)]
    leap = Pattern(Rhythm.MONTH_DAYS, month_days=frozenset({29}))
    assert date(2027, 2, 28) not in on_days(leap, date(2027, 2, 1), date(2027, 2, 28))
    assert on_days(leap, date(2028, 2, 1), date(2028, 2, 29)) == [date(2028, 2, 29)]
    assert len(on_days(Pattern(), date(2027, 12, 30), date(2028, 1, 2))) == 4
    fortnight = Pattern(Rhythm.WEEKS, frozenset({1}), every=2, anchor=date(2026, 12, 28))
    assert on_days(fortnight, date(2026, 12, 28), date(2027, 1, 31)) == [
        date(2026, 12, 28), date(2027, 1, 11), date(2027, 1, 25)
    ]  # fmt: skip


def test_worked_weekends_and_days_off_change_places() -> None:
    swap = Days(
        holidays=frozenset(date(2026, 10, day) for day in range(1, 8)),
        workdays=frozenset({date(2026, 9, 20), date(2026, 10, 10)}),
    )
    works = on_days(Pattern(Rhythm.WORKDAYS), date(2026, 9, 19), date(2026, 10, 11), swap)
    assert date(2026, 9, 20) in works, "a Sunday that is worked"
    assert date(2026, 10, 10) in works
    assert not [day for day in works if date(2026, 10, 1) <= day <= date(2026, 10, 7)]
    off = on_days(Pattern(Rhythm.HOLIDAYS), date(2026, 9, 19), date(2026, 10, 11), swap)
    assert sorted(works + off) == on_days(Pattern(), date(2026, 9, 19), date(2026, 10, 11)), "each day is one of them"


def test_a_year_the_table_does_not_know_has_plain_weekends() -> None:
    assert on_days(Pattern(Rhythm.WORKDAYS), date(2031, 1, 1), date(2031, 1, 7)) == [
        day for day in (date(2031, 1, 1) + timedelta(days=n) for n in range(7)) if day.weekday() < 5
    ]


def test_days_left_out_first_and_last_and_chosen() -> None:
    exam = Pattern(
        first=date(2027, 6, 5),
        last=date(2027, 6, 11),
        apart=((date(2027, 6, 7), date(2027, 6, 9)),),
    )
    june = [date(2027, 6, day) for day in (5, 6, 10, 11)]
    assert on_days(exam, date(2027, 5, 1), date(2027, 7, 1)) == june
    chosen = Pattern(Rhythm.DATES, dates=frozenset(june))
    assert on_days(chosen, date(2027, 5, 1), date(2027, 7, 1)) == june
    quiet = Days(quiet=frozenset(june[:2]))
    assert on_days(chosen, date(2027, 5, 1), date(2027, 7, 1), quiet) == june[2:]


@given(patterns)
def test_a_pattern_is_stored_and_read_back(pattern: Pattern) -> None:
    assert Pattern.from_json(pattern.rhythm, pattern.as_json()) == pattern


@given(st.sampled_from(ZONES), some_days, st.times(), st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_it_comes_once_a_day_in_every_zone(zone: ZoneInfo, first: date, at: time, length: int) -> None:
    at = at.replace(second=0, microsecond=0)
    rule = Rule(zone, daily_at=at, pattern=Pattern())
    start = datetime.combine(first, time(), tzinfo=zone) - timedelta(seconds=1)
    last = first + timedelta(days=length)
    end = datetime.combine(last, time(23, 59, 59), tzinfo=zone)
    days = [moment.astimezone(zone).date() for moment in occurrences(rule, start, end)]
    assert days == [first + timedelta(days=n) for n in range(length + 1)]

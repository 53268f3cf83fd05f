"""A campaign's times: in turn, outside quiet hours, never on top of something else, never more than a day may have."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from broadcasts.delivery.quiet import QuietHours
from schedules.campaigns.plan import FURTHEST, Period, Taken, plan, texting_days, too_close

SHANGHAI = ZoneInfo("Asia/Shanghai")
QUIET = QuietHours.of(("21:00-06:30",), SHANGHAI)
MONDAY = date(2026, 11, 23)
BEFORE = datetime(2026, 11, 22, tzinfo=UTC)
MINUTE = 60_000


def at(day: date, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}:00").replace(tzinfo=SHANGHAI).astimezone(UTC)


def test_texts_take_turns_over_all_times_of_all_days() -> None:
    found = plan(
        Period(MONDAY, MONDAY + timedelta(days=2), ("17:50", "11:50")), [MINUTE] * 4, quiet=QUIET, after=BEFORE
    )
    assert [p.text for p in found.plays] == [0, 1, 2, 3, 0, 1]
    assert found.plays[0].at == at(MONDAY, "11:50")


def test_after_a_pause_each_day_has_the_text_it_would_have_had() -> None:
    period = Period(MONDAY, MONDAY + timedelta(days=9), ("11:50",))
    whole = plan(period, [MINUTE] * 3, quiet=QUIET, after=BEFORE)
    later = plan(period, [MINUTE] * 3, quiet=QUIET, after=at(MONDAY + timedelta(days=4), "12:00"))
    assert later.plays == whole.plays[5:]


def test_what_sounds_already_is_waited_for_and_what_finds_no_room_is_left_out() -> None:
    busy = (at(MONDAY, "11:45"), at(MONDAY, "11:58"))
    blocked = (at(MONDAY, "17:00"), at(MONDAY, "19:00"))
    period = Period(MONDAY, MONDAY, ("11:50", "17:50"))
    found = plan(period, [MINUTE], quiet=QUIET, taken=Taken([busy, blocked]), after=BEFORE)
    assert [(p.at, p.moved) for p in found.plays] == [(at(MONDAY, "12:00"), True)]
    assert found.crowded == (at(MONDAY, "17:50"),)


def test_a_day_has_enough_whichever_campaigns_filled_it() -> None:
    tuesday = MONDAY + timedelta(days=1)
    period = Period(MONDAY, tuesday, ("11:50", "17:50"), most_a_day=2)
    found = plan(period, [MINUTE], quiet=QUIET, taken=Taken(campaigns_on={MONDAY: 1}), after=BEFORE)
    assert [p.at for p in found.plays] == [at(MONDAY, "11:50"), at(tuesday, "11:50"), at(tuesday, "17:50")]
    assert found.full == (at(MONDAY, "17:50"),)


def test_what_has_sounded_today_counts_for_today() -> None:
    period = Period(MONDAY, MONDAY, ("08:00", "11:50", "17:50"), most_a_day=2)
    found = plan(period, [MINUTE], quiet=QUIET, after=at(MONDAY, "12:30"))
    assert found.plays == ()
    assert found.full == (at(MONDAY, "17:50"),)


def test_exam_days_stay_quiet() -> None:
    period = Period(MONDAY, MONDAY + timedelta(days=1), ("11:50",))
    found = plan(period, [MINUTE], quiet=QUIET, taken=Taken(hushed=frozenset({MONDAY})), after=BEFORE)
    assert [p.at for p in found.plays] == [at(MONDAY + timedelta(days=1), "11:50")]
    assert found.quiet_days == (MONDAY,)


def test_minutes_are_counted_a_day() -> None:
    period = Period(MONDAY, MONDAY + timedelta(days=1), ("11:50", "17:50"))
    found = plan(period, [MINUTE, 3 * MINUTE], quiet=QUIET, after=BEFORE)
    assert found.minutes_a_day([MINUTE, 3 * MINUTE], SHANGHAI) == {MONDAY: 4.0, MONDAY + timedelta(days=1): 4.0}


clocks = st.times().map(lambda t: f"{t:%H:%M}")
stretches = st.tuples(st.integers(0, 3 * 1440), st.integers(1, 90)).map(
    lambda p: (at(MONDAY, "00:00") + timedelta(minutes=p[0]), at(MONDAY, "00:00") + timedelta(minutes=sum(p)))
)


@given(
    times=st.lists(clocks, min_size=1, max_size=6, unique=True),
    lengths=st.lists(st.integers(10_000, 300_000), min_size=1, max_size=5),
    most=st.integers(1, 4),
    busy=st.lists(stretches, max_size=12),
)
def test_whatever_is_asked_nothing_overlaps_nothing_wakes_anybody_and_no_day_has_too_much(
    times: list[str], lengths: list[int], most: int, busy: list[tuple[datetime, datetime]]
) -> None:
    period = Period(MONDAY, MONDAY + timedelta(days=2), tuple(times), most_a_day=most)
    found = plan(period, lengths, quiet=QUIET, taken=Taken(busy), after=BEFORE)
    spans = [(p.at, p.at + timedelta(milliseconds=lengths[p.text])) for p in found.plays]
    everything = sorted([*spans, *busy])
    for span in spans:
        others = [s for s in everything if s is not span]
        assert not any(a < span[1] and span[0] < b for a, b in others)
        assert not QUIET.touches(span[0], (span[1] - span[0]).total_seconds())
    for n in range(3):
        day = MONDAY + timedelta(days=n)
        assert sum(p.wanted.astimezone(SHANGHAI).date() == day for p in found.plays) <= most
    assert all(timedelta(0) <= p.at - p.wanted <= FURTHEST for p in found.plays)
    assert len(found.plays) + len(found.crowded) + len(found.full) == 3 * len(times)


@given(days=st.integers(1, 60), texts=st.integers(1, 12))
def test_messages_are_spread_each_on_a_day_of_its_own_within_the_period(days: int, texts: int) -> None:
    period = Period(MONDAY, MONDAY + timedelta(days=days - 1), ("11:50",))
    found = texting_days(period, texts)
    assert len(found) == len(set(found)) == min(days, texts)
    assert found[0] == MONDAY
    assert all(period.first_day <= day <= period.last_day for day in found)


def test_times_close_together_are_noticed_in_whatever_order() -> None:
    assert too_close(("17:50", "11:50", "17:55"), timedelta(minutes=15))
    assert not too_close(("17:50", "11:50"), timedelta(minutes=15))

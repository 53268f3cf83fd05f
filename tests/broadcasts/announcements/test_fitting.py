"""Whether a wished time fits, by arithmetic alone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from builders import a_draft
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.announcements.fitting import Verdict, first_time, fit
from broadcasts.announcements.models import When
from broadcasts.announcements.timing import Busy
from broadcasts.audience.selection import Audience
from broadcasts.delivery.quiet import QuietHours

ZONE = ZoneInfo("Asia/Shanghai")
QUIET = QuietHours.of(("21:00-06:30", "12:30-14:00"), ZONE)
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)


def at(clock: str, day: date = TODAY) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), tzinfo=ZONE)


def once(clock: str, day: date = TODAY, **given_: object) -> object:
    return a_draft(when=When.ONCE, at=at(clock, day), **given_)


@pytest.mark.parametrize(
    ("clock", "verdict", "free"),
    [
        ("18:30", Verdict.CLASH, "18:35"),
        ("18:29", Verdict.CLASH, "18:35"),
        ("18:35", Verdict.FREE, None),
        ("12:29", Verdict.QUIET, "14:00"),
        ("13:00", Verdict.QUIET, "14:00"),
        ("14:00", Verdict.FREE, None),
        ("20:59", Verdict.QUIET, "06:30"),
        ("09:59", Verdict.PAST, None),
    ],
)
def test_a_time_is_judged_and_a_free_one_offered(clock: str, verdict: Verdict, free: str | None) -> None:
    busy = [Busy(18 * 60 + 30, 18 * 60 + 35, "停水", "x/")]
    found = fit(once(clock), busy, 90_000, quiet=QUIET, now=NOW)  # type: ignore[arg-type]
    assert found.verdict is verdict
    assert (f"{found.free.astimezone(ZONE):%H:%M}" if found.free else None) == free


def test_a_free_time_offered_after_quiet_hours_is_not_one_that_is_taken() -> None:
    busy = [Busy(14 * 60, 14 * 60 + 20, "停水", "x/")]
    found = fit(once("13:00"), busy, 60_000, quiet=QUIET, now=NOW)  # type: ignore[arg-type]
    assert found.free == at("14:20")
    assert found.hushed == (12 * 60 + 30, 14 * 60)


def test_text_messages_alone_disturb_nobody() -> None:
    silent = once("23:00", audience=Audience(("990101001000",), speakers=False, sms=True))
    assert fit(silent, [], 0, quiet=QUIET, now=NOW).verdict is Verdict.FREE  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("clock", "first_day", "last_day", "expected"),
    [
        ("18:00", TODAY, date(2026, 12, 1), at("18:00")),
        ("09:00", TODAY, date(2026, 12, 1), at("09:00", date(2026, 11, 24))),
        ("10:00", TODAY, date(2026, 12, 1), at("10:00", date(2026, 11, 24))),
        ("09:00", date(2026, 11, 28), date(2026, 12, 1), at("09:00", date(2026, 11, 28))),
        ("09:00", date(2026, 11, 1), date(2026, 12, 1), at("09:00", date(2026, 11, 24))),
        ("09:00", TODAY, TODAY, None),
        ("", TODAY, TODAY, None),
    ],
)
def test_the_first_time_of_a_daily_item(clock: str, first_day: date, last_day: date, expected: datetime | None) -> None:
    draft = a_draft(when=When.DAILY, daily_at=clock, first_day=first_day, last_day=last_day)
    assert first_time(draft, ZONE, NOW) == expected
    verdict = fit(draft, [], 60_000, quiet=QUIET, now=NOW).verdict
    assert verdict is (Verdict.FREE if expected else Verdict.OVER if clock else Verdict.MISSING)


@given(
    minute=st.integers(0, 1439),
    seconds=st.integers(1, 1200),
    busy=st.lists(st.tuples(st.integers(0, 1439), st.integers(1, 60)), max_size=6),
)
def test_what_is_offered_is_free(minute: int, seconds: int, busy: list[tuple[int, int]]) -> None:
    tomorrow = TODAY + timedelta(days=1)
    wish = datetime.combine(tomorrow, time(), tzinfo=ZONE) + timedelta(minutes=minute)
    items = [Busy(start, start + length, "x", "x/") for start, length in busy]
    draft = a_draft(when=When.ONCE, at=wish)
    found = fit(draft, items, seconds * 1000, quiet=QUIET, now=NOW)
    if found.free is None:
        assert found.verdict is Verdict.FREE
        return
    again = fit(a_draft(when=When.ONCE, at=found.free), items, seconds * 1000, quiet=QUIET, now=NOW)
    same_day = found.free.astimezone(ZONE).date() == tomorrow
    assert again.verdict is Verdict.FREE if same_day else again.verdict is not Verdict.QUIET
    assert found.free >= wish

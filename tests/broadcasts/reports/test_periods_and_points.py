"""Periods of the calendar, and points for figures."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.reports.forms import period_of, rules_from
from broadcasts.reports.periods import Period, Span
from broadcasts.reports.scoring import DEFAULTS, Metric, Rule, score
from hub.core.errors import Problems

DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))


@given(st.sampled_from(Span), DAYS)
def test_a_period_holds_its_day_and_its_neighbours_touch_it(span: Span, day: date) -> None:
    period = Period.around(span, day)
    assert period.first <= day <= period.last
    assert (period.after().first - period.last).days == 1
    assert (period.first - period.before().last).days == 1
    assert period.after().before() == period
    assert len(period.days()) in {Span.DAY: {1}, Span.WEEK: {7}, Span.MONTH: {28, 29, 30, 31},
                                  Span.QUARTER: {90, 91, 92}, Span.YEAR: {365, 366}}[span]  # fmt: skip


def test_days_are_local_days() -> None:
    start, end = Period.around(Span.DAY, date(2026, 11, 30)).bounds(ZoneInfo("Asia/Shanghai"))
    assert start == datetime(2026, 11, 29, 16, tzinfo=UTC)
    assert end == datetime(2026, 11, 30, 16, tzinfo=UTC)


@pytest.mark.parametrize("asked", [{"span": "decade"}, {"day": "yesterday"}, {"day": "2026-02-30"}, {}])
def test_nonsense_means_this_month(asked: dict[str, str]) -> None:
    assert period_of(asked, date(2026, 11, 30)) == Period(Span.MONTH, date(2026, 11, 1), date(2026, 11, 30))


def test_the_defaults_add_up_to_a_hundred() -> None:
    assert sum(rule.weight for rule in DEFAULTS) == 100
    assert {rule.metric for rule in DEFAULTS} == set(Metric)


@pytest.mark.parametrize(
    ("value", "points", "tone"),
    [(1.0, 20, "ok"), (0.9, 20, "ok"), (0.75, 10, "warn"), (0.6, 0, "bad"), (0.1, 0, "bad")],
)
def test_points_fall_from_good_to_bad(value: float, points: float, tone: str) -> None:
    rule = Rule(Metric.PLAYED, 20, 0.9, 0.6)
    assert rule.points(value) == pytest.approx(points)
    assert rule.tone(value) == tone


def test_less_may_be_better() -> None:
    rule = Rule(Metric.QUIET, 10, 0, 2)
    assert [rule.points(n) for n in (0, 1, 2, 3)] == [10, 5, 0, 0]


def test_what_was_not_measured_counts_neither_way() -> None:
    rules = [Rule(Metric.ONLINE, 60, 1.0, 0.0), Rule(Metric.PLAYED, 40, 1.0, 0.0)]
    assert score({Metric.ONLINE: 0.5, Metric.PLAYED: None}, rules) == pytest.approx(50)
    assert score({Metric.ONLINE: 0.5, Metric.PLAYED: 1.0}, rules) == pytest.approx(70)
    assert score({}, rules) is None


def test_a_form_is_read_or_refused_as_a_whole() -> None:
    form = {f"{part}-{m.value}": "10" for m in Metric for part in ("weight", "good", "bad")}
    assert rules_from(form)[0] == Rule(Metric.ONLINE, 10, 0.1, 0.1)
    with pytest.raises(Problems) as refused:
        rules_from({**form, "good-online": "much", "bad-quiet": "-1", "weight-themes": "nan"})
    assert {p.field for p in refused.value.problems} == {"good-online", "bad-quiet", "weight-themes"}

"""The demo's quiet hours stay what they were, as long as there is time to try something."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.commands.serving import demo_settings
from hub.demo import hours

FIRST = datetime(2026, 11, 30, 2, 20, tzinfo=UTC)
"""10:20 in the county."""


def quiet(folder: Path, now: datetime) -> tuple[str, ...]:
    found = demo_settings("127.0.0.1", 0, folder, now)["broadcast"]["quiet_hours"]
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize("later", range(24))
def test_a_later_start_keeps_them_unless_there_would_be_nothing_to_try(tmp_path: Path, later: int) -> None:
    assert quiet(tmp_path, FIRST) == ("18:00-02:00",)
    hours.keep(tmp_path, hours.settle(tmp_path, FIRST))
    now = FIRST + timedelta(days=1, hours=later)
    local = now.astimezone(hours.ZONE).hour
    in_the_way = local >= 17 or local < 2
    assert (quiet(tmp_path, now) != ("18:00-02:00",)) == in_the_way
    hours.keep(tmp_path, hours.settle(tmp_path, now))
    (found,) = quiet(tmp_path, now)
    first, last = int(found[:2]), int(found[6:8])
    there_is_time = range(local, local + 2)
    assert not any(
        hour % 24 in {n % 24 for n in range(first, last if last > first else last + 24)} for hour in there_is_time
    )


@pytest.mark.parametrize("broken", ["", "nonsense", "25:00-26:00", "18:00-02:00\nmore"])
def test_what_cannot_be_read_is_settled_anew(tmp_path: Path, broken: str) -> None:
    (tmp_path / hours.KEPT).write_text(broken, encoding="utf-8")
    assert quiet(tmp_path, FIRST) == ("18:00-02:00",)

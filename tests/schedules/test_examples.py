"""What lies on the demo's desk sounds whatever the hour at which somebody starts it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from broadcasts.delivery.quiet import QuietHours
from hub.commands.serving import demo_settings
from schedules import examples
from schedules.models import SlotKind

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOURS = [1, 5]


@pytest.mark.parametrize("minute", [0, 29, 59])
@pytest.mark.parametrize("hour", range(24))
def test_nothing_of_it_lies_in_the_demos_quiet_hours_or_in_its_own_silence(hour: int, minute: int) -> None:
    now = datetime(2026, 11, 30, hour, minute, tzinfo=UTC)
    local = now.astimezone(SHANGHAI)
    ranges = demo_settings("127.0.0.1", 0, examples.FILE, now)["broadcast"]["quiet_hours"]
    assert isinstance(ranges, tuple)
    quiet = QuietHours.of(ranges, SHANGHAI)
    times = examples.times_after(local, HOURS)
    moments = [(local + timedelta(hours=n)).replace(minute=30) for n in HOURS]
    assert {f"{at:%H:%M}" for at in moments} == set(times)
    assert min(moments) - local >= timedelta(minutes=31)
    assert not any(quiet.touches(at, 120) for at in moments)
    slots = examples.slots_outside(quiet, times)
    assert any(slot.kind is SlotKind.CAMPAIGN for slot in slots)
    for slot in slots:
        begin = datetime.combine(local.date(), datetime.min.time(), SHANGHAI) + timedelta(
            hours=int(slot.at[:2]), minutes=int(slot.at[3:])
        )
        assert not quiet.holds_at(begin)
        if slot.kind is SlotKind.SILENCE:
            assert not any(slot.at <= time < f"{begin + timedelta(minutes=slot.minutes):%H:%M}" for time in times)

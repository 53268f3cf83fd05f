"""How long the timetable takes: a year of 10,000 slots, conflicts of a week, many items at one moment, a long history.

python benchmarks/timetable.py            # SQLite in a folder of its own
"""

import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as dt_time
from pathlib import Path
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, rrule
from sqlalchemy import insert, select
from uuid6 import uuid7

import cunxiang
from broadcasts.delivery.models import Broadcast
from broadcasts.feature import rules_of
from hub.app import open_runtime
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.tree import path_of
from schedules import clashes
from schedules.calendar import Days, Pattern, Rhythm, Rule, occurrences
from schedules.clashes import Item
from schedules.firing import Firing
from schedules.models import Occurrence, OccurrenceState, Sheet, SheetState, Slot, SlotKind
from schedules.special_days import official

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2027, 1, 4, tzinfo=UTC)


def a_year_of_slots() -> None:
    """10,000 slots of every rhythm over a year, ours against dateutil's for the daily ones."""
    off = official.of_year(2027)
    free, worked = (frozenset(d.day for d in off if d.kind == kind) for kind in ("holiday", "workday"))
    days = Days(free, worked)
    rules = []
    for n in range(10_000):
        pattern = (
            Pattern(),
            Pattern(Rhythm.WEEKDAYS, weekdays=frozenset({n % 7 + 1, n % 5 + 1})),
            Pattern(Rhythm.WORKDAYS),
            Pattern(Rhythm.MONTH_DAYS, month_days=frozenset({n % 31 + 1, -1})),
            Pattern(Rhythm.WEEKS, frozenset({1, 4}), every=n % 4 + 1, anchor=date(2026, 12, 7)),
            Pattern(Rhythm.HOLIDAYS),
        )[n % 6]
        rules.append(Rule(ZONE, daily_at=clock(n), pattern=pattern))
    since, until = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    began = time.perf_counter()
    found = sum(len(occurrences(rule, since, until, days)) for rule in rules)
    took = time.perf_counter() - began
    began = time.perf_counter()
    daily = [Rule(ZONE, daily_at=clock(n), pattern=Pattern()) for n in range(10_000)]
    all_daily = sum(len(occurrences(rule, since, until, days)) for rule in daily)
    took_daily = time.perf_counter() - began
    began = time.perf_counter()
    bare = sum(len(list(rrule(DAILY, dtstart=since, until=until - timedelta(hours=1)))) for _ in range(200))
    bare_took = (time.perf_counter() - began) * 50
    print(f"a year of 10,000 slots, mixed: {found} occurrences in {took:.2f} s")
    print(f"a year of 10,000 daily slots: {all_daily} in {took_daily:.2f} s")
    print(f"dateutil, 200 daily rules times 50: {bare * 50} in {bare_took:.1f} s")


def clock(n: int) -> dt_time:
    """Return some local time."""
    return dt_time(n // 60 % 24, n % 60)


def conflicts_of_a_week() -> None:  # noqa: C901 - plain loops over a made-up county
    """3,000 loudspeakers in 300 villages of 15 townships, 7 days of county, township and village items."""
    paths, townships = [], []
    for t in range(1, 16):
        township = path_of(f"990101{t:03d}000")
        townships.append(township)
        paths += [path_of(f"990101{t:03d}{v:03d}") for v in range(1, 21)]
    county = path_of("990101000000")
    speakers = {path: frozenset(f"{path}{n}" for n in range(10)) for path in paths}
    items: list[Item] = []

    def add(where: str, day: int, minute: int, minutes: int) -> None:
        start = MONDAY + timedelta(days=day, minutes=minute)
        items.append(Item(UUID(int=len(items) + 1), start, start + timedelta(minutes=minutes), "x", where, (where,)))

    for day in range(7):
        for minute in (390, 420, 700, 1060):
            add(county, day, minute, 20)
        for township in townships:
            for minute in (440, 715, 730, 1075, 1090):
                add(township, day, minute, 10)
        for n, path in enumerate(paths):
            for minute in (455 + n % 10, 470, 735, 1100 + n % 7, 1120):
                add(path, day, minute, 5)
    began = time.perf_counter()
    found = clashes.find(items, speakers)
    took = time.perf_counter() - began
    count = sum(len(ids) for ids in speakers.values())
    print(f"conflicts of {count} loudspeakers, 7 days, {len(items)} items: {len(found)} found in {took:.2f} s")


def a_hub(folder: Path, url: str = "") -> Runtime:
    overrides: dict[str, dict[str, object]] = {"hub": {"data_dir": folder}}
    if url:
        overrides["database"] = {"url": url}
    hub = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    with hub.sessions.begin() as session:
        for code, name in (("990101000000", "x"), ("990101001000", "y"), ("990101001001", "z")):
            regions.add_region(session, SYSTEM, code=code, name=name, now=MONDAY)
    return hub


def fill(hub: Runtime, number: int, due: datetime) -> list[UUID]:
    """Lay `number` slots due at one moment."""
    path = path_of("990101001001")
    with hub.sessions.begin() as session:
        sheet = Sheet(
            id=uuid4(), line_id=uuid4(), title="x", region_path=path, state=SheetState.RUNNING, written_by=uuid4(),
            written_by_name="", written_at=due, changed_at=due, approved_by_name="y",
        )  # fmt: skip
        session.add(sheet)
        session.flush()
        slots = [
            Slot(
                id=uuid7(), sheet_id=sheet.id, kind=SlotKind.RELAY, title=f"n{n}", minutes=1, relay_url="line:fm",
                home_path=path, rhythm=Rhythm.ONCE, once_at=due, zone="Asia/Shanghai", late_tolerance_s=900,
                planned_until=due, enabled=False, created_at=due,
            )
            for n in range(number)
        ]  # fmt: skip
        session.add_all(slots)
        session.flush()
        session.add_all(Occurrence(slot_id=slot.id, due_at=due) for slot in slots)
        return [slot.id for slot in slots]


def many_at_one_moment(hub: Runtime) -> None:
    """1,000 slots due at once, sent out 20 s ahead as usual: when was each committed, against its time?"""
    due = datetime.now(UTC) + timedelta(seconds=21)
    while rules_of(hub).quiet.touches(due, 60):
        due += timedelta(hours=1)
    fill(hub, 1000, due)
    ahead = timedelta(seconds=20)
    trigger = due - ahead
    committed: list[float] = []

    class Counting(Firing):
        def _fire(self, occurrence_id: UUID, now: datetime) -> bool:
            done = super()._fire(occurrence_id, now)
            committed.append(time.perf_counter())
            return done

    began = time.perf_counter()
    Counting(hub.sessions, rules_of(hub), ahead).fire_due(now=trigger)
    after = sorted(at - began for at in committed)
    late = [max(0.0, at - ahead.total_seconds()) for at in after]
    p99 = statistics.quantiles(late, n=100)[98]
    print(
        f"1,000 slots due at one moment: committed {after[0] * 1000:.0f} ms to {after[-1]:.2f} s after the trigger, "
        f"20 s before their time; later than their time p99 {p99 * 1000:.0f} ms"
    )


def a_long_history(hub: Runtime) -> None:
    """A tick with nothing due, before and after a history of 200,000 occurrences."""
    firing = Firing(hub.sessions, rules_of(hub), timedelta(seconds=20))
    now = MONDAY

    def tick() -> float:
        taken = []
        for _ in range(200):
            began = time.perf_counter()
            firing.fire_due(now=now)
            firing.moments(now=now, until=now + timedelta(seconds=5))
            taken.append(time.perf_counter() - began)
        return statistics.median(taken) * 1000

    before = tick()
    with hub.sessions.begin() as session:
        slot = session.scalars(select(Slot.id)).first()
        rows = [
            {"id": uuid7(), "slot_id": slot, "due_at": now - timedelta(minutes=n + 60), "state": OccurrenceState.FIRED,
             "note": "", "title": "", "audio_ms": 0}
            for n in range(200_000)
        ]  # fmt: skip
        session.execute(insert(Occurrence), rows)
    after = tick()
    print(f"a tick with nothing due: {before:.2f} ms; with 200,000 behind it {after:.2f} ms ({after / before:.2f})")


def main() -> None:
    """Measure everything."""
    a_year_of_slots()
    conflicts_of_a_week()
    with tempfile.TemporaryDirectory() as folder:
        hub = a_hub(Path(folder), sys.argv[1] if len(sys.argv) > 1 else "")
        many_at_one_moment(hub)
        with hub.sessions.read() as session:
            print(f"went out: {len(session.scalars(select(Broadcast.id)).all())}")
        a_long_history(hub)
        hub.sessions.engine.dispose()


if __name__ == "__main__":
    main()

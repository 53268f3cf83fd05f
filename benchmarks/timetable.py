"""How long the timetable takes: a year of 10,000 slots, conflicts of a week, many items at one moment, a long history.

Run: .venv/bin/python benchmarks/timetable.py [sqlite] [postgresql]     # both, four minutes
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as dt_time
from pathlib import Path
from typing import ClassVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, rrule
from sqlalchemy import func, insert, select, text
from uuid6 import uuid7

import cunxiang
from benchmarks.databases import running_database
from broadcasts.approvals import rounds
from broadcasts.delivery.models import Broadcast
from broadcasts.feature import rules_of
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from hub.app import open_runtime
from hub.commands.frame import sections
from hub.core.actor import SYSTEM, Actor, Permission, Scope
from hub.core.clock import utc_now
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.tree import path_of
from hub.speakers.models import Speaker
from schedules import agreed, clashes
from schedules.calendar import Days, Pattern, Rhythm, Rule, _of_year, occurrences
from schedules.clashes import Item
from schedules.firing import Firing
from schedules.models import Occurrence, OccurrenceState, Sheet, SheetState, Slot, SlotKind
from schedules.runner import Runner
from schedules.sheets import service as drafts
from schedules.sheets.drafting import content_hash, shown
from schedules.special_days import official

ZONE = ZoneInfo("Asia/Shanghai")
VILLAGES = tuple(f"990101001{number:03d}" for number in range(101, 151))
FIRST = 1_000
"""The first of their loudspeakers' numbers."""
SPEAKERS = 3
"""In each village."""
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
    mixed = []
    for _ in range(3):
        _of_year.cache_clear()
        began = time.perf_counter()
        found = sum(len(occurrences(rule, since, until, days)) for rule in rules)
        mixed.append(time.perf_counter() - began)
    took = max(mixed)
    began = time.perf_counter()
    daily = [Rule(ZONE, daily_at=clock(n), pattern=Pattern()) for n in range(10_000)]
    all_daily = sum(len(occurrences(rule, since, until, days)) for rule in daily)
    took_daily = time.perf_counter() - began
    began = time.perf_counter()
    bare = sum(len(list(rrule(DAILY, dtstart=since, until=until - timedelta(hours=1)))) for _ in range(200))
    bare_took = (time.perf_counter() - began) * 50
    print(f"a year of 10,000 slots, mixed: {found} occurrences in {took:.2f} s, the slowest of three")
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
    overrides["broadcast"] = {"quiet_hours": ()}
    hub = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    furnish(hub)
    return hub


def furnish(hub: Runtime) -> None:
    """Add the villages and their loudspeakers to a hub that has none of them yet."""
    with hub.sessions.begin() as session:
        there = regions.names(session, {"990101000000", "990101001000"})
        for code in ("990101000000", "990101001000", *VILLAGES):
            if code not in there:
                regions.add_region(session, SYSTEM, code=code, name="x", now=MONDAY)
        for number, code in enumerate(VILLAGES * SPEAKERS):
            session.add(
                Speaker(
                    id=f"s{number}", number=FIRST + number, name="x", region_code=code, region_path=path_of(code),
                    password_hash="", enrolled_at=MONDAY,
                )
            )  # fmt: skip


def fill(hub: Runtime, due: Sequence[datetime]) -> None:
    """Lay a slot for each moment, twenty on the sheet of a village that somebody else agreed to."""
    scopes = (Scope(path_of("990101000000"), frozenset(Permission)),)
    clerk, approver = (Actor(id=uuid4(), name=name, scopes=scopes) for name in ("w", "a"))
    for first in range(0, len(due), 20):
        path = path_of(VILLAGES[first // 20 % len(VILLAGES)])
        with hub.sessions.begin() as session:
            at = due[first]
            sheet = Sheet(
                id=uuid4(), line_id=uuid4(), title="x", region_path=path, state=SheetState.RUNNING,
                written_by=clerk.id, written_by_name="", written_at=at, changed_at=at, approved_by_name="a",
            )  # fmt: skip
            session.add(sheet)
            session.flush()
            slots = [
                Slot(
                    id=uuid7(), sheet_id=sheet.id, kind=SlotKind.RELAY, title=f"n{first + n}", minutes=1,
                    relay_url="line:fm", home_path=path, rhythm=Rhythm.ONCE, once_at=one, zone="Asia/Shanghai",
                    late_tolerance_s=900, planned_until=one, enabled=True, created_at=one,
                )
                for n, one in enumerate(due[first : first + 20])
            ]  # fmt: skip
            session.add_all(slots)
            session.flush()
            session.add_all(Occurrence(slot_id=slot.id, due_at=slot.once_at) for slot in slots)
            sheet.content_hash = content_hash(sheet, drafts.slots_of(session, sheet))
            subject = replace(agreed.subject_of(sheet), content=shown(sheet, drafts.slots_of(session, sheet)))
            rounds.begin(session, clerk, subject, now=at)
            rounds.take_step(session, approver, subject, now=at)


def outcome(hub: Runtime, since: datetime, until: datetime) -> str:
    with hub.sessions.read() as session:
        query = select(Occurrence.state, func.count()).where(Occurrence.due_at >= since, Occurrence.due_at <= until)
        return ", ".join(f"{count} {state.value}" for state, count in session.execute(query.group_by(Occurrence.state)))


class Watched(Firing):
    """Notes when each item was committed."""

    committed: ClassVar[list[timedelta]] = []
    due: ClassVar[dict[UUID, datetime]] = {}

    def _fire(self, occurrence_ids: Sequence[UUID], now: datetime) -> list[UUID]:
        done = super()._fire(occurrence_ids, now)
        committed = datetime.now(UTC)
        self.committed.extend(committed - self.due[one] for one in done)
        return done


def each_once(hub: Runtime, since: datetime, until: datetime, number: int) -> str:
    """Say whether every item went out exactly once: one broadcast each, each with its order and its deliveries."""
    with hub.sessions.read() as session:
        rows = session.execute(
            select(Occurrence.broadcast_id, Broadcast.title, func.count(SpeakerDelivery.speaker_id))
            .join(Broadcast, Broadcast.id == Occurrence.broadcast_id)
            .join(PlayOrder, PlayOrder.broadcast_id == Broadcast.id)
            .outerjoin(SpeakerDelivery, SpeakerDelivery.broadcast_id == Broadcast.id)
            .where(Occurrence.due_at >= since, Occurrence.due_at <= until)
            .group_by(Occurrence.broadcast_id, Broadcast.title)
        ).all()
        broadcasts = session.scalar(
            select(func.count())
            .select_from(Broadcast)
            .where(Broadcast.starts_at >= since, Broadcast.starts_at <= until)
        )
    whole = sum(1 for _, _, deliveries in rows if deliveries == SPEAKERS)
    if len(rows) == broadcasts == whole == number and len({key for key, _, _ in rows}) == number:
        return f"each once, on {SPEAKERS} loudspeakers"
    return f"NOT each once: {len(rows)} of {number}, {broadcasts} broadcasts, {whole} whole"


def in_one_minute(hub: Runtime, kind: str, due: Sequence[datetime], what: str) -> None:
    """1,000 slots through the real clock: when was each committed, against the moment it was to be sent out?"""
    ahead = timedelta(seconds=20)
    fill(hub, due)
    with hub.sessions.read() as session:
        Watched.due = {key: at - ahead for key, at in session.execute(select(Occurrence.id, Occurrence.due_at))}
    Watched.committed = []
    firing = Watched(hub.sessions, rules_of(hub), ahead)
    runner = Runner(hub.sessions, firing, clock=utc_now, fired=lambda: None)
    margin = (due[0] - ahead - datetime.now(UTC)).total_seconds()
    if margin < 1:
        sys.exit(f"the slots took too long to lay ({margin:.1f} s left)")
    runner.start()
    while datetime.now(UTC) < due[-1] and len(Watched.committed) < len(due):
        time.sleep(0.2)
    runner.stop()
    late = sorted(one.total_seconds() for one in Watched.committed)
    p99 = statistics.quantiles(late, n=100)[98]
    print(
        f"{kind}: 1,000 slots {what} ({outcome(hub, due[0], due[-1])}; {each_once(hub, due[0], due[-1], len(due))}): "
        "committed after the trigger, 20 s ahead: "
        f"median {statistics.median(late) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, last {late[-1] * 1000:.0f} ms; "
        f"after their own time: {sum(1 for one in late if one > ahead.total_seconds())}"
    )


def a_long_history(hub: Runtime, kind: str) -> None:
    """A tick with nothing due, before and after a history of 200,000 occurrences, beside its two bare statements."""
    firing = Firing(hub.sessions, rules_of(hub), timedelta(seconds=20))
    now = MONDAY
    due = text("SELECT id FROM occurrence WHERE state = 'planned' AND due_at <= :a ORDER BY due_at LIMIT 200")
    near = text(
        "SELECT DISTINCT due_at FROM occurrence WHERE state = 'planned' AND due_at > :a AND due_at <= :b LIMIT 200"
    )
    early = {"a": MONDAY.replace(tzinfo=None), "b": MONDAY.replace(tzinfo=None) + timedelta(seconds=5)}

    def ours() -> None:
        firing.fire_due(now=now)
        firing.moments(now=now, until=now + timedelta(seconds=5))

    def bare() -> None:
        for statement in (due, near):
            with hub.sessions.engine.connect() as connection:
                connection.execute(statement, {k: early[k] for k in statement.compile().params}).all()

    def median_of(deed: Callable[[], None]) -> float:
        taken = []
        for _ in range(300):
            began = time.perf_counter()
            deed()
            taken.append(time.perf_counter() - began)
        return statistics.median(taken) * 1000

    before, bare_before = median_of(ours), median_of(bare)
    with hub.sessions.begin() as session:
        slot = session.scalars(select(Slot.id)).first()
        rows = [
            {"id": uuid7(), "slot_id": slot, "due_at": now - timedelta(minutes=n + 60), "state": OccurrenceState.FIRED,
             "note": "", "title": "", "audio_ms": 0}
            for n in range(200_000)
        ]  # fmt: skip
        session.execute(insert(Occurrence), rows)
    after, bare_after = median_of(ours), median_of(bare)
    print(
        f"{kind}: a tick with nothing due: {before:.2f} ms (bare {bare_before:.2f}); with 200,000 behind it "
        f"{after:.2f} ms (bare {bare_after:.2f}); grown {after / before:.2f}, against bare {after / bare_after:.2f}"
    )


def main() -> None:
    """Measure everything: the arithmetic, then one or both databases."""
    a_year_of_slots()
    conflicts_of_a_week()
    for kind in sys.argv[1:] or ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as folder, running_database(kind, Path(folder)) as url:
            hub = a_hub(Path(folder), url)
            start = datetime.now(UTC) + timedelta(seconds=35)
            in_one_minute(hub, kind, [start + timedelta(milliseconds=60 * n) for n in range(1000)], "over one minute")
            start = datetime.now(UTC) + timedelta(seconds=35)
            in_one_minute(hub, kind, [start] * 1000, "at one moment")
            a_long_history(hub, kind)
            hub.sessions.engine.dispose()


if __name__ == "__main__":
    main()

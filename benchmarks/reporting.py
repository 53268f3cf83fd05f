"""How long a township's month report takes over a million receipts, beside the same counts by one plain statement.

Run: .venv/bin/python -m benchmarks.reporting [receipts=1000000] [sqlite|postgresql]
     … fill FOLDER, then measure FOLDER: the same in two steps, for a machine that is free for a short while only

20 villages with 15 loudspeakers each, as many broadcasts as it takes, evenly over the month, every
twelfth an emergency; beside them as many receipts of a neighbouring township. The report is the very one behind
the page, with everything else that the page asks. Every figure is compared with the plain statements, which know
nothing of the hub.
"""

import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import insert, text
from sqlalchemy.orm import Session
from uuid6 import uuid7

import cunxiang
from benchmarks.databases import running_database
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.quiet import QuietHours
from broadcasts.hearing import tallies
from broadcasts.hearing.tallies import Spell
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from broadcasts.reports import gaps, rolling, service
from broadcasts.reports.periods import Period, Span
from hub.core.actor import Actor, Permission, Scope
from hub.core.db import Base, Sessions, make_engine
from hub.regions.models import Region
from hub.regions.tree import level_of, parent_code, path_of
from hub.speakers.models import Speaker

FEATURES = cunxiang.FEATURES  # the roof has loaded every table
COUNTY, TOWN, NEXT_TOWN = "990101000000", "990101001000", "990101002000"
VILLAGES, EACH, ROUNDS = 20, 15, 5
ZONE = ZoneInfo("Asia/Shanghai")
MONTH = Period.around(Span.MONTH, date(2026, 10, 15))
START, END = MONTH.bounds(ZONE)
LATER = datetime(2026, 11, 20, tzinfo=UTC)
STATES = (PlayState.FINISHED, PlayState.FINISHED, PlayState.FINISHED, PlayState.FAILED, PlayState.SENT)
PLAIN = """
SELECT count(*), sum(CASE WHEN d.state = 'finished' THEN 1 ELSE 0 END),
  sum(CASE WHEN d.received_at IS NOT NULL THEN 1 ELSE 0 END), coalesce(sum(d.played_ms), 0)
FROM speaker_delivery d JOIN broadcast b ON b.id = d.broadcast_id
WHERE b.released_at >= :start AND b.released_at < :end AND b.kind <> 'drill' AND d.region_path LIKE :below
"""
HEARD = """
SELECT count(*), sum(CASE WHEN kind = 'emergency' THEN 1 ELSE 0 END) FROM (
  SELECT b.kind AS kind FROM speaker_delivery d JOIN broadcast b ON b.id = d.broadcast_id
  WHERE b.released_at >= :start AND b.released_at < :end AND b.kind <> 'drill' AND d.region_path LIKE :below
  GROUP BY b.id, b.kind, d.region_path HAVING min(d.started_at) IS NOT NULL) heard
"""


def main() -> None:
    """Measure and print."""
    receipts = next((int(word) for word in sys.argv[1:] if word.isdigit()), 1_000_000)
    kind = next((word for word in sys.argv[1:] if word in {"sqlite", "postgresql"}), "sqlite")
    steps = {word for word in sys.argv[1:] if word in {"fill", "measure"}}
    if not steps:
        with tempfile.TemporaryDirectory() as folder:
            _take(Path(folder), kind, receipts, {"fill", "measure"})
    else:
        kept = Path(sys.argv[sys.argv.index(next(iter(steps))) + 1])
        kept.mkdir(exist_ok=True)
        _take(kept, kind, receipts, steps)


def _take(folder: Path, kind: str, receipts: int, steps: set[str]) -> None:
    with running_database(kind, folder) as url:
        engine = make_engine(url)
        sessions = Sessions(engine)
        if "fill" in steps:
            Base.metadata.create_all(engine)
            began = time.perf_counter()
            _fill(sessions, receipts)
            took = time.perf_counter() - began
            print(f"{kind}: {receipts:,} receipts of one township and as many beside it, {took:.0f} s")
            if kind == "postgresql":
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.execute(text("VACUUM ANALYZE"))
        if "measure" in steps:
            print("nothing added up yet:")
            _measure(sessions)
            began = time.perf_counter()
            rolling.roll_up(sessions, ZONE, now=LATER, at_most=1_000_000)
            print(f"added up by the housekeeping, once: {time.perf_counter() - began:.1f} s")
            _measure(sessions)
        engine.dispose()


def _measure(sessions: Sessions) -> None:
    ours, bare, found = [], [], None
    for _ in range(ROUNDS):
        with sessions.read() as session:
            began = time.perf_counter()
            found = _report(session)
            ours.append(time.perf_counter() - began)
        with sessions.read() as session:
            began = time.perf_counter()
            counted = _plain(session, PLAIN)
            bare.append(time.perf_counter() - began)
            heard = _plain(session, HEARD)
        figures = found.place.figures
        if (figures.meant, figures.finished, figures.answered, figures.played_ms) != counted:
            raise SystemExit(f"the report says something else than {counted}")
        if (figures.items, figures.emergencies) != heard:
            raise SystemExit(f"the report says something else than {heard}")
    mine, plain = statistics.median(ours), statistics.median(bare)
    print(f"report: median {mine * 1000:.0f} ms, slowest {max(ours) * 1000:.0f} ms (first one {ours[0] * 1000:.0f})")
    print(f"plain statement for four of its figures: median {plain * 1000:.0f} ms; ours/bare {mine / plain:.2f}")


def _report(session: Session) -> service.Report:
    quiet = QuietHours.of(["21:00-06:30"], ZONE)
    scope = Scope(path_of(TOWN), frozenset({Permission.SEE}))
    actor = Actor(id=uuid7(), name="x", scopes=(scope,), origin="benchmark")
    found = service.report(session, actor, TOWN, MONTH, zone=ZONE, quiet=quiet, now=LATER)
    tallies.by_place(session, found.place.path, Spell(START, END))
    gaps.coverage(session, actor, TOWN)
    return found


def _plain(session: Session, statement: str) -> tuple[Any, ...]:
    sqlite = session.get_bind().dialect.name == "sqlite"
    moments = {"start": START.astimezone(UTC), "end": END.astimezone(UTC)}
    given = {key: f"{at:%Y-%m-%d %H:%M:%S.%f}" if sqlite else at for key, at in moments.items()}
    return tuple(session.execute(text(statement), given | {"below": path_of(TOWN) + "%"}).one())


def _fill(sessions: Sessions, receipts: int) -> None:
    broadcasts = [uuid7() for _ in range(receipts // (VILLAGES * EACH))]
    with sessions.begin() as session:
        for code in (COUNTY, TOWN, NEXT_TOWN, *_villages(TOWN), *_villages(NEXT_TOWN)):
            parent = None if code == COUNTY else parent_code(code)
            path = path_of(code)
            session.add(Region(code=code, parent_code=parent, path=path, name=code, level=level_of(code)))
            session.flush()
        rows = [_broadcast(key, START + (END - START) / len(broadcasts) * n, n) for n, key in enumerate(broadcasts)]
        session.execute(insert(Broadcast), rows)
    for town in (TOWN, NEXT_TOWN):
        horns = [(f"{village[-5:]}-{n}", path_of(village)) for village in _villages(town) for n in range(EACH)]
        with sessions.begin() as session:
            session.execute(
                insert(Speaker),
                [_speaker(key, path, n) for n, (key, path) in enumerate(horns, 1 if town == TOWN else 1000)],
            )
        for first in range(0, len(broadcasts), 100):
            with sessions.begin() as session:
                session.execute(
                    insert(SpeakerDelivery),
                    [
                        _delivery(key, n, horn)
                        for n, key in enumerate(broadcasts[first : first + 100], first)
                        for horn in horns
                    ],
                )


def _villages(town: str) -> list[str]:
    return [f"{town[:9]}2{n:02d}" for n in range(1, VILLAGES + 1)]


def _broadcast(key: UUID, at: datetime, number: int) -> dict[str, Any]:
    return {
        "id": key, "source": f"x:{number}", "kind": Kind.ROUTINE if number % 12 else Kind.EMERGENCY, "title": "提醒",
        "text": "当心。", "sms_text": "", "audience": {"regions": [COUNTY]}, "home_path": path_of(COUNTY),
        "released_at": at, "starts_at": at, "expires_at": at + timedelta(hours=1), "released_by_name": "x",
        "state": BroadcastState.DONE, "done_at": at + timedelta(hours=1),
    }  # fmt: skip


def _speaker(key: str, path: str, number: int) -> dict[str, Any]:
    code = path.rstrip("/").rpartition("/")[2]
    fields = {"id": key, "number": number, "name": key, "region_code": code, "region_path": path, "password_hash": ""}
    return fields | {"enrolled_at": START - timedelta(days=9)}


def _delivery(key: UUID, number: int, horn: tuple[str, str]) -> dict[str, Any]:
    at = START + timedelta(minutes=number)
    state = (PlayState.FINISHED, PlayState.FINISHED, PlayState.FINISHED, PlayState.FAILED, PlayState.SENT)[
        hash(horn[0]) % 5
    ]
    heard = state is PlayState.FINISHED
    return {
        "broadcast_id": key, "speaker_id": horn[0], "region_path": horn[1], "command_id": key, "state": state,
        "received_at": at if state is not PlayState.SENT else None, "started_at": at if heard else None,
        "ended_at": at if heard else None, "played_ms": 30_000 if heard else None, "changed_at": at,
    }  # fmt: skip


if __name__ == "__main__":
    main()

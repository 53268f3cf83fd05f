"""How long it takes to write down whom a text message of 100,000 residents is for, beside the same rows by raw SQL.

Run: .venv/bin/python benchmarks/audience.py [residents] [sqlite|postgresql]

Both sides write the same rows into the same table, in turns: the hub's own expansion (tags, exclusions, whereabouts,
opting out, one message a telephone), and a hand-written INSERT … SELECT that only joins, drops repeated telephones and
looks at blocked numbers. Besides: the request that releases it, and the expansion with every choice in use.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text
from uuid6 import uuid7

from benchmarks.databases import running_database
from broadcasts.audience.selection import Audience
from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.purposes import About
from broadcasts.sms.sending import outbox
from broadcasts.sms.sending.expansion import expand_next, unlisted
from broadcasts.sms.sending.piecewise import list_if_many
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import Lane, Priority
from hub.core.background import Loop
from hub.core.db import Base, Sessions, make_engine
from hub.core.secrets import Secrets, first_signing
from hub.regions.models import Region
from hub.regions.tree import level_of, parent_code, path_of
from hub.residents.models import BlockedNumber, BlockReason, NumberKind, Phone, Resident, ResidentTag
from hub.residents.phones import PhoneSafe
from hub.residents.wanted import Away

ROUNDS = 3
COUNTY, TOWN = "990101000000", "990101001000"
VILLAGES = [f"9901010010{n:02d}" for n in range(1, 41)]
TAGS = ("独居老人", "沿河户", "外出务工", "村干部")
NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
RAW = """
INSERT INTO sms_message (broadcast_id, phone_index, sealed, masked, resident_id, region_path, state, reason, code,
  parts, attempts, may_have_gone, next_try_at, provider, provider_ref, changed_at{more_names})
SELECT :run, p."index", p.sealed, p.masked, r.id, r.region_path,
  CASE WHEN b."index" IS NULL THEN 'created' ELSE 'suppressed' END,
  CASE WHEN b."index" IS NULL THEN '' ELSE 'opted_out' END,
  '', 1, 0, {false}, :now, '', '', :now{more_values}
FROM phone p JOIN resident r ON r.id = p.resident_id LEFT JOIN blocked_number b ON b."index" = p."index"
WHERE r.region_path LIKE :below ORDER BY r.region_path, r.id
ON CONFLICT (broadcast_id, phone_index) DO NOTHING
"""


def main() -> None:
    """Measure and print."""
    residents = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    kind = sys.argv[2] if len(sys.argv) > 2 else "sqlite"
    with tempfile.TemporaryDirectory() as folder, running_database(kind, Path(folder)) as url:
        sessions = Sessions(make_engine(url))
        Base.metadata.create_all(sessions.engine)
        fill(sessions, residents)
        plain = Audience((TOWN,), speakers=False, sms=True)
        narrowed = Audience(
            (TOWN,), speakers=False, sms=True, tags=TAGS[:3], without_tags=TAGS[3:], away=Away.TOO
        ).checked()
        tidy = Loop("database", lambda: 1.0 if sessions.tidy_up() else 10.0)  # as the hub does
        tidy.start()
        ours, raw, accepted, narrow = [], [], [], []
        for _ in range(ROUNDS):
            accepted.append(timed(lambda: plan(sessions, plain)))
            ours.append(timed(lambda: expand(sessions)))
            rows = count_and_forget(sessions)
            run_id = plan(sessions, plain)
            raw.append(timed(partial(by_hand, sessions, kind, run_id)))
            if count_and_forget(sessions) != rows:
                raise SystemExit("the two sides do not write the same rows")
            plan(sessions, narrowed)
            narrow.append(timed(lambda: expand(sessions)))
            few = count_and_forget(sessions)
        tidy.stop()
        sessions.engine.dispose()
    print(f"{kind}, {residents:,} residents, {rows:,} telephones, {ROUNDS} rounds in turns")
    print(f"request that releases it:     {statistics.median(accepted) * 1000:8.1f} ms")
    print(f"expansion, hub:               {statistics.median(ours):8.2f} s")
    print(f"INSERT … SELECT by hand:      {statistics.median(raw):8.2f} s")
    ratio, best = statistics.median(ours) / statistics.median(raw), min(ours) / min(raw)
    print(f"ratio of medians / of bests:  {ratio:8.2f} / {best:.2f}")
    print(f"with tags and exclusions:     {statistics.median(narrow):8.2f} s for {few:,} telephones")


def timed(what: Callable[[], object]) -> float:
    """Return the seconds something takes."""
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def fill(sessions: Sessions, residents: int) -> None:
    """Put a township in: 2 % share a telephone, 1 % are blocked, a quarter carries tags, a tenth is away."""
    secrets = Secrets(
        origin="demo",
        session_key=b"s" * 32,
        phone_key=b"p" * 32,
        phone_index_key=b"i" * 32,
        signing=first_signing(b"g" * 32),
        broker_password="x",  # noqa: S106 - nobody connects
    )
    with sessions.begin() as session:
        for code in (COUNTY, TOWN, *VILLAGES):
            session.add(
                Region(code=code, parent_code=parent_code(code), level=level_of(code), name=code, path=path_of(code))
            )
            session.flush()
    people(sessions, residents, secrets, *VILLAGES)


def people(sessions: Sessions, residents: int, secrets: Secrets, *villages: str) -> None:
    """Put people into villages that are there."""
    safe = PhoneSafe(secrets)
    for start in range(0, residents, 10_000):
        people, phones, tags, blocked = [], [], [], []
        for i in range(start, min(start + 10_000, residents)):
            resident_id = uuid7()
            code = villages[i % len(villages)]
            people.append(
                {
                    "id": resident_id,
                    "region_code": code,
                    "region_path": path_of(code),
                    "name": f"村民{i}",
                    "away": i % 10 == 0,
                    "away_consent": "yes",
                    "created_at": NOON,
                }
            )
            number = f"+86154{(i if i % 50 else i // 2):08d}"
            phones.append(
                {
                    "id": uuid7(),
                    "resident_id": resident_id,
                    "index": safe.index(number),
                    "sealed": safe.seal(number),
                    "masked": "154****0000",
                    "kind": NumberKind.MOBILE,
                }
            )
            if i % 4 == 0:
                tags.append({"resident_id": resident_id, "tag": TAGS[i // 4 % len(TAGS)]})
            if i % 100 == 1:
                blocked.append({"index": safe.index(number), "reason": BlockReason.OPTED_OUT, "since": NOON})
        with sessions.begin() as session:
            session.execute(insert(Resident), people)
            session.execute(insert(Phone), phones)
            session.execute(insert(ResidentTag), tags)
            session.execute(insert(BlockedNumber), blocked)


def plan(sessions: Sessions, audience: Audience) -> UUID:
    """Do what the request does that releases a message."""
    run_id = uuid7()
    with sessions.begin() as session:
        outbox.plan_run(
            session,
            broadcast_id=run_id,
            text="明天上午停水",
            signature="青石镇",
            audience=audience,
            priority=Priority.ROUTINE,
            expires_at=NOON + timedelta(hours=6),
            settings=SmsSettings(),
            now=NOON,
            about=About("notice"),
        )
    return run_id


def expand(sessions: Sessions) -> None:
    """Do what the background does: on SQLite in pieces, so that others write in between."""
    with sessions.read() as session:
        run_id = unlisted(session, Lane.ORDINARY)
    if run_id is not None and list_if_many(sessions, run_id, now=NOON):
        return
    with sessions.begin() as session:
        if expand_next(session, Lane.ORDINARY, now=NOON) is None:
            raise SystemExit("there was nothing to expand")


def by_hand(sessions: Sessions, kind: str, run_id: UUID) -> None:
    """Write the same rows with a statement written by hand."""
    sqlite = kind == "sqlite"
    run = run_id.hex if sqlite else str(run_id)
    more = extra_columns()
    statement = RAW.format(
        false="0" if sqlite else "false",
        more_names="".join(f', "{name}"' for name in more),
        more_values="".join(f", '{value}'" for value in more.values()),
    )
    now = NOON.replace(tzinfo=None).isoformat(" ") if sqlite else NOON.isoformat()
    if not sqlite:
        statement = statement.replace(":run,", "cast(:run as uuid),").replace(":now", "cast(:now as timestamptz)")
    with sessions.begin() as session:
        session.execute(text(statement), {"run": run, "now": now, "below": f"{path_of(TOWN)}%"})


def extra_columns() -> dict[str, str]:
    """Return further columns of the table that may not be empty, with what stands in them at first."""
    named = set(RAW.split("(")[1].split("{", maxsplit=1)[0].replace("\n", " ").replace(" ", "").split(","))
    table = SmsMessage.__table__
    return {c.name: "" for c in table.columns if c.name not in named and not c.nullable and c.name != "id"}


def count_and_forget(sessions: Sessions) -> int:
    """Return how many rows there are, and take them away."""
    with sessions.begin() as session:
        rows = session.scalar(select(func.count()).select_from(SmsMessage)) or 0
        session.execute(delete(SmsMessage))
        session.execute(delete(SmsRun))
    return rows


if __name__ == "__main__":
    main()

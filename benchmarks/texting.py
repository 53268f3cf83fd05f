"""Text messages beside bare peers: claiming and marking, and the whole pipeline. Emergencies: behind.py.

Run: PYTHONPATH=tests:. .venv/bin/python benchmarks/texting.py [sqlite|postgresql] [claim] [pipeline]
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from smslab import fill_small_county, lab_context, lab_routes, lab_run, lab_safe, lab_settings, mobile
from sqlalchemy import Engine, insert, text, update
from uuid6 import uuid7

from benchmarks.databases import running_database
from broadcasts.sms.gateway import Accepted, Addressee, SmsGateway, Submission, SubmitResult
from broadcasts.sms.gateways.sections import HttpSettings
from broadcasts.sms.gateways.sms_http import HttpGateway
from broadcasts.sms.models import SmsMessage, SmsRun, SmsSubmission
from broadcasts.sms.reports import message_ref
from broadcasts.sms.sending import leasing
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.sending.settling import Terms, settle
from broadcasts.sms.states import Lane, MessageState, Priority, RunState
from hub.core.clock import utc_now
from hub.core.db import Sessions, make_engine
from hub.regions.tree import path_of

DELAY_S: Final = 0.05
CONNECTIONS: Final = 50
PIPELINE: Final = 4000
CLAIMED: Final = 20_000
BATCH: Final = 500
ROUNDS: Final = 5
ALL_DAY: Final = {"window_from": "00:00", "window_until": "23:59:59.999999"}


def queue(sessions: Sessions, count: int, priority: Priority = Priority.ROUTINE) -> UUID:
    """Write a run with that many people waiting."""
    safe, now = lab_safe(), utc_now()
    with sessions.begin() as session:
        run = lab_run(session, priority=priority, now=now)
        run.state, run.expanded_at = RunState.DONE, now
    sealed = safe.seal(mobile(1))
    for start in range(0, count, 5000):
        rows = [
            {
                "broadcast_id": run.broadcast_id,
                "phone_index": i.to_bytes(16, "big"),
                "sealed": sealed,
                "masked": "138****0001",
                "resident_id": run.broadcast_id,
                "region_path": path_of("539921101001"),
                "state": MessageState.CREATED,
                "parts": 1,
                "next_try_at": now,
                "changed_at": now,
            }
            for i in range(start, min(start + 5000, count))
        ]
        with sessions.begin() as session:
            session.execute(insert(SmsMessage), rows)
    with sessions.begin() as session:  # last: a pump that looks meanwhile would find a run without people, and close it
        session.get_one(SmsRun, run.broadcast_id).state = RunState.GOING
    return run.broadcast_id


def close(sessions: Sessions) -> None:
    """Take every run off the table, so that the next measurement has it to itself."""
    with sessions.begin() as session:
        session.execute(update(SmsRun).values(state=RunState.DONE))
    sessions.tidy_up()


# Claiming and marking


def ours_claims(sessions: Sessions) -> float:
    """People per second through lease, announce and settle, as the pump does them: one transaction a turn."""
    queue(sessions, CLAIMED)
    plan = [leasing.LeasePlan("bench", 1, BATCH)]
    answered: list[tuple[leasing.Call, SubmitResult]] = []
    taken, done = 0.0, 0
    while done < CLAIMED:
        now, begin = utc_now(), time.perf_counter()
        with sessions.begin() as session:
            if answered:
                settle(session, answered, Terms(timedelta(seconds=30)), now=now)
                done += sum(len(call.people) for call, _ in answered)
            until = now + timedelta(seconds=60)
            ready = leasing.take(session, Lane.ORDINARY, lambda _: plan, lease_until=until, now=now)
        taken += time.perf_counter() - begin
        answered = [
            (call, Accepted({message_ref(call.broadcast_id, p.message_id): f"id-{p.message_id}" for p in call.people}))
            for call in ready
        ]
    close(sessions)
    return CLAIMED / taken


def raw_claims(engine: Engine) -> float:
    """The same rows and columns by hand-written statements, in the same transactions.

    A turn writes down the ids the provider gave for the last batch, claims the next one and notes its call; one commit.
    It asks neither which run is next nor who may carry a text, and checks nothing.
    """
    run_id = queue(Sessions(engine), CLAIMED)
    lite = engine.dialect.name == "sqlite"
    raw: Any = engine.raw_connection()
    cursor = raw.cursor()
    hold = "?" if lite else "%s"
    skip = "" if lite else " FOR UPDATE SKIP LOCKED"
    waiting = f"SELECT id FROM sms_message WHERE broadcast_id = {hold} AND state = 'created' AND next_try_at <= {hold}"  # noqa: S608 - no input
    claim = (
        f"UPDATE sms_message SET state = 'submitting', submission_id = {hold}, attempts = attempts + 1, "  # noqa: S608
        f"provider = 'bench', changed_at = {hold} WHERE id IN ({waiting} ORDER BY id LIMIT {BATCH}{skip}) "
        "RETURNING id, sealed"
    )
    call = (
        "INSERT INTO sms_submission (id, broadcast_id, priority, state, provider, attempt, people, lease_until, looks,"  # noqa: S608
        f" cause) VALUES ({hold}, {hold}, 2, 'submitting', 'bench', 1, {BATCH}, {hold}, 0, '')"
    )
    number, ref = ("j.value ->> 0", "j.value ->> 1") if lite else ("j.number", "j.ref")
    source = "json_each(?) j" if lite else "unnest(%s::bigint[], %s::text[]) j(number, ref)"
    mark = (
        f"UPDATE sms_message SET state = 'sent', provider_ref = {ref}, sent_at = {hold}, "  # noqa: S608
        f"changed_at = {hold} FROM {source} WHERE sms_message.id = {number}"
    )
    settled = f"UPDATE sms_submission SET state = 'accepted', settled_at = {hold} WHERE id = {hold}"  # noqa: S608

    def known(ident: UUID) -> object:
        return ident.hex if lite else ident

    taken, done = 0.0, 0
    refs: dict[int, str] = {}
    ident: UUID = uuid7()
    while done < CLAIMED:
        at: Any = utc_now().replace(tzinfo=None).isoformat(" ") if lite else utc_now()
        begin = time.perf_counter()
        if lite:
            cursor.execute("BEGIN IMMEDIATE")
        if refs:
            lists = (json.dumps(list(refs.items())),) if lite else (list(refs), list(refs.values()))
            cursor.execute(mark, (at, at, *lists))
            cursor.execute(settled, (at, known(ident)))
            done += len(refs)
        ident = uuid7()
        people = cursor.execute(claim, (known(ident), at, known(run_id), at)).fetchall()
        if people:
            cursor.execute(call, (known(ident), known(run_id), at))
        raw.commit()
        taken += time.perf_counter() - begin
        refs = {number: f"id-{number}" for number, _ in people}
    raw.close()
    close(Sessions(engine))
    return CLAIMED / taken


# The whole pipeline


@contextmanager
def carrier(delay_s: float) -> Iterator[str]:
    """Run the provider; yield its address."""
    program = Path(__file__).with_name("carrier.py")
    with subprocess.Popen(
        [sys.executable, program, str(delay_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        if server.stdout is None or server.stdin is None:
            raise SystemExit("no pipes")
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.stdin.close()


def gateway_at(address: str) -> SmsGateway:
    """Our own gateway on that address, one person a call."""
    section = HttpSettings.model_validate({"url": f"{address}/send", "reference": '"id": "([^"]+)"'})
    return HttpGateway(lab_context(None, lab_settings(calls_at_once=CONNECTIONS), section))


def bare_pipeline(address: str) -> float:
    """Messages per second of a client with the same gateway, the same threads and no database."""
    gateway, safe, now = gateway_at(address), lab_safe(), utc_now()
    sealed, run_id = safe.seal(mobile(1)), uuid7()

    def send(i: int) -> None:
        person = Addressee(message_ref(run_id, i), safe.open(sealed))
        gateway.submit(Submission(uuid7(), "【青石镇】明天上午停水", (person,), 1, now + timedelta(hours=1), now))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(send, range(CONNECTIONS)))
        begin = time.perf_counter()
        list(pool.map(send, range(PIPELINE)))
        return PIPELINE / (time.perf_counter() - begin)


def ours_pipeline(sessions: Sessions, address: str) -> float:
    """Messages per second through the outbox, announced before every call and written down after it."""
    queue(sessions, PIPELINE)
    settings = lab_settings(calls_at_once=CONNECTIONS, **ALL_DAY)
    routes = lab_routes(gateway_at(address), calls_at_once=CONNECTIONS)
    zone = ZoneInfo("Asia/Shanghai")
    pump = SmsPump(sessions, lab_safe(), routes, utc_now, settings, zone=zone, lane=Lane.ORDINARY)
    begin = time.perf_counter()
    while pump.step() == 0.0:
        pass
    taken = time.perf_counter() - begin
    pump.close()
    with sessions.begin() as session:
        left = session.scalar(text("SELECT count(*) FROM sms_message WHERE state NOT IN ('sent', 'suppressed')"))
        if left:
            raise SystemExit(f"{left} not sent")
        session.execute(text("DELETE FROM sms_message"))
        session.execute(update(SmsSubmission).values(state="accepted"))
    close(sessions)
    return PIPELINE / taken


def compare(name: str, ours: Callable[[], float], bare: Callable[[], float], unit: str) -> None:
    """Measure both in turns and print medians and their ratio."""
    pairs = [(ours(), bare()) for _ in range(ROUNDS)]
    mine, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
    each = ", ".join(f"{a:,.0f}/{b:,.0f}" for a, b in pairs)
    print(f"{name}: ours {mine:,.0f} {unit}, bare {peer:,.0f} {unit}, ratio {mine / peer:.2f}  ({each})", flush=True)


def measure(kind: str, part: str, folder: Path) -> None:
    """Run one part on a database of its own, so that no part stumbles over what another left behind."""
    with running_database(kind, folder) as url, carrier(DELAY_S) as address:
        engine = make_engine(url)
        sessions = fill_small_county(Sessions(engine))
        if part == "claim":
            compare(f"{kind}: claim and mark", partial(ours_claims, sessions), partial(raw_claims, engine), "people/s")
        else:
            bare = partial(bare_pipeline, address)
            compare(f"{kind}: pipeline", partial(ours_pipeline, sessions, address), bare, "messages/s")
        engine.dispose()


def main(given: Sequence[str]) -> None:
    """Run what is asked for; all of it by default."""
    kinds, parts = ("sqlite", "postgresql"), ("claim", "pipeline")
    for kind in [kind for kind in kinds if kind in given] or kinds:
        for part in [part for part in parts if part in given] or parts:
            with tempfile.TemporaryDirectory() as folder:
                measure(kind, part, Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])

"""A worker process is killed while its calls are open: how long after their lease another one has put that right.

Run: PYTHONPATH=tests:. .venv/bin/python benchmarks/recovery.py [sqlite|postgresql] [kills=N]
The lease is five seconds, the shortest there can be. Target: lease + 2 s.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from smslab import LabGateway, accept, fill_small_county, lab_routes, lab_safe, lab_settings
from sqlalchemy import select

from benchmarks.databases import running_database
from benchmarks.texting import ALL_DAY, close, queue
from benchmarks.workers import FORKS
from broadcasts.sms.gateway import Submission, SubmitResult
from broadcasts.sms.models import SmsMessage, SmsSubmission
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane, MessageState, SubmissionState
from hub.core.background import Loop
from hub.core.clock import utc_now
from hub.core.db import Sessions, make_engine

LEASE_S: Final = 5
HANGS_S: Final = 60.0
MOST_S: Final = 30.0
PEOPLE: Final = 40


def pump_of(sessions: Sessions, call_s: float) -> SmsPump:
    """Return the pump of ordinary messages, with a provider that takes so long."""

    def provider(submission: Submission) -> SubmitResult:
        time.sleep(call_s)
        return accept(submission)

    settings = lab_settings(lease_s=LEASE_S, connect_timeout_s=1, answer_timeout_s=1.5, calls_at_once=4, **ALL_DAY)
    routes = lab_routes(LabGateway(answer=provider), calls_at_once=4)
    zone = ZoneInfo("Asia/Shanghai")
    return SmsPump(sessions, lab_safe(), routes, utc_now, settings, zone=zone, lane=Lane.ORDINARY)


def dies(url: str, ready: Event) -> None:
    """Take people, call a provider that does not answer, and be killed."""
    loop = Loop("sms", pump_of(Sessions(make_engine(url)), HANGS_S).step)
    loop.start()
    ready.set()
    time.sleep(HANGS_S)


def one_kill(url: str, sessions: Sessions) -> float:
    """Return the seconds from the end of the lease to the moment at which the last of its people is settled."""
    ready = FORKS.Event()
    victim = FORKS.Process(target=dies, args=(url, ready), daemon=True)
    victim.start()
    ready.wait(MOST_S)
    queue(sessions, PEOPLE)
    lease = waits_for_calls(sessions)
    victim.kill()
    victim.join(5)
    loop = Loop("sms", pump_of(sessions, 0.0).step)  # the other worker
    loop.start()
    try:
        return settled(sessions, lease)
    finally:
        loop.stop()
        close(sessions)


def waits_for_calls(sessions: Sessions) -> datetime:
    """Wait until all are in calls; return when the last lease ends."""
    end = time.monotonic() + MOST_S
    while time.monotonic() < end:
        with sessions.read() as session:
            waiting = session.scalar(select(SmsMessage.id).where(SmsMessage.state == MessageState.CREATED).limit(1))
            leases = session.scalars(
                select(SmsSubmission.lease_until).where(SmsSubmission.state == SubmissionState.SUBMITTING)
            ).all()
        if waiting is None and leases:
            return max(leases)
        time.sleep(0.01)
    raise SystemExit("nobody was taken")


def settled(sessions: Sessions, lease: datetime) -> float:
    """Wait until nobody is in a call any more."""
    while utc_now() < lease + timedelta(seconds=MOST_S):
        with sessions.read() as session:
            left = session.scalar(select(SmsMessage.id).where(SmsMessage.state == MessageState.SUBMITTING).limit(1))
        if left is None:
            return (utc_now() - lease).total_seconds()
        time.sleep(0.01)
    raise SystemExit("nobody put it right")


def main(given: Sequence[str]) -> None:
    """Kill some, print what it took."""
    kills = next((int(word.removeprefix("kills=")) for word in given if word.startswith("kills=")), 10)
    for kind in [kind for kind in ("sqlite", "postgresql") if kind in given] or ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as folder, running_database(kind, Path(folder)) as url:
            sessions = fill_small_county(Sessions(make_engine(url)))
            late = sorted(one_kill(url, sessions) for _ in range(kills))
            sessions.engine.dispose()
        middle = statistics.median(late)
        print(
            f"{kind}: {kills} kills, lease {LEASE_S} s and {middle:.2f} s in the middle, {late[-1]:.2f} s at most",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])

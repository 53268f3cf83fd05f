"""A worker process is killed in the middle, again and again; the provider's own log is the judge."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import crashworker
import pytest
from crashworker import CALLS_AT_ONCE, PEOPLE_PER_CALL
from faultserver import FaultServer, fault_server
from smslab import crowd, lab_run, lab_sessions, mobile
from sqlalchemy import select

from broadcasts.sms.models import SmsMessage
from broadcasts.sms.states import Lane, MessageState, Priority
from hub.core.clock import utc_now
from hub.core.db import Sessions

LONG = os.environ.get("CUNXIANG_LONG") == "1"
PEOPLE = 1600 if LONG else 400
KILLS = tuple(range(12, 12 + 10 * 25, 25)) if LONG else (12, 30, 55)
"""After how many calls in all the worker is killed."""


def start(database: Path, server: FaultServer, lane: Lane, ahead_s: int) -> "subprocess.Popen[bytes]":
    root = Path(crashworker.__file__).parent.parent
    path = os.pathsep.join([str(root), str(root / "tests")])
    arguments = [sys.executable, crashworker.__file__, str(database), server.address, lane.value, str(ahead_s)]
    return subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": path}, cwd=database.parent)


def run_with_kills(database: Path, server: FaultServer, lane: Lane) -> int:
    """Kill the worker at each mark, start it again, let the last one finish; return how often it died at work."""
    died = 0
    for round_, mark in enumerate((*KILLS, None)):
        worker = start(database, server, lane, ahead_s=round_ * 60)
        deadline = time.monotonic() + 60
        while worker.poll() is None and (mark is None or len(server.posts) < mark):
            assert time.monotonic() < deadline, "the worker does not get on"
            time.sleep(0.002)
        if mark is None:
            assert worker.returncode == 0
        else:
            assert worker.poll() is None, "it was through before it could be killed"
            worker.send_signal(signal.SIGKILL)
            worker.wait(10)
            died += 1
    return died


def prepare(database: Path, priority: Priority) -> Sessions:
    sessions = lab_sessions(database)
    crowd(sessions, PEOPLE)
    with sessions.begin() as session:
        lab_run(session, priority=priority, now=utc_now(), lasts=timedelta(hours=2))
    return sessions


@pytest.mark.slow
@pytest.mark.parametrize(
    ("priority", "lane"), [(Priority.ROUTINE, Lane.ORDINARY), (Priority.EMERGENCY, Lane.EMERGENCY)]
)
def test_killing_the_worker_loses_nobody_and_sends_nothing_routine_twice(
    tmp_path: Path, priority: Priority, lane: Lane
) -> None:
    sessions = prepare(tmp_path / "crash.db", priority)
    with fault_server() as server:
        server.delay_s = 0.04
        died = run_with_kills(tmp_path / "crash.db", server, lane)
        got = Counter(number for post in server.posts for number in post["To"].split(","))
    with sessions.read() as session:
        states = Counter(session.scalars(select(SmsMessage.state)))
        doubtful = set(session.scalars(select(SmsMessage.masked).where(SmsMessage.state == MessageState.UNKNOWN)))
    sessions.engine.dispose()
    at_once = CALLS_AT_ONCE * PEOPLE_PER_CALL
    twice = sum(1 for count in got.values() if count > 1)
    never = {mobile(i) for i in range(PEOPLE)} - set(got)

    assert died == len(KILLS)
    assert set(states) <= {MessageState.SENT, MessageState.UNKNOWN}
    assert sum(states.values()) == PEOPLE
    if priority is Priority.ROUTINE:
        assert twice == 0
        assert 0 < states[MessageState.UNKNOWN] <= died * at_once
        assert len(never) <= states[MessageState.UNKNOWN]
        assert all(f"{number[3:6]}****{number[-4:]}" in doubtful for number in never)
    else:
        assert not never
        assert twice <= died * at_once
        assert states[MessageState.SENT] == PEOPLE

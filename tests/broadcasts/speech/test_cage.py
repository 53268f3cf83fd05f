"""Engines speak in child processes: late ones are killed, and the hub goes on."""

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcasts.speech.cage import WarmWorker, run_once
from broadcasts.speech.engine import SpeechFailed

pytestmark = pytest.mark.slow

ECHO = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked.get("do") == "hang":
        import time; time.sleep(600)
    if asked.get("do") == "die":
        os._exit(3)
    if asked.get("do") == "chatter":
        print("hello, I am no JSON", flush=True); continue
    if asked.get("do") == "flood":
        print("x" * 200_000, flush=True); continue
    if asked.get("do") == "leave":
        print(json.dumps({"ok": True, "pid": os.getpid()}), flush=True); sys.exit(0)
    print(json.dumps({"ok": True, "pid": os.getpid(), "env": sorted(os.environ)}), flush=True)
"""


@pytest.fixture
def worker() -> Iterator[WarmWorker]:
    made = WarmWorker([sys.executable, "-c", ECHO])
    yield made
    made.stop()


def soon(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_one_process_answers_many_questions(worker: WarmWorker) -> None:
    first, second = worker.ask({}, soon()), worker.ask({}, soon())
    assert first["pid"] == second["pid"] == worker.pid


def test_a_hanging_one_is_killed_in_time_and_the_next_question_gets_another(worker: WarmWorker) -> None:
    stuck = worker.ask({}, soon())["pid"]
    began = time.monotonic()
    with pytest.raises(SpeechFailed, match="时间太长") as caught:
        worker.ask({"do": "hang"}, soon(0.3))
    assert time.monotonic() - began < 15
    assert caught.value.retryable
    assert gone(stuck)
    assert worker.ask({}, soon())["pid"] != stuck


@pytest.mark.parametrize("deed", ["die", "chatter", "flood"])
def test_one_that_dies_or_says_no_answer_is_a_failure_and_leaves_nothing_behind(worker: WarmWorker, deed: str) -> None:
    pid = worker.ask({}, soon())["pid"]
    with pytest.raises(SpeechFailed, match="没能读出来"):
        worker.ask({"do": deed}, soon())
    assert gone(pid)
    assert worker.ask({}, soon())["ok"]


def test_one_that_left_by_itself_is_replaced(worker: WarmWorker) -> None:
    pid = worker.ask({"do": "leave"}, soon())["pid"]
    deadline = soon()
    while worker.pid is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert worker.ask({}, soon())["pid"] != pid


def test_whoever_waits_for_the_one_process_does_not_wait_for_ever(worker: WarmWorker) -> None:
    pid = worker.ask({}, soon())["pid"]
    failures: list[str] = []

    def hold() -> None:
        try:
            worker.ask({"do": "hang"}, soon(2.0))
        except SpeechFailed as failure:
            failures.append(failure.detail)

    holder = threading.Thread(target=hold)
    holder.start()
    while not worker._lock.locked():
        time.sleep(0.01)
    with pytest.raises(SpeechFailed) as caught:
        worker.ask({}, soon(0.2))
    holder.join(10)
    assert caught.value.detail == "somebody else is being spoken for"
    assert failures == ["killed after its time was up"]
    assert gone(pid)


def test_stopping_lets_it_end_and_it_may_be_asked_again(worker: WarmWorker) -> None:
    pid = worker.ask({}, soon())["pid"]
    worker.stop()
    assert gone(pid)
    assert worker.ask({}, soon())["ok"]


def test_none_of_the_hubs_secrets_are_in_its_environment(worker: WarmWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUNXIANG_SPEECH_CLOUD_KEY", "secret")
    assert not [name for name in worker.ask({}, soon())["env"] if name.startswith("CUNXIANG")]


def test_a_program_that_is_not_there_is_a_failure() -> None:
    with pytest.raises(SpeechFailed, match="没能读出来"):
        run_once(["/no/such/program"], b"", soon())
    with pytest.raises(SpeechFailed, match="没能读出来"):
        WarmWorker(["/no/such/program"]).ask({}, soon())


def test_a_program_that_is_late_is_killed_with_all_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"(echo $$ > /dev/null; sleep 600) & echo $! > {note}; wait"
    with pytest.raises(SpeechFailed, match="时间太长"):
        run_once(["/bin/sh", "-c", code], b"", soon(3.0))
    deadline = soon(30)
    while not gone(int(note.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gone(int(note.read_text()))

"""A Celery task for every person, beside the hub's calls for many: the same provider, the same number of open calls.

Run: PYTHONPATH=tests:. .venv/bin/python benchmarks/each.py [instant] [slow] [single] [people=N]
Needs PostgreSQL and RabbitMQ. Each side is one process; nobody limits the rate. `instant`: a provider that takes no
time; `slow`: one that takes 20 ms, four calls open; `single`: one that takes 20 ms and one person a call, fifty open.

The empty task does nothing: what the queue alone costs. The other does what a delivery is: it opens the number, asks
the provider, and writes down that it was sent, in a transaction of its own. It does not note beforehand that the call
is about to be made, as the hub does, so a worker that is killed may send twice.
"""

import logging
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from celery import Celery
from celery.worker import WorkController
from smslab import LabGateway, accept, lab_routes, lab_safe, lab_settings
from sqlalchemy import select, text

from benchmarks.texting import ALL_DAY, queue
from benchmarks.workers import by_itself, ground, rate
from broadcasts.sms.gateway import Caps, Submission, SubmitResult
from broadcasts.sms.models import SmsMessage
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane
from hub.core.background import Loop
from hub.core.clock import utc_now
from hub.core.db import Sessions, make_engine

ROUNDS: Final = 3
MOST_S: Final = 60.0


@dataclass(frozen=True)
class Terms:
    """What both sides are given."""

    call_s: float
    at_once: int
    per_call: int
    """People in a call of the hub's; a task is for one."""
    tasks: int

    @property
    def most(self) -> str:
        """What the provider's time allows the tasks and the hub, a second."""
        if not self.call_s:
            return "no bound by the provider"
        bound = self.at_once / self.call_s
        return f"the provider allows {bound:,.0f} tasks and {bound * self.per_call:,.0f} people a second"


PARTS: Final = {
    "instant": Terms(0.0, 4, 100, 4_000),
    "slow": Terms(0.02, 4, 100, 1_000),
    "single": Terms(0.02, 50, 1, 4_000),
}


def hub(url: str, people: int, part: str) -> float:
    """People a second through the outbox, from the release to the last one written down."""
    terms = PARTS[part]

    def provider(submission: Submission) -> SubmitResult:
        time.sleep(terms.call_s)
        return accept(submission)

    caps = Caps(max_per_call=terms.per_call, receipts=True, inbound=True, query=False)
    gateway = LabGateway(answer=provider, caps=caps)
    sessions = Sessions(make_engine(url))
    settings = lab_settings(calls_at_once=terms.at_once, **ALL_DAY)
    routes = lab_routes(gateway, calls_at_once=terms.at_once)
    zone = ZoneInfo("Asia/Shanghai")
    pump = SmsPump(sessions, lab_safe(), routes, utc_now, settings, zone=zone, lane=Lane.ORDINARY)
    loop = Loop("sms", pump.step)
    loop.start()
    queue(sessions, people)
    loop.kick()
    return rate(sessions, people)


def tasks(url: str, part: str, amqp: str, empty: bool) -> float:
    """Tasks a second, from the first one sent to the last one done, with as many threads as calls may be open."""
    terms = PARTS[part]
    sessions, safe = Sessions(make_engine(url)), lab_safe()
    queue(sessions, terms.tasks)
    with sessions.read() as session:
        numbers = list(session.scalars(select(SmsMessage.id).order_by(SmsMessage.id.desc()).limit(terms.tasks)))
    app, left, done, guard = (
        Celery("bare", broker=amqp, set_as_current=False),
        [len(numbers)],
        threading.Event(),
        threading.Lock(),
    )
    app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=25)

    def deliver(number: int) -> None:
        if not empty:
            _deliver(sessions, safe.open, terms, number)
        with guard:
            left[0] -= 1
            if left[0] == 0:
                done.set()

    app.task(deliver, name="deliver", shared=False)
    app.set_default()
    worker = WorkController(
        app=app,
        pool="threads",
        concurrency=terms.at_once,
        without_mingle=True,
        without_gossip=True,
        loglevel=logging.WARNING,
    )
    begin = time.perf_counter()
    for number in numbers:
        app.send_task("deliver", args=(number,), delivery_mode=2)
    threading.Thread(target=worker.start, daemon=True).start()
    if not done.wait(MOST_S):
        raise SystemExit(f"{left[0]} tasks were not done")
    return len(numbers) / (time.perf_counter() - begin)


def _deliver(sessions: Sessions, opened: Callable[[bytes], str], terms: Terms, number: int) -> None:
    find = text("SELECT sealed FROM sms_message WHERE id = :id AND state = 'created'")
    sent = text(
        "UPDATE sms_message SET state = 'sent', provider_ref = :ref, sent_at = now(), changed_at = now() WHERE id = :id"
    )
    with sessions.glance() as session:
        sealed = session.scalar(find, {"id": number})
    if sealed is None:
        raise SystemExit("there is no such message")
    opened(sealed)
    time.sleep(terms.call_s)
    with sessions.begin() as session:
        session.execute(sent, {"id": number, "ref": f"id-{number}"})


def compare(part: str, people: int) -> None:
    """Print the medians of both, and how many times as many people the hub reaches."""
    terms = PARTS[part]
    found: dict[str, list[float]] = {"hub": [], "task": [], "empty": []}
    with ground() as (url, rabbit):
        for _ in range(ROUNDS):
            found["hub"].append(by_itself(hub, url, people, part))
            found["task"].append(by_itself(tasks, url, part, rabbit.url, False))
            if part == "instant":
                found["empty"].append(by_itself(tasks, url, part, rabbit.url, True))
    ours = statistics.median(found["hub"])
    print(f"{part}: {terms.at_once} calls open, {terms.per_call} a call; {terms.most}")
    print(f"  hub {ours:,.0f} people/s  {_each(found['hub'])}")
    for name in ("task", "empty"):
        if found[name]:
            bare = statistics.median(found[name])
            print(f"  {name} {bare:,.0f}/s, {ours / bare:.1f} times  {_each(found[name])}", flush=True)


def _each(found: Sequence[float]) -> str:
    return "(" + ", ".join(f"{one:,.0f}" for one in found) + ")"


def main(given: Sequence[str]) -> None:
    """Run what is asked for; all by default."""
    people = next((int(word.removeprefix("people=")) for word in given if word.startswith("people=")), 20_000)
    for part in [part for part in PARTS if part in given] or PARTS:
        compare(part, people if PARTS[part].per_call > 1 else min(people, 4_000))


if __name__ == "__main__":
    main(sys.argv[1:])

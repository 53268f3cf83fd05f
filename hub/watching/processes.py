"""Which processes make up the hub now: each notes itself every few seconds, and the page asks who is missing.

By the database's clock, all of them: a machine whose own is minutes off is neither dead nor are all others.
"""

import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from uuid6 import uuid7

from hub.core.background import Loop
from hub.core.checks import Finding, Level
from hub.core.clock import Clock
from hub.core.db import moment
from hub.core.gauges import Gauge, Reading
from hub.core.roles import WHOLE, Role, WorkLane
from hub.core.runtime import Runtime
from hub.watching.models import HubProcess

NOTE_S: Final = 5.0
GONE_AFTER: Final = timedelta(seconds=20)
FORGET_AFTER: Final = timedelta(days=1)


class Troubles:
    """How to ask which loops of this process do not do well; rooms above know."""

    def __init__(self) -> None:
        self.ask: Callable[[], list[str]] = list


class Register:
    """Notes this process among the others, and takes its line out when it ends in order."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._id = uuid7()
        self._started_at = runtime.now()
        self._on_duty = False
        self._loop = Loop("register", self.note)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    def stop(self) -> None:
        """End, and say so. Without the database nothing is said: the line shows its age."""
        self._loop.stop(2)
        with suppress(SQLAlchemyError), self._runtime.sessions.begin() as session:
            session.execute(delete(HubProcess).where(HubProcess.id == self._id))

    def on_duty(self) -> None:
        """From now on this process works."""
        self._on_duty = True
        self._loop.kick()

    def note(self) -> float:
        """Write the line anew; a step of a background loop."""
        duties, troubles = self._runtime.duties, self._runtime.find(Troubles)
        with self._runtime.sessions.begin() as session:
            now = moment(session, self._runtime.clock)
            session.merge(
                HubProcess(
                    id=self._id,
                    role=duties.name,
                    lanes="" if duties.whole else ",".join(sorted(duties.lanes)),
                    machine=socket.gethostname()[:80],
                    pid=os.getpid(),
                    started_at=self._started_at,
                    seen_at=now,
                    on_duty=self._on_duty,
                    trouble=troubles.ask() if troubles else [],
                )
            )
            session.execute(delete(HubProcess).where(HubProcess.seen_at < now - FORGET_AFTER))
        return NOTE_S


def all_known(session: Session) -> Sequence[HubProcess]:
    """Return every process of the last day, by role and machine."""
    order = HubProcess.role, HubProcess.machine, HubProcess.started_at
    return session.scalars(select(HubProcess).order_by(*order)).all()


def is_gone(process: HubProcess, now: datetime) -> bool:
    """Whether nothing has been heard of it for so long that it must be dead, or cut off."""
    return now - process.seen_at > GONE_AFTER


def serving(session: Session, lane: WorkLane, *, now: datetime) -> int:
    """Return how many processes serve a lane now."""
    alive = select(func.count()).where(HubProcess.seen_at >= now - GONE_AFTER, HubProcess.on_duty)
    return session.scalar(alive.where(HubProcess.lanes.contains(lane.value, autoescape=True))) or 0


def running(clock: Clock) -> Gauge:
    """Return how many processes of each role work, stand by and are gone; none in a hub of one process."""

    def read(session: Session) -> Iterable[Reading]:
        now = moment(session, clock)
        known = (each for each in all_known(session) if each.role != WHOLE.name)
        counted = Counter((each.role, _how(each, now)) for each in known)
        for role in sorted({role for role, _ in counted}):
            for how in ("on duty", "standing by", "gone"):
                yield Reading(counted[role, how], {"role": role, "how": how})

    return Gauge("cunxiang_processes", "Processes of the last day by role and what they do.", read, ("role", "how"))


def _how(process: HubProcess, now: datetime) -> str:
    if is_gone(process, now):
        return "gone"
    return "on duty" if process.on_duty else "standing by"


def processes(runtime: Runtime) -> Iterable[Finding]:
    """Say which role nobody plays, who has vanished, and whose loops fail. Of one process there is nothing to say."""
    if runtime.duties.whole:
        return
    with runtime.sessions.read() as session:
        known, now = all_known(session), moment(session, runtime.clock)
    alive = [each for each in known if not is_gone(each, now)]
    played = {each.role for each in alive if each.on_duty}
    lanes = {lane for each in alive if each.on_duty for lane in each.lanes.split(",")}
    missing = [role.value for role in Role if role.value not in played and role is not Role.WORKER]
    missing += [f"worker {lane.value}" for lane in WorkLane if lane.value not in lanes]
    yield from (Finding("check_role_missing", Level.BAD, {"name": name}, in_part=True) for name in missing)
    for each in known:
        where = {"name": each.role, "machine": each.machine, "pid": each.pid}
        if is_gone(each, now):
            yield Finding("check_process_gone", Level.LOOK, where)
        elif each.trouble:
            yield Finding("check_process_trouble", Level.BAD, {**where, "loops": ", ".join(each.trouble)}, in_part=True)
    if not missing:
        yield Finding("check_roles", Level.GOOD, {"count": len(alive)})

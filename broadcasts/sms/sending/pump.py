"""The pump: takes people from the outbox, calls the provider with no database session open, writes down the answers."""

import logging
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from broadcasts.sms.gateway import Addressee, Submission, SubmitResult, Unknown
from broadcasts.sms.providers.routing import Pace, Routes
from broadcasts.sms.purposes import Limits
from broadcasts.sms.reports import message_ref
from broadcasts.sms.sending import expansion, leasing, piecewise, receipts, sweeping
from broadcasts.sms.sending.settling import Terms, settle, unreadable
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import Lane, Priority
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.core.errors import Unavailable
from hub.core.way import RightOfWay
from hub.residents.phones import PhoneSafe

log = logging.getLogger(__name__)

EMERGENCY_BATCH = 100
FIRST_FEW = 20
"""People of an emergency who are taken with the list itself."""
_SWEEP_EVERY = timedelta(seconds=2)
_SLOW_SWEEP_EVERY = timedelta(minutes=10)
_LOOK_FOR_SLOWNESS_EVERY = timedelta(minutes=1)
_IDLE_S = {Lane.EMERGENCY: 0.5, Lane.ORDINARY: 1.0}
_LINGER_S = 0.004
"""Answers that come this close together are written down in one transaction."""
_PATIENCE_S = 0.25


@dataclass(frozen=True, slots=True)
class _Answered:
    call: leasing.Call
    result: SubmitResult


class SmsPump:
    """One lane of the outbox. `step` fits `hub.core.background.Loop`; emergencies have a pump and threads of their own.

    Calls to the provider stay open between steps: one step writes down what has been answered, takes and announces the
    next in the same transaction, and hands them to the threads.
    """

    def __init__(
        self,
        sessions: Sessions,
        safe: PhoneSafe,
        routes: Routes,
        clock: Clock,
        settings: SmsSettings,
        *,
        zone: ZoneInfo,
        lane: Lane,
        way: RightOfWay | None = None,
    ) -> None:
        self._sessions, self._safe, self._routes = sessions, safe, routes
        self._way = way or RightOfWay()
        self._clock, self._settings, self._zone, self._lane = clock, settings, zone, lane
        self._limits = Limits.of(settings, zone)
        self._pool = ThreadPoolExecutor(
            settings.calls_at_once * len(routes.lines), thread_name_prefix=f"sms-{lane.value}"
        )
        self._answers: SimpleQueue[_Answered] = SimpleQueue()
        self._to_write: list[_Answered] = []
        self._open_calls: Counter[str] = Counter()
        self._unlisted: UUID | None = None
        """Found at the last look: a run that nobody has been listed for, also while another one goes out."""
        self._first_few = False
        """An emergency was just listed: its first calls are made before the others are even taken."""
        self._next_sweep: datetime | None = None
        self._next_slow_sweep: datetime | None = None
        self._next_slowness: datetime | None = None
        self._terms = Terms(timedelta(seconds=settings.emergency_resend_after_s), routes.able)

    def step(self) -> float:
        """Do one round. Return the seconds to rest before the next."""
        now = self._clock()
        if not self._busy:
            self._tidy_slowly(now)
            with self._sessions.read() as session:
                if not sweeping.anything_to_do(session, self._lane, now=now):
                    return _IDLE_S[self._lane]
                self._unlisted = expansion.unlisted(session, self._lane)
        unlisted, self._unlisted = self._unlisted, None
        if unlisted is None:
            self._tidy(now)
        elif piecewise.list_if_many(self._sessions, unlisted, now=now, limits=self._limits):
            unlisted = None
        took = self._turn(now, expanding=unlisted is not None)
        if self._first_few:
            return 0.0
        if self._open_calls.total():
            self._collect()
            return 0.0
        return 0.0 if took else self._idle(now)

    def close(self) -> None:
        """Wait for open calls and write down their answers. Call it after the loop has stopped."""
        patience_s = self._settings.connect_timeout_s + self._settings.answer_timeout_s + 1.0
        end = time.monotonic() + patience_s
        while self._open_calls.total() and time.monotonic() < end:
            self._collect()
        if self._to_write:
            self._turn(self._clock(), taking=False)
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def _busy(self) -> bool:
        return bool(self._open_calls.total() or self._to_write)

    def _idle(self, now: datetime) -> float:
        rest = max(self._routes.rest(self._lane, now), self._until_window(now))
        return min(rest, _IDLE_S[self._lane]) or _IDLE_S[self._lane]

    def _turn(self, now: datetime, *, taking: bool = True, expanding: bool = False) -> bool:
        """Write down answers and announce the next calls, committed together and before any of them is made.

        Whose messages are not listed yet is listed in the same transaction: an emergency waits for one commit only.
        """
        least = Priority.ROUTINE
        if self._until_window(now) > 0:
            # At night only answers to residents go out: they asked just now.
            least = Priority.DRILL
            taking = taking and self._waits(now, least)
        if not (taking or expanding or self._to_write):
            return False
        answered = self._to_write
        numbers: dict[int, str] = {}
        listed, begin = False, self._clock()
        with self._sessions.begin() as session:
            if answered:
                settle(session, [(each.call, each.result) for each in answered], self._terms, now=begin)
                self._learn(answered, begin)
            if expanding:
                listed = expansion.expand_next(session, self._lane, now=begin, limits=self._limits) is not None
            self._first_few = listed and self._lane is Lane.EMERGENCY
            calls = self._take(session, numbers, begin, least) if taking else []
            self._unlisted = expansion.unlisted(session, self._lane)
        self._to_write = []
        for call in calls:
            self._open_calls[call.provider] += 1
            self._pool.submit(self._call, call, self._submission(call, numbers, begin))
        return bool(calls or answered or listed)

    def _waits(self, now: datetime, least: Priority) -> bool:
        with self._sessions.read() as session:
            return leasing.anything_due(session, self._lane, now=now, least=least)

    def _take(self, session: Session, numbers: dict[int, str], now: datetime, least: Priority) -> list[leasing.Call]:
        until = now + timedelta(seconds=self._settings.lease_s)
        plans = partial(self._plans, now)
        taken = leasing.take(session, self._lane, plans, lease_until=until, now=now, least=least)
        opened = [self._open(call, numbers) for call in taken]
        broken = [message_id for _, lost in opened for message_id in lost]
        if broken:
            unreadable(session, broken, now=now)
            leasing.drop(session, [call.id for call, _ in opened if not call.people], now=now)
        return [call for call, _ in opened if call.people]

    def _plans(self, now: datetime, text: str) -> list[leasing.LeasePlan] | None:
        """Say through whom a text may go now, and for how many calls there is room."""
        if self._routes.nobody_carries(text):
            return None
        plans = []
        busy = {
            line.name: self._open_calls[line.name] - _reserve(line.paces[self._lane], line.gateway.caps.max_per_call)
            for line in self._routes.lines
        }
        for choice in self._routes.choose(self._lane, text, busy, now):
            most = min(choice.per_call, EMERGENCY_BATCH) if self._lane is Lane.EMERGENCY else choice.per_call
            calls = min(choice.calls, max(1, FIRST_FEW // most)) if self._first_few else choice.calls
            plans.append(leasing.LeasePlan(choice.line.name, calls, most, choice.after))
        return plans

    def _open(self, call: leasing.Call, numbers: dict[int, str]) -> tuple[leasing.Call, list[int]]:
        """Read the numbers; return the call without those that cannot be read, and those."""
        broken: list[int] = []
        for person in call.people:
            try:
                numbers[person.message_id] = self._safe.open(person.sealed)
            except Unavailable:
                broken.append(person.message_id)
        if broken:
            call = replace(call, people=tuple(p for p in call.people if p.message_id not in broken))
        return call, broken

    def _submission(self, call: leasing.Call, numbers: dict[int, str], now: datetime) -> Submission:
        return Submission(
            id=call.id,
            text=call.text,
            people=tuple(
                Addressee(message_ref(call.broadcast_id, person.message_id), numbers[person.message_id])
                for person in call.people
            ),
            attempt=call.attempt,
            expires_at=call.expires_at,
            submitted_at=now,
            urgent=self._lane is Lane.EMERGENCY,
        )

    def _call(self, call: leasing.Call, submission: Submission) -> None:
        result: SubmitResult = Unknown("gateway_error")
        if self._lane is not Lane.EMERGENCY:
            self._way.give()
        try:
            line = self._routes.line(call.provider)
            result = line.gateway.submit(submission) if line else Unknown("gateway_gone")
        except Exception as error:  # noqa: BLE001 - a gateway with a bug must not leave people without a state
            self._complain(call.provider, error)
        finally:
            self._answers.put(_Answered(call, result))

    def _collect(self) -> None:
        """Wait for the next answer and take those that come close behind it.

        Calls of many people fill a transaction each by themselves: waiting for the others would only let them all stand
        still together while the database is at work.
        """
        try:
            found = [self._answers.get(timeout=_PATIENCE_S)]
        except Empty:
            return
        if self._open_calls.total() > 1 and len(found[0].call.people) < leasing.WHOLE:
            time.sleep(_LINGER_S)
        with suppress(Empty):
            while True:
                found.append(self._answers.get_nowait())
        self._open_calls.subtract(Counter(each.call.provider for each in found))
        self._to_write += found

    def _complain(self, name: str, error: Exception) -> None:
        # The words of an exception may hold a number, so only its kind and place are logged.
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("gateway %s raised %s\n%s", name, type(error).__name__, where)

    def _learn(self, answered: Sequence[_Answered], now: datetime) -> None:
        """Slow down when a provider is in trouble: an outage must not make a whole valley unknown."""
        by_name: dict[str, list[tuple[int, SubmitResult]]] = {}
        for each in answered:
            by_name.setdefault(each.call.provider, []).append((len(each.call.people), each.result))
        for name, results in by_name.items():
            rest = self._routes.learn(self._lane, name, results, now)
            line = self._routes.line(name)
            if line and (line.out or line.paces[self._lane].troubles):
                log.warning("gateway %s is in trouble (%s), resting %.0f s", name, line.trouble, rest)

    def _until_window(self, now: datetime) -> float:
        """Seconds until routine messages may go out."""
        if self._lane is Lane.EMERGENCY:
            return 0.0
        local = now.astimezone(self._zone)
        if self._settings.window_from <= local.time() < self._settings.window_until:
            return 0.0
        opens = datetime.combine(local.date(), self._settings.window_from, self._zone)
        if opens <= local:
            opens = datetime.combine(local.date() + timedelta(days=1), self._settings.window_from, self._zone)
        return (opens - local).total_seconds()

    def _tidy_slowly(self, now: datetime) -> None:
        if self._lane is Lane.ORDINARY and (self._next_slow_sweep is None or now >= self._next_slow_sweep):
            self._next_slow_sweep = now + _SLOW_SWEEP_EVERY
            with self._sessions.begin() as session:
                sweeping.sweep_slowly(session, self._settings, now=now)

    def _tidy(self, now: datetime) -> None:
        if self._next_sweep is not None and now < self._next_sweep:
            return
        first, self._next_sweep = self._next_sweep is None, now + _SWEEP_EVERY
        with self._sessions.begin() as session:
            if first:
                sweeping.lift_pauses(session, self._lane)
            sweeping.sweep(session, self._lane, self._settings, now=now)
            if self._lane is Lane.ORDINARY:
                receipts.retry_orphans(session, now=now)
        self._look_for_slowness(now)
        if self._lane is Lane.EMERGENCY:
            self._look_into_doubts(now)

    def _look_for_slowness(self, now: datetime) -> None:
        due = self._next_slowness is None or now >= self._next_slowness
        if due and self._lane is Lane.ORDINARY and len(self._routes.lines) > 1:
            self._next_slowness = now + _LOOK_FOR_SLOWNESS_EVERY
            with self._sessions.read() as session:
                late = sweeping.slow_providers(session, now=now)
            self._routes.note_slow(late, now)

    def _look_into_doubts(self, now: datetime) -> None:
        with self._sessions.read() as session:
            found = sweeping.doubts(session, now=now, limit=self._settings.calls_at_once)
        for doubt in found:
            known = self._ask(doubt)
            self._decide(doubt, known)

    def _ask(self, doubt: sweeping.Doubt) -> dict[int, str] | None:
        """Return the provider's ids by message for what it did send; None when it cannot be told."""
        line = self._routes.line(doubt.provider)
        if line is None or not line.gateway.caps.query or not doubt.people:
            return None
        refs = {message_ref(doubt.broadcast_id, message_id): message_id for message_id, _ in doubt.people}
        try:
            submission = Submission(
                id=doubt.id,
                text=doubt.text,
                people=tuple(
                    Addressee(message_ref(doubt.broadcast_id, message_id), self._safe.open(sealed))
                    for message_id, sealed in doubt.people
                ),
                attempt=doubt.attempt,
                expires_at=doubt.expires_at,
                submitted_at=doubt.submitted_at,
            )
            found = line.gateway.query(submission)
        except Exception as error:  # noqa: BLE001 - as in _call
            self._complain(doubt.provider, error)
            return None
        return None if found is None else {refs[ref]: known for ref, known in found.refs.items() if ref in refs}

    def _decide(self, doubt: sweeping.Doubt, known: dict[int, str] | None) -> None:
        now = self._clock()
        again = now + timedelta(seconds=self._settings.emergency_resend_after_s)
        line = self._routes.line(doubt.provider)
        can_ask = line is not None and line.gateway.caps.query
        with self._sessions.begin() as session:
            if known is None and can_ask and doubt.people and doubt.looks + 1 < sweeping.MAX_LOOKS:
                sweeping.look_again(session, doubt, at=again)
                return
            sweeping.found_sent(session, doubt, known or {}, now=now)
            missing = [message_id for message_id, _ in doubt.people if message_id not in (known or {})]
            sweeping.send_again(session, doubt, missing, self._routes.able(doubt.text), now=now)


def _reserve(pace: Pace, per_call: int) -> int:
    """Calls that are announced beyond the open connections, so that none waits for the next commit.

    Only where a call is one person: after a crash they are unknown too, although they were never made.
    """
    return pace.width // 2 if per_call == 1 and not pace.troubles else 0

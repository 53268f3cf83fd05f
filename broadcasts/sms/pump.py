"""The pump: takes people from the outbox, calls the provider with no database session open, writes down the answers."""

import logging
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from broadcasts.sms import leasing, receipts, sweeping
from broadcasts.sms.expansion import expand_next
from broadcasts.sms.gateways.gateway import (
    Accepted,
    Addressee,
    Refusal,
    Refused,
    SmsGateway,
    Submission,
    SubmitResult,
    Unknown,
)
from broadcasts.sms.purposes import Limits
from broadcasts.sms.reports import message_ref
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.settling import settle, unreadable
from broadcasts.sms.states import Lane
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.core.errors import Unavailable
from hub.residents.phones import PhoneSafe

log = logging.getLogger(__name__)

EMERGENCY_BATCH = 100
_LEASE = timedelta(seconds=15)
"""Between being taken and being announced lie milliseconds; whoever is taken by a dead worker is soon free again."""
_SWEEP_EVERY = timedelta(seconds=2)
_SLOW_SWEEP_EVERY = timedelta(minutes=10)
_IDLE_S = {Lane.EMERGENCY: 0.5, Lane.ORDINARY: 1.0}
_LONGEST_REST_S = {Lane.EMERGENCY: 10.0, Lane.ORDINARY: 60.0}


@dataclass
class Pace:
    """How fast to go. Trouble with the provider makes it one call at a time with growing rests; an answer ends that."""

    calls_at_once: int
    longest_rest_s: float
    troubles: int = 0
    not_before: datetime | None = None

    @property
    def width(self) -> int:
        """How many calls may be open at the same time."""
        return 1 if self.troubles else self.calls_at_once

    def rest(self, now: datetime) -> float:
        """Seconds until the next call may be made."""
        return max(0.0, (self.not_before - now).total_seconds()) if self.not_before else 0.0

    def trouble(self, now: datetime, wished_s: float | None) -> None:
        """The provider cannot keep up, or does not answer."""
        self.troubles += 1
        rest = min(2.0 ** (self.troubles - 1), self.longest_rest_s)
        self.not_before = now + timedelta(seconds=max(rest, min(wished_s or 0.0, self.longest_rest_s)))

    def fine(self, now: datetime, least_s: float) -> None:
        """The provider answers; `least_s` is what its speed limit asks for."""
        self.troubles = 0
        self.not_before = now + timedelta(seconds=least_s) if least_s else None


class SmsPump:
    """One lane of the outbox. `step` fits `hub.core.background.Loop`; emergencies have a pump of their own."""

    def __init__(
        self,
        sessions: Sessions,
        safe: PhoneSafe,
        gateway: SmsGateway,
        clock: Clock,
        settings: SmsSettings,
        *,
        zone: ZoneInfo,
        lane: Lane,
    ) -> None:
        self._sessions, self._safe, self._gateway = sessions, safe, gateway
        self._clock, self._settings, self._zone, self._lane = clock, settings, zone, lane
        self._limits = Limits.of(settings, zone)
        self._pace = Pace(settings.calls_at_once, _LONGEST_REST_S[lane])
        self._pool = ThreadPoolExecutor(settings.calls_at_once, thread_name_prefix=f"sms-{lane.value}")
        self._next_sweep: datetime | None = None
        self._next_slow_sweep: datetime | None = None

    def step(self) -> float:
        """Do one round: at most `calls_at_once` calls. Return the seconds to rest before the next."""
        now = self._clock()
        self._tidy_slowly(now)
        with self._sessions.read() as session:
            if not sweeping.anything_to_do(session, self._lane, now=now):
                return _IDLE_S[self._lane]
        self._tidy(now)
        with self._sessions.begin() as session:
            if expand_next(session, self._lane, now=now, limits=self._limits) is not None:
                return 0.0
        rest = max(self._pace.rest(now), self._until_window(now))
        if rest > 0:
            return min(rest, _IDLE_S[self._lane])
        calls = self._take(now)
        if not calls:
            return _IDLE_S[self._lane]
        results = list(self._pool.map(self._submit, calls))
        self._write_down([call for call, _ in calls], results)
        return 0.0

    def close(self) -> None:
        """Let go of the threads; call it after the loop has stopped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _take(self, now: datetime) -> list[tuple[leasing.Call, Submission]]:
        """Lease, open the numbers, and announce what will be called, committed before anything is."""
        plan = leasing.LeasePlan(self._gateway.name, self._pace.width, self._per_call, _LEASE)
        with self._sessions.begin() as session:
            leased = leasing.lease(session, self._lane, plan, now=now)
        if not leased:
            return []
        numbers, broken = self._open(leased)
        begin = self._clock()
        until = begin + timedelta(seconds=self._settings.lease_s)
        with self._sessions.begin() as session:
            if broken:
                unreadable(session, broken, now=begin)
            ready = leasing.announce(session, leased, lease_until=until, now=begin)
        return [(call, self._submission(call, numbers, begin)) for call in ready]

    def _open(self, calls: Sequence[leasing.Call]) -> tuple[dict[int, str], list[int]]:
        numbers: dict[int, str] = {}
        broken: list[int] = []
        for call in calls:
            for person in call.people:
                try:
                    numbers[person.message_id] = self._safe.open(person.sealed)
                except Unavailable:
                    broken.append(person.message_id)
        return numbers, broken

    @property
    def _per_call(self) -> int:
        most = self._gateway.caps.max_per_call
        return min(most, EMERGENCY_BATCH) if self._lane is Lane.EMERGENCY else most

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
        )

    def _submit(self, item: tuple[leasing.Call, Submission]) -> SubmitResult:
        try:
            return self._gateway.submit(item[1])
        except Exception as error:  # noqa: BLE001 - a gateway with a bug must not leave people without a state
            self._complain(error)
            return Unknown("gateway_error")

    def _complain(self, error: Exception) -> None:
        # The words of an exception may hold a number, so only its kind and place are logged.
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("gateway %s raised %s\n%s", self._gateway.name, type(error).__name__, where)

    def _write_down(self, calls: Sequence[leasing.Call], results: Sequence[SubmitResult]) -> None:
        now = self._clock()
        resend_after = timedelta(seconds=self._settings.emergency_resend_after_s)
        with self._sessions.begin() as session:
            settle(session, list(zip(calls, results, strict=True)), resend_after=resend_after, now=now)
        self._learn(calls, results, now)

    def _learn(self, calls: Sequence[leasing.Call], results: Sequence[SubmitResult], now: datetime) -> None:
        """Slow down when the provider is in trouble: an outage must not make a whole valley unknown."""
        throttled = [r for r in results if isinstance(r, Refused) and r.kind is Refusal.THROTTLED]
        silent = [r for r in results if isinstance(r, Unknown)]
        answered = any(isinstance(r, Accepted) for r in results)
        if throttled or (silent and not answered):
            self._pace.trouble(now, max((r.retry_after_s or 0.0 for r in throttled), default=None))
            log.warning(
                "gateway %s: %d calls throttled, %d without answer; resting %.0f s",
                self._gateway.name,
                len(throttled),
                len(silent),
                self._pace.rest(now),
            )
        else:
            per_second = self._gateway.caps.per_second
            people = sum(len(call.people) for call in calls)
            self._pace.fine(now, people / per_second if per_second else 0.0)

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
        if self._lane is Lane.EMERGENCY:
            self._look_into_doubts(now)

    def _look_into_doubts(self, now: datetime) -> None:
        with self._sessions.read() as session:
            found = sweeping.doubts(session, now=now, limit=self._settings.calls_at_once)
        for doubt in found:
            known = self._ask(doubt)
            self._decide(doubt, known)

    def _ask(self, doubt: sweeping.Doubt) -> dict[int, str] | None:
        """Return the provider's ids by message for what it did send; None when it cannot be told."""
        if not self._gateway.caps.query or doubt.provider != self._gateway.name or not doubt.people:
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
            found = self._gateway.query(submission)
        except Exception as error:  # noqa: BLE001 - as in _submit
            self._complain(error)
            return None
        return None if found is None else {refs[ref]: known for ref, known in found.refs.items() if ref in refs}

    def _decide(self, doubt: sweeping.Doubt, known: dict[int, str] | None) -> None:
        now = self._clock()
        again = now + timedelta(seconds=self._settings.emergency_resend_after_s)
        can_ask = self._gateway.caps.query and doubt.provider == self._gateway.name
        with self._sessions.begin() as session:
            if known is None and can_ask and doubt.people and doubt.looks + 1 < sweeping.MAX_LOOKS:
                sweeping.look_again(session, doubt, at=again)
                return
            sweeping.found_sent(session, doubt, known or {}, now=now)
            missing = [message_id for message_id, _ in doubt.people if message_id not in (known or {})]
            sweeping.send_again(session, doubt, missing, now=now)

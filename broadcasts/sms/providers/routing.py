"""Which provider a message goes through: by order and weight, round those in trouble, and slowly back to them.

Each provider rests after trouble, longer each time; then one small call tries it again. Who recovers gets a tenth of
its share and the whole of it within a quarter of an hour. Slowness alone never stops a provider, and when all are slow
nothing is changed: then it is the network, and moving everybody onto one makes it worse.
"""

import random
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from broadcasts.sms.gateway import Accepted, Refusal, Refused, SmsGateway, SubmitResult, Unknown
from broadcasts.sms.states import Lane

LONGEST_REST_S = {Lane.EMERGENCY: 10.0, Lane.ORDINARY: 60.0}
BACK_IN = timedelta(minutes=15)
SLOW_STEP = timedelta(minutes=5)
CAREFUL = timedelta(minutes=5)
LEAST_SHARE = 0.1
TRIAL_PEOPLE = 10


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


@dataclass
class Line:
    """One provider as it does at present."""

    gateway: SmsGateway
    rank: int
    weight: int
    paces: Mapping[Lane, Pace]
    share: float = 1.0
    """Of its weight; less while it is slow or comes back."""
    share_since: datetime | None = None
    out: str = ""
    """The provider's code for a wrong configuration; it is not used until somebody has put that right."""
    slow: bool = False
    fine_at: datetime | None = None
    trouble_at: datetime | None = None
    trouble: str = ""

    @property
    def name(self) -> str:
        """What it is called in the configuration."""
        return self.gateway.name

    @property
    def troubled(self) -> bool:
        """Whether its latest calls went wrong."""
        return any(pace.troubles for pace in self.paces.values())


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider that may be used now: how many calls more, and of how many people each."""

    line: Line
    calls: int
    per_call: int
    after: tuple[str, ...] = ()
    """Only for people all of these have refused."""


@dataclass
class Routes:
    """All configured providers, shared by both lanes and the pages; safe to be used by several threads."""

    lines: Sequence[Line]
    chance: random.Random = field(default_factory=random.Random)
    lock: threading.RLock = field(default_factory=threading.RLock)
    sharers: int = 1
    """How many processes send through these providers at this moment: each goes at its part of their speed."""

    def line(self, name: str) -> Line | None:
        """Return the provider of that name; None when it is not configured any more."""
        return next((line for line in self.lines if line.name == name), None)

    def able(self, text: str) -> Sequence[str]:
        """Return who can carry a text at all and is not out of order."""
        return [line.name for line in self.lines if not line.out and _carries(line, text)]

    def nobody_carries(self, text: str) -> bool:
        """Return whether no provider can carry that text, trouble or not."""
        return not any(_carries(line, text) for line in self.lines)

    def choose(self, lane: Lane, text: str, busy: Mapping[str, int], now: datetime) -> list[Choice]:
        """Return who may be called now, the preferred first; `busy` says how many calls each has open in this lane.

        A healthy provider that is merely full does not pass its work on. One in trouble does, but is tried again with
        a small call when its rest is over; with people of an emergency only after five minutes, or for want of others.
        """
        with self.lock:
            able = [line for line in self.lines if not line.out and _carries(line, text)]
            healthy = self._healthy(able, lane, busy, now)
            others = any(not line.paces[lane].troubles for line in able)
            careful = others and lane is Lane.EMERGENCY
            trials = [c for line in able if (c := self._trial(line, lane, busy, now, careful=careful))]
            return trials + healthy

    def rest(self, lane: Lane, now: datetime) -> float:
        """Seconds until any provider may be called; 0 when one may now."""
        rests = [line.paces[lane].rest(now) for line in self.lines if not line.out]
        return min(rests, default=0.0)

    def learn(self, lane: Lane, name: str, results: Sequence[tuple[int, SubmitResult]], now: datetime) -> float:
        """Note how calls to a provider went, each with its number of people; return the seconds it rests now."""
        with self.lock:
            line = self.line(name)
            return self._learn(line, lane, results, now) if line else 0.0

    def note_slow(self, late: Mapping[str, bool], now: datetime) -> None:
        """Note whose receipts come late. When all are slow nothing changes."""
        with self.lock:
            all_slow = all(late.get(line.name, False) for line in self.lines)
            for line in self.lines:
                line.slow = late.get(line.name, False) and not all_slow
                since = line.share_since
                if line.slow and (since is None or line.share == 1.0 or now - since >= SLOW_STEP):
                    line.share, line.share_since = max(LEAST_SHARE, self._share(line, now) / 2), now

    def lift(self, name: str = "") -> None:
        """Use providers again that were out of order: one, or all."""
        with self.lock:
            for line in self.lines:
                if not name or line.name == name:
                    line.out = ""
                    for pace in line.paces.values():
                        pace.troubles, pace.not_before = 0, None

    def share_of(self, line: Line, now: datetime) -> float:
        """Return the share of its weight a provider gets now."""
        with self.lock:
            return self._share(line, now)

    def _trial(self, line: Line, lane: Lane, busy: Mapping[str, int], now: datetime, *, careful: bool) -> Choice | None:
        pace = line.paces[lane]
        if not pace.troubles or busy.get(line.name, 0) or pace.rest(now) > 0:
            return None
        if careful and line.trouble_at and now - line.trouble_at < CAREFUL:
            return None
        return Choice(line, 1, min(line.gateway.caps.max_per_call, TRIAL_PEOPLE))

    def _healthy(self, able: Sequence[Line], lane: Lane, busy: Mapping[str, int], now: datetime) -> list[Choice]:
        healthy = [line for line in able if not line.paces[lane].troubles]
        ranks = sorted({line.rank for line in healthy})
        choices: list[Choice] = []
        before: list[str] = []
        for rank in ranks:
            here = [line for line in healthy if line.rank == rank]
            share = max(self._share(line, now) for line in here)
            if not before and rank != ranks[-1] and self.chance.random() >= share:
                continue
            for line in self._by_weight(here, now):
                room = line.paces[lane].width - busy.get(line.name, 0)
                if room > 0 and line.paces[lane].rest(now) <= 0:
                    choices.append(Choice(line, room, line.gateway.caps.max_per_call, tuple(before)))
            before += [line.name for line in here]
        return choices

    def _by_weight(self, lines: Collection[Line], now: datetime) -> list[Line]:
        # The smallest of exponential draws with these rates falls on each line in proportion to its weight.
        return sorted(lines, key=lambda line: self.chance.expovariate(line.weight * self._share(line, now)))

    def _share(self, line: Line, now: datetime) -> float:
        if line.share_since is None or line.slow:
            return line.share
        back = (now - line.share_since) / BACK_IN
        return min(1.0, line.share + max(back, 0.0))

    def _learn(self, line: Line, lane: Lane, results: Sequence[tuple[int, SubmitResult]], now: datetime) -> float:
        said = [result for _, result in results]
        refused = [result for result in said if isinstance(result, Refused)]
        throttled = [result for result in refused if result.kind is Refusal.THROTTLED]
        silent = [result for result in said if isinstance(result, Unknown)]
        wrong = next((result.code for result in refused if result.kind is Refusal.CONFIGURATION), None)
        pace = line.paces[lane]
        if wrong is not None and len(self.lines) > 1:
            line.out, line.trouble, line.trouble_at = wrong or "configuration", wrong, now
        elif throttled or (silent and not any(isinstance(result, Accepted) for result in said)):
            pace.trouble(now, max((result.retry_after_s or 0.0 for result in throttled), default=None))
            line.trouble = throttled[0].code if throttled else silent[0].cause
            line.trouble_at = now
        else:
            if pace.troubles:
                line.share, line.share_since = LEAST_SHARE, now
            per_second, people = line.gateway.caps.per_second, sum(count for count, _ in results)
            pace.fine(now, people * self.sharers / per_second if per_second else 0.0)
            line.fine_at = now
        return pace.rest(now)


def routes_of(
    gateways: Mapping[str, SmsGateway], ranks: Sequence[Sequence[tuple[str, int]]], calls_at_once: int
) -> Routes:
    """Return the routes over opened gateways as the configuration orders them."""
    lines = [
        Line(
            gateways[name],
            rank,
            weight,
            {lane: Pace(calls_at_once, LONGEST_REST_S[lane]) for lane in Lane},
        )
        for rank, entries in enumerate(ranks)
        for name, weight in entries
    ]
    return Routes(lines)


def _carries(line: Line, text: str) -> bool:
    return not any(objection.blocking for objection in line.gateway.check(text))

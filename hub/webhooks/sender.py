"""Tell webhooks what waits for them: one request an attempt, nothing open in the database meanwhile."""

import json
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import requests
from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.core.reaching import LiesHere
from hub.webhooks.models import CallState, Webhook, WebhookAttempt, WebhookCall
from hub.webhooks.secrets import SecretSafe
from hub.webhooks.signing import headers

log = logging.getLogger(__name__)
PAUSES: Final = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 3_600, 21_600, 86_400))
"""Between attempts; after the last the event is given up, a good day and a half later."""
TIMEOUT_S: Final = (5.0, 10.0)
LEASE: Final = timedelta(seconds=60)
AT_ONCE: Final = 20
IDLE_S: Final = 2.0
KEPT: Final = timedelta(days=30)
TIDY: Final = timedelta(hours=1)
HERE: Final = "this_machine"
"""Why an address was not asked: it lies on this machine, see `hub.core.reaching`."""


@dataclass(frozen=True, slots=True)
class _Work:
    call_id: UUID
    url: str
    sealed: bytes
    body: bytes
    number: int


class WebhookSender:
    """The step of a loop. Several hubs may run it: a call is claimed by moving its next try into the future."""

    def __init__(
        self, sessions: Sessions, safe: SecretSafe, clock: Clock, lies_here: LiesHere = lambda _: False
    ) -> None:
        self._sessions = sessions
        self._safe = safe
        self._clock = clock
        self._lies_here = lies_here
        self._http = requests.Session()
        self._http.trust_env = False
        self._tidied_at: datetime | None = None

    def step(self) -> float:
        """Tell what is due; return the seconds until the next look."""
        now = self._clock()
        if self._tidied_at is None or now - self._tidied_at > TIDY:
            with self._sessions.begin() as session:
                forget(session, now=now)
            self._tidied_at = now
        with self._sessions.read() as session:
            due = session.scalars(_due(now)).all()
        for call_id in due:
            work = self._claim(call_id, self._clock())
            if work is not None:
                self._tell(work)
        return 0.0 if len(due) == AT_ONCE else IDLE_S

    def _claim(self, call_id: UUID, now: datetime) -> _Work | None:
        with self._sessions.begin() as session:
            won = session.execute(
                update(WebhookCall)
                .where(
                    WebhookCall.id == call_id,
                    WebhookCall.state == CallState.WAITING,
                    WebhookCall.next_try_at <= now,
                )
                .values(next_try_at=now + LEASE, attempts=WebhookCall.attempts + 1)
                .returning(WebhookCall.id)
            ).first()
            if won is None:
                return None
            call = session.get_one(WebhookCall, call_id, populate_existing=True)
            hook = session.get_one(Webhook, call.webhook_id)
            content = {"id": str(call.id), "type": call.kind.value, "at": call.made_at.isoformat(), "data": call.facts}
            return _Work(call.id, hook.url, hook.sealed, json.dumps(content).encode(), call.attempts)

    def _tell(self, work: _Work) -> None:
        began = time.perf_counter()
        status, problem = (0, HERE) if self._lies_here(work.url) else self._ask(work)
        with self._sessions.begin() as session:
            _note(session, work, self._clock(), status, problem, round((time.perf_counter() - began) * 1000))

    def _ask(self, work: _Work) -> tuple[int, str]:
        """Make the one request; return its status, or 0 and what went wrong."""
        signed = headers(self._safe.open(work.sealed), str(work.call_id), self._clock(), work.body)
        try:
            answer = self._http.post(
                work.url,
                data=work.body,
                headers={**signed, "Content-Type": "application/json", "User-Agent": "cunxiang-webhook"},
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,  # whatever is said in the answer's body is nobody's business here
            )
            answer.close()
        except requests.Timeout:
            return 0, "timeout"
        except requests.RequestException as error:
            return 0, type(error).__name__[:24]
        return answer.status_code, ""


def _due(now: datetime) -> Select[UUID]:
    return (
        select(WebhookCall.id)
        .join(Webhook)
        .where(WebhookCall.state == CallState.WAITING, WebhookCall.next_try_at <= now, Webhook.active)
        .order_by(WebhookCall.next_try_at)
        .limit(AT_ONCE)
    )


def _note(session: Session, work: _Work, now: datetime, status: int, problem: str, took_ms: int) -> None:
    call = session.get(WebhookCall, work.call_id)
    if call is None:
        return  # removed meanwhile
    session.add(
        WebhookAttempt(call_id=call.id, number=work.number, at=now, status=status, problem=problem, took_ms=took_ms)
    )
    if 200 <= status < 300:
        call.state, call.done_at = CallState.DONE, now
    elif work.number > len(PAUSES) or status == requests.codes.gone:
        call.state, call.done_at = CallState.GIVEN_UP, now
        log.warning("webhook_given_up", extra={"call": str(call.id), "status": status})
    else:
        call.next_try_at = now + PAUSES[work.number - 1]


def forget(session: Session, *, now: datetime) -> int:
    """Forget what was told long ago; return how many."""
    old = delete(WebhookCall).where(WebhookCall.state != CallState.WAITING, WebhookCall.done_at < now - KEPT)
    return int(session.execute(old).rowcount)  # type: ignore[attr-defined]

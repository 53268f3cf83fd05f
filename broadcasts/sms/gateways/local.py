"""The built-in gateway: sends to simulated phones inside the hub, and behaves as badly as it is told to.

It needs no network and no account. The same seed, numbers and texts give the same course.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from broadcasts.sms.gateway import (
    Accepted,
    Addressee,
    Caps,
    Found,
    GatewayContext,
    Objection,
    Refusal,
    Refused,
    Submission,
    SubmitResult,
    Unknown,
    WebhookRequest,
)
from broadcasts.sms.gateways import content
from broadcasts.sms.gateways.local_models import LocalGatewaySwitches, LocalSms
from broadcasts.sms.letters import inbound
from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.segments import parts_of
from broadcasts.sms.sending import receipts
from broadcasts.sms.states import MessageState
from hub.residents.phones import PhoneSafe, mask, normalise

NAME = "local"
SWITCHED_OFF = "switched_off"
_SHORTEST_S, _LONGEST_S = 0.5, 4.0
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Switches:
    """How the simulated network behaves. See LocalGatewaySwitches for the meaning of each."""

    fail_percent: float = 0.0
    extra_delay_s: float = 0.0
    drop_percent: float = 0.0
    stopped: bool = False


def open_gateway(context: GatewayContext) -> "LocalGateway":
    """Open the gateway on the hub's own database."""
    return LocalGateway(context)


def read_switches(session: Session) -> Switches:
    """Return how the network behaves now."""
    row = session.get(LocalGatewaySwitches, 1)
    return Switches(row.fail_percent, row.extra_delay_s, row.drop_percent, row.stopped) if row else Switches()


def set_switches(session: Session, switches: Switches) -> None:
    """Make the network behave like that from the next call on. The caller has checked who asks."""
    session.merge(
        LocalGatewaySwitches(
            id=1,
            fail_percent=min(max(switches.fail_percent, 0.0), 100.0),
            extra_delay_s=min(max(switches.extra_delay_s, 0.0), 3600.0),
            drop_percent=min(max(switches.drop_percent, 0.0), 100.0),
            stopped=switches.stopped,
        )
    )
    session.flush()


class LocalGateway:
    """Keeps every message in `local_sms`; `step` (for a background loop) lets the phones answer."""

    name = NAME
    caps = Caps(max_per_call=100, receipts=True, inbound=True, query=True, simulated=True)

    def __init__(self, context: GatewayContext) -> None:
        self._sessions, self._safe, self._clock = context.sessions, context.safe, context.clock
        self._seed = context.settings.local_seed
        self._off_percent = context.settings.local_switched_off_percent
        self._policy = context.settings.counting_of(NAME)
        self._price = int(context.settings.price_of(NAME) * 100)

    def check(self, text: str) -> Sequence[Objection]:
        """Simulated phones take what a carrier takes."""
        return content.objections(text, topics=(), strict=False)

    def submit(self, submission: Submission) -> SubmitResult:
        """Put the message on the phones."""
        now = self._clock()
        parts = parts_of(submission.text, self._policy)
        with self._sessions.read() as session:
            switches = read_switches(session)
        if switches.stopped:
            return Refused(Refusal.THROTTLED, "stopped", retry_after_s=2.0)
        rows = [self._row(person, submission, parts, switches, now) for person in submission.people]
        with self._sessions.begin() as session:
            session.execute(insert(LocalSms), rows)
        chance = self._chance("drop", submission.people[0].number, submission)
        if chance.random() * 100 < switches.drop_percent:
            return Unknown("answer_dropped")
        return Accepted({person.ref: _reference(person.ref, submission.attempt) for person in submission.people})

    def query(self, submission: Submission) -> Found | None:
        """Look which of these messages the phones have."""
        refs = [person.ref for person in submission.people]
        with self._sessions.read() as session:
            there = session.scalars(select(LocalSms.message_ref).where(LocalSms.message_ref.in_(refs))).all()
        return Found({ref: _reference(ref, submission.attempt) for ref in there})

    def verify(self, request: WebhookRequest) -> bool:
        """Nobody reports to this gateway over the web."""
        return False

    def parse_receipts(self, request: WebhookRequest, now: datetime) -> Sequence[Receipt]:
        """Return nothing, for the same reason."""
        return ()

    def parse_inbound(self, request: WebhookRequest, now: datetime) -> Sequence[Inbound]:
        """Return nothing, for the same reason."""
        return ()

    def step(self) -> float:
        """Let the phones answer whose time has come; return the seconds to rest."""
        now = self._clock()
        with self._sessions.read() as session:
            due = session.execute(
                select(LocalSms.id, LocalSms.message_ref, LocalSms.code)
                .where(LocalSms.state == MessageState.SENT, LocalSms.due_at <= now)
                .order_by(LocalSms.due_at)
                .limit(_BATCH)
            ).all()
        if not due:
            return 0.25
        with self._sessions.begin() as session:
            for state in (MessageState.DELIVERED, MessageState.UNDELIVERED):
                ids = [row.id for row in due if bool(row.code) is (state is MessageState.UNDELIVERED)]
                session.execute(update(LocalSms).where(LocalSms.id.in_(ids)).values(state=state, settled_at=now))
            receipts.record(session, NAME, [_receipt(ref, code, now) for _, ref, code in due], now)
        return 0.0 if len(due) == _BATCH else 0.1

    def simulate_reply(self, number: str, text: str) -> None:
        """Let the owner of a phone write to the hub."""
        now = self._clock()
        e164 = normalise(number).e164
        with self._sessions.begin() as session:
            reply(session, self._safe, e164, text, now=now)

    def _row(
        self, person: Addressee, submission: Submission, parts: int, switches: Switches, now: datetime
    ) -> dict[str, object]:
        index = self._safe.index(person.number)
        chance = self._chance("phone", person.number, submission)
        delay = chance.uniform(_SHORTEST_S, _LONGEST_S) + switches.extra_delay_s
        lost = chance.random() * 100 < switches.fail_percent
        off = self.switched_off(person.number)
        return {
            "phone_index": index,
            "sealed": self._safe.seal(person.number),
            "masked": mask(person.number),
            "message_ref": person.ref,
            "reply": False,
            "text": submission.text,
            "parts": parts,
            "price_hundredths": parts * self._price,
            "state": MessageState.SENT,
            "code": SWITCHED_OFF if off else ("lost" if lost else ""),
            "sent_at": now,
            "due_at": now + timedelta(seconds=delay),
        }

    def switched_off(self, number: str) -> bool:
        """Return whether that phone is one of those that are always off."""
        return random.Random(f"{self._seed}:off:{number}").random() * 100 < self._off_percent  # noqa: S311 - a simulation

    def _chance(self, what: str, number: str, submission: Submission) -> random.Random:
        return random.Random(f"{self._seed}:{what}:{number}:{submission.attempt}:{submission.text}")  # noqa: S311 - a simulation


def reply(session: Session, safe: PhoneSafe, e164: str, text: str, *, now: datetime) -> None:
    """Write a resident's answer on the simulated phone and hand it to the hub."""
    bubble = LocalSms(
        phone_index=safe.index(e164),
        sealed=safe.seal(e164),
        masked=mask(e164),
        reply=True,
        text=text,
        parts=parts_of(text),
        state=MessageState.DELIVERED,
        sent_at=now,
        settled_at=now,
    )
    session.add(bubble)
    session.flush()
    inbound.receive(session, safe, NAME, [Inbound(e164, text, f"reply.{bubble.id}", now)], now=now)


def _reference(ref: str, attempt: int) -> str:
    return f"{ref.replace('.', '')[:56]}-{attempt}"


def _receipt(ref: str, code: str, now: datetime) -> Receipt:
    state = MessageState.UNDELIVERED if code else MessageState.DELIVERED
    return Receipt(provider_ref=f"local-{ref}", state=state, message_ref=ref, code=code, reported_at=now)

"""Look after the providers: how each does, use one again, send a test message through one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.sms.gateway import (
    Accepted,
    Addressee,
    Objection,
    Refused,
    Submission,
    SubmitResult,
    inbound_path,
    receipts_path,
)
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.providers.routing import Line
from broadcasts.sms.reports import message_ref
from broadcasts.sms.segments import signed
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound
from hub.residents.phones import NumberKind, normalise

TEST_LASTS = timedelta(minutes=10)
MAX_TEST_LENGTH = 200


class Health(StrEnum):
    """How a provider does."""

    FINE = "fine"
    IDLE = "idle"
    RESTING = "resting"
    SLOW = "slow"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class ProviderLine:
    """One provider as it is shown."""

    name: str
    rank: int
    weight: int
    share_percent: int
    health: Health
    code: str
    fine_at: datetime | None
    trouble_at: datetime | None
    simulated: bool
    free_text: bool
    receipts_url: str
    inbound_url: str
    """Where it reports and hands replies over; empty when it is asked instead, or does neither."""


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of a test message."""

    name: str
    outcome: str
    """`accepted`, `refused` or `unknown`."""
    code: str
    masked: str


def may_manage(actor: Actor) -> bool:
    """Return whether somebody looks after the providers: whoever administers the whole county."""
    return any(path.count("/") <= 1 for path in actor.paths(Permission.EDIT_ACCOUNTS))


def lines(actor: Actor, provider: SmsProvider, base_url: str, *, now: datetime) -> list[ProviderLine]:
    """Return the providers in their order."""
    _require(actor)
    return [_line(provider, line, base_url, now) for line in provider.routes.lines]


def use_again(session: Session, actor: Actor, provider: SmsProvider, name: str, *, now: datetime) -> None:
    """Use a provider again that was out of order or rests."""
    _require(actor)
    if provider.named(name) is None:
        raise NotFound("sms_gateway_unknown")
    provider.routes.lift(name)
    log.record(session, actor, "sms.gateway.again", f"sms_gateway:{name}", "", now)


def prepare_test(
    actor: Actor, provider: SmsProvider, name: str, number: str, text: str, signature: str, *, now: datetime
) -> Submission:
    """Return the test message to be sent; nothing has been sent yet."""
    _require(actor)
    gateway = provider.named(name)
    if gateway is None:
        raise NotFound("sms_gateway_unknown")
    whom = normalise(number)
    if whom.kind is not NumberKind.MOBILE:
        raise BadInput("sms_test_not_mobile", field="number")
    if not text.strip() or len(text) > MAX_TEST_LENGTH:
        raise BadInput("sms_test_text", field="text", limit=MAX_TEST_LENGTH)
    whole = signed(text.strip(), signature)
    against = blocking(gateway.check(whole))
    if against:
        raise BadInput(against.code, field="text", found=against.found)
    person = Addressee(message_ref(uuid7(), 0), whom.e164)
    return Submission(uuid7(), whole, (person,), 1, now + TEST_LASTS, now)


def send_test(provider: SmsProvider, name: str, submission: Submission) -> Tested:
    """Make the one call. No session is open."""
    gateway = provider.named(name)
    if gateway is None:
        raise NotFound("sms_gateway_unknown")
    masked = normalise(submission.people[0].number).masked
    outcome, code = _outcome(gateway.submit(submission))
    if outcome == "accepted":
        provider.routes.lift(name)
    return Tested(name, outcome, code, masked)


def note_test(session: Session, actor: Actor, tested: Tested, *, now: datetime) -> None:
    """Put it into the log."""
    values = {"outcome": tested.outcome, "provider_code": tested.code, "to": tested.masked}
    log.record(session, actor, "sms.gateway.test", f"sms_gateway:{tested.name}", "", now, **values)


def blocking(objections: Sequence[Objection]) -> Objection | None:
    """Return the first thing that keeps a text from going out at all."""
    return next((objection for objection in objections if objection.blocking), None)


def _outcome(result: SubmitResult) -> tuple[str, str]:
    if isinstance(result, Accepted):
        refused = next(iter(result.refused.values()), None)
        return ("refused", refused.code or refused.kind.value) if refused else ("accepted", "")
    if isinstance(result, Refused):
        return "refused", result.code or result.kind.value
    return "unknown", result.cause


def _require(actor: Actor) -> None:
    if not may_manage(actor):
        raise NotAllowed("not_allowed", permission=Permission.EDIT_ACCOUNTS.value)


def _line(provider: SmsProvider, line: Line, base_url: str, now: datetime) -> ProviderLine:
    caps, token = line.gateway.caps, provider.tokens.get(line.name, "")
    part = token if caps.reports == "token" else ""
    reports = bool(caps.reports)
    return ProviderLine(
        name=line.name,
        rank=line.rank + 1,
        weight=line.weight,
        share_percent=round(100 * provider.routes.share_of(line, now)),
        health=_health(line),
        code=line.out or (line.trouble if line.troubled else ""),
        fine_at=line.fine_at,
        trouble_at=line.trouble_at,
        simulated=caps.simulated,
        free_text=caps.free_text,
        receipts_url=f"{base_url}{receipts_path(line.name, part)}" if reports and caps.receipts else "",
        inbound_url=f"{base_url}{inbound_path(line.name, part)}" if reports and caps.inbound else "",
    )


def _health(line: Line) -> Health:
    if line.out:
        return Health.OUT
    if line.troubled:
        return Health.RESTING
    if line.slow:
        return Health.SLOW
    return Health.FINE if line.fine_at else Health.IDLE

"""What a provider of text messages has to offer. The hub keeps the books; a gateway only translates.

A third party adds one by an entry point in the group `cunxiang.sms_gateways` that names a function
`open_gateway(context: GatewayContext) -> SmsGateway`. It is loaded only when `[sms] gateway` names it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.segments import Policy
from broadcasts.sms.settings import SmsSettings
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.residents.phones import PhoneSafe


class GatewayError(Exception):
    """A gateway cannot be opened; the message says what to do."""


@dataclass(frozen=True)
class GatewayContext:
    """What a gateway may need when it is opened. `base_url` is how the provider reaches the hub, no slash behind."""

    settings: SmsSettings
    sessions: Sessions
    safe: PhoneSafe
    clock: Clock
    base_url: str


@dataclass(frozen=True, slots=True)
class Caps:
    """What a provider can do."""

    max_per_call: int
    """People in one call. An unknown call leaves that many people unknown."""
    receipts: bool
    inbound: bool
    query: bool
    per_second: float | None = None
    """People per second at most; None: as fast as it answers."""
    policy: Policy = Policy.DOMESTIC
    simulated: bool = False
    hook_answer: str = ""
    """What the provider wants to hear when it has handed something over."""
    hook_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Addressee:
    """One person of a call. `ref` is the hub's own id for this person's message; providers that can echo it."""

    ref: str
    number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Submission:
    """One call to the provider: one text to some people."""

    id: UUID
    text: str = field(repr=False)
    people: tuple[Addressee, ...]
    attempt: int
    expires_at: datetime
    submitted_at: datetime


class Refusal(StrEnum):
    """What a definite no means: nothing was sent."""

    THROTTLED = "throttled"
    """Too fast or out of order: the same message later, everybody slower."""
    TEMPORARY = "temporary"
    CONFIGURATION = "configuration"
    """It would be the same for everybody: stop the run, tell the administrator."""
    INVALID_NUMBER = "invalid_number"
    OPTED_OUT = "opted_out"
    CARRIER_BLOCKED = "carrier_blocked"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider said no, or was never reached. `code` is its own word for it."""

    kind: Refusal
    code: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it: its ids by our refs. Whoever it refused out of a mixed call stands in `refused`."""

    refs: Mapping[str, str]
    refused: Mapping[str, Refused] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unknown:
    """No usable answer: it may have been sent or not."""

    cause: str


SubmitResult = Accepted | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Found:
    """What the provider knows of a call of unknown fate: its ids by our refs. Whoever is missing was not sent to."""

    refs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What a provider sent to the hub. `url` is path and query exactly as they were requested."""

    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        """Return a header whatever the case of its name, empty when it is absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")


class SmsGateway(Protocol):
    """A provider. Foreseen failures are answers, not exceptions."""

    @property
    def name(self) -> str:
        """The name it is configured by."""

    @property
    def caps(self) -> Caps:
        """What it can do."""

    def submit(self, submission: Submission) -> SubmitResult:
        """Make exactly ONE attempt over the network, with timeouts that end well before the lease does."""

    def query(self, submission: Submission) -> Found | None:
        """Ask what became of a call of unknown fate; None when it cannot be told now."""

    def verify(self, request: WebhookRequest) -> bool:
        """Return whether the request is the provider's; False when anything is missing."""

    def parse_receipts(self, request: WebhookRequest, now: datetime) -> Sequence[Receipt]:
        """Return the reports in a verified request; none when it is something else."""

    def parse_inbound(self, request: WebhookRequest, now: datetime) -> Sequence[Inbound]:
        """Return the residents' messages in a verified request; none when it is something else."""


def receipts_path(name: str) -> str:
    """Return the path under which a provider reports to the hub."""
    return f"/hooks/sms/{name}/receipts"


def inbound_path(name: str) -> str:
    """Return the path under which a provider hands over residents' messages."""
    return f"/hooks/sms/{name}/inbound"

"""What a provider of text messages has to offer. The hub keeps the books; a gateway only translates.

A third party adds one by an entry point in the group `cunxiang.sms_gateways` that names a function
`open_gateway(context: GatewayContext) -> SmsGateway`. It is loaded only when `[sms] gateways` names it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol, TypeVar, runtime_checkable
from uuid import UUID

from pydantic import SecretStr

from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.settings import SmsSettings
from hub.core.clock import Clock
from hub.core.config import ConfigError, Section
from hub.core.db import Sessions
from hub.residents.phones import PhoneSafe

K = TypeVar("K", bound=Section)


class GatewayError(ConfigError):
    """A gateway cannot be opened; the message says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__([message])


@dataclass(frozen=True)
class GatewayContext:
    """What a gateway may need when it is opened. `base_url` is how the provider reaches the hub, no slash behind."""

    settings: SmsSettings
    sessions: Sessions
    safe: PhoneSafe
    clock: Clock
    base_url: str
    sections: Mapping[type[Section], Section] = field(default_factory=dict)
    """The other tables of the configuration."""
    filed: Callable[[str], Sequence[tuple[str, str]]] = lambda _: ()
    """By the name of a provider: its codes of the hub's own texts it has approved, and those texts."""
    hook_token: str = field(default="", repr=False)
    """The unguessable part of the address under which a provider that signs nothing reports to the hub."""

    def section(self, kind: type[K]) -> K:
        """Return the gateway's own table of the configuration, the defaults when there is none."""
        found = self.sections.get(kind)
        return found if isinstance(found, kind) else kind.model_validate({})

    def need(self, kind: type[K], *keys: str) -> K:
        """Return that table; GatewayError names the keys without which the gateway cannot work."""
        found = self.section(kind)
        missing = [key for key in keys if not _value(found, key)]
        if missing:
            named = ", ".join(missing)
            raise GatewayError(f"[{kind.table}] {named}: needed because [sms] gateways names '{kind.table}'.")
        return found


def _value(section: Section, key: str) -> object:
    value = getattr(section, key)
    return value.get_secret_value() if isinstance(value, SecretStr) else value


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
    simulated: bool = False
    free_text: bool = True
    """False: only texts that fit a template filed with the provider."""
    blank: str = ""
    """How such a provider writes a blank, `#` being its number: `${v#}`."""
    reports: Literal["", "signed", "token"] = ""
    """How it reports to the hub: signed by itself, to an unguessable address, or not at all (it is asked)."""
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
    urgent: bool = False
    """An emergency: providers with a queue of their own put it first."""


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
class Objection:
    """Something about a text that a provider will not carry, found without asking it. `code` names the words."""

    code: str
    blocking: bool
    """True: this provider cannot send the text at all. False: it may well be refused, or costs more than needed."""
    found: str = ""
    """The words in question."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What a provider sent to the hub. `url` is path and query exactly as they were requested."""

    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    """The unguessable part of the address, for providers that sign nothing."""

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

    def check(self, text: str) -> Sequence[Objection]:
        """Say, without the network, what stands against a text as it would go out, signature included."""

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


@dataclass(frozen=True, slots=True)
class Polled:
    """What was waiting at a provider that does not report by itself. `done` is called once it is safely stored."""

    receipts: Sequence[Receipt]
    inbound: Sequence[Inbound]
    done: Callable[[], None]


@runtime_checkable
class PolledGateway(Protocol):
    """A provider that has to be asked for reports and replies. A loop of its own does that."""

    def poll(self, now: datetime) -> Polled:
        """Fetch what is new. An exception means: nothing now, ask again later."""


@runtime_checkable
class SteppingGateway(Protocol):
    """A gateway with a life of its own inside the hub."""

    def step(self) -> float:
        """Do one round; return the seconds to rest."""


def receipts_path(name: str, token: str = "") -> str:
    """Return the path under which a provider reports to the hub."""
    return f"/hooks/sms/{name}{f'/{token}' if token else ''}/receipts"


def inbound_path(name: str, token: str = "") -> str:
    """Return the path under which a provider hands over residents' messages."""
    return f"/hooks/sms/{name}{f'/{token}' if token else ''}/inbound"

"""The providers of text messages of a running hub."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broadcasts.sms.gateway import Objection, SmsGateway
from broadcasts.sms.providers.filed_texts import FiledTexts
from broadcasts.sms.providers.routing import Routes
from hub.core.secrets import Secrets


def hook_token(secrets: Secrets, name: str) -> str:
    """Return the unguessable part of the address under which a gateway reports; the same as long as the secrets are."""
    return hmac.new(secrets.phone_index_key, f"sms hook {name}".encode(), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True)
class Objected:
    """What stands against a text at one provider."""

    gateway: str
    objections: Sequence[Objection]

    @property
    def blocking(self) -> bool:
        """Whether it cannot go out that way at all."""
        return any(objection.blocking for objection in self.objections)


@dataclass(frozen=True)
class SmsProvider:
    """The gateways that are configured, by name, and the routes over them."""

    routes: Routes
    tokens: Mapping[str, str]
    """The unguessable part of each gateway's address for reports."""
    filed: FiledTexts | None = None
    """Where the gateways look up which ready-made texts are approved."""

    @property
    def gateway(self) -> SmsGateway:
        """The preferred one."""
        return self.routes.lines[0].gateway

    @property
    def gateways(self) -> Sequence[SmsGateway]:
        """All of them, the preferred first."""
        return [line.gateway for line in self.routes.lines]

    @property
    def simulated(self) -> bool:
        """Whether no message leaves the hub."""
        return all(gateway.caps.simulated for gateway in self.gateways)

    def named(self, name: str) -> SmsGateway | None:
        """Return one by its name; None when there is none."""
        line = self.routes.line(name)
        return line.gateway if line else None

    def check(self, text: str) -> list[Objected]:
        """Say what stands against a whole text (signature included) at each provider, without the network."""
        return [Objected(gateway.name, tuple(gateway.check(text))) for gateway in self.gateways]

"""The provider of text messages of a running hub."""

from dataclasses import dataclass

from broadcasts.sms.gateways.gateway import SmsGateway


@dataclass(frozen=True)
class SmsProvider:
    """The one gateway that is configured."""

    gateway: SmsGateway

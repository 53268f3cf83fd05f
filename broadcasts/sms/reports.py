"""What providers tell the hub by themselves, and the id by which they may speak of a message."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from broadcasts.sms.states import MessageState


@dataclass(frozen=True, slots=True)
class Receipt:
    """One report on one message.

    It is found by our `message_ref` if the provider echoes it; else by our `call` and the number, if it echoes that;
    else by `provider_ref`, together with the number where one id stands for a whole call.
    """

    provider_ref: str
    state: MessageState
    message_ref: str = ""
    code: str = ""
    reported_at: datetime | None = None
    call: UUID | None = None
    number: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message from a resident."""

    number: str = field(repr=False)
    text: str = field(repr=False)
    provider_ref: str
    received_at: datetime


def message_ref(broadcast_id: UUID, message_id: int) -> str:
    """Return the id by which a provider may speak of a message: unguessable, and unique across databases."""
    return f"{broadcast_id.hex}.{message_id}"


def parse_message_ref(ref: str) -> tuple[UUID, int] | None:
    """Return broadcast and message of such an id; None when it is none of ours."""
    broadcast, dot, number = ref.partition(".")
    if len(broadcast) != 32 or not dot or not (number.isascii() and number.isdigit()) or len(number) > 18:
        return None
    try:
        return UUID(hex=broadcast), int(number)
    except ValueError:
        return None

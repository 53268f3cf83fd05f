"""What was typed on the pages about text messages."""

from datetime import datetime
from uuid import UUID

from werkzeug.datastructures import MultiDict

from broadcasts.sms.states import MessageState

Form = MultiDict[str, str]


def state(form: Form) -> MessageState | None:
    """Return the state to filter by; None for all."""
    wanted = form.get("state", "")
    return MessageState(wanted) if wanted in set(MessageState) else None


def number(form: Form, name: str) -> int:
    """Return a number of an address, 0 when there is none."""
    text = form.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= 18 else 0


def moment(form: Form, name: str) -> datetime | None:
    """Return a moment of an address, None when there is none."""
    try:
        found = datetime.fromisoformat(form.get(name, ""))
    except ValueError:
        return None
    return found if found.tzinfo else None


def identifier(form: Form, name: str) -> UUID | None:
    """Return an id of an address, None when there is none."""
    try:
        return UUID(form.get(name, ""))
    except ValueError:
        return None

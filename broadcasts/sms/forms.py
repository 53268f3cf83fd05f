"""What was typed on the pages about text messages."""

from datetime import datetime
from uuid import UUID

from werkzeug.datastructures import MultiDict

from broadcasts.sms.gateways.local import Switches
from broadcasts.sms.states import MessageState
from hub.core.errors import BadInput

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


def switches(form: Form) -> Switches:
    """Return how the simulated network shall behave; BadInput for what is no number or too large."""
    return Switches(
        fail_percent=_amount(form, "fail_percent", 100),
        extra_delay_s=_amount(form, "extra_delay_s", 3600),
        drop_percent=_amount(form, "drop_percent", 100),
        stopped=form.get("stopped") == "1",
    )


def _amount(form: Form, name: str, most: float) -> float:
    text = form.get(name, "").strip() or "0"
    try:
        value = float(text)
    except ValueError:
        raise BadInput("number_malformed", field=name) from None
    if not 0 <= value <= most:
        raise BadInput("sms_switch_range", field=name, most=int(most))
    return value

"""What was chosen on the shout pages."""

from werkzeug.datastructures import MultiDict

from broadcasts.audience.selection import Audience
from broadcasts.shout.service import Urgency, Wish
from hub.core.errors import BadInput

Form = MultiDict[str, str]


def wish(form: Form, title: str) -> Wish:
    """Read whom somebody wants to speak to. BadInput for a form without its key."""
    key = form.get("form_key", "")
    if not 8 <= len(key) <= 40:
        raise BadInput("form_too_old")
    return Wish(key, Audience(chosen(form)), title, urgency(form))


def chosen(form: Form) -> tuple[str, ...]:
    """Return the ticked regions, each once."""
    return tuple(dict.fromkeys(form.getlist("region")))


def urgency(form: Form) -> Urgency:
    """Read colour and reason."""
    return Urgency(form.get("colour", ""), form.get("reason", ""))


def count(form: Form) -> int | None:
    """Read how many pieces there were; None when it does not say."""
    text = form.get("count", "")
    return int(text) if text.isdecimal() and len(text) < 5 else None

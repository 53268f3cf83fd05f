"""What people type on the pages about alarms, repairs and tests."""

from uuid import UUID

from werkzeug.datastructures import MultiDict

from hub.core.errors import BadInput
from hub.web.ways_back import local_path


def alarm_ids(form: MultiDict[str, str]) -> list[UUID]:
    """Return the alarms that were meant; BadInput when it is none."""
    try:
        found = [UUID(part) for text in form.getlist("ids") for part in text.split(",") if part]
    except ValueError:
        raise BadInput("alarm_unknown", field="ids") from None
    if not found:
        raise BadInput("alarm_unknown", field="ids")
    return found


def days(form: MultiDict[str, str]) -> int:
    """Return for how many days an alarm is put off."""
    text = form.get("days", "")
    return int(text) if text in {"1", "3", "7"} else 0


def back(form: MultiDict[str, str], otherwise: str) -> str:
    """Return the page of this hub that a form came from."""
    return local_path(form.get("back", ""), otherwise)

"""Reading what providers push to the hub, and numbers as providers in China write them."""

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from broadcasts.sms.gateway import WebhookRequest

BEIJING = ZoneInfo("Asia/Shanghai")
MAX_ITEMS = 5000


def national(e164: str) -> str:
    """Return a number as it is dialled in China; one from abroad keeps its country with 00 in front."""
    return e164[3:] if e164.startswith("+86") else f"00{e164[1:]}"


def told(request: WebhookRequest) -> Sequence[Mapping[str, object]]:
    """Return the objects a request holds: a JSON array, one JSON object, or a form. Anything else holds none."""
    if request.form:
        return (request.form,)
    try:
        found = json.loads(request.body)
    except ValueError:
        return ()
    items = found if isinstance(found, list) else [found]
    return tuple(item for item in items[:MAX_ITEMS] if isinstance(item, dict))


def text_of(item: Mapping[str, object], key: str) -> str:
    """Return a field as text, empty when it is absent or no plain value."""
    value = item.get(key, "")
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def call_of(text: str) -> UUID | None:
    """Return the id of one of our calls; None when it is none."""
    try:
        return UUID(hex=text) if len(text) == 32 else None
    except ValueError:
        return None


def local_time(text: str) -> datetime | None:
    """Return a moment written without a zone as providers in China do; None when it is none."""
    for form in ("%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%dT%H:%M:%S"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=BEIJING).astimezone(UTC)
        except ValueError:
            continue
    return None


def same_token(token: str, request: WebhookRequest) -> bool:
    """Return whether the address the request came to is the unguessable one."""
    return bool(token) and hmac.compare_digest(token.encode(), request.token.encode())

"""Where a page of a long list ended, as a word that a program hands back to get the next one."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from hub.core.errors import BadInput

T = TypeVar("T")


def cursor(*place: str | int) -> str:
    """Return the word for a place. It is no secret and holds no right: whoever brings it still sees only their own."""
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def place_of(word: str, read: Callable[..., T]) -> T:
    """Return what `read` makes of the parts of a cursor; BadInput when it is none of ours."""
    try:
        parts = json.loads(base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True))
        return read(*parts)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise BadInput("cursor_malformed", field="cursor") from None


def cut(found: Sequence[T], limit: int, key: Callable[[T], str | int]) -> tuple[Sequence[T], str | None]:
    """Return a page of a list that was asked for one more than it shows, and the word for where the next one begins."""
    shown = found[:limit]
    return shown, cursor(key(shown[-1])) if len(found) > limit else None


def moment_and_id(at: object, row_id: object) -> tuple[datetime, UUID]:
    """Read the place of a list that is in order of time."""
    moment = datetime.fromisoformat(str(at))
    if moment.tzinfo is None:
        raise ValueError(at)
    return moment.astimezone(UTC), UUID(str(row_id))


def as_address(moment: datetime, row_id: UUID) -> str:
    """Return how the place of a row stands in a page's address."""
    return f"{moment.isoformat()}_{row_id}"


def place_in_address(text: str) -> tuple[datetime, UUID] | None:
    """Read where a page's list goes on, as it stands in the page's address; None for nonsense."""
    at, _, key = text.partition("_")
    try:
        return moment_and_id(at, key)
    except ValueError:
        return None

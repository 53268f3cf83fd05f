"""What the addresses of these pages may say."""

from collections.abc import Mapping
from contextlib import suppress
from uuid import UUID

from broadcasts.delivery.records import Show


def show(args: Mapping[str, str]) -> Show:
    """Return which broadcasts are asked for; all of them when it is not clear."""
    try:
        return Show(args.get("show", ""))
    except ValueError:
        return Show.ALL


def before(args: Mapping[str, str]) -> UUID | None:
    """Return the broadcast before which the page begins; None for the first page."""
    with suppress(ValueError):
        return UUID(args.get("before", ""))
    return None

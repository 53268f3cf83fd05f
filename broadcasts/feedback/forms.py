"""What the pages of complaints are asked for and sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from broadcasts.feedback.kinds import ComplaintKind
from broadcasts.feedback.listing import Wanted
from hub.core.errors import BadInput

SHOWS = ("open", "mine", "late", "done", "all")


class Asked(Protocol):
    """What Flask calls a multi-dict, as far as it is needed here."""

    def get(self, key: str, /) -> str | None:
        """Return one value."""
        ...


def wanted(asked: Asked) -> Wanted:
    """Return what somebody looks for; what makes no sense counts for nothing."""
    show = asked.get("show") or "open"
    return Wanted(
        show=show if show in SHOWS else "open",
        kind=kind_or_none(asked.get("kind") or ""),
        region=asked.get("region") or "",
        broadcast_id=identifier(asked.get("broadcast") or ""),
        speaker_id=(asked.get("speaker") or "")[:32],
    )


def identifier(text: str) -> UUID | None:
    """Return an id that stands in an address, None when it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def kind_or_none(text: str) -> ComplaintKind | None:
    """Return a kind, None when it is none."""
    return ComplaintKind(text) if text in set(ComplaintKind) else None


def kind_of(form: Mapping[str, str]) -> ComplaintKind:
    """Return the kind that was chosen. BadInput when none was."""
    found = kind_or_none(form.get("kind", ""))
    if found is None:
        raise BadInput("complaint_kind_missing", field="kind")
    return found


def moment(text: str, zone: ZoneInfo) -> datetime:
    """Return a local time that was typed. BadInput when it is none."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        raise BadInput("complaint_due_malformed", field="due") from None

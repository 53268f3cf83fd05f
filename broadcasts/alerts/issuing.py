"""Who may call it a warning: only an authority, with its number. What a township says itself is a notice."""

from collections.abc import Sequence

from broadcasts.alerts.hazards import wording
from hub.core.errors import BadInput


def check_issuer(
    texts: Sequence[str], *, issuer: str = "", reference: str = "", field: str = "speech"
) -> list[BadInput]:
    """Return what is wrong when a text calls itself a warning without saying whose and which."""
    if issuer.strip() and reference.strip():
        return []
    if any(wording().reserved in text for text in texts) or issuer.strip() or reference.strip():
        return [BadInput("warning_needs_issuer", field=field)]
    return []

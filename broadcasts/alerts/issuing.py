"""Who may say 预警: only an authority, with the number it gave it. What a township says itself is a notice."""

from collections.abc import Sequence

from hub.core.errors import BadInput

RESERVED = "预警"


def check_issuer(
    texts: Sequence[str], *, issuer: str = "", reference: str = "", field: str = "speech"
) -> list[BadInput]:
    """Return what is wrong when a text calls itself a warning without saying whose and which."""
    if issuer.strip() and reference.strip():
        return []
    if any(RESERVED in text for text in texts) or issuer.strip() or reference.strip():
        return [BadInput("warning_needs_issuer", field=field)]
    return []

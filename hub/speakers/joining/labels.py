"""Labels to print: a claim code in letters and as a QR code that a phone can open."""

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from hub.core.typed import shown
from hub.speakers.joining.claims import PAPERS_WAIT, Label
from hub.web.qr import picture


@dataclass(frozen=True, slots=True)
class PrintedLabel:
    """One label as the page shows it. `svg` is safe: only the QR code's own path."""

    code: str
    svg: Markup
    speaker_id: str
    name: str
    region_path: str
    until: datetime


def address_of(code: str, hub_url: str) -> str:
    """Return the address in a QR code. What stands behind `#` never reaches a server, nor its log."""
    return f"{hub_url.rstrip('/')}/join#{code}"


def print_labels(labels: list[Label], hub_url: str, now: datetime) -> list[PrintedLabel]:
    """Return them ready for the page. `now` is local time: so are the days on the labels."""
    return [
        PrintedLabel(
            code=shown(label.code),
            svg=picture(address_of(label.code, hub_url)),
            speaker_id=label.speaker.id,
            name=label.speaker.name,
            region_path=label.speaker.region_path,
            until=now + PAPERS_WAIT,
        )
        for label in labels
    ]

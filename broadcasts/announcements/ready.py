"""Ready-made announcements, from `templates/messages/routine/templates.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from broadcasts.kinds import Theme

FILE = Path(__file__).resolve().parents[2] / "templates" / "messages" / "routine" / "templates.toml"


@dataclass(frozen=True, slots=True)
class Ready:
    """One ready-made announcement."""

    key: str
    name: str
    icon: str
    theme: Theme
    title: str
    text: str


@cache
def ready_made() -> tuple[Ready, ...]:
    """Return them in the order of the file."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return tuple(
        Ready(key, item["name"], item["icon"], Theme(item["theme"]), item["title"], item["text"])
        for key, item in raw.items()
    )

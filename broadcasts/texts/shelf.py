"""The texts of `templates/messages/library`, read once: shelves in the order of the page."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from broadcasts.kinds import Theme

FOLDER = Path(__file__).resolve().parents[2] / "templates" / "messages" / "library"
BLANK = re.compile("〔([^〔〕]{1,10})〕")
"""Where something is filled in: 〔截止日〕."""


class BlankKind(StrEnum):
    """What belongs into a blank."""

    DATE = "date"
    TIME = "time"
    PLACE = "place"
    TEXT = "text"
    MONEY = "money"
    NUMBER = "number"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Blank:
    """One thing to fill in. `after` names another blank that must come before it; `most` is the highest number."""

    name: str
    kind: BlankKind
    sample: str
    after: str = ""
    most: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """One text. `check` says what is local in it and must be checked before anybody hears it; empty: nothing is."""

    key: str
    shelf: str
    theme: Theme
    title: str
    text: str
    sms: str
    tags: tuple[str, ...]
    check: str
    blanks: tuple[Blank, ...]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Texts about one thing."""

    key: str
    name: str
    icon: str
    texts: tuple[Text, ...]


@cache
def shelves() -> tuple[Shelf, ...]:
    """Return them all."""
    return tuple(_shelf(key, about) for key, about in _about()["shelves"].items())


@cache
def source() -> str:
    """Return where they say they come from."""
    return str(_about()["source"])


def find(key: str) -> Text | None:
    """Return one text, or None."""
    return _by_key().get(key)


def every() -> tuple[Text, ...]:
    """Return all texts in the order of the page."""
    return tuple(_by_key().values())


@cache
def _about() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "about.toml").read_text(encoding="utf-8"))


@cache
def _by_key() -> Mapping[str, Text]:
    return {text.key: text for shelf in shelves() for text in shelf.texts}


def _shelf(key: str, about: Mapping[str, str]) -> Shelf:
    raw = tomllib.loads((FOLDER / f"{key}.toml").read_text(encoding="utf-8"))
    theme = Theme(about["theme"])
    return Shelf(key, about["name"], about["icon"], tuple(_text(name, key, theme, item) for name, item in raw.items()))


def _text(key: str, shelf: str, theme: Theme, item: Mapping[str, Any]) -> Text:
    blanks = tuple(
        Blank(name, BlankKind(given["kind"]), given["sample"], given.get("after", ""), given.get("most", 0))
        for name, given in item.get("vars", {}).items()
    )
    return Text(
        key=key,
        shelf=shelf,
        theme=theme,
        title=item["title"],
        text=item["text"],
        sms=item["sms"],
        tags=tuple(item["tags"]),
        check=item.get("check", ""),
        blanks=blanks,
    )

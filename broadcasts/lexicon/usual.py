"""The list of words to watch for that every hub begins with, from `templates/messages/wording/words.toml`."""

import tomllib
from functools import cache
from pathlib import Path

from broadcasts.speech.findings import Watched

FILE = Path(__file__).resolve().parents[2] / "templates" / "messages" / "wording" / "words.toml"


@cache
def words() -> tuple[Watched, ...]:
    """Return them in the order of the file."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return tuple(Watched(word, item["why"], item["say"], item["blocking"]) for word, item in raw.items())


def word(wanted: str) -> Watched | None:
    """Return one of them."""
    return next((word for word in words() if word.word == wanted), None)

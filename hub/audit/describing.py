"""Entries of the log in plain words; the words stand in `templates/hub/audit/deeds.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from hub.audit.models import AuditEntry
from hub.web.words import TEMPLATES

HIDDEN = frozenset({"before", "after", "content", "source", "audio"})
"""Details that are shown as a change, or are made for programs."""
PATHS = frozenset({"moved_from", "moved_to"})
"""Details that hold a region path."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One deed as the page shows it. `before` and `after` are set where something was changed."""

    id: int
    at: datetime
    who: str
    where_from: str
    deed: str
    subject: str
    place: str
    before: str
    after: str
    details: tuple[tuple[str, str], ...]


@cache
def words() -> dict[str, dict[str, dict[str, str]]]:
    """Return section (deed, kind, detail, value, via) → key → language → words."""
    return tomllib.loads((TEMPLATES / "hub" / "audit" / "deeds.toml").read_text(encoding="utf-8"))


def topic_names(language: str) -> list[tuple[str, str]]:
    """Return what deeds can be about, with its name: (topic, words)."""
    topics = dict.fromkeys(deed.partition(".")[0] for deed in words()["deed"])
    return [(topic, _word("kind", topic, language)) for topic in topics]


def codes_of(entries: Sequence[AuditEntry]) -> set[str]:
    """Return every region code the entries speak of."""
    paths = [entry.region_path for entry in entries]
    paths += [str(entry.details[key]) for entry in entries for key in PATHS if key in entry.details]
    return {code for path in paths for code in path.split("/") if code}


def describe(entry: AuditEntry, places: Mapping[str, str], language: str) -> LogLine:
    """Put one entry into words."""
    details = entry.details
    changed = "before" in details and "after" in details
    return LogLine(
        id=entry.id,
        at=entry.at,
        who=_who(entry, language),
        where_from=entry.origin,
        deed=_word("deed", entry.deed, language),
        subject=_subject(entry.subject, places, language),
        place=_place(entry.region_path, places),
        before=_value(details["before"], language) if changed else "",
        after=_value(details["after"], language) if changed else "",
        details=tuple(
            (_word("detail", key, language), _place(value, places) if key in PATHS else _value(value, language))
            for key, value in details.items()
            if key not in HIDDEN and value not in ("", None, [])
        ),
    )


def _who(entry: AuditEntry, language: str) -> str:
    if entry.via == "system":
        return _word("via", "system", language)
    name = entry.actor_name or _word("via", "nobody", language)
    return f"{name} · {_word('via', entry.via, language)}" if entry.via != "web" else name


def _subject(subject: str, places: Mapping[str, str], language: str) -> str:
    kind, _, name = subject.partition(":")
    shown = "" if _is_random(name) else places.get(name, name)
    return f"{_word('kind', kind, language)} {shown}".strip()


def _place(path: str, places: Mapping[str, str]) -> str:
    codes = [code for code in path.split("/") if code]
    return " ".join(places.get(code, code) for code in (codes[1:] or codes))


def _value(value: object, language: str) -> str:
    if isinstance(value, list):
        return "、".join(_value(item, language) for item in value)
    if isinstance(value, bool):
        return _word("value", "yes" if value else "no", language)
    text = str(value)
    role = text.partition("@")[0]
    return _word("value", role, language) if role in words()["value"] else text


def _word(section: str, key: str, language: str) -> str:
    found = words()[section].get(key)
    return found["en" if language == "en" else "zh"] if found else key


def _is_random(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True

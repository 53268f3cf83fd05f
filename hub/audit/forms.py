"""What people look for in the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from hub.audit.describing import words
from hub.audit.log import Search

LONGEST = 40


@dataclass(frozen=True, slots=True)
class SearchForm:
    """The fields above the log, as typed."""

    who: str = ""
    topic: str = ""
    words: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Take what was sent; what is no day is left out."""
        days = {key: form.get(key, "") if _day(form.get(key, "")) else "" for key in ("since", "until")}
        topic = form.get("topic", "")
        return cls(
            who=form.get("who", "").strip()[:LONGEST],
            topic=topic if topic in topics() else "",
            words=form.get("words", "").strip()[:LONGEST],
            **days,
        )

    def search(self, zone: ZoneInfo) -> Search:
        """Return it as a search; days are those of the villages, the last one included."""
        since, until = _day(self.since), _day(self.until)
        return Search(
            who=self.who,
            topic=self.topic,
            words=self.words,
            since=datetime.combine(since, time(), zone) if since else None,
            until=datetime.combine(until + timedelta(days=1), time(), zone) if until else None,
        )

    def as_fields(self) -> dict[str, str]:
        """Return what was filled in, for an address or hidden inputs."""
        found = {key: getattr(self, key) for key in ("who", "topic", "words", "since", "until")}
        return {key: value for key, value in found.items() if value}


def topics() -> tuple[str, ...]:
    """Return what deeds can be about, in the order of the words."""
    return tuple(dict.fromkeys(deed.partition(".")[0] for deed in words()["deed"]))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None

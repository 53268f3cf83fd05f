"""The form of a campaign: what was typed, kept as typed, and what it means."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, time
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from broadcasts.audience.selection import Audience
from broadcasts.kinds import Theme
from broadcasts.texts import shelf
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, Problems
from hub.regions.tree import path_of
from schedules.campaigns.drafting import MOST_TEXTS, CampaignDraft, Words

T = TypeVar("T")
SPARE = 1
"""Empty boxes for further texts below those that are filled."""
USUAL = ("11:50", "17:50")
_BETWEEN = re.compile(r"[,，、;；\s]+")
_CLOCK = re.compile(r"(\d{1,2})[:：](\d{2})")
AMOUNTS = {"every_days": 1, "most_a_day": 2, "target": 10, "repeats": 1}
PLAIN = ("title", "departments", "first_day", "last_day", "times", "speed", "sms_at")


@dataclass(frozen=True, slots=True)
class Typed:
    """A form as it came in, so that a refused one comes back untouched."""

    draft: CampaignDraft
    values: Mapping[str, str] = field(default_factory=dict)
    mistakes: tuple[BadInput, ...] = ()

    def raise_mistakes(self) -> None:
        """Raise Problems if something was not understood."""
        if self.mistakes:
            raise Problems(list(self.mistakes))

    @property
    def boxes(self) -> tuple[Words, ...]:
        """The texts, and empty boxes for more."""
        spare = min(SPARE, MOST_TEXTS - len(self.draft.texts))
        return (*self.draft.texts, *(Words() for _ in range(max(0, spare))))


def typed(form: MultiDict[str, str], actor: Actor) -> Typed:
    """Read a form that came in. Regions of others are left out."""
    reader = _Reader()
    amounts = {name: reader.number(form.get(name, ""), name, usual) for name, usual in AMOUNTS.items()}
    draft = CampaignDraft(
        title=_line(form.get("title", "")),
        theme=reader.theme(form.get("theme", Theme.SAFETY.value)),
        departments=tuple(part for part in _BETWEEN.split(_line(form.get("departments", ""))) if part),
        audience=Audience(
            tuple(code for code in form.getlist("region") if reader.region(code, actor)),
            tags=tuple(tag[:20] for tag in form.getlist("tag")[:20] if tag.strip()),
        ),
        first_day=reader.day(form.get("first_day", ""), "first_day"),
        last_day=reader.day(form.get("last_day", ""), "last_day"),
        times=reader.clocks(form.get("times", ""), "times"),
        speed=form.get("speed", "normal"),
        sms_at=next(iter(reader.clocks(form.get("sms_at", ""), "sms_at")), "") if form.get("sms") else "",
        texts=tuple(_words(form, n) for n in range(MOST_TEXTS) if f"text-{n}" in form),
        **amounts,
    )
    values = {name: form.get(name, "") for name in (*PLAIN, *AMOUNTS)}
    return Typed(draft, values, tuple(reader.mistakes))


def of(draft: CampaignDraft) -> Typed:
    """Return a form that shows a draft."""
    values = {
        "title": draft.title,
        "departments": "、".join(draft.departments),
        "first_day": str(draft.first_day or ""),
        "last_day": str(draft.last_day or ""),
        "times": " ".join(draft.times),
        "speed": draft.speed,
        "sms_at": draft.sms_at or "09:30",
        **{name: str(getattr(draft, name)) for name in AMOUNTS},
    }
    return Typed(draft, values)


def fresh(regions: tuple[str, ...], *, today: date, keys: list[str]) -> Typed:
    """Return the form of a new campaign, with ready texts where some were chosen."""
    texts = tuple(ready(text) for key in keys[:MOST_TEXTS] if (text := shelf.find(key)) and not text.blanks)
    first = shelf.find(keys[0]) if texts else None
    draft = CampaignDraft(
        title=first.title if first else "",
        theme=first.theme if first else Theme.SAFETY,
        audience=Audience(regions),
        first_day=today,
        times=USUAL,
        target=AMOUNTS["target"],
        texts=texts,
    )
    return of(draft)


def with_ready(form: Typed, key: str) -> Typed:
    """Return the form with one more ready text in it."""
    text = shelf.find(key)
    kept = tuple(words for words in form.draft.texts if not words.empty)
    if text is None or text.blanks or len(kept) >= MOST_TEXTS:
        return form
    return replace(form, draft=replace(form.draft, texts=(*kept, ready(text))))


def ready(text: shelf.Text) -> Words:
    """Return a text that comes with the program as one of a campaign's."""
    return Words(text.title, text.text, text.sms, text.check)


def _words(form: MultiDict[str, str], n: int) -> Words:
    return Words(
        title=_line(form.get(f"title-{n}", "")),
        text=_plain(form.get(f"text-{n}", "")),
        sms_text=_plain(form.get(f"sms-{n}", "")),
        to_check="" if form.get(f"checked-{n}") else _line(form.get(f"check-{n}", ""))[:100],
    )


class _Reader:
    """Reads single inputs and remembers what it could not understand."""

    def __init__(self) -> None:
        self.mistakes: list[BadInput] = []

    def theme(self, value: str) -> Theme:
        with suppress(ValueError):
            return Theme(value)
        self._wrong("theme_unknown", "theme")
        return Theme.SAFETY

    def region(self, code: str, actor: Actor) -> bool:
        mine = False
        with suppress(BadInput):
            mine = actor.may(Permission.COMPOSE, path_of(code))
        if not mine:
            self._wrong("region_unknown", "region", code_given=code[:20])
        return mine

    def number(self, value: str, name: str, usual: int) -> int:
        if not value.strip():
            return usual
        if value.strip().isdecimal() and len(value.strip()) < 6:
            return int(value)
        self._wrong("number_malformed", name)
        return usual

    def day(self, value: str, name: str) -> date | None:
        return self._read(date.fromisoformat, value.strip(), "day_malformed", name) if value.strip() else None

    def clocks(self, value: str, name: str) -> tuple[str, ...]:
        parts = [part for part in _BETWEEN.split(value.strip()) if part]
        return tuple(clock for part in parts if (clock := self._read(_clock, part, "time_malformed", name)))

    def _read(self, read: Callable[[str], T], value: str, code: str, name: str) -> T | None:
        with suppress(ValueError):
            return read(value)
        self._wrong(code, name)
        return None

    def _wrong(self, code: str, name: str, **params: object) -> None:
        self.mistakes.append(BadInput(code, field=name, **params))


def _clock(value: str) -> str:
    found = _CLOCK.fullmatch(value)
    if found is None:
        raise ValueError(value)
    return f"{time(int(found[1]), int(found[2])):%H:%M}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")

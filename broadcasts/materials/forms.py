"""The forms of the library: what was typed, and what it means."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from werkzeug.datastructures import MultiDict

from broadcasts.kinds import Theme
from broadcasts.materials.drafting import TITLE_LENGTH, MaterialDraft
from broadcasts.materials.listing import TABS, Sought
from broadcasts.materials.models import MaterialKind
from broadcasts.uploads.workshop import Manner
from hub.core.errors import BadInput, Problems

MOST_WORDS = 40
_BETWEEN_TAGS = re.compile(r"[,，、;；\s]+")


@dataclass(frozen=True, slots=True)
class Typed:
    """A form as it came in, so that a refused one comes back untouched."""

    draft: MaterialDraft
    valid_until: str
    tags: str
    manner: Manner
    mistakes: tuple[BadInput, ...] = ()

    def raise_mistakes(self) -> None:
        """Raise Problems if something was not understood."""
        if self.mistakes:
            raise Problems(list(self.mistakes))


def typed(form: MultiDict[str, str]) -> Typed:
    """Read a form that came in."""
    mistakes: list[BadInput] = []
    day = form.get("valid_until", "").strip()
    theme = _theme(form.get("theme", Theme.NOTICE.value))
    if theme is None:
        mistakes.append(BadInput("theme_unknown", field="theme"))
    try:
        until = date.fromisoformat(day) if day else None
    except ValueError:
        until = None
        mistakes.append(BadInput("day_malformed", field="valid_until"))
    draft = MaterialDraft(
        title=_line(form.get("title", "")),
        theme=theme or Theme.NOTICE,
        text=_plain(form.get("text", "")),
        sms_text=_plain(form.get("sms_text", "")),
        source=_line(form.get("source", "")),
        valid_until=until,
        tags=tuple(tag for tag in _BETWEEN_TAGS.split(_line(form.get("tags", ""))) if tag),
        home=form.get("home", ""),
    )
    manner = Manner.MUSIC if form.get("manner") == Manner.MUSIC else Manner.VOICE
    return Typed(draft, day, form.get("tags", ""), manner, tuple(mistakes))


def of(draft: MaterialDraft) -> Typed:
    """Return a form that shows a draft."""
    until = str(draft.valid_until) if draft.valid_until else ""
    return Typed(draft, until, "、".join(draft.tags), Manner.VOICE)


def sought(args: Mapping[str, str]) -> Sought:
    """Return what an address looks for."""
    tab, kind = args.get("tab", "usable"), args.get("kind", "")
    return Sought(
        tab=tab if tab in TABS else "usable",
        theme=_theme(args.get("theme", "")),
        kind=MaterialKind(kind) if kind in set(MaterialKind) else None,
        words=args.get("q", "").strip()[:MOST_WORDS],
    )


def named_after(draft: MaterialDraft, file_name: str) -> MaterialDraft:
    """Return the draft of a recording, called as its file unless it has a title."""
    return draft if draft.title else replace(draft, title=title_of(file_name))


def title_of(file_name: str) -> str:
    """Return a title made of a file's name: what somebody's telephone calls it is a suggestion, never a path."""
    last = re.split(r"[\\/]", file_name)[-1]
    stem = last.rpartition(".")[0] or last
    return _line(stem).strip(". ")[:TITLE_LENGTH]


def _theme(text: str) -> Theme | None:
    return Theme(text) if text in set(Theme) else None


def _line(text: str) -> str:
    """Return it without what cannot be seen: control characters, and marks that turn the direction of writing."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cf") else c for c in text).strip()


def _plain(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")

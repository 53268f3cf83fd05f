"""What is said and written of an official warning: who issued it first, then what happens, then what to do."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from broadcasts.alerts.hazards import Words, wording
from broadcasts.bulletins.events import FOLDER
from broadcasts.bulletins.gist import Gist
from broadcasts.cap.document import MsgType
from broadcasts.kinds import Colour

LONGEST_WHAT: Final = 120
LONGEST_TODO: Final = 80
"""Characters: what is longer nobody follows by ear; the rest can be read on the page."""
LONGEST_TITLE: Final = 60
_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]?")
_TAG = re.compile(r"<[^<>]{0,80}>")
_SPACE = re.compile(r"[ \t\r\n\u3000]+")
_ENDS: Final = "。！？!?"


@dataclass(frozen=True, slots=True)
class _Templates:
    speech: str
    speech_update: str
    sms: str
    title: str
    title_plain: str
    unknown_event: str
    todo: Mapping[Colour, str]


@cache
def _templates() -> _Templates:
    raw = tomllib.loads((FOLDER / "wording.toml").read_text(encoding="utf-8"))
    todo = {Colour(name): text for name, text in raw.pop("todo").items()}
    return _Templates(**raw, todo=todo)


def words_of(gist: Gist, colour: Colour, place: str) -> Words:
    """Return what loudspeakers say and phones show."""
    templates = _templates()
    blanks = {
        "issuer": plain(gist.issuer),
        "event": event_name(gist),
        "colour": wording().colours[colour],
        "place": place,
        "what": _first(gist.description or gist.headline, LONGEST_WHAT) if gist.chinese else "",
        "todo": (_first(gist.instruction, LONGEST_TODO) if _is_chinese(gist.instruction) else "")
        or templates.todo[colour],
        "number": gist.identifier,
    }
    speech = templates.speech_update if gist.purpose is MsgType.UPDATE else templates.speech
    return Words(_filled(speech, blanks), _filled(templates.sms, blanks))


def title_of(gist: Gist, colour: Colour | None) -> str:
    """Return what it is called in lists."""
    templates = _templates()
    name = event_name(gist)
    if colour is None:
        return templates.title_plain.format(event=name)[:LONGEST_TITLE]
    return templates.title.format(event=name, colour=wording().colours[colour])[:LONGEST_TITLE]


def event_name(gist: Gist) -> str:
    """Return what the event is called, without the colour and the word that follow it anyway."""
    name = plain(gist.event)
    name = re.sub(r"(红色|橙色|黄色|蓝色)?预警(信号)?$", "", name)
    return name[:20] if _is_chinese(name) else _templates().unknown_event


def plain(text: str) -> str:
    """Return a text on one line, without markup: some documents hold pieces of web pages."""
    return _SPACE.sub(" ", _TAG.sub(" ", text)).strip()


def _first(text: str, most: int) -> str:
    """Return the first whole sentences that fit; of one that is too long its beginning."""
    kept = ""
    for sentence in _SENTENCE.findall(plain(text)):
        clean = sentence.strip()
        if not clean:
            continue
        if kept and len(kept) + len(clean) > most:
            break
        kept += clean
    kept = kept[:most].rstrip("；;，,、 ")
    return kept if not kept or kept[-1] in _ENDS else kept + "。"


def _filled(template: str, blanks: Mapping[str, str]) -> str:
    """Fill a template in one go: braces in what comes from outside stay what they are."""
    return re.sub(r"\{(\w+)\}", lambda match: blanks[match.group(1)], template)


def _is_chinese(text: str) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in text)

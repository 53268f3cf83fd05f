"""What residents complain about, how it reached the hub, and how far it is; and what a message says of it. Pure."""

import unicodedata
from collections.abc import Mapping
from enum import StrEnum


class ComplaintKind(StrEnum):
    """What is wrong, in the words residents use."""

    TOO_LOUD = "too_loud"
    UNCLEAR = "unclear"
    SILENT = "silent"
    WRONG_TIME = "wrong_time"
    WRONG_CONTENT = "wrong_content"
    OTHER = "other"


class ComplaintState(StrEnum):
    """How far it is."""

    NEW = "new"
    WORKING = "working"
    DONE = "done"


class Way(StrEnum):
    """How it reached the hub."""

    SMS = "sms"
    PAGE = "page"
    """The village's own page."""
    DESK = "desk"
    """Somebody came, or rang, and staff wrote it down."""


class ComplaintDeed(StrEnum):
    """What was done about one."""

    WOKEN = "woken"
    """The hub wrote to somebody on call about words of danger; `by_name` says to whom."""
    JOINED = "joined"
    """Nobody was woken for it alone: people had just been woken for the same village."""
    NOBODY = "nobody"
    """Nobody is on the roster there."""
    TAKEN = "taken"
    ASSIGNED = "assigned"
    LINKED = "linked"
    DUE = "due"
    REPAIR = "repair"
    DONE = "done"
    REOPENED = "reopened"


WORDS: Mapping[ComplaintKind, tuple[str, ...]] = {
    ComplaintKind.TOO_LOUD: (
        "太吵",
        "吵死",
        "吵人",
        "好吵",
        "吵得",
        "扰民",
        "噪音",
        "声音太大",
        "声音大",
        "太响",
        "小声",
        "声音小一点",
        "声音小点",
        "睡不着",
    ),
    ComplaintKind.UNCLEAR: (
        "听不清",
        "听不懂",
        "听不明白",
        "声音太小",
        "声音小",
        "杂音",
        "回音",
        "断断续续",
        "含糊",
        "嗡嗡",
    ),
    ComplaintKind.SILENT: ("没响", "不响", "没声音", "没有声音", "没听到", "没听见", "听不到", "听不见", "坏了"),
    ComplaintKind.WRONG_TIME: ("太早", "太晚", "半夜", "时间不对", "午休"),
    ComplaintKind.WRONG_CONTENT: ("说错", "念错", "读错", "播错", "写错", "内容不对", "内容有误", "内容错"),
}
ABOUT_HORNS = ("喇叭", "广播", "播的", "播放", "音响")
"""With one of these words a message speaks of broadcasts, whenever it comes."""


def kind_in(text: str, *, lately: bool) -> ComplaintKind | None:
    """Return what a message complains of; None when people have to read it.

    `lately`: something was broadcast there a short time ago, so that a bare 太吵了 can only mean that.
    """
    plain = unicodedata.normalize("NFKC", text)
    if not lately and not any(word in plain for word in ABOUT_HORNS):
        return None
    found = [(plain.find(word), -len(word), kind) for kind, words in WORDS.items() for word in words if word in plain]
    return min(found)[2] if found else None

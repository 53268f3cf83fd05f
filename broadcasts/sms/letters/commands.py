"""What a resident's message asks for, if it asks for something the hub does by itself. Pure.

Only a message that says nothing else is a command: "退订" is one, "我要退订医保吗" is a letter for people.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum


class Command(StrEnum):
    """What the hub does by itself."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    ASK = "ask"
    """Send me again what was said last."""
    CHOICE = "choice"
    """One of the numbered answers that a message asked for."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message as a command. `topic` is empty when everything is meant; `choice` is the number, 0 for none."""

    command: Command | None = None
    topic: str = ""
    choice: int = 0


NOTHING = Said()
OPT_OUT = frozenset(
    [
        "退订",
        "取消",
        "取消订阅",
        "拒收",
        "拒绝",
        "不要",
        "STOP",
        "STOPALL",
        "UNSUBSCRIBE",
        "CANCEL",
        "END",
        "QUIT",
        "REVOKE",
        "OPTOUT",
        "T",
        "TD",
        "N",
        "R",
        "TT",
        "QX",
    ]
)
OPT_IN = frozenset(["订阅", "恢复", "START", "UNSTOP"])
ASK = frozenset(["查询", "没听清", "没听清楚", "再说一遍", "再播一遍", "最近广播"])
TOPICS = {
    "notice": ("通知", "日常"),
    "safety": ("安全", "防火", "防汛"),
    "fraud": ("反诈", "防诈", "防诈骗", "诈骗"),
    "law": ("普法", "法律", "法治"),
}
"""How residents call what announcements are about (`broadcasts.kinds.Theme`)."""
_LEAVE = ("退订", "取消订阅", "取消", "拒收", "不要", "TD", "T")
_COME = ("订阅", "恢复")
_CHOICE = re.compile(r"(?:选|回|回复)?([1-9])(?!\d)号?[\s.、,:;!)]*(.{0,16})", re.DOTALL)
URGENT = (
    "救",
    "被困",
    "困住",
    "困在",
    "报警",
    "滑坡",
    "塌",
    "泥石流",
    "山洪",
    "着火",
    "起火",
    "山火",
    "火灾",
    "淹",
    "落水",
    "掉水",
    "溺",
    "受伤",
    "流血",
    "昏迷",
    "中毒",
    "快来人",
    "没气",
)
"""Words of danger: a message with one of them is never left to the hub alone."""
SAFE_WORDS = ("救助金", "救济", "救灾款", "急救知识", "救生衣")
"""Words of danger inside everyday ones."""


def read(text: str) -> Said:
    """Return what a message asks for; nothing when people have to read it."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain and set(plain) <= set("? !") and "?" in plain:
        return Said(Command.ASK)
    bare = "".join(c for c in plain.upper() if c.isalnum())
    if bare in ASK:
        return Said(Command.ASK)
    if bare in OPT_OUT:
        return Said(Command.OPT_OUT)
    if bare in OPT_IN:
        return Said(Command.OPT_IN)
    return _topical(bare) or _choice(plain) or NOTHING


def is_urgent(text: str) -> bool:
    """Return whether somebody may be in danger."""
    plain = unicodedata.normalize("NFKC", text)
    for word in SAFE_WORDS:
        plain = plain.replace(word, "")
    return any(word in plain for word in URGENT)


def _topical(bare: str) -> Said | None:
    for topic, names in TOPICS.items():
        for name in names:
            for verbs, command in ((_LEAVE, Command.OPT_OUT), (_COME, Command.OPT_IN)):
                if bare in {whole for verb in verbs for whole in (verb + name, verb + name + "短信", name + verb)}:
                    return Said(command, topic)
    return None


def _choice(plain: str) -> Said | None:
    found = _CHOICE.fullmatch(plain)
    return Said(Command.CHOICE, choice=int(found.group(1))) if found else None

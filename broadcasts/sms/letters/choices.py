"""The numbered answers a message asks for, read from its own words: what people read is what is counted. Pure.

`请回复1已转移，2要帮忙` asks for two; `收到请回1` for one.
"""

import re
import unicodedata
from collections.abc import Mapping

_ANCHOR = re.compile(r"回(?:复|信|短信|个|数字|一下)*[“\"「 ]*(?=[1-9](?!\d))")
_OPTION = re.compile(r"(?<!\d)([1-9])(?!\d)[”\"」]?\s*(?:表示|代表|就是|[=:、.])?\s*([^\d,。;!?\n“”\"]{0,12})")
_FILLER = re.compile(r"(?:即可|就行|就可以|确认|[或和]?(?:请)?回复?|或者|或)+$")
_BEFORE = re.compile(r"([^,。;!?\n\d]{1,10})的请?回复?[“\"「]?([1-9])(?!\d)")
"""已转移的回1，走不了的回2."""
HELP = ("帮", "助", "走不", "没转移", "困", "病", "伤")
"""What makes an answer one that somebody has to act on."""
RECEIVED = "收到"


def choices_in(text: str) -> Mapping[int, str]:
    """Return the answers by their numbers; none when the message asks for none."""
    plain = unicodedata.normalize("NFKC", text).replace("，", ",").replace("；", ";")
    found = {int(number): label.strip() for label, number in _BEFORE.findall(plain)}
    if found:
        return found
    anchor = _ANCHOR.search(plain)
    if anchor is None:
        return found
    sentence = re.split(r"[。\n]", plain[anchor.end() :], maxsplit=1)[0]
    for number, label in _OPTION.findall(sentence):
        found.setdefault(int(number), _FILLER.sub("", label.strip()) or RECEIVED)
    return found


def wants_help(label: str) -> bool:
    """Return whether an answer means that somebody has to do something."""
    return any(word in label for word in HELP)


def named(text: str, choices: Mapping[int, str]) -> int:
    """Return which answer a message gives by its words alone, 0 for none: 已转移 for `1已转移`."""
    bare = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isalnum())
    return next((number for number, label in choices.items() if bare and bare == label), 0)

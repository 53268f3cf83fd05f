"""What providers do not carry, as far as a program can tell from the words: for warnings while somebody composes.

The lists are those of the providers' own pages on template review (2025): they say what is refused, not what is lawful.
"""

import re
from collections.abc import Iterable, Sequence

from broadcasts.sms.gateway import Objection
from broadcasts.sms.gateways.filed import unsigned

LINK = re.compile(r"(?:https?://|www\.)\S+|\b[\w-]+\.(?:com|cn|net|org|top|xyz|cc|vip)\b(?:/\S*)?", re.IGNORECASE)
MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
OPT_OUT_WORDS = re.compile(r"(?:拒收|退订)[请]?回复?\w{1,2}")
SYMBOLS = frozenset("①②③④⑤⑥⑦⑧⑨⑩★☆※•→←↑↓■□●○◆◇▲△▼▽√×")
POLITICS = ("党委", "党支部", "党员", "党建", "书记", "人大代表", "政协", "选举", "投票")
LAW = ("维权", "律师", "法院", "诉讼", "起诉", "仲裁", "调解")
CHARITY = ("募捐", "捐款", "捐赠", "慈善", "众筹")
FINANCE = ("贷款", "理财", "股票", "基金", "信用卡", "投资", "彩票")


def objections(text: str, *, topics: Iterable[str], strict: bool) -> list[Objection]:
    """Return what a commercial provider in China is known to refuse; `strict` adds its rules for notices."""
    body = unsigned(text)[1]
    found = [Objection("sms_content_topic", False, word) for word in topics if word in body]
    if strict:
        found += [Objection("sms_content_symbol", False, sign) for sign in sorted(set(body) & SYMBOLS)]
        found += _first("sms_content_mobile", MOBILE, body)
        found += _first("sms_content_opt_out", OPT_OUT_WORDS, body)
    if "【" in body or "】" in body:
        found.append(Objection("sms_content_brackets", True))
    return found


def links(text: str, *, blocking: bool) -> list[Objection]:
    """Return the objection of a provider that carries no links."""
    return [Objection("sms_content_link", blocking, one.found) for one in _first("", LINK, text)]


def too_long(text: str, most: int) -> list[Objection]:
    """Return the objection of a provider that carries `most` characters, signature included."""
    return [Objection("sms_content_too_long", True, str(most))] if len(text) > most else []


def _first(code: str, pattern: re.Pattern[str], text: str) -> Sequence[Objection]:
    found = pattern.search(text)
    return [Objection(code, False, found.group())] if found else []

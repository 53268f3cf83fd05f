"""The rules by which figures and signs become words, in the order in which they claim parts of a text.

A rule sees the text folded (`fold`): full-width forms are ASCII, every dash is `-`, and what an earlier rule has
claimed is a hole. It claims its group `x`, or all it matched, and says what is spoken there; None leaves it alone.
"""

import importlib
import re
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Protocol

from broadcasts.speech.engine import N_
from broadcasts.speech.numerals import cardinal, counted, decimal, price, spell, telephone
from broadcasts.speech.reading_tables import (
    AFTER,
    COUNTED_NEXT,
    EACH,
    FESTIVAL,
    KEYS,
    PAIR,
    PROVINCES,
    ROADS,
    SERVICE,
    SHORT,
    SIGNS,
)

HOLE = "\ue000"
Say = Callable[[re.Match[str]], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    say: Say
    caution: str = ""


class Normalizer(Protocol):
    def normalize(self, text: str) -> str: ...


def fold(text: str) -> str:
    """The text with one ASCII character for each full-width, dash-like or foreign-digit character; same length."""
    return "".join(_folded(c) for c in text)


@cache
def _fold_table() -> dict[str, str]:
    table = {chr(c + 0xFEE0): chr(c) for c in range(0x21, 0x7F) if chr(c).isalnum() or chr(c) in "%./-+:~$@#{}<>="}
    table |= dict.fromkeys("‐‑‒–—―−﹣", "-") | dict.fromkeys("～〜∼", "~") | dict.fromkeys("•‧∙⋅・", "·")
    return table | {"￥": "¥", HOLE: " ", "\u00a0": " ", "\u3000": " "}


def _folded(char: str) -> str:
    if char.isascii():
        return char
    if (known := _fold_table().get(char)) is not None:
        return known
    digit = unicodedata.decimal(char, None)
    return char if digit is None else str(digit)


_NUM = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
_TO = r"\s?[-~]{1,2}\s?"
_TILL = r"\s?(?:[-~]{1,2}|至|到)\s?"
_EACH = "|".join(sorted(EACH.split("|"), key=len, reverse=True))
_COLD = frozenset({"摄氏度", "华氏度", "度"})
"""Units below whose zero a radio announcer says 零下, not 负."""

_SIGN = "|".join(re.escape(s) for s in sorted(SIGNS, key=len, reverse=True))
_UNIT = (
    "元|块|公斤|千克|斤|吨|毫米|厘米|公里|千米|立方米|毫升|微克|毫克|千瓦|米|方|升|克|"
    "次|人|户|个|株|粒|片|度|头|只|kg|mg|ml|g|m|t"
)
_SIGNED = rf"(?P<s1>(?<![\dA-Za-z])-)?(?<![\d.])(?P<a>{_NUM})(?:(?P<till>{_TILL})(?P<s2>-)?(?P<b>{_NUM}))?"
_CALLED_BY_DIGITS = {("11", "9"): "幺幺九", ("3", "15"): "三幺五"}
"""Days that are called as one says a telephone number."""

_WEB = (
    r"(?:https?|ftp)://[!-~]+|www\.[!-~]+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
    r"|(?<![\w.-])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8}\.(?:com|cn|net|org|gov|edu|vip|top)(?![a-z0-9])(?:/[!-~]*)?"
)


def _pair(number: str, after: str) -> str:
    return counted(number) if re.match(PAIR, after) else decimal(number)


def _following(match: re.Match[str]) -> str:
    return match.string[match.end() : match.end() + 3]


def _phone(match: re.Match[str]) -> str:
    return "，".join(telephone(group) for group in match.groups() if group)


def _date(match: re.Match[str]) -> str:
    year, month, day = match["y"], str(int(match["m"])), str(int(match["d"]))
    until = f"到{cardinal(str(int(match['m2'])))}月{cardinal(str(int(match['d2'])))}日" if match["m2"] else ""
    return f"{spell(year)}年{cardinal(month)}月{cardinal(day)}日{until}"


def _clock(match: re.Match[str]) -> str:
    hour, minute, second = int(match[1]), match[2], match[3]
    said = counted(str(hour)) + "点"
    if minute != "00" or second:
        said += cardinal(minute if minute != "00" else "0") + "分"
    return said + (cardinal(second) + "秒" if second else "")


def _measured(match: re.Match[str]) -> str:
    before, after = SIGNS.get(match["sign"], ("", match["sign"]))
    first, second = _amount(match["a"], after), _amount(match["b"] or "", after)
    below, till = "零下" if after in _COLD else "负", (match["till"] or "").strip()
    minus = (bool(match["s1"]), bool(match["s2"]) or _is_signed(till, signed=bool(match["s1"])))
    words = [(below if sign else "") + before + said for sign, said in zip(minus, (first, second), strict=True)]
    if not second:
        return words[0] + after
    link = till if till in {"至", "到"} else "到"
    if minus[0] and not minus[1]:  # 零下五到三 would leave open on which side of zero the three is
        return f"{words[0]}{after}{link}{words[1]}{after}"
    return words[0] + link + words[1].removeprefix(before) + after


def _amount(number: str, unit: str) -> str:
    if not number:
        return ""
    if unit in _COLD or not unit:
        return decimal(number)
    return decimal(number).replace("两百", "二百") if unit.endswith("伏") else counted(number)


def _is_signed(dashes: str, *, signed: bool) -> bool:
    """-10—-6 and 5~-3: the second of two dashes is a minus."""
    return len(dashes) == 2 and dashes[1] == "-" and (signed or dashes[0] == "~")


def _money(match: re.Match[str]) -> str:
    words = price(match["a"]) if match["a"] != "2" else "两"
    if match["b"]:
        words += "到" + price(match["b"])
    return words + (match["big"] or "") + {"¥": "元", "$": "美元", "€": "欧元"}[match["sign"]]


def _each(match: re.Match[str]) -> str:
    """400元/人 -> 每人四百元, as people say it."""
    unit = SIGNS.get(match["unit"], ("", match["unit"]))[1]
    say = price if unit in {"元", "块"} else counted
    words = say(match["a"]) + ("到" + say(match["b"]) if match["b"] else "")
    per = f"每{match['per']}" if match["per"] else ""
    return f"每{match['each']}{per}{words}{match['big'] or ''}{unit}"


def _groups(match: re.Match[str]) -> str:
    return "，".join(telephone(group) for group in match[0].split())


def _fraction(match: re.Match[str]) -> str | None:
    part, whole = int(match[1]), int(match[2])
    return f"{cardinal(match[2])}分之{cardinal(match[1])}" if 0 < part < whole else None


def _ratio(first: str, second: str) -> str:
    return f"{cardinal(first)}比{cardinal(second)}"


def _milestone(match: re.Match[str]) -> str:
    metres = str(int(match[2]))
    return f"{counted(match[1])}公里" + (f"加{counted(metres)}米" if metres != "0" else "")


def _plate(match: re.Match[str]) -> str:
    return match[1] + " " + "".join(telephone(c) if c.isdigit() else c for c in match[2])


def _named_day(match: re.Match[str]) -> str | None:
    month, day = match[1], match[2]
    if not 1 <= int(day) <= 31:
        return None
    if (known := _CALLED_BY_DIGITS.get((month, day))) is not None:
        return known
    return (cardinal(month) if len(month) == 2 else spell(month)) + spell(day)


def _range(match: re.Match[str]) -> str:
    first, second = match[1], match[2]
    if any(len(n) > 1 and n[0] == "0" and "." not in n for n in (first, second)):
        return f"{telephone(first)}杠{telephone(second)}"
    after = match[3] or _following(match)
    return f"{_pair(first, after)}到{_pair(second, after)}{match[3] or ''}"


def _mixed(match: re.Match[str]) -> str:
    """Letters with figures: H7N9, A4, COVID-19, and units only wetext knows."""
    token = match[0]
    if token[0].isdigit() and (said := _by_wetext(token)):
        return said
    parts = re.findall(r"\d+(?:\.\d+)?|[A-Za-z]+|[^A-Za-z\d]+", token)
    return "".join(_mixed_part(part) for part in parts)


def _mixed_part(part: str) -> str:
    if not part[0].isdigit():
        return part if part.isalpha() else " "
    return decimal(part) if "." in part or len(part) <= 2 else telephone(part)


def _number(match: re.Match[str]) -> str:
    digits, after = match[1], match[2] or ""
    if len(digits) >= 9 and digits.isdigit() and not after:
        return telephone(digits)
    if after in {"元", "块"}:
        return (price(digits) if digits != "2" else "两") + after
    return _pair(digits, after or _following(match)) + after


_normalizing = threading.Lock()


@cache
def _wetext() -> Normalizer:
    """Loaded at its first use: wetext takes half a second to load and is rarely needed."""
    made: Normalizer = importlib.import_module("wetext").Normalizer(lang="zh", operator="tn")
    return made


@lru_cache(maxsize=2048)
def _by_wetext(token: str) -> str:
    """The token in words, or nothing where wetext leaves figures or letters in it."""
    with _normalizing:
        said = _wetext().normalize(token)
    return "" if any(c.isascii() and c.isalnum() for c in said) else said


def warm_up() -> None:
    """Load what the first reading would wait for; for a thread at the hub's start."""
    _by_wetext("5lm")


def _fixed(words: str) -> Say:
    return lambda _: words


def _looked_up(words: dict[str, str]) -> Say:
    return lambda match: words[match[0]]


def _rule(pattern: str, say: Say, caution: str = "") -> Rule:
    return Rule(re.compile(pattern), say, caution)


_ENUMERATORS = {chr(base + n): cardinal(str(n + 1)) + "，" for base in (0x2460, 0x2474, 0x2488) for n in range(20)}
_ROMAN = {chr(base + n): cardinal(str(n + 1)) for base in (0x2160, 0x2170) for n in range(12)}
_LATIN_ROMAN = dict(zip(("I", "II", "III", "IV", "V", "VI", "VII", "VIII"), "一二三四五六七八", strict=True))
_SINGLE = {
    "½": "二分之一", "¼": "四分之一", "¾": "四分之三", "〇": "零", "○": "零", "²": "平方", "³": "立方", "&": "和",
    "×": "乘", "÷": "除以", "≥": "大于等于", "≤": "小于等于", "±": "正负", "≈": "约",
    "℃": "摄氏度", "㎡": "平方米", "㎥": "立方米", "°": "度", "→": "到", "№": "第",
} | dict.fromkeys("@#*_\\", "") | _ROMAN  # fmt: skip

RULES: tuple[Rule, ...] = (
    _rule(r"(?ai:</?[a-z][^<>\n]{0,200}>|&(?:[a-z]{2,8}|#\d{1,5});)", _fixed(""),
          N_("这是网页里带出来的记号，不读，删掉就行")),
    _rule(f"(?ai:{_WEB})", _fixed(""), N_("网址和邮箱读不出来，播的时候会跳过")),
    _rule(
        r"(?<![0-9A-Za-z])(\d{17}[0-9Xx])(?![0-9A-Za-z])",
        lambda m: telephone(m[1][:17]) + (telephone(m[1][17]) or "叉"),
        N_("这像是身份证号，播出去全村都听得到"),
    ),
    _rule(r"(?<!\d)(\d{3,6})\*{2,}(\d{2,4})(?!\d)", lambda m: f"{telephone(m[1])}，尾号{telephone(m[2])}"),
    _rule(r"(?<!\d)\d{4}(?: \d{3,4}){2,4}(?!\d)", _groups),
    _rule(r"(?<![\d.])(?:\+?86[- ]?)?(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?!\d)", _phone),
    _rule(r"(?<![\d.])\(?(0(?:10|2\d|[3-9]\d\d))[-) ]{0,2}(\d{7,8}|\d{3,4}[- ]\d{4})(?!\d)",
          lambda m: "，".join(telephone(g) for g in re.findall(r"\d+", m[1] + " " + m[2]))),
    _rule(r"(?<!\d)\(?(0(?:10|2\d|[3-9]\d\d))[-) ]{1,2}(9[56]\d{3}|12\d{3})(?!\d)", _phone),
    _rule(r"(?<!\d)([48]00)[- ]?(\d{3})[- ]?(\d{4})(?!\d)", _phone),
    _rule(r"(?<!\d)([48]00)-(\d{4})-(\d{3})(?!\d)", _phone),
    _rule(r"(?<!\d)(?P<y>(?:19|20)\d\d)(?P<s>[-/.])(?P<m>0?[1-9]|1[0-2])(?P=s)(?P<d>0[1-9]|[12]\d|3[01]|[1-9])(?!\d)"
          rf"(?:{_TO}(?P<m2>0?[1-9]|1[0-2])(?P=s)(?P<d2>0[1-9]|[12]\d|3[01]|[1-9])(?![\d./-]))?", _date),
    _rule(r"(?<![\d.])((?:19|20)\d\d)[-/](0[1-9]|1[0-2])(?![\d年/-])",
          lambda m: f"{spell(m[1])}年{cardinal(str(int(m[2])))}月"),
    _rule(r"(?<!\d)((?:19|20)\d\d)[-~]{1,2}((?:19|20)\d\d)年", lambda m: f"{spell(m[1])}到{spell(m[2])}年"),
    _rule(r"(?<![\d.])((?:1[89]|20)\d\d)年", lambda m: spell(m[1]) + "年"),
    _rule(r"(?<!\d)(20[0-4]\d)(?=届|级|款|版|财年|学年|新年|[春夏秋冬]|高考|中考|元旦|国庆|中秋|清明|端午)",
          lambda m: spell(m[1])),
    _rule(r"(?<![\d约近共满达过了第])([89]\d)年(?=的?(?:大水|洪水|抗洪|特大)|那|出生|以前|前后|\d{1,2}月)",
          lambda m: spell(m[1]) + "年"),
    _rule(r"(?<![\d.:])0(\d)(?=时|点(?!\d)|月|日|号)", lambda m: cardinal(m[1])),
    _rule(r"(?m:(?:^|(?<=[\n。；;：:！!？?\s]))(?P<x>(\d{1,2})[.)）])(?=\s?[^\d\s]))", lambda m: cardinal(m[2]) + "，"),
    # dashes that stand for 到
    _rule(rf"(?<={HOLE}){_TO}(?={HOLE})", _fixed("到")),
    _rule(rf"(?<=:\d\d){_TO}(?=(?:次日|第二天|当日|当天)?\d{{1,2}}:\d\d)", _fixed("到")),
    _rule(rf"(?<=[年月日号时点半分秒级元里米克斤吨亩人户天周个度℃%楼组村室期万亿])(?<!温度)(?<!湿度){_TO}(?=\d)",
          _fixed("到")),
    _rule(rf"\d\s?(?:mm|cm|km|kg|m|t)(?P<x>{_TO})(?=\d)", _fixed("到")),
    _rule(rf"(?<=[周期][一二三四五六日天]){_TO}(?=(?:周|星期)?[一二三四五六日天])", _fixed("到")),
    _rule(rf"(?<=K\d\+\d{{3}}){_TO}(?=K\d)", _fixed("到")),
    _rule(rf"(?<=K\d\d\+\d{{3}}){_TO}(?=K\d)", _fixed("到")),
    _rule(r"(?<=零下)-(?=\d)", _fixed("")),
    _rule(r"(?:按|比例|配比|稀释|比分|以)[^\d，。]{0,3}(?P<x>(\d+):(\d+))(?!\d|:\d)", lambda m: _ratio(m[2], m[3])),
    _rule(r"(?<![\d:])(\d+):(\d+)(?=的?比例|兑|稀释|的比|配比)", lambda m: _ratio(m[1], m[2])),
    _rule(r"(?<![\d:])\d+(?::\d+){2}(?=[配兑混稀]|的?比例)",
          lambda m: "比".join(cardinal(n) for n in m[0].split(":"))),
    _rule(r"(?<!\d)(?<!\d:)([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?!\d|:\d)(?:分(?!钟))?", _clock),
    _rule(r"血压[^\d，。]{0,4}?(?P<x>(\d{2,3})/)(?=\d{2,3})", lambda m: cardinal(m[2]) + "，"),
    _rule(r"(?<!\d)([1-5])A(?=级|景区)", lambda m: cardinal(m[1]) + "A"),
    _rule(r"(?<![A-Za-z\d])(\d{2,4})M(?![A-Za-z\d])", lambda m: decimal(m[1]) + "兆"),
    _rule(rf"(?<![\d.])(?P<a>{_NUM})(?:{_TO}(?P<b>{_NUM}))?\s?(?P<big>万|千)?(?P<unit>{_UNIT})/(?P<each>{_EACH})"
          r"(?:[·/.](?P<per>年|月|天|次|人|亩))?", _each),
    _rule(rf"{_SIGNED}\s?(?P<sign>{_SIGN})(?![A-Za-z\d])", _measured),
    _rule(rf"(?=-){_SIGNED}\s?(?P<sign>度)(?!数)", _measured),
    _rule(rf"(?P<sign>[¥$€])\s?(?P<a>{_NUM})(?:{_TO}¥?(?P<b>{_NUM}))?\s?(?P<big>万|亿)?元?", _money),
    _rule(r"(?<![\d/.])(\d{1,4})/(\d{1,4})(?![\d/])", _fraction),
    _rule(r"(?<=[元斤吨亩人次天度克])/(?=[人亩斤吨户天次月年度平立公千㎡])", _fixed("每")),
    _rule(r"(?<![A-Za-z])K(\d+)\+(\d{3})(?!\d)", _milestone),
    _rule(r"(?<![A-Za-z])([GSXYC])(\d{2,4})(?![\dA-Za-z])", lambda m: m[1] + telephone(m[2])),
    _rule(rf"(?<=[{PROVINCES}])([A-Z])[· ]?(?=[A-Z]{{0,2}}\d)([A-Z0-9]{{5,6}})(?![A-Za-z0-9])", _plate),
    _rule(rf"(?<!\d)(\d{{3}})(?={ROADS}|路)", lambda m: telephone(m[1])),
    _rule(r"(?<!\d)\+?(\d{2,5})(?=(?:[、和或]\+?\d{2,5}){0,5}(?:这样)?的?(?:开头|打头|号段))",
          lambda m: ("加" if m[0][0] == "+" else "") + telephone(m[1])),
    _rule(rf"(?:{KEYS})[^\d，。；！？\n{HOLE}]{{0,6}}?(?P<x>\d{{3,12}})(?!\d|\.\d|,\d|{COUNTED_NEXT}|[-~]\d)",
          lambda m: telephone(m["x"])),
    _rule(rf"(?<![\d.¥,约共计达超近多过有为第至到-])(?P<x>{SHORT})"
          rf"(?=(?:[\u4e00-\u9fff]{{0,6}}?(?:{SERVICE}))|是[^，。]{{0,10}}(?:电话|热线|号码|平台)|这|等|都|打|来电|两个号"
          r"|[，。；、！？,;!?)）”\s和或/]|$)",
          lambda m: telephone(m["x"])),
    _rule(r"(?<![\d.])(1[0-2]|[1-9])·([0-3]?\d)(?!\d)", _named_day),
    _rule(rf"(?<![\d.第])(1[0-2]|[1-9])\.([0-3]?\d)(?={FESTIVAL})", _named_day),
    _rule(r"(?<!\d)([5-9][05]|0[05])后", lambda m: spell(m[1]) + "后"),
    _rule(r"(?<![\d-])(\d{1,2})-(?:(\d{1,2})-)?(\d{3,4})(?=室|号房|房)",
          lambda m: "杠".join(telephone(g) for g in m.groups() if g)),
    _rule(r"[肥钾K][^\d，。]{0,6}(?P<x>\d{1,2}(?:-\d{1,2}){2})(?!\d)",
          lambda m: "，".join(cardinal(part) for part in m["x"].split("-"))),
    _rule(r"(?<!\d)\d+(?:-\d+){2,}(?!\d)", lambda m: "杠".join(telephone(part) for part in m[0].split("-"))),
    _rule(r"(?<![\d.])(\d{3,4})(?=室|号?房|病房|会议室|教室|办公室|包间|诊室|寝室|宿舍)", lambda m: telephone(m[1])),
    _rule(r"(?:(?<=[楼栋幢])|(?<=单元))(\d{3,4})(?![\d个人户元.,])", lambda m: telephone(m[1])),
    _rule(r"(?<=[记扣得加减])(\d+)分(?!钟)", lambda m: counted(m[1]) + "分"),
    _rule(r"#(\d{1,3})(?=[\u4e00-\u9fff])|(?<!\d)(\d{1,3})#", lambda m: cardinal(m[1] or m[2]) + "号"),
    _rule(rf"第\s?(\d+)(?:{_TO}(\d+))?({AFTER})?",
          lambda m: "第" + cardinal(m[1]) + ("到" + cardinal(m[2]) if m[2] else "") + (m[3] or "")),
    _rule(r"(?<![A-Za-z])(I{1,3}|IV|VI{0,3})(?=级|类|型|期|度|号)", _looked_up(_LATIN_ROMAN)),
    _rule(r"[×○]{2,}|(?<![A-Za-z])[Xx]{2,4}(?![A-Za-z])", _fixed("某某")),
    _rule(r"(?<![\d.])\d+(?:\.\d+){2,}(?![\d.])", lambda m: "点".join(spell(p) for p in m[0].split("."))),
    _rule(rf"(?<![\d.-])({_NUM}){_TO}({_NUM})(?!\d|[-.]\d)({PAIR}|{AFTER})?", _range),
    _rule(r"(?<![\d:])(\d+):(\d+)(?![\d:])", lambda m: _ratio(m[1], m[2])),
    _rule(r"(?a:(?=[A-Za-z-]{0,40}\d)(?=[\d.-]{0,40}[A-Za-z])[A-Za-z0-9]+(?:[-./][A-Za-z0-9]+)*[²³]?)", _mixed),
    _rule(r"(?<![\dA-Za-z])-(?=\d)", _fixed("负")),
    _rule(r"(?<=\d)-+(?=\d)", _fixed("杠")),
    _rule(r"[+](?=\d)", _fixed("加")),
    _rule(r"=(?=-?\d)", _fixed("等于")),
    _rule(r">(?=\d)", _fixed("大于")),
    _rule(r"<(?=\d)", _fixed("小于")),
    _rule(rf"({_NUM})\s?({PAIR}|{AFTER})?", _number),
    _rule("[" + "".join(_ENUMERATORS) + "]", _looked_up(_ENUMERATORS)),
    _rule("[" + re.escape("".join(_SINGLE)) + "]", _looked_up(_SINGLE)),
)  # fmt: skip

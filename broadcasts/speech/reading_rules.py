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
from broadcasts.speech.numerals import cardinal, counted, decimal, spell, telephone

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

# sign -> what is said before and after the number; longest first
_SIGNS: dict[str, tuple[str, str]] = {
    "km/h": ("每小时", "公里"), "m³/s": ("每秒", "立方米"), "m3/s": ("每秒", "立方米"), "m/s": ("每秒", "米"),
    "μg/m³": ("每立方米", "微克"), "mg/L": ("每升", "毫克"), "℃": ("", "摄氏度"), "°C": ("", "摄氏度"),
    "°": ("", "度"), "%": ("百分之", ""), "‰": ("千分之", ""), "km²": ("", "平方公里"), "m²": ("", "平方米"),
    "㎡": ("", "平方米"), "m³": ("", "立方米"), "㎥": ("", "立方米"), "mm": ("", "毫米"), "㎜": ("", "毫米"),
    "cm": ("", "厘米"), "㎝": ("", "厘米"), "km": ("", "公里"), "㎞": ("", "公里"), "kg": ("", "公斤"),
    "㎏": ("", "公斤"), "mg": ("", "毫克"), "㎎": ("", "毫克"), "ml": ("", "毫升"), "mL": ("", "毫升"),
    "kWh": ("", "千瓦时"), "kW": ("", "千瓦"), "MW": ("", "兆瓦"), "kV": ("", "千伏"), "KV": ("", "千伏"),
    "hPa": ("", "百帕"), "dB": ("", "分贝"), "m": ("", "米"), "g": ("", "克"), "t": ("", "吨"), "L": ("", "升"),
    "V": ("", "伏"), "W": ("", "瓦"), "A": ("", "安"), "h": ("", "小时"),
}  # fmt: skip
_SIGN = "|".join(re.escape(s) for s in sorted(_SIGNS, key=len, reverse=True))
# Measure words before which 2 is 两; and words that only follow a number, shown together with it.
_PAIR = (
    "小时|分钟|公里|千米|毫米|厘米|平方|立方|星期|个|人|名|位|户|家|条|只|头|辆|台|座|栋|套|间|件|项|种|类|张|把|部|份|次|遍|回|趟|天|周"
    "|年(?!级)|秒|刻|米|吨|斤|公斤|亩|元|块|角|倍|万|亿|千|百|岁|口|包|袋|瓶|箱|桶|盒|支|根|棵|株|片|处|场|批|轮|艘|架|层|段|点|颗|本|双|对|车|桌"
)
_AFTER = "级|号|日|月|时|分|度|组|楼|室|单元|周岁|年级|摄氏度|路|栋|村|社|队|班|期|师"
_KEYS = (
    "电话|热线|拨打|致电|手机|号码|联系方式|座机|微信|QQ|传真|短信|来电|报警|火警|急救|咨询|监督|举报|值班|拨|转|尾号|编号|邮编|代码"
    "|验证码|密码|证号|打|请打|求助|客服|投诉"
)
_SHORT = r"11[0249]|12[0-2]|12\d{3}|95\d{3}|96\d{3}|100\d{2}|106\d{2,}|118114"
_COUNTED_NEXT = "年|月|日|号楼|元|人|户|万|亿|%|个|名|公里|米|天|次|家|亩|点|时|分|岁|周|℃|度"
_FESTIVAL = "国庆|防灾|宪法日|消防日|国际|建党|劳动|妇女|青年|儿童|建军|教师|植树|护士|地震|洪水|晚会"
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_CALLED_BY_DIGITS = {("11", "9"): "幺幺九"}  # the fire service's day is its telephone number

_WEB = (
    r"(?:https?|ftp)://[!-~]+|www\.[!-~]+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
    r"|(?<![\w.-])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8}\.(?:com|cn|net|org|gov|edu|vip|top)(?![a-z0-9])(?:/[!-~]*)?"
)


def _pair(number: str, after: str) -> str:
    return counted(number) if re.match(_PAIR, after) else decimal(number)


def _following(match: re.Match[str]) -> str:
    return match.string[match.end() : match.end() + 3]


def _phone(match: re.Match[str]) -> str:
    return "，".join(telephone(group) for group in match.groups() if group)


def _date(match: re.Match[str]) -> str:
    year, month, day = match["y"], str(int(match["m"])), str(int(match["d"]))
    return f"{spell(year)}年{cardinal(month)}月{cardinal(day)}日"


def _clock(match: re.Match[str]) -> str:
    hour, minute, second = int(match[1]), match[2], match[3]
    said = counted(str(hour)) + "点"
    if minute != "00" or second:
        said += cardinal(minute if minute != "00" else "0") + "分"
    return said + (cardinal(second) + "秒" if second else "")


def _measured(match: re.Match[str]) -> str:
    before, after = _SIGNS[match["sign"]]
    say = counted if after not in {"", "摄氏度", "度"} else decimal
    words = before + ("负" if match["s1"] else "") + say(match["a"])
    if match["b"]:
        words += "到" + ("负" if match["s2"] else "") + say(match["b"])
    return words + after


def _money(match: re.Match[str]) -> str:
    words = decimal(match["a"]) if match["a"] != "2" else "两"
    if match["b"]:
        words += "到" + decimal(match["b"])
    return words + (match["big"] or "") + {"¥": "元", "$": "美元", "€": "欧元"}[match["sign"]]


def _fraction(match: re.Match[str]) -> str | None:
    part, whole = int(match[1]), int(match[2])
    return f"{cardinal(match[2])}分之{cardinal(match[1])}" if 0 < part < whole else None


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


_ENUMERATORS = {chr(0x2460 + n): cardinal(str(n + 1)) + "，" for n in range(20)}
_ROMAN = {chr(base + n): cardinal(str(n + 1)) for base in (0x2160, 0x2170) for n in range(12)}
_SINGLE = {
    "½": "二分之一", "¼": "四分之一", "¾": "四分之三", "〇": "零", "○": "零", "²": "平方", "³": "立方", "&": "和",
    "×": "乘", "÷": "除以", "≥": "大于等于", "≤": "小于等于", "±": "正负", "≈": "约",
    "℃": "摄氏度", "㎡": "平方米", "㎥": "立方米", "°": "度",
} | _ROMAN  # fmt: skip

RULES: tuple[Rule, ...] = (
    _rule(f"(?ai:{_WEB})", _fixed(""), N_("网址和邮箱读不出来，播的时候会跳过")),
    _rule(
        r"(?<![0-9A-Za-z])(\d{17}[0-9Xx])(?![0-9A-Za-z])",
        lambda m: telephone(m[1][:17]) + (telephone(m[1][17]) or "叉"),
        N_("这像是身份证号，播出去全村都听得到"),
    ),
    _rule(r"(?<![\d.])(?:\+?86[- ]?)?(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?!\d)", _phone),
    _rule(r"(?<![\d.])\(?(0(?:10|2\d|[3-9]\d\d))[-) ]{0,2}(\d{7,8}|\d{3,4}[- ]\d{4})(?!\d)",
          lambda m: "，".join(telephone(g) for g in re.findall(r"\d+", m[1] + " " + m[2]))),
    _rule(r"(?<!\d)([48]00)[- ]?(\d{3})[- ]?(\d{4})(?!\d)", _phone),
    _rule(r"(?<!\d)([48]00)-(\d{4})-(\d{3})(?!\d)", _phone),
    _rule(r"(?<!\d)(?P<y>(?:19|20)\d\d)(?P<s>[-/.])(?P<m>0?[1-9]|1[0-2])(?P=s)(?P<d>0[1-9]|[12]\d|3[01]|[1-9])(?!\d)",
          _date),
    _rule(r"(?<![\d.])((?:19|20)\d\d)[-/](0[1-9]|1[0-2])(?![\d年/-])",
          lambda m: f"{spell(m[1])}年{cardinal(str(int(m[2])))}月"),
    _rule(r"(?<!\d)((?:19|20)\d\d)[-~]{1,2}((?:19|20)\d\d)年", lambda m: f"{spell(m[1])}到{spell(m[2])}年"),
    _rule(r"(?<![\d.])((?:1[89]|20)\d\d)年", lambda m: spell(m[1]) + "年"),
    # dashes that stand for 到
    _rule(rf"(?<=:\d\d){_TO}(?=(?:次日|第二天|当日|当天)?\d{{1,2}}:\d\d)", _fixed("到")),
    _rule(rf"(?<=[年月日号时点分秒级元里米克斤吨亩人户天周个度℃%楼组村室期万亿])(?<!温度)(?<!湿度){_TO}(?=\d)",
          _fixed("到")),
    _rule(rf"\d\s?(?:mm|cm|km|kg|m|t)(?P<x>{_TO})(?=\d)", _fixed("到")),
    _rule(rf"(?<=[周期][一二三四五六日天]){_TO}(?=(?:周|星期)?[一二三四五六日天])", _fixed("到")),
    _rule(rf"(?<=K\d\+\d{{3}}){_TO}(?=K\d)", _fixed("到")),
    _rule(rf"(?<=K\d\d\+\d{{3}}){_TO}(?=K\d)", _fixed("到")),
    _rule(r"(?<=零下)-(?=\d)", _fixed("")),
    _rule(r"(?<![\d:])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:])(?:分(?!钟))?", _clock),
    _rule(rf"(?P<s1>(?<![\dA-Za-z])-)?(?<![\d.])(?P<a>{_NUM})(?:{_TO}(?P<s2>-)?(?P<b>{_NUM}))?\s?(?P<sign>{_SIGN})(?![A-Za-z\d])",
          _measured),
    _rule(rf"(?P<sign>[¥$€])\s?(?P<a>{_NUM})(?:{_TO}¥?(?P<b>{_NUM}))?\s?(?P<big>万|亿)?元?", _money),
    _rule(r"(?<![\d/.])(\d{1,4})/(\d{1,4})(?![\d/])", _fraction),
    _rule(r"(?<=[元斤吨亩人次天度克])/(?=[人亩斤吨户天次月年度平立公千㎡])", _fixed("每")),
    _rule(r"(?<![A-Za-z])K(\d+)\+(\d{3})(?!\d)", _milestone),
    _rule(r"(?<![A-Za-z])([GSXYC])(\d{2,4})(?![\dA-Za-z])", lambda m: m[1] + telephone(m[2])),
    _rule(rf"(?<=[{_PROVINCES}])([A-Z])[· ]?(?=[A-Z]{{0,2}}\d)([A-Z0-9]{{5,6}})(?![A-Za-z0-9])", _plate),
    _rule(rf"(?:{_KEYS})[^\d，。；！？\n{HOLE}]{{0,6}}?(?P<x>\d{{3,12}})(?!\d|\.\d|,\d|{_COUNTED_NEXT}|[-~]\d)",
          lambda m: telephone(m["x"])),
    _rule(rf"(?<![\d.¥,约共计达超近多过有为第至到-])(?P<x>{_SHORT})"
          r"(?=热线|平台|电话|报警|急救|火警|服务|指挥|消防|宣传日|[，。；、！？,;!?)）”\s和或]|$)",
          lambda m: telephone(m["x"])),
    _rule(r"(?<![\d.])(1[0-2]|[1-9])·([0-3]?\d)(?!\d)", _named_day),
    _rule(rf"(?<![\d.第])(1[0-2]|[1-9])\.([0-3]?\d)(?=(?:全国|国家|世界)?(?:{_FESTIVAL}))", _named_day),
    _rule(r"(?<!\d)([5-9][05]|0[05])后", lambda m: spell(m[1]) + "后"),
    _rule(r"(?<![\d-])(\d{1,2})-(?:(\d{1,2})-)?(\d{3,4})(?=室|号房|房)",
          lambda m: "杠".join(telephone(g) for g in m.groups() if g)),
    _rule(rf"第\s?(\d+)({_AFTER})?", lambda m: "第" + cardinal(m[1]) + (m[2] or "")),
    _rule(r"(?<![\d.])\d+(?:\.\d+){2,}(?![\d.])", lambda m: "点".join(spell(p) for p in m[0].split("."))),
    _rule(rf"(?<![\d.-])({_NUM}){_TO}({_NUM})(?!\d|[-.]\d)({_PAIR}|{_AFTER})?", _range),
    _rule(r"(?<![\d:])(\d+):(\d+)(?![\d:])", lambda m: f"{cardinal(m[1])}比{cardinal(m[2])}"),
    _rule(r"(?a:(?=[A-Za-z-]{0,40}\d)(?=[\d.-]{0,40}[A-Za-z])[A-Za-z0-9]+(?:[-./][A-Za-z0-9]+)*[²³]?)", _mixed),
    _rule(r"(?<![\dA-Za-z])-(?=\d)", _fixed("负")),
    _rule(r"(?<=\d)-+(?=\d)", _fixed("杠")),
    _rule(r"[+](?=\d)", _fixed("加")),
    _rule(r"=(?=-?\d)", _fixed("等于")),
    _rule(r">(?=\d)", _fixed("大于")),
    _rule(r"<(?=\d)", _fixed("小于")),
    _rule(rf"({_NUM})\s?({_PAIR}|{_AFTER})?", _number),
    _rule("[" + "".join(_ENUMERATORS) + "]", _looked_up(_ENUMERATORS)),
    _rule("[" + "".join(_SINGLE) + "]", _looked_up(_SINGLE)),
)  # fmt: skip

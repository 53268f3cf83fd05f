"""How words are pronounced: a lexicon of exceptions over pypinyin."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from pypinyin import Style, lazy_pinyin
from pypinyin.constants import PINYIN_DICT

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_HAN_ONLY = re.compile(f"[{HAN}]+")
_SYLLABLE = re.compile(r"(?:[bpmfdtnlgkhjqxzcsryw]|zh|ch|sh)?[aeiouv][a-z]{0,4}[1-5]|ng[1-5]|hng[1-5]")


def parse_pinyin(pinyin: str, word: str) -> tuple[str, ...]:
    """Syllables of `pinyin` ("lu4 an1"; ü or v), one for each character of `word`; ValueError says what is wrong."""
    syllables = tuple(pinyin.lower().replace("u:", "v").replace("ü", "v").split())
    if not _HAN_ONLY.fullmatch(word):
        raise ValueError(f"{word}: not Chinese characters only")
    if len(syllables) != len(word):
        raise ValueError(f"{word}: {len(word)} characters but {len(syllables)} syllables")
    for syllable in syllables:
        if not _SYLLABLE.fullmatch(syllable):
            raise ValueError(f"{word}: {syllable} is not a syllable with a tone from 1 to 5")
    return syllables


@dataclass(frozen=True)
class Lexicon:
    """Exceptions: `pinyin` maps words to their syllables, `words` maps what is written to what is said instead.

    The longest entry wins. Raises ValueError for an entry that cannot be used.
    """

    pinyin: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for word, pinyin in self.pinyin.items():
            parse_pinyin(pinyin, word)
        for written, said in self.words.items():
            if not written or any(c.isdigit() for c in said):
                raise ValueError(f"{written}: write out in words what is to be said")

    def __hash__(self) -> int:
        return self._hashed

    @cached_property
    def _hashed(self) -> int:
        return hash((tuple(sorted(self.pinyin.items())), tuple(sorted(self.words.items()))))

    def merged_with(self, other: "Lexicon") -> "Lexicon":
        """Both; where they differ, `other` holds."""
        return Lexicon({**self.pinyin, **other.pinyin}, {**self.words, **other.words})

    def hits(self, spoken: str) -> tuple[tuple[int, int, str], ...]:
        """(start, end, pinyin) of every entry that occurs in `spoken`."""
        found = self._pronounced.finditer(spoken) if self._pronounced else ()
        return tuple((m.start(), m.end(), self.pinyin[m[0]]) for m in found)

    @cached_property
    def _pronounced(self) -> re.Pattern[str] | None:
        return _any_of(self.pinyin)

    @cached_property
    def replaced(self) -> re.Pattern[str] | None:
        """Finds what `words` replaces; a Latin entry only as a whole word."""
        return _any_of(self.words)


def _any_of(entries: Mapping[str, str]) -> re.Pattern[str] | None:
    if not entries:
        return None
    ordered = sorted(entries, key=len, reverse=True)
    return re.compile("|".join(_whole(entry) for entry in ordered))


def _whole(entry: str) -> str:
    return rf"(?<![A-Za-z]){re.escape(entry)}(?![A-Za-z])" if entry.isascii() else re.escape(entry)


def knows(char: str) -> bool:
    return ord(char) in PINYIN_DICT or char == "〇"


@lru_cache(maxsize=1024)
def syllables_of(han: str) -> tuple[str, ...]:
    """One syllable for each character of a stretch of hanzi, with tone sandhi; an unknown character gets ''."""
    syllables = lazy_pinyin(han, style=Style.TONE3, neutral_tone_with_five=True, tone_sandhi=True)
    if len(syllables) != len(han):  # unknown characters come in one piece
        syllables = [_alone(c) for c in han]
    for match in _FIRST_TONE_YI.finditer(han):
        syllables[match.start("yi")] = "yi1"
    return tuple(syllable if _SYLLABLE.fullmatch(syllable) else _plain(syllable) for syllable in syllables)


# 一 keeps its own tone in dates, ordinals, and beside other digits.
_FIRST_TONE_YI = re.compile(
    "(?:(?<=[第期周初十零二三四五六七八九])|(?=一[月日号零二三四五六七八九])|(?=一$))(?P<yi>一)"
)
_ACCENTS = str.maketrans("êńňǹḿ", "ennnm")


def _alone(char: str) -> str:
    return lazy_pinyin(char, style=Style.TONE3, neutral_tone_with_five=True)[0]


def _plain(syllable: str) -> str:
    """A rare syllable (嗯 as n2, 呣 as m2) as something every engine can say, or nothing."""
    bare = syllable.translate(_ACCENTS)
    if bare[:-1] in {"n", "m", "hm"}:
        return "en" + bare[-1]
    return bare if _SYLLABLE.fullmatch(bare) else ""


# Words of village announcements that pypinyin 0.55 reads wrong, and place names. Each is long enough not to turn up
# across the border of two other words (六安 in 周六安排 misleads even pypinyin): 重庆 would be found in 双重庆祝,
# 行长 in 发行长期国债.
BUILT_IN = Lexicon(
    {
        "六安市": "lu4 an1 shi4", "六安城": "lu4 an1 cheng2", "六合区": "lu4 he2 qu1", "蚌埠": "beng4 bu4",
        "番禺": "pan1 yu2", "都江堰": "du1 jiang1 yan4", "涡阳": "guo1 yang2", "阆中": "lang4 zhong1",
        "珲春": "hun2 chun1", "洪洞": "hong2 tong2", "菏泽单县": "he2 ze2 shan4 xian4", "繁峙": "fan2 shi4",
        "菏泽市单县": "he2 ze2 shi4 shan4 xian4", "解州": "hai4 zhou1", "会稽": "kuai4 ji1", "浚县": "xun4 xian4",
        "泷水": "shuang1 shui3", "什邡": "shi2 fang1", "还款": "huan2 kuan3", "大夫": "dai4 fu5",
        "朝阳路": "chao2 yang2 lu4", "扎紧": "za1 jin3", "两行树": "liang3 hang2 shu4", "乡长": "xiang1 zhang3",
        "城乡长期": "cheng2 xiang1 chang2 qi1", "必须得去": "bi4 xu1 dei3 qu4", "高兴地": "gao1 xing4 de5",
        "猪圈": "zhu1 juan4", "羊圈": "yang2 juan4", "牛圈": "niu2 juan4", "鸡圈": "ji1 juan4",
        "一会儿": "yi2 hui4 er5", "周六安": "zhou1 liu4 an1",
    }
)  # fmt: skip

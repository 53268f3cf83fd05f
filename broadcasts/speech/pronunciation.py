"""How words are pronounced: a lexicon of exceptions over pypinyin."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from pypinyin import Style, lazy_pinyin
from pypinyin.constants import PINYIN_DICT
from pypinyin.seg import mmseg

from broadcasts.speech.pronunciation_words import AROUND, PINYIN, WORDS
from broadcasts.speech.sandhi import joined

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
PRONUNCIATION = 2
"""Raised whenever the same words come out in other syllables, so that no old recording is taken for them."""
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
        return tuple((start, end, self.pinyin[spoken[start:end]]) for start, end in self._pronounced.find(spoken))

    def replacements(self, text: str) -> tuple[tuple[int, int, str], ...]:
        """(start, end, what is said) of everything in `text` said in other words; Latin only as a whole word."""
        return tuple((start, end, self.words[text[start:end]]) for start, end in self._replaced.find(text))

    @cached_property
    def _pronounced(self) -> "_Finder":
        return _Finder(self.pinyin)

    @cached_property
    def _replaced(self) -> "_Finder":
        return _Finder(self.words)


class _Finder:
    """Finds words in a text, the longest first, in a time that does not grow with the number of words."""

    def __init__(self, words: Iterable[str]) -> None:
        self._by_first: dict[str, list[str]] = {}
        for word in sorted(words, key=len, reverse=True):
            self._by_first.setdefault(word[0], []).append(word)

    def find(self, text: str) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        free = 0
        for at, char in enumerate(text):
            known = self._by_first.get(char)
            if known is None or at < free:
                continue
            word = next((word for word in known if text.startswith(word, at) and _stands_alone(text, at, word)), "")
            if word:
                free = at + len(word)
                found.append((at, free))
        return found


def _stands_alone(text: str, at: int, word: str) -> bool:
    """A Latin word is one only when no further letter touches it."""
    if not word.isascii():
        return True
    around = text[at - 1 : at] + text[at + len(word) : at + len(word) + 1]
    return not any(c.isascii() and c.isalpha() for c in around)


def knows(char: str) -> bool:
    return ord(char) in PINYIN_DICT or char == "〇"


@lru_cache(maxsize=1024)
def syllables_of(han: str) -> tuple[str, ...]:
    """One syllable for each character of a stretch of hanzi, as it is spoken; an unknown character gets ''."""
    return tuple(joined(han, dictionary_syllables(han), words_of(han)))


@lru_cache(maxsize=1024)
def dictionary_syllables(han: str) -> tuple[str, ...]:
    """As `syllables_of`, but as a dictionary writes them: before they change beside each other."""
    syllables = lazy_pinyin(han, style=Style.TONE3, neutral_tone_with_five=True)
    if len(syllables) != len(han):  # unknown characters come in one piece
        syllables = [_alone(c) for c in han]
    for pattern, said in AROUND_COMPILED:
        for match in pattern.finditer(han):
            syllables[match.start()] = said
    return tuple(syllable if _SYLLABLE.fullmatch(syllable) else _plain(syllable) for syllable in syllables)


@lru_cache(maxsize=1024)
def words_of(han: str) -> tuple[str, ...]:
    """A stretch of hanzi cut into the words that the dictionary knows; what it does not know in single characters."""
    return tuple(mmseg.seg.cut(han))


AROUND_COMPILED = tuple((re.compile(pattern), said) for pattern, said in AROUND)
_ACCENTS = str.maketrans("êńňǹḿ", "ennnm")


def _alone(char: str) -> str:
    return lazy_pinyin(char, style=Style.TONE3, neutral_tone_with_five=True)[0]


def _plain(syllable: str) -> str:
    """A rare syllable (嗯 as n2, 呣 as m2) as something every engine can say, or nothing."""
    bare = syllable.translate(_ACCENTS)
    if bare[:-1] in {"n", "m", "hm"}:
        return "en" + bare[-1]
    return bare if _SYLLABLE.fullmatch(bare) else ""


BUILT_IN = Lexicon(PINYIN, WORDS)

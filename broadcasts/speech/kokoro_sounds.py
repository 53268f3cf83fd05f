"""Pinyin and English sounds as Kokoro's symbols, and those symbols as the numbers its network knows.

The vocabulary is that of Kokoro 1.0; a symbol is one character. Mandarin is written with affricates as one letter,
aspiration as ʰ, and the tone as an arrow behind the vowel it falls on: zhong1 -> ꭧʊ→ŋ.
"""

import re
from collections.abc import Iterable
from typing import Final

from broadcasts.speech.engine import Segment

LONGEST: Final = 510
"""Symbols in one utterance: what the network was trained with."""
USUAL: Final = 170
"""Longer sentences are cut at a comma: the voice hurries when it has too much to say, and waits cost memory."""

VOCABULARY: Final = {
    ",": 3, ".": 4, "!": 5, "?": 6, " ": 16, "ʣ": 18, "ʥ": 19, "ʦ": 20, "ʨ": 21, "ꭧ": 23, "A": 24, "I": 25, "O": 31,
    "Q": 33, "S": 35, "T": 36, "W": 39, "Y": 41, "ᵊ": 42, "a": 43, "b": 44, "c": 45, "d": 46, "e": 47, "f": 48,
    "h": 50, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56, "o": 57, "p": 58, "q": 59, "r": 60, "s": 61,
    "t": 62, "u": 63, "v": 64, "w": 65, "x": 66, "y": 67, "z": 68, "ɑ": 69, "ɐ": 70, "ɒ": 71, "æ": 72, "ɔ": 76,
    "ɕ": 77, "ð": 81, "ʤ": 82, "ə": 83, "ɚ": 85, "ɛ": 86, "ɜ": 87, "ɡ": 92, "ɥ": 99, "ɨ": 101, "ɪ": 102, "ŋ": 112,
    "ɹ": 123, "ɾ": 125, "ɻ": 126, "ʂ": 130, "ʃ": 131, "ʧ": 133, "ʊ": 135, "ʌ": 138, "ɤ": 140, "ʒ": 147, "ʔ": 148,
    "θ": 119, "ˈ": 156, "ˌ": 157, "ː": 158, "ʰ": 162, "↓": 169, "→": 171, "↗": 172, "↘": 173, "ᵻ": 177,
}  # fmt: skip
TONES: Final = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
INITIALS: Final = {
    "": "", "b": "p", "c": "ʦʰ", "ch": "ꭧʰ", "d": "t", "f": "f", "g": "k", "h": "x", "j": "ʨ", "k": "kʰ", "l": "l",
    "m": "m", "n": "n", "p": "pʰ", "q": "ʨʰ", "r": "ɻ", "s": "s", "sh": "ʂ", "t": "tʰ", "x": "ɕ", "z": "ʦ", "zh": "ꭧ",
}  # fmt: skip
# `0` is where the tone stands.
FINALS: Final = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ",
    "er": "ɚ0", "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n",
    "ing": "i0ŋ", "iong": "jʊ0ŋ", "iu": "jou0", "o": "wo0", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "ua": "wa0",
    "uai": "wai0", "uan": "wa0n", "uang": "wa0ŋ", "ue": "we0", "ui": "wei0", "un": "wə0n", "uo": "wo0", "v": "y0",
    "ve": "ɥe0", "van": "ɥɛ0n", "vn": "y0n", "ueng": "wə0ŋ", "io": "jɔ0",
}  # fmt: skip
HUMMED: Final = {"ng": "ŋ0", "hng": "hŋ0"}
# What espeak-ng writes for English, in the order it is replaced.
ENGLISH: Final = (
    ("eɪ", "A"), ("aɪ", "I"), ("oʊ", "O"), ("əʊ", "O"), ("aʊ", "W"), ("ɔɪ", "Y"), ("dʒ", "ʤ"), ("tʃ", "ʧ"),
    ("ɚ", "əɹ"), ("ɝ", "ɜɹ"), ("ɜː", "ɜɹ"), ("r", "ɹ"), ("g", "ɡ"), ("ː", ""), ("ɐ", "ə"),
)  # fmt: skip
_BUZZING = {"zh", "ch", "sh", "r", "z", "c", "s"}
_SPLIT = re.compile(r"(zh|ch|sh|[bpmfdtnlgkhjqxzcsr]?)([a-zê]+)([1-5])")
_W_AND_Y: Final = (
    ("yu", "v"), ("yi", "i"), ("y", "i"), ("wu", "u"), ("w", "u"),
)  # fmt: skip
_CONTRACTED: Final = {"iou": "iu", "uei": "ui", "uen": "un"}
_WITH_UMLAUT: Final = {"u": "v", "ue": "ve", "uan": "van", "un": "vn"}


def sounds_of(syllable: str) -> str:
    """The symbols of one syllable with its tone digit; an empty text for what is no syllable of Mandarin."""
    if syllable[:-1] in HUMMED:
        return HUMMED[syllable[:-1]].replace("0", TONES.get(syllable[-1], ""))
    match = _SPLIT.fullmatch(_without_w_and_y(syllable))
    if match is None:
        return ""
    initial, final, tone = match.groups()
    if initial in {"j", "q", "x"}:
        final = _WITH_UMLAUT.get(final, final)
    if final == "i" and initial in _BUZZING:
        return INITIALS[initial] + "ɨ" + TONES[tone]
    if final == "o" and not initial:
        return "ɔ" + TONES[tone]
    shape = FINALS.get(final)
    return INITIALS[initial] + shape.replace("0", TONES[tone]) if shape else ""


def _without_w_and_y(syllable: str) -> str:
    """The spelling at the start of a syllable without an initial, as the final it stands for: wei -> ui, yan -> ian."""
    for written, final in _W_AND_Y:
        if syllable.startswith(written):
            bare = final + syllable.removeprefix(written)
            return _CONTRACTED.get(bare[:-1], bare[:-1]) + bare[-1]
    return syllable


def english(ipa: str) -> str:
    """espeak-ng's IPA as Kokoro's symbols."""
    for written, symbol in ENGLISH:
        ipa = ipa.replace(written, symbol)
    return " ".join("".join(c if c in VOCABULARY else " " for c in ipa).split())


def symbols_of(segments: Iterable[Segment], spelled: dict[str, str]) -> str:
    """The symbols of a stretch of the script; `spelled` holds the English ones of its Latin words."""
    parts: list[str] = []
    for segment in segments:
        if segment.kind == "pinyin":
            parts.append("".join(sounds_of(syllable) for syllable in segment.text.split()))
        elif segment.kind == "latin":
            parts.append(f" {spelled.get(segment.text, '')} ")
        else:
            parts.append(segment.text + " ")
    return " ".join("".join(parts).split(" ")).strip()


def numbers_of(symbols: str) -> list[int]:
    """What the network is given; what it does not know is left out."""
    return [VOCABULARY[symbol] for symbol in symbols if symbol in VOCABULARY]

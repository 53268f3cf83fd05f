"""How syllables change beside each other: 一 and 不 by what follows, and the first of two third tones.

pypinyin knows these rules only inside the phrases of its dictionary; espeak and neural voices take tones as given.
"""

import re
from collections.abc import Sequence

_NUMERALS = "零一二两三四五六七八九十百千万亿点"
_OWN_TONE = re.compile(
    f"(?<=[第期周初统唯单专之划{_NUMERALS}])一|一(?=[月日号楼组级等班队中期区类线型胎零一二三四五六七八九]|年级|单元|车间)"
)
"""一 that counts places, or stands beside other digits."""


def joined(han: str, syllables: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return the syllables of `han` as they are spoken together; `words` is how it falls into words."""
    spoken = list(syllables)
    kept = {match.start() for match in _OWN_TONE.finditer(han)}
    for at, char in enumerate(han):
        if char == "一" and spoken[at][:2] == "yi":  # a dictionary's phrases have it in their own tones
            spoken[at] = "yi1" if at in kept else _yi(han, spoken, at)
        elif char == "不" and spoken[at] == "bu4":
            spoken[at] = _bu(han, spoken, at)
    for start, end in _runs(spoken):
        for first, last in _chunks(start, end, words):
            for at in range(first, last - 1):
                spoken[at] = spoken[at][:-1] + "2"
    return spoken


def _yi(han: str, spoken: Sequence[str], at: int) -> str:
    if at + 1 == len(han) or not spoken[at + 1]:
        return "yi1"
    if at and han[at - 1] == han[at + 1]:
        return "yi5"  # 看一看
    falls = spoken[at + 1][-1] == "4" or han[at + 1] == "个"
    return "yi2" if falls else "yi4"


def _bu(han: str, spoken: Sequence[str], at: int) -> str:
    if at + 1 == len(han) or not spoken[at + 1]:
        return "bu4"
    if at and han[at - 1] == han[at + 1]:
        return "bu5"  # 去不去
    return "bu2" if spoken[at + 1][-1] == "4" else "bu4"


def _runs(spoken: Sequence[str]) -> list[tuple[int, int]]:
    """Where two or more third tones stand in a row."""
    tones = "".join(syllable[-1:] or "-" for syllable in spoken)
    return [match.span() for match in re.finditer("3{2,}", tones)]


def _chunks(start: int, end: int, words: Sequence[str]) -> list[tuple[int, int]]:
    """Cut a run at the borders of words; single characters join in pairs, one that is left over joins the last.

    The end of a word that began before the run stands by itself: 下午 两点, not 午两 点.
    """
    chunks: list[tuple[int, int]] = []
    loose = False
    at = 0
    for word in words:
        first, last = max(at, start), min(at + len(word), end)
        begun, at = at, at + len(word)
        if first >= last:
            continue
        single = last - first == 1
        if single and chunks and (loose or last == end):
            chunks[-1] = (chunks[-1][0], last)
            loose = False
        else:
            chunks.append((first, last))
            loose = single and begun >= start
    return chunks

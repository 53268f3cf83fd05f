"""Syllables beside each other."""

import pytest

from broadcasts.speech.pronunciation import syllables_of

CASES = """一天 yi4 tian1|一年一次 yi4 nian2 yi2 ci4|一万 yi2 wan4|一个 yi2 ge4|一起 yi4 qi3|第一 di4 yi1|一月 yi1 yue4
十一户 shi2 yi1 hu4|一号楼 yi1 hao4 lou2|一组 yi1 zu3|统一 tong3 yi1|看一看 kan4 yi5 kan4|不去 bu2 qu4|不听 bu4 ting1
去不去 qu4 bu5 qu4|你好 ni2 hao3|雨水 yu2 shui3|请你 qing2 ni3|小组长 xiao3 zu2 zhang3|养老保险 yang2 lao3 bao2 xian3
展览馆 zhan2 lan2 guan3|请老师 qing2 lao3 shi1|一 yi1|不 bu4|九点 jiu2 dian3"""


@pytest.mark.parametrize("case", CASES.replace("\n", "|").split("|"))
def test_tones_change_beside_each_other(case: str) -> None:
    word, _, pinyin = case.partition(" ")
    assert " ".join(syllables_of(word)) == pinyin

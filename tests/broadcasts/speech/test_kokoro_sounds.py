"""Pinyin and English become sounds that the network knows."""

import pytest
from pypinyin.constants import PINYIN_DICT

from broadcasts.speech.engine import Segment
from broadcasts.speech.kokoro_sounds import VOCABULARY, english, numbers_of, sounds_of, symbols_of
from broadcasts.speech.pronunciation import syllables_of

SOUNDS = {
    "zhong1": "ꭧʊ→ŋ", "shui3": "ʂwei↓", "er4": "ɚ↘", "yi1": "i→", "wu3": "u↓", "yu2": "y↗", "yuan2": "ɥɛ↗n",
    "lv4": "ly↘", "nve4": "nɥe↘", "jun1": "ʨy→n", "xue2": "ɕɥe↗", "quan2": "ʨʰɥɛ↗n", "zhi3": "ꭧɨ↓", "si4": "sɨ↘",
    "ri4": "ɻɨ↘", "jiu3": "ʨjou↓", "dui4": "twei↘", "lun2": "lwə↗n", "weng1": "wə→ŋ", "you3": "jou↓", "yan2": "jɛ↗n",
    "yong4": "jʊ↘ŋ", "bo1": "pwo→", "o2": "ɔ↗", "de5": "tɤ", "e2": "ɤ↗", "ng2": "ŋ↗", "hng5": "hŋ", "wen4": "wə↘n",
    "wei2": "wei↗", "ye3": "je↓", "yao1": "jau→", "qi1": "ʨʰi→", "kuai4": "kʰwai↘", "yun2": "y↗n", "hao3": "xau↓",
}  # fmt: skip


@pytest.mark.parametrize(("syllable", "sounds"), SOUNDS.items())
def test_a_syllable_has_its_sounds(syllable: str, sounds: str) -> None:
    assert sounds_of(syllable) == sounds


def test_every_syllable_of_every_character_can_be_said() -> None:
    every = {s for code in PINYIN_DICT if 0x4E00 <= code <= 0x9FFF for s in syllables_of(chr(code)) if s}
    assert len(every) > 1300
    assert [s for s in sorted(every) if not sounds_of(s)] == []
    assert {symbol for s in every for symbol in sounds_of(s)} <= set(VOCABULARY)


def test_no_two_syllables_sound_the_same() -> None:
    every = {s for code in range(0x4E00, 0x9FA6) for s in syllables_of(chr(code)) if s}
    assert len({sounds_of(s) for s in every}) == len(every)


@pytest.mark.parametrize("nonsense", ["", "x", "abc1", "zhong", "zhong6", "zz1", "Zhong1"])
def test_what_is_no_syllable_is_silent(nonsense: str) -> None:
    assert sounds_of(nonsense) == ""


def test_english_comes_in_the_networks_own_letters() -> None:
    assert english("ˈæp") == "ˈæp"
    assert english("ˌeɪ tˌiː ˈɛm") == "ˌA tˌi ˈɛm"
    assert set(english("dʒˈɜːni ɡˈoʊ tʃˈaɪld x\u0303y")) <= set(VOCABULARY)


def test_a_script_becomes_symbols_and_numbers() -> None:
    script = (
        Segment("pinyin", "qing3 xia4 zai4", "请下载"),
        Segment("latin", "App", "App"),
        Segment("pause", ",", "，"),
        Segment("pinyin", "kai1 hui4", "开会"),
        Segment("pause", "!", "！"),
    )
    symbols = symbols_of(script, {"App": "ˈæp"})
    assert symbols == "ʨʰi↓ŋɕja↘ʦai↘ ˈæp , kʰai→xwei↘!"
    assert len(numbers_of(symbols)) == len(symbols)
    assert numbers_of("a☺b") == [VOCABULARY["a"], VOCABULARY["b"]]

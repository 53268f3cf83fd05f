"""The lexicon accepts only what can be said, and words are said as people say them."""

from pathlib import Path

import pytest

from broadcasts.speech.pronunciation import BUILT_IN, Lexicon, syllables_of
from broadcasts.speech.reading import as_read, to_script

SPOKEN = (Path(__file__).parent / "pronunciations.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("line", SPOKEN)
def test_a_word_is_pronounced_as_people_pronounce_it(line: str) -> None:
    word, _, pinyin = line.partition(" ")
    assert " ".join(segment.text for segment in to_script(as_read(word))) == pinyin


@pytest.mark.parametrize(
    ("word", "pinyin"),
    [("六安", "lu4"), ("六安", "lu an"), ("六安", "lu4 an6"), ("六安", "lu4 4an"), ("App", "a1")],
)
def test_an_unusable_entry_is_refused(word: str, pinyin: str) -> None:
    with pytest.raises(ValueError, match=word):
        Lexicon({word: pinyin})


@pytest.mark.parametrize("words", [{"": "空"}, {"App": "应用2"}])
def test_an_unusable_replacement_is_refused(words: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="write out"):
        Lexicon(words=words)


def test_the_longest_entry_wins() -> None:
    lexicon = Lexicon({"朝阳": "zhao1 yang2", "朝阳路": "chao2 yang2 lu4"})
    assert lexicon.hits("朝阳路口，朝阳") == ((0, 3, "chao2 yang2 lu4"), (5, 7, "zhao1 yang2"))


def test_a_hubs_own_lexicon_holds_over_the_built_in() -> None:
    merged = BUILT_IN.merged_with(Lexicon({"朝阳路": "zhao1 yang2 lu4"}))
    assert merged.hits("朝阳路") == ((0, 3, "zhao1 yang2 lu4"),)
    assert len(merged.pinyin) == len(BUILT_IN.pinyin)


def test_equal_lexicons_hash_alike() -> None:
    assert hash(Lexicon({"六安": "lu4 an1"})) == hash(Lexicon({"六安": "lu4 an1"}))


def test_u_with_dots_is_written_v() -> None:
    assert syllables_of("女旅绿略") == ("nv2", "lv3", "lv4", "lve4")


def test_a_character_pypinyin_does_not_know_has_no_syllable() -> None:
    assert syllables_of("好㐂好") == ("hao3", "", "hao3")

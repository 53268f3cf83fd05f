"""Every error code has its sentence, in both languages, with the same blanks."""

import re
from pathlib import Path

from babel.messages.pofile import read_po

from hub.core.errors import BadInput, NotFound, Problems
from hub.web.words import LANGUAGES, catalogue, explain, sentence

ROOT = Path(__file__).resolve().parents[3]
RAISED = re.compile(
    r"\b(?:BadInput|NotFound|NotAllowed|NotSignedIn|WrongState|TooMany|Unavailable|SignInRefused|_bad|_wrong)"
    r"\(\s*\"([a-z_]+)\""
)
CATALOGUE = ROOT / "hub" / "translations" / "en" / "LC_MESSAGES" / "messages.po"
NOT_SAID = (
    *("终端", "音柱", "任务", "下发", "鉴权", "报文", "参数", "异常", "非法", "驳回", "流程"),
    *("您", "抱歉", "对不起", "确定吗", "这不是演习"),
)
BLANK = re.compile(r"\{(\w+)\}")


def test_every_code_in_the_program_has_its_sentence() -> None:
    codes = {
        code
        for room in ("hub", "broadcasts", "schedules")
        for path in (ROOT / room).rglob("*.py")
        for code in RAISED.findall(path.read_text(encoding="utf-8"))
    }
    assert len(codes) > 60
    assert codes - catalogue().keys() == set()


def test_every_sentence_stands_in_both_languages_with_the_same_blanks() -> None:
    for code, words in catalogue().items():
        assert set(words) == set(LANGUAGES), code
        assert set(BLANK.findall(words["zh"])) == set(BLANK.findall(words["en"])), code


def test_a_sentence_is_filled_in_and_a_blank_nobody_fills_shows_as_dots() -> None:
    assert explain(NotFound("speaker_unknown", speaker="s1"), "en").startswith("There is no loudspeaker s1")
    assert "…" in sentence("speaker_unknown", "zh")


def test_several_problems_are_explained_one_after_the_other() -> None:
    both = Problems([BadInput("name_missing"), BadInput("role_missing")])
    assert explain(both, "en") == "Give it a name. Give at least one role."


def test_an_unknown_language_gets_chinese() -> None:
    assert sentence("sign_in_needed", "fr") == "请先登录。"


def test_pages_speak_as_staff_do() -> None:
    """Words of engineers and of counters, and a question without its weight, stand on no page and in no error."""
    with CATALOGUE.open("rb") as file:
        ids = [message.id for message in read_po(file) if message.id]
    texts = {text for one in ids for text in (one if isinstance(one, tuple) else (one,))} - {"练习任务"}
    texts |= {sentences["zh"] for sentences in catalogue().values()}
    wrong = {word: sorted(text for text in texts if word in text) for word in NOT_SAID}
    assert {word: found for word, found in wrong.items() if found} == {}

"""What a resident's message asks for, and the numbered answers a message asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.sms.letters.choices import choices_in, named
from broadcasts.sms.letters.commands import NOTHING, Command, Said, is_urgent, read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("退订", Said(Command.OPT_OUT)),
        ("ＴＤ", Said(Command.OPT_OUT)),
        ("退订反诈", Said(Command.OPT_OUT, "fraud")),
        ("退订 普法短信。", Said(Command.OPT_OUT, "law")),
        ("T安全", Said(Command.OPT_OUT, "safety")),
        ("通知退订", Said(Command.OPT_OUT, "notice")),
        ("订阅反诈", Said(Command.OPT_IN, "fraud")),
        ("恢复", Said(Command.OPT_IN)),
        ("？", Said(Command.ASK)),
        (" ?? ", Said(Command.ASK)),
        ("没听清", Said(Command.ASK)),
        ("1", Said(Command.CHOICE, choice=1)),
        ("２ 要帮忙", Said(Command.CHOICE, choice=2)),
        ("回1", Said(Command.CHOICE, choice=1)),
        ("12", NOTHING),
        ("!!", NOTHING),
        ("", NOTHING),
        ("我要退订医保吗", NOTHING),
        ("不要停水", NOTHING),
    ],
)
def test_only_a_whole_message_is_a_command(text: str, said: Said) -> None:
    assert read(text) == said


@pytest.mark.parametrize("text", ["救", "我家屋后在滑坡", "水淹进来了", "被困在二楼", "着火了", "1 老人受伤"])
def test_words_of_danger(text: str) -> None:
    assert is_urgent(text)


@pytest.mark.parametrize("text", ["收到", "救助金什么时候发", "几点停水", "救济粮在哪领"])
def test_everyday_words_are_no_danger(text: str) -> None:
    assert not is_urgent(text)


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("请回复1已转移，2要帮忙。谢谢", {1: "已转移", 2: "要帮忙"}),
        ("收到请回1", {1: "收到"}),
        ("收到请回复1即可。", {1: "收到"}),
        ("回“1”表示已转移，回“2”表示需要帮助", {1: "已转移", 2: "需要帮助"}),
        ("已转移的回1，走不了的回2。", {1: "已转移", 2: "走不了"}),
        ("回复数字1、已到安置点；2、在家；3、在外地", {1: "已到安置点", 2: "在家", 3: "在外地"}),
        ("请回电0871-65123456", {}),
        ("11月25日8点停电，20点恢复", {}),
        ("明天停水", {}),
    ],
)
def test_choices_are_what_people_read(text: str, choices: dict[int, str]) -> None:
    assert choices_in(text) == choices


def test_an_answer_in_words_is_found() -> None:
    choices = choices_in("请回复1已转移，2要帮忙")
    assert [named(text, choices) for text in ("已转移", "要帮忙。", "转移", "")] == [1, 2, 0, 0]


@given(st.text(max_size=40))
def test_no_text_upsets_them(text: str) -> None:
    read(text)
    is_urgent(text)
    assert all(1 <= number <= 9 and label for number, label in choices_in(text).items())

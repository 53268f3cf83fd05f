"""What a text would better say otherwise: each rule finds its own, and leaves good sentences alone."""

import csv
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.lexicon import usual
from broadcasts.speech.findings import Finding, FindingLevel, Watched, mended, must_mend
from broadcasts.speech.lint import LONGEST_BREATH, lint
from broadcasts.speech.pronunciation import Lexicon
from broadcasts.speech.reading import as_read, to_script

READINGS = Path(__file__).parent / "readings.tsv"


def codes(text: str, **given_: object) -> list[str]:
    return [finding.code for finding in lint(text, **given_)]  # type: ignore[arg-type]


def only(text: str, code: str, **given_: object) -> Finding:
    [found] = [f for f in lint(text, **given_) if f.code == code]  # type: ignore[arg-type]
    assert text[found.start : found.end] == found.written
    return found


def first_fix(text: str, code: str, **given_: object) -> str:
    return mended(text, only(text, code, **given_).fixes[0])


def test_a_plain_sentence_is_left_alone() -> None:
    assert lint("明天上午九点在村委会开会，请大家准时到。") == ()


@pytest.mark.parametrize("text", ["请看http://abc.cn/x，谢谢", "写信到zhen@abc.cn。", "<b>开会</b>", "Привет"])
def test_what_is_not_read_is_pointed_at_and_can_be_left_out(text: str) -> None:
    found = next(f for f in lint(text) if f.code == "unread")
    assert found.level is FindingLevel.ADVICE
    assert found.written not in mended(text, found.fixes[0])[found.start : found.end]


def test_somebodys_identity_number_keeps_a_text_back() -> None:
    text = "请身份证号11010519491231002X的村民来一趟。"
    assert only(text, "identity_number").level is FindingLevel.MUST
    assert first_fix(text, "identity_number") == "请身份证号的村民来一趟。"


def test_eighteen_digits_that_are_no_identity_number_are_only_advised_against() -> None:
    assert "identity_number" not in codes("订单号123456789012345678请核对。")


@pytest.mark.parametrize(
    "text", ["××村的请注意。", "请到____集合。", "截止（ ）日。", "XX月XX日开会。", "某某村民请来。"]
)
def test_a_blank_must_be_filled(text: str) -> None:
    assert any(f.code == "blank" and f.level is FindingLevel.MUST for f in lint(text))


def test_a_watched_word_blocks_or_advises_and_offers_its_replacement() -> None:
    words = (Watched("莅临", "听不懂", "来"), Watched("包治百病", "骗人", "", blocking=True))
    text = "请莅临参加，包治百病。"
    [soft, hard] = [f for f in lint(text, watched=words) if f.code == "forbidden_word"]
    assert (soft.level, hard.level) == (FindingLevel.ADVICE, FindingLevel.MUST)
    assert mended(text, soft.fixes[0]) == "请来参加，包治百病。"
    assert mended(text, hard.fixes[0]) == "请莅临参加，。"


@pytest.mark.parametrize(
    "text",
    [
        "发布暴雨预警，请转移。",
        "今晚有大风预警信号。",
        "暴雨红色预警，快转移。",
        "县气象台说有预警。",
        "拉响防空警报。",
    ],
)
def test_a_warning_without_issuer_and_rank_keeps_a_text_back(text: str) -> None:
    assert any(f.code == "reserved" and f.level is FindingLevel.MUST for f in lint(text))


@pytest.mark.parametrize(
    "text",
    [
        "县气象台11月25日15时30分发布大雾黄色预警信号。",
        "省防汛抗旱指挥部发布山洪灾害Ⅲ级预警。",
        "市自然资源局发布地质灾害预警第12号。",
        "请下载国家反诈中心App，开通来电预警。",
        "预警信息请打预警热线12379。",
        "大雨提醒：今晚有大雨。",
    ],
)
def test_a_warning_with_issuer_and_rank_or_another_meaning_passes(text: str) -> None:
    assert "reserved" not in codes(text)


def test_an_own_warning_becomes_a_reminder_by_one_press() -> None:
    assert first_fix("今晚有暴雨预警，关好门窗。", "reserved") == "今晚有暴雨提醒，关好门窗。"


def test_a_drill_says_so_first_and_last() -> None:
    text = "现在正在进行防汛演练，请大家撤离到学校。"
    assert only(text, "drill").level is FindingLevel.ADVICE
    mended_ = first_fix(text, "drill")
    assert mended_.startswith("演练，演练，演练。")
    assert mended_.endswith("演练，演练，演练。")
    assert "drill" not in codes(mended_)


def test_what_is_handed_in_as_a_drill_must_say_so() -> None:
    assert only("请大家撤离到学校。", "drill", drill=True).level is FindingLevel.MUST
    assert "drill" not in codes("演练，演练。请撤离。演练，演练。", drill=True)
    assert "drill" not in codes("明天村里搞消防演练，欢迎参加。")


def syllables_in_a_row(text: str) -> int:
    longest = run = 0
    for segment in to_script(as_read(text)):
        run = 0 if segment.kind == "pause" else run + len(segment.text.split())
        longest = max(longest, run)
    return longest


def test_a_breath_too_long_is_found_and_cut_by_one_press() -> None:
    text = (
        "今天晚上全村所有住在河边低洼地方的人家收拾好贵重东西之后请带上老人和孩子马上到村小学二楼的教室里面去集中过夜"
    )
    found = only(text, "too_long")
    assert found.values == {"n": syllables_in_a_row(text), "most": LONGEST_BREATH}
    assert syllables_in_a_row(mended(text, found.fixes[0])) < LONGEST_BREATH


def test_the_limit_of_a_breath_is_a_limit() -> None:
    assert "too_long" not in codes("好" * LONGEST_BREATH)
    assert "too_long" in codes("好" * (LONGEST_BREATH + 1))
    assert "too_long" not in codes("好" * LONGEST_BREATH + "，" + "好" * LONGEST_BREATH)


def test_two_numbers_to_call_are_one_too_many() -> None:
    assert only("有事打0561-3456789，也可以打13800138000。", "many_numbers").written == "13800138000"
    assert "many_numbers" not in codes("有事打13800138000，再说一遍，13800138000。")
    assert "many_numbers" not in codes("火警打119，急救打120。")


def test_three_requests_are_one_too_many() -> None:
    assert only("请带身份证。请到村部。请在今天办。", "many_requests").values == {"n": 3}
    assert "many_requests" not in codes("请大家注意，今天申请低保的请到村部。")


def test_digits_without_end_are_advised_against() -> None:
    assert only("卡号是6217001234567890，请核对。", "many_digits").values == {"n": 16}
    assert "many_digits" not in codes("电话13800138000。")


@pytest.mark.parametrize("text", ["14:30在村部开会。", "下午2点停水。", "晚上七点放电影。"])
def test_a_time_wants_a_day(text: str) -> None:
    assert first_fix(text, "no_day").startswith("今天")


@pytest.mark.parametrize(
    "text", ["今天14:30开会。", "12月3日8时起停电。", "每天7:00到9:00供水。", "石灰和水按1:10兑。"]
)
def test_a_time_with_its_day_passes(text: str) -> None:
    assert "no_day" not in codes(text)


def test_letters_that_nobody_knows_are_pointed_at() -> None:
    assert only("HPV疫苗到了。", "abbreviation").written == "HPV"
    assert codes("ATM机、QQ群、CT、App都行。") == []


def test_a_guess_offers_the_readings_to_choose_from() -> None:
    text = "请找单会计。"
    found = only(text, "polyphone")
    assert [mended(text, fix) for fix in found.fixes] == ["请找单{dan1}会计。", "请找单{shan4}会计。"]
    assert "polyphone" not in codes(mended(text, found.fixes[1]))
    assert "polyphone" not in codes(text, lexicon=Lexicon({"单会计": "shan4 kuai4 ji4"}))


def test_sentences_as_villages_hear_them_are_seldom_found_fault_with() -> None:
    with READINGS.open(encoding="utf-8", newline="") as file:
        texts = [row["written"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    found = {text: lint(text, watched=usual.words()) for text in texts}
    assert sum(any(f.code == "polyphone" for f in each) for each in found.values()) <= len(texts) * 0.03
    assert {f.code for each in found.values() for f in must_mend(each)} <= {"blank"}


PIECES = st.sampled_from(
    [
        "请",
        "预警",
        "演练",
        "正在撤离",
        "××",
        "14:30",
        "13800138000",
        "单",
        "长",
        "http://a.cn",
        "{",
        "长{zhang3}",
        "，",
        "好" * 30,
    ]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=20).map("".join))
def test_no_text_breaks_it_and_every_finding_stands_where_it_says(text: str) -> None:
    for finding in lint(text, watched=usual.words()):
        assert 0 <= finding.start <= finding.end <= len(text)
        assert text[finding.start : finding.end] == finding.written
        for fix in finding.fixes:
            assert 0 <= fix.start <= fix.end <= len(text)
            assert isinstance(mended(text, fix), str)


def test_it_is_quick_enough_to_run_while_somebody_types() -> None:
    text = "各位村民请注意：2027年度医保缴费12月31日截止，每人400元。咨询电话：0830-552 6110。" * 4
    lint(text, watched=usual.words())
    started = time.process_time()
    for extra in "一二三四五":
        lint(text + extra, watched=usual.words())
    assert (time.process_time() - started) / 5 < 0.02

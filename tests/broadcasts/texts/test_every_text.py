"""Every text that comes with the program is fit to be heard and read, as it stands."""

import re
from datetime import date

from broadcasts.announcements.drafting import SMS_LENGTH, TEXT_LENGTH, TITLE_LENGTH
from broadcasts.lexicon import usual
from broadcasts.sms.segments import measure, parts_of, signed
from broadcasts.speech.lint import lint
from broadcasts.speech.reading import as_read
from broadcasts.texts import filling, shelf

TEXTS = shelf.every()
WATCHED = usual.words()
SIGNATURE = "青石镇政府"
LONGEST, SHORTEST = 95, 40
HOTLINES = {
    "110": "报警",
    "119": "火警",
    "120": "急救",
    "122": "交通事故",
    "12119": "森林火警",
    "95598": "供电",
    "96110": "反诈劝阻",
    "12306": "铁路",
    "12315": "消费者",
    "12333": "人社",
    "12337": "政法举报",
    "12339": "国家安全",
    "12348": "法律服务",
}
ABOUT = {
    "12119": "fire",
    "95598": "fire",
    "96110": "fraud",
    "12306": "fraud",
    "12315": "law",
    "12333": "law",
    "12337": "law",
    "12339": "law",
    "12348": "law village",
}


FILLED = {text: filling.sampled(text) for text in TEXTS}


def test_nothing_in_them_needs_mending() -> None:
    spoken = [(t.key, f.code, f.written) for t, filled in FILLED.items() for f in lint(filled.text, watched=WATCHED)]
    read = [(t.key, f.code) for t, x in FILLED.items() for f in lint(x.sms, watched=WATCHED) if f.level == "must"]
    assert (spoken, read) == ([], [])


def test_they_are_read_without_a_figure_or_sign_left() -> None:
    left = re.compile(r"[0-9A-Za-z%℃+/~〔〕{}\[\]]")
    for text, filled in FILLED.items():
        reading = as_read(filled.text)
        assert not reading.warnings, text.key
        assert not left.search(re.sub(r"QQ|AI", "", reading.spoken)), text.key


def test_they_are_short_enough_to_be_followed_and_to_be_one_message() -> None:
    for text, filled in FILLED.items():
        assert len(text.title) <= 15 <= TITLE_LENGTH, text.key
        assert SHORTEST <= len(filled.text) <= LONGEST < TEXT_LENGTH, text.key
        assert "【" not in filled.sms
        assert len(filled.sms) <= SMS_LENGTH
        whole = signed(filled.sms, SIGNATURE)
        assert parts_of(whole) == 1, (text.key, measure(whole))


def test_they_call_only_known_hotlines_and_each_for_what_it_is_for() -> None:
    for text in TEXTS:
        for words in (text.text, text.sms):
            called = set(re.findall(r"\d{3,}", words))
            assert called <= HOTLINES.keys(), (text.key, "a number nobody has checked")
            assert all(text.shelf in ABOUT.get(number, text.shelf) for number in called), text.key


def test_their_blanks_are_all_asked_for_and_all_used() -> None:
    for text in TEXTS:
        names = [blank.name for blank in text.blanks]
        assert set(shelf.BLANK.findall(text.text)) == set(names), text.key
        assert set(shelf.BLANK.findall(text.sms)) <= set(names), text.key
        assert all(not b.after or b.after in names[: names.index(b.name)] for b in text.blanks), text.key


def test_no_two_have_the_same_title_or_words() -> None:
    assert len({t.title for t in TEXTS}) == len({t.text for t in TEXTS}) == len({t.sms for t in TEXTS}) == len(TEXTS)


def test_figures_stand_in_blanks_or_are_marked_for_local_review() -> None:
    figures = re.compile(r"\d+(?:\.\d+)?\s*(?:元|亩|%|毫米|度|千米|公里)")
    loose = [t.key for t in TEXTS if figures.search(t.text + t.sms)]
    assert loose == []


def test_what_depends_on_local_rules_says_so() -> None:
    marked = {t.key for t in TEXTS if t.check}
    assert {"forest_fire_season", "fireworks", "insurance", "insurance_last", "crop_insurance", "siren"} <= marked


def test_the_ten_kinds_of_fraud_and_the_villages_own_are_there() -> None:
    ten = ["rebate", "invest", "shopping", "service", "loan", "credit", "boss", "police", "love", "game"]
    villages = ["elder", "health", "social", "screen", "cards", "order", "voice"]
    assert {f"fraud_{kind}" for kind in ten + villages} <= {t.key for t in TEXTS}


def test_no_text_calls_itself_a_warning() -> None:
    assert [t.key for t in TEXTS if "预警" in t.text + t.sms] == []


def test_the_examples_would_be_taken_as_they_are() -> None:
    for text in TEXTS:
        values = {b.name: _typed(b.kind, b.sample) for b in text.blanks}
        filled = filling.fill(text, values, today=date(2026, 1, 1))
        assert not shelf.BLANK.search(filled.text)


def _typed(kind: shelf.BlankKind, sample: str) -> str:
    if kind is shelf.BlankKind.DATE:
        month, day = re.findall(r"\d+", sample)
        return f"2026-{int(month):02}-{int(day):02}" if sample != "4月30日" else "2026-12-30"
    if kind is shelf.BlankKind.TIME:
        return sample.rjust(5, "0")
    return sample

"""Readings and words to watch for: who may change them, what is kept, and that they are used at once."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NORTH, a_county, an_actor
from conftest import NOON
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements.ready import ready_made
from broadcasts.lexicon import importing, service, usual
from broadcasts.lexicon.book import FRESH_S, WordBook
from broadcasts.lexicon.entries import entry_of, marked, spoken_now
from broadcasts.lexicon.models import EntryKind, LexiconEntry
from broadcasts.speech.findings import Watched, must_mend
from broadcasts.speech.lint import lint
from broadcasts.speech.pronunciation import BUILT_IN, Lexicon
from broadcasts.speech.reading import as_read
from hub.accounts.roles import Role
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM
from hub.core.db import Sessions
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems


@pytest.fixture
def county(session: Session) -> Session:
    a_county(session)
    return session


@pytest.mark.parametrize(
    ("word", "said", "kept", "kind"),
    [
        ("六安", "lu4 an1", "lu4 an1", EntryKind.PINYIN),
        ("六安", " Lù  ān ", "lu4 an1", EntryKind.PINYIN),
        ("女儿", "nü3 er2", "nv3 er2", EntryKind.PINYIN),
        ("女儿", "nǚ ér", "nv3 er2", EntryKind.PINYIN),
        ("青石冲", "qing1,shi2,chong1", "qing1 shi2 chong1", EntryKind.PINYIN),
        ("App", "手机应用", "手机应用", EntryKind.WORDS),
        ("COVID", "新冠", "新冠", EntryKind.WORDS),
        ("䲟鱼", "yin4 yu2", "yin4 yu2", EntryKind.PINYIN),
    ],
)
def test_what_is_typed_becomes_an_entry(word: str, said: str, kept: str, kind: EntryKind) -> None:
    entry = entry_of(word, said)
    assert (entry.said, entry.kind) == (kept, kind)
    assert entry.lexicon.pinyin or entry.lexicon.words


@pytest.mark.parametrize(
    ("word", "said", "code"),
    [
        ("", "lu4", "lexicon_word_missing"),
        ("安", "an1", "lexicon_word_short"),
        ("字" * 21, "x", "lexicon_too_long"),
        ("六{安", "六安", "lexicon_word_odd"),
        ("六安", "", "lexicon_said_missing"),
        ("六安", "lu an", "lexicon_tone_missing"),
        ("六安", "lu4", "lexicon_syllables"),
        ("六安", "lu4 qq1", "lexicon_syllable_odd"),
        ("六安", "66", "lexicon_said_digits"),
        ("六安", "六安", "lexicon_said_same"),
        ("六安", "路" * 81, "lexicon_too_long"),
    ],
)
def test_what_cannot_be_said_is_refused_with_its_reason(word: str, said: str, code: str) -> None:
    with pytest.raises(Problems) as refused:
        entry_of(word, said)
    assert code in [problem.code for problem in refused.value.problems]


def test_an_entry_is_read_at_once_and_only_where_it_stands(county: Session) -> None:
    service.add(county, SYSTEM, entry_of("青石冲", "qing1 shi2 chong4"), now=NOON)
    service.add(county, SYSTEM, entry_of("App", "手机应用"), now=NOON)
    lexicon = service.lexicon_of(county)
    assert spoken_now("青石冲", lexicon) == "qīng shí chòng"
    assert as_read("下载App", lexicon).spoken == "下载手机应用"
    assert as_read("今天开会", lexicon) == replace(as_read("今天开会", BUILT_IN))


def test_what_staff_enter_holds_over_what_is_built_in(county: Session) -> None:
    assert spoken_now("六安市", BUILT_IN) == "lù ān shì"
    row = service.add(county, SYSTEM, entry_of("六安市", "liu4 an1 shi4"), now=NOON)
    assert spoken_now("六安市", service.lexicon_of(county)) == "liù ān shì"
    service.switch(county, SYSTEM, row.id, active=False, now=NOON)
    assert spoken_now("六安市", service.lexicon_of(county)) == "lù ān shì"
    service.switch(county, SYSTEM, row.id, active=True, now=NOON)
    service.remove(county, SYSTEM, row.id, now=NOON)
    assert service.lexicon_of(county) is BUILT_IN


def test_every_change_is_written_down_with_who_and_what(county: Session) -> None:
    row = service.add(county, SYSTEM, entry_of("青石冲", "qing1 shi2 chong1"), now=NOON)
    service.change(county, SYSTEM, row.id, entry_of("青石冲", "qing1 shi2 chong4"), now=NOON)
    service.switch(county, SYSTEM, row.id, active=False, now=NOON)
    service.switch(county, SYSTEM, row.id, active=False, now=NOON)
    service.remove(county, SYSTEM, row.id, now=NOON)
    service.watch(county, SYSTEM, Watched("届时", "", "到时候", blocking=True), now=NOON)
    service.unwatch(county, SYSTEM, "届时", now=NOON)
    deeds = list(county.scalars(select(AuditEntry).where(AuditEntry.subject.like("word:%")).order_by(AuditEntry.id)))
    assert [deed.deed for deed in deeds] == [
        "lexicon.add",
        "lexicon.change",
        "lexicon.switch",
        "lexicon.remove",
        "wording.watch",
        "wording.unwatch",
    ]
    assert (deeds[1].details["before"], deeds[1].details["after"]) == ("qing1 shi2 chong1", "qing1 shi2 chong4")


@pytest.mark.parametrize("role", [Role.CLERK, Role.APPROVER, Role.COUNTY_ADMIN, Role.DUTY_OFFICER, Role.VIEWER])
def test_nobody_who_answers_for_a_part_only_changes_anything(county: Session, role: Role) -> None:
    row = service.add(county, SYSTEM, entry_of("青石冲", "qing1 shi2 chong1"), now=NOON)
    someone = an_actor(role, NORTH)
    other = entry_of("石桥", "shi2 qiao2")
    for deed in (
        lambda: service.add(county, someone, other, now=NOON),
        lambda: service.change(county, someone, row.id, other, now=NOON),
        lambda: service.switch(county, someone, row.id, active=False, now=NOON),
        lambda: service.remove(county, someone, row.id, now=NOON),
        lambda: service.take_in(county, someone, [other], now=NOON),
        lambda: service.watch(county, someone, Watched("包治百病"), now=NOON),
        lambda: service.unwatch(county, someone, "包治百病", now=NOON),
    ):
        with pytest.raises(NotAllowed):
            deed()
    assert row.active
    assert service.watched_of(county) == usual.words()


def test_a_word_stands_in_the_list_once(county: Session) -> None:
    one = service.add(county, SYSTEM, entry_of("青石冲", "qing1 shi2 chong1"), now=NOON)
    service.add(county, SYSTEM, entry_of("石桥", "shi2 qiao2"), now=NOON)
    with pytest.raises(BadInput, match="lexicon_word_taken"):
        service.add(county, SYSTEM, entry_of("青石冲", "qing1 shi2 chong4"), now=NOON)
    with pytest.raises(BadInput, match="lexicon_word_taken"):
        service.change(county, SYSTEM, one.id, entry_of("石桥", "shi2 qiao4"), now=NOON)
    with pytest.raises(NotFound):
        service.unwatch(county, SYSTEM, "没有的词", now=NOON)


def test_a_usual_word_is_switched_off_and_taken_up_again(county: Session) -> None:
    first = usual.words()[0]
    service.unwatch(county, SYSTEM, first.word, now=NOON)
    assert first.word not in {word.word for word in service.watched_of(county)}
    service.watch(county, SYSTEM, Watched(first.word, "我们自己的理由", "别的话"), now=NOON)
    kept = next(word for word in service.watched_of(county) if word.word == first.word)
    assert (kept.say, kept.blocking) == ("别的话", False)


def test_a_file_goes_out_and_comes_in_the_same(county: Session) -> None:
    entries = [entry_of("青石冲", "qing1 shi2 chong1", "地名"), entry_of("App", "手机应用")]
    assert service.take_in(county, SYSTEM, entries, now=NOON) == (2, 0)
    data = importing.csv_of(
        [
            service.change(county, SYSTEM, row.id, entry_of(row.word, row.said, row.note), now=NOON)
            for row in _rows(county)
        ]
    )
    plan = importing.read(data)
    assert not plan.problems
    assert set(plan.entries) == set(entries)
    assert service.take_in(county, SYSTEM, plan.entries, now=NOON) == (0, 0)


def test_every_wrong_row_of_a_file_is_named(county: Session) -> None:
    plan = importing.read("词,拼音,备注\n六安,lu4 an1,\n蚌埠,beng4,\n,,\n六安,lu4 an1,\n石桥,,".encode())
    assert [(p.number, p.error.code) for p in plan.problems] == [
        (3, "lexicon_syllables"),
        (5, "lexicon_word_twice"),
        (6, "lexicon_said_missing"),
    ]


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2", "词,怎么读\n".encode()])
def test_a_file_that_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        importing.read(data)


def test_the_book_notices_a_change_at_once_and_keeps_what_did_not_change(sessions: Sessions) -> None:
    moment = [0.0]
    book = WordBook(sessions, monotonic=lambda: moment[0])
    with sessions.begin() as session:
        a_county(session)
    before = book.lexicon()
    moment[0] += FRESH_S * 3
    assert book.lexicon() is before
    with sessions.begin() as session:
        service.add(session, SYSTEM, entry_of("青石冲", "qing1 shi2 chong4"), now=NOON)
    assert "青石冲" not in book.lexicon().pinyin
    book.forget()
    assert book.lexicon().pinyin["青石冲"] == "qing1 shi2 chong4"


def test_the_book_of_another_process_notices_a_moment_later(sessions: Sessions) -> None:
    moment = [0.0]
    book = WordBook(sessions, monotonic=lambda: moment[0])
    with sessions.begin() as session:
        a_county(session)
        row = service.add(session, SYSTEM, entry_of("青石冲", "qing1 shi2 chong4"), now=NOON)
    assert "青石冲" in book.lexicon().pinyin
    with sessions.begin() as session:
        service.switch(session, SYSTEM, row.id, active=False, now=NOON + timedelta(seconds=1))
    moment[0] += FRESH_S
    assert "青石冲" not in book.lexicon().pinyin


def test_reading_stays_quick_with_thousands_of_words() -> None:
    words = {f"{a}{b}冲": "shi2 shi2 chong1" for a in _CHARS for b in _CHARS}
    lexicon = BUILT_IN.merged_with(Lexicon(words))
    assert len(lexicon.pinyin) >= 4000
    text = "各位村民请注意：2027年度医保缴费12月31日截止，每人400元。请石桥冲的人到村部，电话96110。"
    as_read(text, lexicon)
    assert lexicon.hits("请石桥冲的人") == ((1, 4, "shi2 shi2 chong1"),)
    started = time.process_time()
    for n in range(20):
        as_read(text + "好" * n, lexicon)
    assert (time.process_time() - started) / 20 < 0.004


def test_marks_and_digits_are_the_same_pinyin() -> None:
    assert marked("lv3 nv3 qiu2 zhuang4") == "lǚ nǚ qiú zhuàng"


def test_nothing_that_is_ready_made_has_to_be_mended() -> None:
    for text in _ready_texts():
        assert not must_mend(lint(text, watched=usual.words())), text


_CHARS = (
    "石桥松林青山河水田村上下东西南北大小长短红黄蓝白黑金木火土日月星云风雨雪花草树"
    "竹梅兰菊荷莲杏桃李枣柳槐杨柏桐椿榆桂枫杉柿梨橘橙柚茶麻豆麦稻"
)


def _rows(session: Session) -> list[LexiconEntry]:
    return list(session.scalars(select(LexiconEntry)))


def _ready_texts() -> list[str]:
    return [ready.text for ready in ready_made()]

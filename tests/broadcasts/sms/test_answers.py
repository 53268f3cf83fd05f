"""What the hub answers by itself, numbered answers counted, and a cry for help passed on."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smslab import COUNTY, EAST, NOON, PINE, SHANGHAI, WEST, Lab, lab_actor, lab_run, lab_safe, mobile, somebody
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from broadcasts.sms.letters import inbound, inbox, tallying, writing_back
from broadcasts.sms.letters.answering import Answers, LastSaid, Spoken
from broadcasts.sms.models import SmsInbound, SmsMessage, SmsRun
from broadcasts.sms.purposes import Limits
from broadcasts.sms.reports import Inbound
from broadcasts.sms.states import Lane, MessageState
from hub.core.db import Sessions
from hub.core.errors import BadInput, NotFound
from hub.residents.models import BlockedNumber, TopicOptOut
from hub.residents.phones import mask

refs = itertools.count()


def writes(sessions: Sessions, text: str, *, number: str = mobile(1), at: datetime = NOON) -> None:
    with sessions.begin() as session:
        inbound.receive(session, lab_safe(), "lab", [Inbound(number, text, f"a{next(refs)}", at)], now=NOON)


def answers(lab: Lab, said: Spoken | None = None) -> Answers:
    return Answers(
        lab.sessions,
        lab_safe(),
        lab.settings,
        LastSaid(lambda *_: said),
        clock=lab.clock,
        day_began=Limits.of(lab.settings, SHANGHAI).day_began,
        spell=lambda _: "12:00",
    )


def texts_to(lab: Lab, number: str = mobile(1)) -> list[str]:
    """Every text that really reached the provider for a number."""
    return [call.text for call in lab.gateway.calls for person in call.people if person.number == number]


@pytest.fixture
def lab_with_people(lab: Lab) -> Lab:
    with lab.sessions.begin() as session:
        for i in (1, 2, 3):
            somebody(session, mobile(i), name=f"村民{i}")
        somebody(session, mobile(9), name="陈村长", tags=["村干部"])
    return lab


def test_a_question_mark_gets_the_last_announcement_of_the_own_village_once(lab_with_people: Lab) -> None:
    lab = lab_with_people
    asked: list[str] = []

    def last(session: Session, path: str, now: datetime) -> Spoken:
        asked.append(path)
        return Spoken(NOON, "今晚【停水】，请备水。")

    them = answers(lab)
    them._last = LastSaid(last)
    writes(lab.sessions, "？")
    assert them.step() > 0
    them.step()
    lab.work()
    assert texts_to(lab) == ["【青石镇】12:00播的是：今晚[停水]，请备水。"]
    assert asked[0].endswith(f"{PINE}/")
    with lab.sessions.read() as session:
        assert inbox.inbox(session, lab_actor()) == [], "nobody has to read it"


def test_two_machines_do_not_write_to_each_other_for_ever(lab_with_people: Lab) -> None:
    lab, them = lab_with_people, answers(lab_with_people)
    for _ in range(9):
        writes(lab.sessions, "?")
        them.step()
        lab.work()
    assert len(texts_to(lab)) == 5
    writes(lab.sessions, "?", number="10690000")
    them.step()
    lab.work()
    assert len(lab.gateway.numbers) == 5, "a service number is never answered"


def test_opting_out_is_confirmed_by_topic_and_undone(lab_with_people: Lab) -> None:
    lab, them = lab_with_people, answers(lab_with_people)
    for text in ("退订反诈", "退订", "订阅"):
        writes(lab.sessions, text, at=NOON + timedelta(seconds=next(refs)))
        them.step()
        lab.work()
    assert ["反诈" in text for text in texts_to(lab)] == [True, False, False]
    with lab.sessions.read() as session:
        assert session.scalars(select(TopicOptOut)).all() == []
        assert session.scalars(select(BlockedNumber)).all() == []


WORDS = (
    ("退订", 1),
    ("订阅", 2),
    ("退订反诈", 3),
    ("订阅反诈", 4),
    ("退订普法", 5),
    ("退订", 6),
    ("订阅", 7),
    ("退订安全", 8),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(WORDS))
def test_in_whatever_order_they_arrive_the_last_word_counts(lab: Lab, order: Sequence[tuple[str, int]]) -> None:
    with lab.sessions.begin() as session:
        for table in (SmsInbound, TopicOptOut, BlockedNumber):
            session.execute(delete(table))
    for text, second in (*order, *order[:3]):
        with lab.sessions.begin() as session:
            word = Inbound(mobile(1), text, f"o{second}", NOON + timedelta(seconds=second))
            inbound.receive(session, lab_safe(), "lab", [word], now=NOON)
    with lab.sessions.read() as session:
        assert session.scalars(select(BlockedNumber)).all() == []
        assert session.scalars(select(TopicOptOut.topic)).all() == ["safety"]


def asked(lab: Lab, text: str = "请回复1已转移，2要帮忙") -> UUID:
    with lab.sessions.begin() as session:
        run_id = lab_run(session, text=text, regions=[PINE], now=NOON - timedelta(minutes=5)).broadcast_id
    lab.work()
    return run_id


def test_numbered_answers_are_counted_once_a_telephone_and_the_last_one_counts(lab_with_people: Lab) -> None:
    lab = lab_with_people
    run_id = asked(lab)
    late = NOON + timedelta(minutes=1)
    writes(lab.sessions, "2 要帮忙", at=late)
    writes(lab.sessions, "1", at=NOON)
    writes(lab.sessions, "１ 已转移", number=mobile(2))
    writes(lab.sessions, "已转移", number=mobile(3))
    writes(lab.sessions, "7", number=mobile(9))
    with lab.sessions.read() as session:
        found = tallying.tally(session, lab_actor(EAST), run_id)
        assert found is not None
        assert dict(found.counts) == {1: 2, 2: 1, 0: 1}
        assert [one.name for one in tallying.who(session, lab_actor(EAST), run_id, 2)] == ["村民1"]
        assert [one.name for one in tallying.who(session, lab_actor(EAST), run_id, tallying.SILENT)] == ["陈村长"]
        with pytest.raises(NotFound):
            tallying.tally(session, lab_actor(WEST), run_id)
        open_ = inbox.inbox(session, lab_actor(COUNTY))
        assert sorted(letter.text for letter in open_) == ["2 要帮忙", "7"], "help is for people, 7 was no answer"
        assert [letter.urgent for letter in open_ if letter.choice] == [True]


def test_an_answer_that_says_more_is_read_by_somebody(lab_with_people: Lab) -> None:
    lab = lab_with_people
    run_id = asked(lab)
    writes(lab.sessions, "1 我妈还在屋里走不动")
    with lab.sessions.read() as session:
        (letter,) = inbox.inbox(session, lab_actor())
        assert letter.broadcast_id == run_id
        found = tallying.tally(session, lab_actor(), run_id)
        assert found is not None
        assert found.counts[1] == 1


def test_a_number_without_a_question_is_a_letter(lab_with_people: Lab) -> None:
    asked(lab_with_people, text="明天停水")
    writes(lab_with_people.sessions, "1")
    with lab_with_people.sessions.read() as session:
        (letter,) = inbox.inbox(session, lab_actor())
        assert (letter.command, letter.broadcast_id) == ("", None)


def test_a_cry_for_help_goes_to_the_cadres_with_name_and_place_but_no_number(lab_with_people: Lab) -> None:
    lab = lab_with_people
    writes(lab.sessions, "我家屋后在滑坡")
    with lab.sessions.begin() as session:
        (letter,) = inbox.inbox(session, lab_actor(), urgent=True)
        people = writing_back.pass_on(session, lab_actor(EAST), letter.id, settings=lab.settings, now=NOON)
        with pytest.raises(NotFound):
            writing_back.pass_on(session, lab_actor(WEST), letter.id, settings=lab.settings, now=NOON)
    assert people == 1
    lab.work(Lane.EMERGENCY)
    (text,) = texts_to(lab, mobile(9))
    assert "村民1" in text
    assert "滑坡" in text
    assert mobile(1)[3:] not in text
    with lab.sessions.read() as session:
        steps = inbox.opened(session, lab_actor(EAST), letter.id).steps
        assert [(step.kind.value, step.note) for step in steps] == [("passed_on", "1")]


def test_an_officers_answer_reaches_that_number_even_after_opting_out(lab_with_people: Lab) -> None:
    lab = lab_with_people
    writes(lab.sessions, "退订")
    writes(lab.sessions, "几点来水")
    with lab.sessions.begin() as session:
        (letter,) = inbox.inbox(session, lab_actor())
        with pytest.raises(BadInput):
            writing_back.answer(session, lab_actor(), letter.id, "【好】", settings=lab.settings, now=NOON)
        writing_back.answer(session, lab_actor(), letter.id, "下午六点", settings=lab.settings, now=NOON)
    lab.work()
    assert texts_to(lab) == ["【青石镇】下午六点"]
    with lab.sessions.read() as session:
        assert session.scalars(select(SmsMessage.state)).all() == [MessageState.SENT]
        assert session.scalars(select(SmsMessage.masked)).all() == [mask(mobile(1))]


def test_what_was_asked_before_the_hub_went_down_for_hours_is_not_answered(lab_with_people: Lab) -> None:
    lab = lab_with_people
    writes(lab.sessions, "?", at=NOON - timedelta(hours=3))
    answers(lab).step()
    with lab.sessions.begin() as session:
        assert session.scalars(select(SmsRun)).all() == []
        session.execute(update(SmsInbound).values(received_at=NOON))


def test_at_night_the_asker_is_answered_and_ordinary_messages_wait(lab_with_people: Lab) -> None:
    lab = lab_with_people
    lab.clock.now = NOON + timedelta(hours=11)
    with lab.sessions.begin() as session:
        lab_run(session, text="明天停水", regions=[PINE], now=lab.clock.now, lasts=timedelta(hours=24))
    lab.work()
    assert lab.gateway.calls == []
    writes(lab.sessions, "?", at=lab.clock.now)
    answers(lab).step()
    lab.work()
    assert len(texts_to(lab)) == 1
    assert len(lab.gateway.numbers) == 1
    lab.clock.pass_(hours=10)
    lab.work()
    assert len(texts_to(lab)) == 2

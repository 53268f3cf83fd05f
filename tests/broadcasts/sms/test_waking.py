"""A cry for help wakes who is on call, one after the other, and nobody once somebody has taken it on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from smslab import COUNTY, EAST, NOON, PINE, WEST, Lab, lab_actor, lab_run, lab_safe, lab_settings, mobile, somebody

from broadcasts.sms import inbound, inbox, records
from broadcasts.sms.models import SmsInbound
from broadcasts.sms.purposes import StepKind
from broadcasts.sms.reports import Inbound
from broadcasts.sms.states import Lane
from broadcasts.sms.waking import MOST_WOKEN, RECENT, Waking
from hub.duty import service as duty
from hub.duty.service import PersonInput

CRY = "救命，屋后在滑坡"
VILLAGE, TOWNSHIP, TOWNSHIP_TOO, WHOLE, STRANGER = (mobile(i) for i in range(901, 906))


@pytest.fixture
def on_call(lab: Lab) -> Lab:
    """A village with a resident, and a roster at every level; the people of the other township are nobody's here."""
    with lab.sessions.begin() as session:
        somebody(session, mobile(1), name="王五", region=PINE)
        for code, name, number in (
            (PINE, "村支书", VILLAGE),
            (EAST, "值班员", TOWNSHIP),
            (EAST, "副镇长", TOWNSHIP_TOO),
            (COUNTY, "县值班", WHOLE),
            (WEST, "邻镇", STRANGER),
        ):
            given = PersonInput(code, name, "", number, "")
            duty.add_person(session, lab_actor(), given, safe=lab_safe(), now=NOON)
    return lab


def writes(lab: Lab, text: str = CRY, *, number: str = mobile(1), ref: str = "a1", at: datetime | None = None) -> None:
    with lab.sessions.begin() as session:
        message = Inbound(number, text, ref, at or lab.clock.now)
        inbound.receive(session, lab_safe(), "lab", [message], now=lab.clock.now)


def woken(lab: Lab, **given: object) -> Sequence[str]:
    """Let the hub look once, and return the numbers that were written to since the last look."""
    before = len(lab.gateway.numbers)
    Waking(lab.sessions, lab_settings(**given), clock=lab.clock).step()
    lab.work(Lane.EMERGENCY)
    return lab.gateway.numbers[before:]


def letter(lab: Lab) -> SmsInbound:
    with lab.sessions.read() as session:
        return inbox.inbox(session, lab_actor(), urgent=True)[-1]


def test_the_village_first_then_what_lies_above_until_somebody_takes_it_on(on_call: Lab) -> None:
    lab = on_call
    writes(lab)
    assert woken(lab) == [VILLAGE]
    assert woken(lab) == [], "the first has two minutes"
    lab.clock.pass_(minutes=2)
    assert woken(lab) == [TOWNSHIP]
    lab.clock.pass_(minutes=2)
    with lab.sessions.begin() as session:
        inbox.take(session, lab_actor(EAST), letter(lab).id, now=lab.clock.now)
    assert woken(lab) == []
    with lab.sessions.read() as session:
        steps = inbox.opened(session, lab_actor(EAST), letter(lab).id).steps
    assert [(step.kind, step.by_name) for step in steps] == [
        (StepKind.WOKEN, "村支书"),
        (StepKind.WOKEN, "值班员"),
        (StepKind.SEEN, "somebody"),
    ]


def test_everybody_above_is_tried_once_and_no_stranger_ever(on_call: Lab) -> None:
    lab = on_call
    writes(lab)
    told: list[str] = []
    for _ in range(MOST_WOKEN + 3):
        told += woken(lab)
        lab.clock.pass_(minutes=2)
    assert told == [VILLAGE, TOWNSHIP, TOWNSHIP_TOO, WHOLE]


def test_they_read_who_and_where_and_what_but_no_number(on_call: Lab) -> None:
    lab = on_call
    writes(lab)
    woken(lab)
    text = lab.gateway.calls[-1].text
    assert text.startswith("【青石镇】松林村王五（138****0001）来短信：救命，屋后在滑坡。")
    assert mobile(1)[3:] not in text


def test_frightened_people_write_several_and_wake_one_at_a_time(on_call: Lab) -> None:
    lab = on_call
    writes(lab)
    assert woken(lab) == [VILLAGE]
    lab.clock.pass_(seconds=30)
    writes(lab, "水进屋了，快来", ref="a2")
    assert woken(lab) == []


def test_a_number_nobody_has_wakes_the_county(on_call: Lab) -> None:
    writes(on_call, number="+8613777770000")
    assert woken(on_call) == [WHOLE]


def test_nobody_is_woken_for_what_is_no_danger_long_past_or_switched_off(on_call: Lab) -> None:
    lab = on_call
    writes(lab, "明天几点来电", ref="b1")
    writes(lab, ref="b2", at=lab.clock.now - RECENT - timedelta(minutes=1))
    assert woken(lab) == []
    writes(lab, ref="b3")
    assert woken(lab, help_wakes_after_s=0) == []
    assert woken(lab) == [VILLAGE]


def test_two_processes_wake_one_person(on_call: Lab) -> None:
    lab = on_call
    writes(lab)
    for _ in range(2):
        Waking(lab.sessions, lab_settings(), clock=lab.clock).step()
    lab.work(Lane.EMERGENCY)
    assert lab.gateway.numbers == [VILLAGE]


def test_a_bare_number_is_read_with_the_answer_it_stands_for(on_call: Lab) -> None:
    lab = on_call
    with lab.sessions.begin() as session:
        lab_run(session, text="今晚有大雨。已转移的回1，走不了的回2。", regions=(PINE,))
    lab.work()
    lab.clock.pass_(seconds=5)
    writes(lab, "2")
    assert woken(lab) == [VILLAGE]
    assert "来短信：2（走不了）。" in lab.gateway.calls[-1].text
    with lab.sessions.read() as session:
        (shown,) = records.letters(session, [letter(lab)])
    assert shown.said == "2（走不了）"

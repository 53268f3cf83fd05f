"""A cry for help wakes who is on call, one after the other, and nobody once somebody has taken it on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from smslab import COUNTY, EAST, NOON, PINE, WEST, Lab, lab_actor, lab_run, lab_safe, lab_settings, mobile, somebody
from sqlalchemy import select

from broadcasts.feedback import intake
from broadcasts.feedback import service as complaints
from broadcasts.feedback.crying import CryingComplaints
from broadcasts.feedback.intake import Heard
from broadcasts.feedback.kinds import ComplaintDeed, ComplaintKind, Way
from broadcasts.feedback.models import Complaint
from broadcasts.feedback.settings import FeedbackSettings
from broadcasts.sms.letters import inbound, inbox, readable
from broadcasts.sms.letters.crying import CryingLetters
from broadcasts.sms.letters.waking import MOST_WOKEN, RECENT, Waking
from broadcasts.sms.models import SmsInbound
from broadcasts.sms.purposes import StepKind
from broadcasts.sms.reports import Inbound
from broadcasts.sms.states import Lane
from hub.audit.models import AuditEntry
from hub.duty import service as duty
from hub.duty.service import PersonInput
from hub.regions.tree import path_of

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


def scans(lab: Lab, text: str = CRY, *, region: str = PINE, way: Way = Way.PAGE) -> Complaint:
    """Write something on a village's page."""
    heard = Heard(ComplaintKind.OTHER, way, path_of(region), text)
    with lab.sessions.begin() as session:
        return intake.keep(session, heard, settings=FeedbackSettings(), at=lab.clock.now)


def logged(lab: Lab) -> Sequence[tuple[str, str]]:
    """Return what the log says of cries for help: what was done, and to whom."""
    with lab.sessions.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    wanted = ("help.", "sms.taken", "complaint.take")
    return [(e.deed, e.details.get("name") or e.actor_name) for e in entries if e.deed.startswith(wanted)]


def looking(lab: Lab, **given: object) -> Waking:
    return Waking(lab.sessions, lab_settings(**given), (CryingLetters(), CryingComplaints()), clock=lab.clock)


def woken(lab: Lab, **given: object) -> Sequence[str]:
    """Let the hub look once, and return the numbers that were written to since the last look."""
    before = len(lab.gateway.numbers)
    looking(lab, **given).step()
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
        looking(lab).step()
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
        (shown,) = readable.letters(session, [letter(lab)])
    assert shown.said == "2（走不了）"


def test_what_is_written_on_a_villages_page_wakes_the_same_people_until_it_is_taken(on_call: Lab) -> None:
    lab = on_call
    cry = scans(lab)
    assert woken(lab) == [VILLAGE]
    assert lab.gateway.calls[-1].text.startswith(
        "【青石镇】松林村有人扫码求救：救命，屋后在滑坡。没留电话。还没人接手。请马上核实"
    )
    lab.clock.pass_(minutes=2)
    assert woken(lab) == [TOWNSHIP]
    with lab.sessions.begin() as session:
        complaints.take(session, lab_actor(EAST), cry.id, now=lab.clock.now)
    lab.clock.pass_(minutes=2)
    assert woken(lab) == []
    assert logged(lab) == [
        ("help.woken", "村支书"),
        ("help.woken", "值班员"),
        ("complaint.take", "somebody"),
    ]
    with lab.sessions.read() as session:
        deeds = [step.deed for step in complaints.steps_of(session, cry.id)]
    assert deeds == [ComplaintDeed.WOKEN, ComplaintDeed.WOKEN, ComplaintDeed.TAKEN]


def test_a_hundred_strangers_wake_a_village_once_and_its_neighbour_is_not_forgotten(on_call: Lab) -> None:
    lab = on_call
    cries = [scans(lab, f"救命{i}") for i in range(100)]
    assert woken(lab) == [VILLAGE]
    for _ in range(3):
        assert woken(lab) == []
    scans(lab, region=WEST)
    assert woken(lab) == [STRANGER], "another place"
    with lab.sessions.begin() as session:
        complaints.take(session, lab_actor(EAST), cries[0].id, now=lab.clock.now)
    lab.clock.pass_(minutes=9)
    scans(lab, "真的，救命")
    assert VILLAGE not in woken(lab), "ten minutes are not over"
    lab.clock.pass_(minutes=2)
    assert VILLAGE in woken(lab), "what is still open wakes people again"
    text = next(call.text for call in reversed(lab.gateway.calls) if "松林村" in call.text)
    assert "：救命1。" in text
    assert "同村还有99条。" in text
    assert [deed for deed, _ in logged(lab)].count("help.joined") == 100


def test_nobody_reacts_and_what_was_joined_wakes_nobody_by_itself(on_call: Lab) -> None:
    lab = on_call
    for i in range(5):
        scans(lab, f"救命{i}")
    told: list[str] = []
    for _ in range(60):
        told += woken(lab)
        lab.clock.pass_(minutes=2)
    assert told == [VILLAGE, TOWNSHIP, TOWNSHIP_TOO, WHOLE]
    scans(lab, "救命，还有人在水里")
    assert woken(lab) == [VILLAGE], "what comes an hour later is news"


def test_a_page_never_holds_back_a_letter_and_a_letter_after_the_taking_is_news(on_call: Lab) -> None:
    lab = on_call
    with lab.sessions.begin() as session:
        somebody(session, mobile(2), name="赵六", region=PINE)
        somebody(session, mobile(3), name="钱七", region=PINE)
    scans(lab, "救命，哈哈")
    assert woken(lab) == [VILLAGE]
    writes(lab)
    assert woken(lab) == [VILLAGE], "a letter with a number behind it"
    writes(lab, "水进屋了", number=mobile(2), ref="a2")
    scans(lab, "救命啊")
    assert woken(lab) == [], "people are being woken for that village"
    with lab.sessions.begin() as session:
        first = next(m for m in inbox.inbox(session, lab_actor(EAST), urgent=True) if m.text == CRY)
        inbox.take(session, lab_actor(EAST), first.id, now=lab.clock.now)
    lab.clock.pass_(seconds=30)
    assert woken(lab) == [], "whoever took it on sees what had come by then"
    writes(lab, "老人被困在楼上", number=mobile(3), ref="a3")
    assert woken(lab) == [VILLAGE]


def test_without_a_roster_the_cry_says_so_once_and_the_desk_wakes_nobody(lab: Lab) -> None:
    cry = scans(lab)
    for _ in range(3):
        assert woken(lab) == []
    assert [deed for deed, _ in logged(lab)] == ["help.nobody"]
    with lab.sessions.begin() as session:
        given = PersonInput(PINE, "村支书", "", VILLAGE, "")
        duty.add_person(session, lab_actor(), given, safe=lab_safe(), now=NOON)
        complaints.take(session, lab_actor(), cry.id, now=lab.clock.now)
    scans(lab, way=Way.DESK)
    assert woken(lab) == []

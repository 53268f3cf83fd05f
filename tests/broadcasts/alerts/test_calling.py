"""Call-and-answer: the people responsible, one after the other, until somebody confirms."""

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from builders import BRIDGE, COUNTY, HILL, NORTH, the_actor
from conftest import SetClock
from flask.testing import FlaskClient
from sqlalchemy import select, update

from broadcasts.alerts import firing
from broadcasts.alerts.calling import answering
from broadcasts.alerts.calling import service as calls
from broadcasts.alerts.calling.answering import means_yes
from broadcasts.alerts.calling.models import Call, CallState, CallTry, Errand, ErrandKind, How
from broadcasts.alerts.calling.service import Calling
from broadcasts.alerts.calling.tokens import token_of, try_of
from broadcasts.alerts.incidents.models import Incident
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker import listing
from broadcasts.sms.letters import inbound
from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.reports import Inbound
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM
from hub.core.errors import BadInput
from hub.core.runtime import Runtime
from hub.duty import service as duty
from hub.duty.models import DutyPerson
from hub.duty.service import PersonInput
from hub.residents.phones import PhoneSafe
from hub.speakers.models import Speaker

SignIn = Callable[[str], FlaskClient]
FORM = {"form_key": "calling-1", "hazard": "cold", "colour": "red", "area": BRIDGE, "sms": "0", "speakers": "2"}
PEOPLE = (
    (BRIDGE, "桥支书", "13800002001", "secretary"),
    (BRIDGE, "桥网格", "13800002002", ""),
    (NORTH, "镇值班", "13800002003", "duty"),
    (COUNTY, "县值班", "13800002004", ""),
)


@pytest.fixture(autouse=True)
def a_roster(runtime: Runtime, app: object, clock: SetClock) -> None:
    with runtime.sessions.begin() as session:
        for region, name, phone, login in PEOPLE:
            given = PersonInput(region, name, "", phone, login)
            duty.add_person(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock())


def a_calling(runtime: Runtime) -> Calling:
    return Calling(
        wait=timedelta(minutes=5),
        errand_within=timedelta(minutes=15),
        sms=runtime.get(Rules).sms,
        key=runtime.secrets.session_key,
        base_url=lambda: "http://hub",
    )


def fired(runtime: Runtime, clock: SetClock, browser: FlaskClient, **given: str) -> str:
    address = browser.post("/emergency", data=FORM | given).location
    clock.now += timedelta(seconds=3.1)
    firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock())
    return str(address)


def pass_time(runtime: Runtime, clock: SetClock, minutes: float = 0.0) -> None:
    clock.now += timedelta(minutes=minutes)
    calls.step(runtime.sessions, a_calling(runtime), now=clock())


def called(runtime: Runtime, code: str = BRIDGE) -> list[str]:
    """Who was called for a place, in order."""
    with runtime.sessions.read() as session:
        query = select(CallTry.name).join(Call, Call.id == CallTry.call_id).where(Call.region_code == code)
        return list(session.scalars(query.order_by(CallTry.turn)))


def state_of(runtime: Runtime, code: str = BRIDGE) -> CallState:
    with runtime.sessions.read() as session:
        return session.scalars(select(Call.state).where(Call.region_code == code)).one()


def errands(runtime: Runtime) -> list[tuple[ErrandKind, str, bool]]:
    with runtime.sessions.read() as session:
        rows = session.scalars(select(Errand).order_by(Errand.kind, Errand.subject))
        return [(row.kind, row.subject, row.closed_at is not None) for row in rows]


def message_to(runtime: Runtime, name: str) -> str:
    with runtime.sessions.read() as session:
        query = select(SmsRun.text).join(CallTry, CallTry.id == SmsRun.broadcast_id).where(CallTry.name == name)
        return session.scalars(query.order_by(SmsRun.created_at)).all()[0]


def test_it_climbs_from_person_to_person_and_from_level_to_level(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    fired(runtime, clock, sign_in("duty"))
    pass_time(runtime, clock)
    assert called(runtime) == ["桥支书"]
    assert called(runtime, NORTH) == ["镇值班"]
    assert "桥村已经播发。收到请回复1" in message_to(runtime, "桥支书")
    pass_time(runtime, clock, 4.9)
    assert called(runtime) == ["桥支书"]
    for minutes in (0.2, 5.1, 5.1, 5.1):
        pass_time(runtime, clock, minutes)
    assert called(runtime) == ["桥支书", "桥网格", "镇值班", "县值班"]
    assert state_of(runtime) is CallState.NOBODY
    assert (ErrandKind.PHONE, BRIDGE, False) in errands(runtime)


def test_a_press_on_the_link_ends_the_calling_and_looking_at_it_does_not(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, app: object
) -> None:
    browser = sign_in("duty")
    fired(runtime, clock, browser)
    pass_time(runtime, clock)
    link = re.search(r"http://hub(/c/\S+)", message_to(runtime, "桥支书"))
    assert link is not None
    phone = browser.application.test_client()
    assert "收到，我去办" in phone.get(link[1]).text
    assert state_of(runtime) is CallState.CALLING
    assert phone.post(link[1]).status_code == 302
    assert "已经确认" in phone.get(link[1]).text
    assert state_of(runtime) is CallState.CONFIRMED
    pass_time(runtime, clock, 6)
    assert called(runtime) == ["桥支书"]
    assert (ErrandKind.PHONE, BRIDGE, False) not in errands(runtime)


def test_a_link_that_was_not_given_out_opens_nothing(runtime: Runtime, sign_in: SignIn) -> None:
    browser = sign_in("duty").application.test_client()
    key = runtime.secrets.session_key
    good = token_of(uuid4(), key)
    assert try_of(good, b"another key") is None
    for token in (good, good[:-1] + ("A" if good[-1] != "A" else "B"), good[:20], "x", "%00", "我" * 5):
        assert browser.get(f"/c/{token}").status_code == 404
        assert browser.post(f"/c/{token}").status_code == 404


@pytest.mark.parametrize(
    ("text", "yes"), [("1", True), ("１", True), (" 1。", True), ("收到", True), ("2", False), ("1号桥断了", False)]
)
def test_the_reply_1_counts_and_anything_else_stays_for_people(text: str, yes: bool) -> None:
    assert means_yes(text) is yes


def test_a_reply_of_that_number_confirms(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    fired(runtime, clock, sign_in("duty"))
    pass_time(runtime, clock)
    clock.now += timedelta(seconds=30)
    with runtime.sessions.begin() as session:
        said = [Inbound("13800002001", "１", "r1", clock()), Inbound("13800009999", "1", "r2", clock())]
        inbound.receive(session, runtime.get(PhoneSafe), "local", said, now=clock())
    assert answering.take_replies(runtime.sessions, now=clock()) == 1
    assert answering.take_replies(runtime.sessions, now=clock()) == 0
    assert state_of(runtime) is CallState.CONFIRMED
    with runtime.sessions.read() as session:
        assert session.scalars(select(Call.how).where(Call.region_code == BRIDGE)).one() is How.REPLY


def test_somebody_above_who_answers_ends_the_calling_but_not_the_errand(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    fired(runtime, clock, sign_in("duty"))
    for minutes in (0, 5.1, 5.1):
        pass_time(runtime, clock, minutes)
    assert called(runtime)[-1] == "镇值班"
    with runtime.sessions.read() as session:
        assert any("桥村没人应答，请打电话过去" in text for text in session.scalars(select(SmsRun.text)))
    with runtime.sessions.begin() as session:
        call = session.scalars(select(Call).where(Call.region_code == BRIDGE)).one()
        answering.press(session, the_actor(session, "duty"), call.id, now=clock())
    assert state_of(runtime) is CallState.CONFIRMED
    assert (ErrandKind.PHONE, BRIDGE, False) in errands(runtime)


def test_an_errand_is_closed_by_saying_whom_one_spoke_to_and_by_nothing_else(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    browser = sign_in("duty")
    fired(runtime, clock, browser)
    for minutes in (0, 5.1):
        pass_time(runtime, clock, minutes)
    with runtime.sessions.read() as session:
        errand = session.scalars(select(Errand).where(Errand.subject == BRIDGE)).first()
    assert errand is not None
    page = browser.get(f"/incidents/{errand.incident_id}").text
    assert "打电话：桥村" in page
    browser.post(f"/errands/{errand.id}/done", data={"result": " "})
    assert (ErrandKind.PHONE, BRIDGE, False) in errands(runtime)
    assert sign_in("strange_duty").post(f"/errands/{errand.id}/done", data={"result": "x"}).status_code == 404
    assert sign_in("viewer").post(f"/errands/{errand.id}/done", data={"result": "x"}).status_code == 403
    browser.post(f"/errands/{errand.id}/done", data={"result": "跟桥支书说了，正在转移"})
    assert (ErrandKind.PHONE, BRIDGE, True) in errands(runtime)
    assert "打通了：桥村 跟桥支书说了，正在转移" in browser.get(f"/incidents/{errand.incident_id}").text


def test_loudspeakers_that_stay_silent_become_doors_to_knock_on(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    silent = f"s{BRIDGE[-4:]}-1"
    with runtime.sessions.begin() as session:
        session.execute(update(Speaker).where(Speaker.id == silent).values(online=False, households=86))
    fired(runtime, clock, sign_in("duty"))
    listing.write_all(runtime.sessions, now=clock())
    assert calls.note_silent(runtime.sessions, a_calling(runtime), now=clock()) == 0
    clock.now += timedelta(seconds=61)
    assert calls.note_silent(runtime.sessions, a_calling(runtime), now=clock()) == 1
    assert calls.note_silent(runtime.sessions, a_calling(runtime), now=clock()) == 0
    assert (ErrandKind.KNOCK, BRIDGE, False) in errands(runtime)
    with runtime.sessions.read() as session:
        found = session.scalars(select(Errand)).one()
    assert (found.name, found.households) == ("桥村 村口", 86)


def test_after_a_correction_nobody_is_called_any_more(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    browser = sign_in("duty")
    address = fired(runtime, clock, browser)
    pass_time(runtime, clock)
    listing.write_all(runtime.sessions, now=clock())
    browser.post(f"{address}/take-back")
    pass_time(runtime, clock, 6)
    assert called(runtime) == ["桥支书"]
    assert state_of(runtime) is CallState.ENDED


def test_a_yellow_one_tells_the_township_once_and_asks_for_no_answer(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    fired(runtime, clock, sign_in("duty"), colour="yellow")
    for minutes in (0, 6):
        pass_time(runtime, clock, minutes)
    assert called(runtime, NORTH) == ["镇值班"]
    assert "不用回复" in message_to(runtime, "镇值班")
    assert errands(runtime) == []


def test_whoever_has_a_shift_is_called_first(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    with runtime.sessions.begin() as session:
        second = session.scalars(select(DutyPerson).where(DutyPerson.name == "桥网格")).one()
        hour = timedelta(hours=1)
        duty.add_shift(session, SYSTEM, second.id, starts_at=clock() - hour, ends_at=clock() + hour, now=clock())
        with pytest.raises(BadInput, match="duty_shift_backwards"):
            duty.add_shift(session, SYSTEM, second.id, starts_at=clock() + hour, ends_at=clock(), now=clock())
    fired(runtime, clock, sign_in("duty"))
    pass_time(runtime, clock)
    assert called(runtime) == ["桥网格"]


def test_the_roster_page_keeps_numbers_hidden_and_strangers_out(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    clerk.post("/roster", data={"region": HILL, "name": "岭支书", "phone": "13800002009", "title": "村支书"})
    page = clerk.get(f"/roster?region={HILL}").text
    assert "岭支书" in page
    assert "138****2009" in page
    assert "13800002009" not in page
    assert clerk.post("/roster", data={"region": HILL, "name": "又一个", "phone": "13800002009"}).status_code == 422
    with runtime.sessions.read() as session:
        person = session.scalars(select(DutyPerson).where(DutyPerson.name == "岭支书")).one()
    stranger = sign_in("stranger")
    assert stranger.post(f"/roster/{person.id}/remove").status_code == 404
    assert stranger.post("/roster", data={"region": HILL, "name": "x", "phone": "13800002010"}).status_code == 404
    assert "岭支书" not in stranger.get(f"/roster?region={HILL}").text
    clerk.post(f"/roster/{person.id}/remove", data={"region": HILL})
    with runtime.sessions.read() as session:
        gone = session.get_one(DutyPerson, person.id)
        assert gone.sealed == b""
        assert session.scalars(select(SmsMessage)).first() is None


def test_an_incident_stays_open_while_somebody_has_to_be_phoned_and_shows_their_number_to_who_may_call(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    duty = sign_in("duty")
    fired(runtime, clock, duty)
    pass_time(runtime, clock)
    pass_time(runtime, clock, 5.1)
    with runtime.sessions.read() as session:
        errand = session.scalars(select(Errand).where(Errand.subject == BRIDGE)).one()
    page = f"/incidents/{errand.incident_id}"
    assert "桥支书" in duty.get(page).text
    assert "13800002001" not in duty.get(page).text
    shown = duty.post(f"/errands/{errand.id}/numbers").text
    assert "tel:13800002001" in shown
    assert sign_in("viewer").post(f"/errands/{errand.id}/numbers").status_code == 403
    assert sign_in("strange_duty").post(f"/errands/{errand.id}/numbers").status_code == 404
    duty.post(f"{page}/close")
    with runtime.sessions.read() as session:
        assert session.get_one(Incident, errand.incident_id).closed_at is None
        assert session.scalars(select(AuditEntry.deed).where(AuditEntry.deed == "phone.reveal")).all() == [
            "phone.reveal"
        ]
        left = session.scalars(select(Errand.id).where(Errand.closed_at.is_(None))).all()
    for one in left:
        duty.post(f"/errands/{one}/done", data={"result": "打通了，知道了"})
    duty.post(f"{page}/close")
    with runtime.sessions.read() as session:
        assert session.get_one(Incident, errand.incident_id).closed_at is not None


def test_the_county_is_told_at_once_and_asked_for_nothing(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    address = fired(runtime, clock, sign_in("duty"))
    pass_time(runtime, clock)
    assert called(runtime, COUNTY) == ["县值班"]
    text = message_to(runtime, "县值班")
    assert text.startswith("【村响】告知：低温冰冻·红色，桥村已经播发，不用回复。")
    assert text.endswith(f"http://hub{address}")
    pass_time(runtime, clock, 20)
    assert (called(runtime, COUNTY), state_of(runtime, COUNTY)) == (["县值班"], CallState.ENDED)
    assert (ErrandKind.PHONE, COUNTY, False) not in errands(runtime)
    assert "叫应：0 / 2 处有人应了" in sign_in("duty").get(address).text

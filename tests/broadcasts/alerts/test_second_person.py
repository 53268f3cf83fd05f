"""Words nobody has signed: a second person reads them and types the number; one alone sends nothing, unless allowed."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from builders import COUNTY, NORTH, the_actor
from conftest import SetClock
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from broadcasts.alerts import confirming, firing
from broadcasts.alerts.calling import telling
from broadcasts.alerts.calling.service import Calling
from broadcasts.alerts.models import Alert, AlertState, Authority
from broadcasts.alerts.plans.models import PlanState, PlanVersion
from broadcasts.alerts.wishes import Spoken
from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.rules import Rules
from broadcasts.sms.models import SmsMessage, SmsRun
from hub.core.actor import SYSTEM
from hub.core.errors import BadInput, NotAllowed, WrongState
from hub.core.runtime import Runtime
from hub.duty import service as duty_roster
from hub.duty.service import PersonInput
from hub.residents.phones import PhoneSafe

SignIn = Callable[[str], FlaskClient]
FORM = {"form_key": "second-person-1", "hazard": "cold", "colour": "red", "area": NORTH, "sms": "1", "speakers": "4"}
OWN = {"speech": "紧急通知！老桥要塌了，大家不要过桥！", "sms_text": "紧急：老桥要塌了，不要过桥。"}


@pytest.fixture(autouse=True)
def another_officer(runtime: Runtime, sign_in: SignIn) -> None:
    """The approver of the north may call emergencies too."""


def the_alert(runtime: Runtime) -> Alert:
    with runtime.sessions.read() as session:
        return session.scalars(select(Alert)).one()


def went_out(runtime: Runtime, clock: SetClock, seconds: float = 3.1) -> int:
    clock.now += timedelta(seconds=seconds)
    firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock())
    with runtime.sessions.read() as session:
        return session.scalar(select(func.count()).select_from(Broadcast)) or 0


def test_changed_words_wait_for_somebody_else_who_reads_them(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    duty, approver = sign_in("duty"), sign_in("approver")
    address = duty.post("/emergency", data=FORM | OWN).location
    assert (the_alert(runtime).state, went_out(runtime, clock, 60)) == (AlertState.PROPOSED, 0)
    assert "请另一个能播应急的人登录" in duty.get(address).text
    assert "同意，立即播发" not in duty.get(address).text
    assert duty.post(f"{address}/confirm", data={"speakers": "4"}).status_code == 403
    assert "北镇值班员要播应急" in approver.get("/").text
    assert OWN["speech"] in approver.get(address).text
    assert approver.post(f"{address}/confirm", data={"speakers": "3"}).status_code == 409
    assert went_out(runtime, clock) == 0
    approver.post(f"{address}/confirm", data={"speakers": "4"})
    assert the_alert(runtime).state is AlertState.ARMED
    assert "data-countdown=" in duty.get(address).text
    assert went_out(runtime, clock) == 1
    alert = the_alert(runtime)
    assert (alert.authority, alert.confirmed_by_name) == (Authority.SECOND_PERSON, "北镇副镇长")
    assert alert.correction["speech"]


def test_without_a_plan_in_force_even_the_usual_words_need_a_second_person(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    with runtime.sessions.begin() as session:
        session.execute(update(PlanVersion).values(state=PlanState.WITHDRAWN))
    page = sign_in("duty").get(f"/emergency?hazard=cold&colour=red&area={NORTH}").text
    assert "这条没有批过的预案" in page
    sign_in("duty").post("/emergency", data=FORM)
    assert (the_alert(runtime).state, went_out(runtime, clock)) == (AlertState.PROPOSED, 0)


def test_what_nobody_confirms_lapses(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    address = sign_in("duty").post("/emergency", data=FORM | OWN).location
    assert went_out(runtime, clock, 1801) == 0
    assert the_alert(runtime).state is AlertState.MISSED
    assert sign_in("approver").post(f"{address}/confirm", data={"speakers": "4"}).status_code == 409
    assert "没有人来确认，过期作废了" in sign_in("duty").get(address).text


def test_a_warning_is_passed_on_with_issuer_and_number_only(runtime: Runtime, sign_in: SignIn) -> None:
    said = {"speech": "县气象台发布山洪红色预警，快往高处走！", "sms_text": "县气象台发布山洪红色预警，快往高处走。"}
    refused = sign_in("duty").post("/emergency", data=FORM | said)
    assert refused.status_code == 422
    assert "“预警”只有发布单位才能发" in refused.text
    assert said["speech"] in refused.text
    half = sign_in("duty").post("/emergency", data=FORM | said | {"issuer": "县气象台"})
    assert half.status_code == 422
    whole = FORM | said | {"issuer": "县气象台", "issuer_ref": "99010141600000_20261123100000"}
    assert sign_in("duty").post("/emergency", data=whole).status_code == 302
    assert the_alert(runtime).issuer == "县气象台"


def test_one_goes_alone_only_where_allowed_after_waiting_and_with_a_reason(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    duty = sign_in("duty")
    address = duty.post("/emergency", data=FORM | OWN).location
    alert_id, rules = UUID(address.rpartition("/")[2]), runtime.get(Rules)
    assert "单人强制播发" not in duty.get(address).text

    def alone(reason: str, rules: Rules) -> None:
        with runtime.sessions.begin() as session:
            actor = the_actor(session, "duty")
            confirming.go_alone(
                session, actor, alert_id, Spoken(None, ""), typed=4, reason=reason, rules=rules, now=clock()
            )

    with pytest.raises(NotAllowed, match="alert_never_alone"):
        alone("水已经到桥面了", rules)
    open_rules = replace(rules, alone_after=timedelta(seconds=60))
    with pytest.raises(WrongState, match="alert_wait_for_second"):
        alone("水已经到桥面了", open_rules)
    clock.now += timedelta(seconds=61)
    with pytest.raises(BadInput, match="alert_reason_short"):
        alone("急", open_rules)
    alone("水已经到桥面了", open_rules)
    assert went_out(runtime, clock) == 1
    assert the_alert(runtime).authority is Authority.BREAK_GLASS
    assert "单人强制播发了" in sign_in("county").get("/").text
    assert "单人强制播发了" not in sign_in("approver").get("/").text


def test_two_officers_who_confirm_at_once_start_one_countdown(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    address = sign_in("duty").post("/emergency", data=FORM | OWN).location
    answers = [
        sign_in(who).post(f"{address}/confirm", data={"speakers": "4"}).status_code for who in ("approver", "county")
    ]
    assert answers == [302, 409]
    assert went_out(runtime, clock) == 1


def test_strangers_can_neither_read_nor_confirm(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    address = sign_in("duty").post("/emergency", data=FORM | OWN).location
    stranger = sign_in("strange_duty")
    assert stranger.get(address).status_code == 404
    assert stranger.post(f"{address}/confirm", data={"speakers": "4"}).status_code == 404
    assert sign_in("clerk").post(f"{address}/confirm", data={"speakers": "4"}).status_code == 403
    assert went_out(runtime, clock) == 0


def test_the_usual_area_of_a_plan_is_chosen_with_its_hazard_until_somebody_chooses(sign_in: SignIn) -> None:
    duty = sign_in("duty")
    first = duty.get("/emergency?hazard=&colour=red&hazard=cold&area=&shown=&kept=0").text
    assert re.search(rf'<option value="{NORTH}"[^>]*selected', first)


def a_roster(runtime: Runtime, clock: SetClock) -> Calling:
    """Two accounts that may call emergencies in the north, one of elsewhere, a secretary, somebody without account."""
    people = [
        (NORTH, "镇值班", "duty"),
        (NORTH, "镇领导", "approver"),
        (COUNTY, "无账号", ""),
        (NORTH, "支书", "secretary"),
    ]
    with runtime.sessions.begin() as session:
        for n, (region, name, login) in enumerate(people):
            given = PersonInput(region, name, "", f"1380000300{n}", login)
            duty_roster.add_person(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock())
    return Calling(
        wait=timedelta(minutes=5),
        errand_within=timedelta(minutes=15),
        sms=runtime.get(Rules).sms,
        key=runtime.secrets.session_key,
        base_url=lambda: "http://hub",
    )


def test_who_may_confirm_gets_a_text_message_with_the_way_there_once(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    calling = a_roster(runtime, clock)
    duty = sign_in("duty")
    address = duty.post("/emergency", data=FORM | OWN).location
    assert "值班表上没有能确认的人" in duty.get(address).text
    asked = [telling.ask_seconds(runtime.sessions, calling, now=clock()) for _ in range(3)]
    assert asked == [1, 0, 0], "not its author, nobody who could not confirm, and nobody twice"
    with runtime.sessions.read() as session:
        run = session.scalars(select(SmsRun)).one()
        message = session.scalars(select(SmsMessage)).one()
    assert run.text.endswith(f"http://hub{address}")
    assert "北镇值班员" in run.text
    assert message.masked == "138****3001"
    page = duty.get(address).text
    assert "镇领导" in page
    assert "13800003001" not in page
    sign_in("approver").post(f"{address}/confirm", data={"speakers": "4"})
    assert telling.ask_seconds(runtime.sessions, calling, now=clock()) == 0


def test_nobody_is_asked_to_confirm_what_a_plan_says(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    calling = a_roster(runtime, clock)
    sign_in("duty").post("/emergency", data=FORM)
    assert telling.ask_seconds(runtime.sessions, calling, now=clock()) == 0

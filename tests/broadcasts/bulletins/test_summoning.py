"""A warning that came in calls whoever is on duty until somebody decides; what was refused is forgotten in time."""

from datetime import timedelta

import pytest
from builders import COUNTY, NORTH, SOUTH, the_actor
from caplab import NOW, area, document, geocode, hand_in, info
from sqlalchemy import select

from broadcasts.alerts.calling.service import Calling
from broadcasts.alerts.wishes import Spoken
from broadcasts.bulletins import deciding, intake, listing, summoning
from broadcasts.bulletins.deciding import Passing
from broadcasts.bulletins.models import Bulletin, Envelope
from broadcasts.delivery.rules import Rules
from broadcasts.feature import rules_of
from broadcasts.kinds import Colour
from broadcasts.sms.models import SmsMessage, SmsRun
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.duty import service as duty
from hub.duty.service import PersonInput
from hub.residents.phones import PhoneSafe


@pytest.fixture(autouse=True)
def a_roster(runtime: Runtime, app: object) -> None:
    people = [(NORTH, "镇甲", "13800004001"), (NORTH, "镇乙", "13800004002"), (COUNTY, "县丙", "13800004003")]
    people.append((SOUTH, "南镇", "13800004004"))
    with runtime.sessions.begin() as session:
        for region, name, phone in people:
            duty.add_person(session, SYSTEM, PersonInput(region, name, "", phone), safe=runtime.get(PhoneSafe), now=NOW)


@pytest.fixture
def calling(runtime: Runtime) -> Calling:
    rules: Rules = rules_of(runtime)
    wait = timedelta(minutes=5)
    return Calling(wait, wait, rules.sms, runtime.secrets.session_key, lambda: "http://hub")


def summoned(runtime: Runtime, calling: Calling, minutes: float) -> list[str]:
    """The ends of the numbers that were written to up to that minute, in order."""
    for _ in range(3):
        summoning.summon(runtime.sessions, calling, now=NOW + timedelta(minutes=minutes))
    with runtime.sessions.read() as session:
        return [message.masked[-4:] for message in session.scalars(select(SmsMessage).order_by(SmsMessage.id))]


def taken_in(runtime: Runtime, data: bytes) -> Bulletin:
    with runtime.sessions.begin() as session:
        return hand_in(session, data).bulletins[0]


def test_one_after_the_other_and_level_by_level_until_somebody_decides(runtime: Runtime, calling: Calling) -> None:
    bulletin = taken_in(runtime, document())
    assert summoned(runtime, calling, 0) == ["4001"]
    assert summoned(runtime, calling, 4.9) == ["4001"]
    assert summoned(runtime, calling, 5) == ["4001", "4002"]
    with runtime.sessions.begin() as session:
        texts = set(session.scalars(select(SmsRun.text)))
        assert len(texts) == 1
        assert texts.pop().endswith(f"http://hub/warnings/{bulletin.id}")
        told = listing.sheet(session, the_actor(session, "duty"), bulletin.id, colour=None, hushed=False, now=NOW)
        assert [one.name for one in told.summoned] == ["镇甲", "镇乙"]
        deciding.dismiss(session, the_actor(session, "duty"), bulletin.id, reason="另有安排", now=NOW)
    assert summoned(runtime, calling, 60) == ["4001", "4002"], "decided: nobody is woken any more"


def test_nobody_answers_and_everybody_up_to_the_county_was_called_once(runtime: Runtime, calling: Calling) -> None:
    taken_in(runtime, document())
    found = [summoned(runtime, calling, minutes) for minutes in (0, 5, 10, 15, 20)]
    assert found[-1] == ["4001", "4002", "4003"], "and nobody of another township"


def test_a_countys_grave_warning_calls_each_townships_first_until_that_township_has_passed_it_on(
    runtime: Runtime, calling: Calling
) -> None:
    bulletin = taken_in(runtime, document(info(areas=area(geocode(COUNTY)))))
    assert sorted(summoned(runtime, calling, 0)) == ["4001", "4003", "4004"]
    with runtime.sessions.begin() as session:
        rules, duty_officer = runtime.get(Rules), the_actor(session, "duty")
        passing = Passing("county-wide-1", Colour.ORANGE, 4, sms=False)
        deciding.take(session, duty_officer, bulletin.id, passing, Spoken(None, ""), rules=rules, now=NOW)
        told = listing.sheet(session, duty_officer, bulletin.id, colour=None, hushed=False, now=NOW)
        assert {one.name for one in told.summoned} == {"镇甲", "县丙", "南镇"}
        duty.add_person(
            session, SYSTEM, PersonInput(SOUTH, "南乙", "", "13800004005"), safe=runtime.get(PhoneSafe), now=NOW
        )
    assert sorted(summoned(runtime, calling, 5)) == ["4001", "4003", "4004", "4005"], "the south has not decided yet"


def test_a_countys_milder_warning_tells_the_county_alone(runtime: Runtime, calling: Calling) -> None:
    mild = info(severity="Minor", event="暴雨蓝色预警", headline="暴雨蓝色预警", areas=area(geocode(COUNTY)))
    taken_in(runtime, document(mild))
    assert [summoned(runtime, calling, minutes) for minutes in (0, 30)] == [["4003"], ["4003"]]


def test_a_milder_one_tells_the_first_once(runtime: Runtime, calling: Calling) -> None:
    taken_in(runtime, document(info(severity="Minor", event="暴雨蓝色预警", headline="暴雨蓝色预警")))
    assert [summoned(runtime, calling, minutes) for minutes in (0, 30)] == [["4001"], ["4001"]]


def test_what_was_refused_is_forgotten_in_time_and_nothing_else(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        hand_in(session, document())
        assert hand_in(session, document(identifier="a b")).refused
        assert intake.purge(session, older_than=NOW) == 0
        assert intake.purge(session, older_than=NOW + timedelta(days=30)) == 1
        assert [kept.identifier for kept in session.scalars(select(Envelope))] == ["9901-1"]

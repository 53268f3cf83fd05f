"""A figure that is too bad is told once to whoever is responsible, until it is better again."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from builders import BRIDGE, COUNTY, HILL, NORTH, the_actor
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from broadcasts.delivery.rules import Rules
from broadcasts.reports import alarming, service
from broadcasts.reports.alarming import FigureWatch
from broadcasts.reports.models import FigureAlarm
from broadcasts.reports.scoring import DEFAULTS, Metric, Rule
from broadcasts.sms.models import SmsRun
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.duty import service as duty
from hub.duty.service import PersonInput
from hub.regions.tree import path_of
from hub.residents.phones import PhoneSafe
from hub.speakers.care.alarms import OFFLINE
from hub.speakers.care.models import SpeakerAlarm
from hub.speakers.models import Speaker
from hub.webhooks import service as webhooks
from hub.webhooks.models import EventKind, WebhookCall
from hub.webhooks.secrets import SecretSafe

SignIn = Callable[[str], FlaskClient]
MORNING = NOON.replace(hour=1)  # 09:00 in Shanghai


@pytest.fixture
def watch(sign_in: SignIn, runtime: Runtime, clock: SetClock) -> FigureWatch:
    clock.now = MORNING
    with runtime.sessions.begin() as session:
        given = PersonInput(NORTH, "小云", "值班员", "13800003333")
        duty.add_person(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=MORNING)
    return FigureWatch(runtime.sessions, runtime.get(Rules), clock, lambda: "http://hub")


def go_silent(runtime: Runtime, since: datetime, until: datetime | None = None, *, place: str = NORTH) -> None:
    with runtime.sessions.begin() as session:
        for speaker in session.scalars(select(Speaker).where(Speaker.region_path.startswith(path_of(place)))):
            session.add(
                SpeakerAlarm(
                    speaker_id=speaker.id,
                    region_path=speaker.region_path,
                    code=OFFLINE,
                    since=since,
                    ended_at=until,
                )
            )


def texts(runtime: Runtime) -> list[str]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(SmsRun.text).order_by(SmsRun.created_at)))


def test_it_is_told_once_and_again_only_after_it_was_better(
    runtime: Runtime, watch: FigureWatch, clock: SetClock, sign_in: SignIn
) -> None:
    with runtime.sessions.begin() as session:
        webhooks.add(
            session, the_actor(session, "county"), SecretSafe(runtime.secrets), name="县平台",
            url="https://example.org/in", home_path=path_of(COUNTY), kinds=[EventKind.FIGURE], now=MORNING,
        )  # fmt: skip
    go_silent(runtime, MORNING - timedelta(days=4), MORNING + timedelta(hours=1))
    watch.step()
    watch.step()
    assert len(texts(runtime)) == 1
    assert "北镇近 7 天在线率" in texts(runtime)[0]
    assert "低于 80%" in texts(runtime)[0]
    assert f"http://hub/coverage?region={NORTH}" in texts(runtime)[0]
    assert "北镇在线率太差" in sign_in("approver").get("/").text
    assert "太差" not in sign_in("strange_approver").get("/").text
    assert "太差" not in sign_in("viewer").get("/").text
    clock.now = MORNING + timedelta(days=1)
    watch.step()
    assert len(texts(runtime)) == 1, "it is as bad as yesterday: nobody is told twice"
    clock.now = MORNING + timedelta(days=12)
    watch.step()
    assert "太差" not in sign_in("approver").get("/").text
    go_silent(runtime, clock.now - timedelta(days=4))
    clock.now += timedelta(days=1)
    watch.step()
    assert len(texts(runtime)) == 2
    with runtime.sessions.read() as session:
        alarms = session.scalars(select(FigureAlarm).order_by(FigureAlarm.since)).all()
        assert [alarm.ended_at is None for alarm in alarms if alarm.region_code == NORTH] == [False, True]
        calls = session.scalars(select(WebhookCall)).all()
        said = Counter((call.kind, call.facts["place"], call.facts["figure"]) for call in calls)
        assert said == {(EventKind.FIGURE, place, "online"): 2 for place in (NORTH, BRIDGE, HILL)}


def test_a_village_is_told_of_on_its_own_when_its_township_is_well(
    runtime: Runtime, watch: FigureWatch, sign_in: SignIn
) -> None:
    go_silent(runtime, MORNING - timedelta(days=3), MORNING - timedelta(days=1), place=BRIDGE)
    watch.look(MORNING)
    (text,) = texts(runtime)
    assert "桥村近 7 天在线率71.4%，低于 80%" in text
    assert f"http://hub/coverage?region={BRIDGE}" in text
    with runtime.sessions.read() as session:
        assert [alarm.region_code for alarm in session.scalars(select(FigureAlarm))] == [BRIDGE]
    assert "桥村在线率太差" in sign_in("approver").get("/").text
    assert "太差" not in sign_in("strange_approver").get("/").text
    watch.look(MORNING + timedelta(hours=3))
    assert len(texts(runtime)) == 1


def test_the_villages_own_person_is_told_first_and_several_villages_share_a_message(
    runtime: Runtime, watch: FigureWatch
) -> None:
    days = MORNING.date() - timedelta(days=7), MORNING.date() - timedelta(days=1)

    def bad(code: str, value: float) -> FigureAlarm:
        return FigureAlarm(
            region_code=code, region_path=path_of(code), metric=Metric.ONLINE, value=value, bound=0.8,
            first_day=days[0], last_day=days[1], since=MORNING,
        )  # fmt: skip

    with runtime.sessions.begin() as session:
        found = [bad(BRIDGE, 0.7), bad(HILL, 0.4)]
        session.add_all(found)
        session.flush()
        ((person, theirs),) = alarming._by_person(session, found, MORNING)
        assert person.name == "小云"
        watch._tell(session, person, theirs, MORNING)
        given = PersonInput(BRIDGE, "桥村支书", "", "13800004444", "")
        duty.add_person(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=MORNING)
        assert {p.name: len(a) for p, a in alarming._by_person(session, found, MORNING)} == {"桥村支书": 1, "小云": 1}
    (text,) = texts(runtime)
    assert "岭村等 2 个村近 7 天在线率低于 80%，最低 40%" in text
    assert f"http://hub/coverage?region={NORTH}" in text


def test_nobody_is_told_at_night(runtime: Runtime, watch: FigureWatch, clock: SetClock) -> None:
    go_silent(runtime, MORNING - timedelta(days=5))
    for hour, expected in ((14, 0), (20, 0), (0, 1)):  # 22:00, 04:00, 08:00 in Shanghai
        clock.now = (MORNING + timedelta(days=1)).replace(hour=hour)
        watch.step()
        assert len(texts(runtime)) == expected


def test_without_a_bound_nobody_is_told_and_what_was_told_ends(runtime: Runtime, watch: FigureWatch) -> None:
    go_silent(runtime, MORNING - timedelta(days=5))
    watch.look(MORNING)
    with runtime.sessions.begin() as session:
        quiet = [Rule(rule.metric, rule.weight, rule.good, rule.bad) for rule in DEFAULTS]
        service.set_rules(session, the_actor(session, "county"), quiet, now=MORNING)
        assert alarming.open_alarms(session, the_actor(session, "approver"))
    assert watch.look(MORNING) == []
    with runtime.sessions.read() as session:
        assert not alarming.open_alarms(session, the_actor(session, "approver"))


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_bound_itself_is_no_alarm_and_every_worse_value_is(value: float, bound: float) -> None:
    assert Rule(Metric.ONLINE, 10, 1.0, 0.0, bound).alarms(value) == (value < bound)
    assert Rule(Metric.FAULTY, 10, 0.0, 1.0, bound).alarms(value) == (value > bound)
    assert not Rule(Metric.ONLINE, 10, 1.0, 0.0).alarms(value)

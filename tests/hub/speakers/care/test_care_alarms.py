"""An alarm begins, is told after its grace, ends by itself, and what flaps is one alarm and not many."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import builders
import pytest
from builders import BRIDGE, FERRY, HILL, NORTH, an_actor
from carelab import Recorder, alarms_of, an_alarm, beat, change, fault, many, plugged, watch
from conftest import NOON, SetClock
from sqlalchemy import event, select

from hub.accounts.roles import Role
from hub.core.errors import NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime
from hub.speakers import registry
from hub.speakers.care import attention
from hub.speakers.care.models import SpeakerAlarm
from hub.speakers.models import Speaker, SpeakerState

ZONE = ZoneInfo("Asia/Shanghai")
ONE, TWO = "s1001-1", "s1001-2"


@pytest.fixture
def station(runtime: Runtime) -> Recorder:
    return plugged(runtime)


def after(clock: SetClock, **span: float) -> datetime:
    clock.now += timedelta(**span)
    return clock.now


def goes(runtime: Runtime, speaker_id: str = ONE) -> None:
    change(runtime, speaker_id, online=False, online_since=runtime.now())


def comes(runtime: Runtime, speaker_id: str = ONE) -> None:
    change(runtime, speaker_id, online=True, online_since=runtime.now())


def lines(
    runtime: Runtime, *, all_: bool = False, role: Role = Role.CLERK, region: str = NORTH
) -> list[attention.Line]:
    with runtime.sessions.read() as session:
        return attention.lines(session, an_actor(role, region), now=runtime.now(), all_=all_)


def test_silence_is_told_after_its_grace_and_not_before(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    goes(runtime)
    watch(runtime).step()
    after(clock, minutes=14)
    watch(runtime).step()
    assert lines(runtime) == []
    after(clock, minutes=1)
    watch(runtime).step()
    [line] = lines(runtime)
    assert (line.code, line.speaker_id, line.since, line.place) == ("offline", ONE, NOON, BRIDGE)


def test_it_ends_by_itself_when_the_loudspeaker_is_back(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    goes(runtime)
    after(clock, minutes=20)
    watch(runtime).step()
    assert len(lines(runtime)) == 1
    comes(runtime)
    watch(runtime).step()
    assert lines(runtime) == []
    assert alarms_of(runtime, ONE)[0].ended_at == clock.now


def test_a_loudspeaker_that_flaps_is_one_alarm(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    for _ in range(12):
        goes(runtime)
        watch(runtime).step()
        after(clock, minutes=4)
        watch(runtime).step()
        comes(runtime)
        watch(runtime).step()
        after(clock, minutes=2)
    goes(runtime)
    watch(runtime).step()
    found = alarms_of(runtime, ONE)
    assert len(found) == 1
    assert found[0].since == NOON, "it has been unwell since the first time"
    assert found[0].raised_at is not None


def test_short_breaks_far_apart_are_no_alarm(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    for _ in range(4):
        goes(runtime)
        watch(runtime).step()
        after(clock, minutes=3)
        comes(runtime)
        watch(runtime).step()
        after(clock, minutes=40)
        watch(runtime).step()
    assert all(alarm.raised_at is None for alarm in alarms_of(runtime, ONE))
    assert lines(runtime, all_=True) == []


def test_who_never_connected_and_who_is_retired_raise_none(
    runtime: Runtime, clock: SetClock, station: Recorder
) -> None:
    change(runtime, ONE, online=False, seen_at=None, online_since=None)
    goes(runtime, TWO)
    after(clock, hours=1)
    watch(runtime).step()
    assert [line.speaker_id for line in lines(runtime)] == [TWO]
    change(runtime, TWO, state=SpeakerState.RETIRED)
    watch(runtime).step()
    assert lines(runtime) == []


def test_without_a_broker_nobody_is_said_to_be_silent(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    goes(runtime)
    after(clock, hours=1)
    station.away = True
    watch(runtime).step()
    assert alarms_of(runtime, ONE) == []
    station.away = False
    watch(runtime).step()
    assert len(lines(runtime)) == 1


def test_acknowledged_is_off_the_list_but_not_forgotten(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    goes(runtime)
    after(clock, hours=1)
    watch(runtime).step()
    [line] = lines(runtime)
    with runtime.sessions.begin() as session:
        attention.acknowledge(session, an_actor(name="小李"), line.ids, now=clock.now)
    assert lines(runtime) == []
    assert [known.acknowledged_by for known in lines(runtime, all_=True)] == ["小李"]
    comes(runtime)
    watch(runtime).step()
    with runtime.sessions.begin() as session, pytest.raises(WrongState, match="alarm_over"):
        attention.acknowledge(session, an_actor(), line.ids, now=clock.now)


def test_a_snooze_outlives_the_loudspeakers_comings_and_goings(
    runtime: Runtime, clock: SetClock, station: Recorder
) -> None:
    goes(runtime)
    after(clock, hours=1)
    watch(runtime).step()
    [line] = lines(runtime)
    with runtime.sessions.begin() as session:
        attention.snooze(session, an_actor(), line.ids, 3, now=clock.now, zone=ZONE)
    until = datetime(2026, 11, 26, 0, 0, tzinfo=UTC)
    assert [known.snoozed_until for known in lines(runtime, all_=True)] == [until]
    comes(runtime)
    watch(runtime).step()
    after(clock, hours=5)
    goes(runtime)
    after(clock, hours=1)
    watch(runtime).step()
    assert len(alarms_of(runtime, ONE)) == 2, "five hours later it is another alarm"
    assert lines(runtime) == [], "but people said not to be told before Thursday morning"
    clock.now = until + timedelta(minutes=1)
    assert len(lines(runtime)) == 1


def test_tomorrow_means_eight_in_the_morning(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    clock.now = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)  # 23:30 in the villages
    with runtime.sessions.begin() as session:
        alarm = an_alarm(session, ONE, "offline", clock.now - timedelta(hours=1))
        attention.snooze(session, an_actor(), [alarm.id], 1, now=clock.now, zone=ZONE)
        assert alarm.snoozed_until == datetime(2026, 11, 24, 0, 0, tzinfo=UTC)


def test_five_of_a_township_at_once_are_one_line(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    with runtime.sessions.begin() as session:
        found = many(session, 4, now=clock.now, region=HILL)
        for one in found:
            an_alarm(session, one, "offline", NOON - timedelta(hours=1))
        an_alarm(session, "s2001-1", "offline", NOON - timedelta(hours=1))
    assert [line.count for line in lines(runtime)] == [1] * 4
    with runtime.sessions.begin() as session:
        an_alarm(session, ONE, "offline", NOON - timedelta(minutes=57))
    [line] = lines(runtime)
    assert (line.count, line.place, line.many, line.speaker_id) == (5, NORTH, True, "")
    with runtime.sessions.begin() as session:
        an_alarm(session, TWO, "offline", NOON - timedelta(minutes=30))
    assert sorted(line.count for line in lines(runtime)) == [1, 5], "half an hour later is not at once"
    with runtime.sessions.begin() as session:
        attention.acknowledge(session, an_actor(), line.ids, now=clock.now)
    assert [line.speaker_id for line in lines(runtime)] == [TWO]


def test_a_wrong_clock_is_told_when_it_lasts(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    change(runtime, ONE, clock_offset_ms=-5001, seen_at=clock.now)
    change(runtime, TWO, clock_offset_ms=4999, seen_at=clock.now)
    watch(runtime).step()
    assert lines(runtime) == []
    after(clock, minutes=10)
    watch(runtime).step()
    assert [(line.speaker_id, line.code) for line in lines(runtime)] == [(ONE, "clock_wrong")]
    change(runtime, ONE, clock_offset_ms=20)
    watch(runtime).step()
    assert lines(runtime) == []


def test_settings_that_are_not_taken_for_half_an_hour_are_told(
    runtime: Runtime, clock: SetClock, station: Recorder
) -> None:
    version = round(clock.now.timestamp() * 1000)
    change(runtime, ONE, settings_version=version, settings_taken=version - 1, online_since=NOON - timedelta(days=1))
    watch(runtime).step()
    assert lines(runtime) == []
    after(clock, minutes=31)
    watch(runtime).step()
    assert [(line.speaker_id, line.code) for line in lines(runtime)] == [(ONE, "settings_old")]
    change(runtime, ONE, settings_taken=version)
    watch(runtime).step()
    assert lines(runtime) == []


def test_a_fault_is_told_at_once_and_ends_with_its_recovery(
    runtime: Runtime, clock: SetClock, station: Recorder
) -> None:
    watch(runtime).faults([fault(ONE, "amp_voltage_low", detail="3.1 V")])
    assert [line.code for line in lines(runtime)] == ["amp_voltage_low"]
    after(clock, minutes=1)
    watch(runtime).faults([fault(ONE, "amp_voltage_low", on=False)])
    assert lines(runtime) == []
    after(clock, minutes=1)
    watch(runtime).beats([beat(ONE, faults=("amp_voltage_low",))])
    assert len(alarms_of(runtime, ONE, "amp_voltage_low")) == 1, "two minutes later it is still the same"
    assert len(lines(runtime)) == 1


def test_people_elsewhere_see_and_change_nothing(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    with runtime.sessions.begin() as session:
        alarm = an_alarm(session, ONE, "offline", NOON)
    assert lines(runtime, region=builders.SOUTH) == []
    assert lines(runtime, region=FERRY, role=Role.SECRETARY) == []
    with runtime.sessions.begin() as session:
        with pytest.raises(NotFound):
            attention.acknowledge(session, an_actor(region=builders.SOUTH), [alarm.id], now=NOON)
        with pytest.raises(NotFound):
            attention.snooze(session, an_actor(region=builders.SOUTH), [alarm.id], 1, now=NOON, zone=ZONE)
        with pytest.raises(NotAllowed):
            attention.acknowledge(session, an_actor(Role.VIEWER), [alarm.id], now=NOON)
    assert alarms_of(runtime, ONE)[0].acknowledged_at is None


def test_a_storm_of_a_thousand_is_two_inserts_and_one_transaction(
    runtime: Runtime, clock: SetClock, station: Recorder
) -> None:
    with runtime.sessions.begin() as session:
        ids = many(session, 1000, now=clock.now)
    commits: list[str] = []
    event.listen(runtime.sessions.engine, "commit", lambda _: commits.append("commit"))
    watch(runtime).changed([], ids)
    assert len(commits) == 1
    with runtime.sessions.begin() as session:
        for speaker in session.scalars(select(Speaker).where(Speaker.id.in_(ids))):
            speaker.online, speaker.online_since = False, clock.now
    after(clock, minutes=16)
    watch(runtime).step()
    with runtime.sessions.read() as session:
        assert len(session.scalars(select(SpeakerAlarm.id)).all()) == 1000
    assert [line.count for line in lines(runtime)] == [1000]


def test_moving_a_loudspeaker_takes_its_alarm_along(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    with runtime.sessions.begin() as session:
        an_alarm(session, ONE, "offline", NOON)
        registry.move(session, an_actor(Role.COUNTY_ADMIN, builders.COUNTY), ONE, FERRY, now=NOON)
    assert lines(runtime) == []
    assert [line.place for line in lines(runtime, region=builders.SOUTH)] == [FERRY]

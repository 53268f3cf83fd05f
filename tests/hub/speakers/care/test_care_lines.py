"""With a broker for each place, what one line does says nothing about loudspeakers on another."""

from datetime import timedelta

import pytest
from builders import FERRY
from carelab import Recorder, alarms_of, change, events_of, plugged, watch
from conftest import SetClock

from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers.link import BrokerAddress, SpeakerLink
from hub.speakers.shards import Homes, Shards

HERE, THERE = "s1001-1", "s2001-1"
"""On the main broker, and on that of the village at the ferry."""


class Wire(SpeakerLink):
    """A line that is up or not as the test says."""

    up = True

    @property
    def connected(self) -> bool:
        return self.up


@pytest.fixture
def there() -> Wire:
    return Wire(BrokerAddress("127.0.0.1", 1, "hub", ""))


@pytest.fixture
def station(runtime: Runtime, there: Wire) -> Recorder:
    found = plugged(runtime)
    found.shards = Shards(Wire(there.broker), {FERRY: there}, Homes(runtime.sessions))
    for place in ("", FERRY):
        found._begin_to_listen(place)
    return found


def silent_for(runtime: Runtime, clock: SetClock, **span: float) -> None:
    for each in (HERE, THERE):
        change(runtime, each, online=False, online_since=clock.now)
    clock.now += timedelta(**span)


def test_a_line_that_comes_back_excuses_its_own_loudspeakers_alone(
    runtime: Runtime, clock: SetClock, station: Recorder
) -> None:
    clock.now += timedelta(hours=1)
    station._begin_to_listen(FERRY)
    watch(runtime).changed([], [HERE, THERE])
    assert events_of(runtime, HERE) == [("offline", "")]
    assert events_of(runtime, THERE) == [("offline", "hub_was_away")]
    clock.now += timedelta(hours=1)
    watch(runtime).changed([], [THERE])
    assert events_of(runtime, THERE) == [("offline", "hub_was_away"), ("offline", "")]


def test_one_that_was_moved_counts_for_the_line_it_was_last_heard_on(
    runtime: Runtime, clock: SetClock, station: Recorder
) -> None:
    assert station.shards is not None
    clock.now += timedelta(hours=1)
    station.shards._seen[HERE] = FERRY
    station._begin_to_listen(FERRY)
    assert station.was_away(HERE)
    station._begin_to_listen("")
    station.shards._seen[THERE] = ""
    clock.now += timedelta(hours=1)
    station._begin_to_listen(FERRY)
    assert not station.was_away(THERE)


def test_a_broker_that_is_away_silences_no_alarm_elsewhere_and_raises_none_there(
    runtime: Runtime, clock: SetClock, station: Recorder, there: Wire
) -> None:
    silent_for(runtime, clock, hours=1)
    there.up = False
    watch(runtime).step()
    assert len(alarms_of(runtime, HERE)) == 1
    assert alarms_of(runtime, THERE) == []
    assert not station.hears(path_of(FERRY))
    there.up = True
    station._begin_to_listen(FERRY)
    watch(runtime).step()
    assert alarms_of(runtime, THERE) == [], "it has had no time to report again"
    clock.now += timedelta(minutes=5)
    watch(runtime).step()
    assert len(alarms_of(runtime, THERE)) == 1


def test_an_alarm_that_waits_to_be_told_waits_for_the_broker_too(
    runtime: Runtime, clock: SetClock, station: Recorder, there: Wire
) -> None:
    silent_for(runtime, clock, minutes=5)
    watch(runtime).step()
    assert [alarms_of(runtime, each)[0].raised_at for each in (HERE, THERE)] == [None, None]
    there.up = False
    clock.now += timedelta(hours=1)
    watch(runtime).step()
    assert alarms_of(runtime, HERE)[0].raised_at == clock.now
    assert alarms_of(runtime, THERE)[0].raised_at is None

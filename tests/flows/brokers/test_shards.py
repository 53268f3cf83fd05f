"""Two brokers, one of them for a village of its own: all hear what is meant for them, and one may die alone."""

from collections.abc import Iterator
from functools import partial

import pytest
from brokerlab import Shards
from countylab import BRIDGE, HILL, HOMES, TOWN, County, a_county
from speakerlab import soon

from broadcasts.loudspeaker.states import PlayState
from hub.regions.tree import path_of
from hub.speakers.protocol import Priority
from hub.speakers.settings import MqttSettings
from hub.watching.questions import brokers_of_places

ON_THE_BRIDGE, ON_THE_HILL = {"bridge-1", "bridge-2", "bridge-3"}, {"hill-1", "hill-2"}


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    folder = tmp_path_factory.mktemp("shards")
    with a_county(folder, Shards(folder / "broker", HILL)) as running:
        assert running.everyone_online()
        yield running


def hosting_of(county: County) -> Shards:
    assert isinstance(county.hosting, Shards)
    return county.hosting


@pytest.mark.slow
def test_each_is_told_its_own_and_hears_once(county: County) -> None:
    hosting, station = hosting_of(county), county.station
    assert station.told_at(path_of(HILL))[1] == hosting.other.port
    assert station.told_at(path_of(BRIDGE)) == station.told
    assert county.device("hill-1").broker_port == hosting.other.port != county.device("bridge-1").broker_port
    first, second = county.release(BRIDGE), county.release(HILL)
    for broadcast, names in ((first, ON_THE_BRIDGE), (second, ON_THE_HILL)):
        assert soon(partial(county.all_are, broadcast, PlayState.FINISHED)), county.states(broadcast)
        assert {name: len(files) for name, files in county.sounded(broadcast).items()} == dict.fromkeys(names, 1)
        for name in names:
            assert county.receipts(broadcast, name) == ["received", "fetched", "started", "finished"]


@pytest.mark.slow
def test_an_emergency_interrupts_on_both_and_a_stop_wins(county: County) -> None:
    market = county.release(TOWN, seconds=20)
    assert soon(lambda: county.all_are(market, PlayState.STARTED)), county.states(market)
    flood = county.release(TOWN, priority=Priority.EMERGENCY)
    assert soon(lambda: county.all_are(flood, PlayState.FINISHED)), county.states(flood)
    assert {name: len(files) for name, files in county.sounded(flood).items()} == dict.fromkeys(HOMES, 1)
    county.stop(market)
    assert soon(lambda: county.all_are(market, PlayState.STOPPED)), county.states(market)


@pytest.mark.slow
def test_one_dies_the_other_goes_on_and_what_was_missed_is_heard_once(county: County) -> None:
    hosting, station = hosting_of(county), county.station
    hosting.crash(station)
    assert station.shards is not None
    shards = station.shards
    assert soon(lambda: shards.away == [HILL])
    assert station.connected
    assert [finding.code for finding in brokers_of_places(county.runtime)] == ["check_broker_of_place_away"]
    flood = county.release(TOWN, priority=Priority.EMERGENCY)
    heard = dict.fromkeys(ON_THE_BRIDGE, PlayState.FINISHED)
    assert soon(lambda: county.states(flood).items() >= heard.items()), county.states(flood)
    assert set(county.sounded(flood)) == ON_THE_BRIDGE
    hosting.mend()
    assert soon(lambda: county.all_are(flood, PlayState.FINISHED), 60), county.states(flood)
    assert {name: len(files) for name, files in county.sounded(flood).items()} == dict.fromkeys(HOMES, 1)
    assert list(brokers_of_places(county.runtime)) == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"shards": ["990101001002=127.0.0.1"]}, "host and a port"),
        ({"shards": ["hill=127.0.0.1:1883"]}, "region code"),
        ({"shards": ["990101001002=a:1", "990101001002=b:1"]}, "twice"),
        ({"shards": ["990101001002=a:1"], "engine": "mosquitto"}, "external"),
        ({"public_shards": ["990101001002=a:1"]}, "not in shards"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        MqttSettings.model_validate({"engine": "external", **given})

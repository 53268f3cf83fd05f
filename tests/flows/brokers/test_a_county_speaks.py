"""The same county on every kind of broker: it is heard once by who is meant, a stop wins, nobody oversteps."""

import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from brokerlab import Cluster, External, Hosting, Own, certificates
from countylab import BRIDGE, HILL, HOMES, STOLEN, TOWN, County, a_county
from roguelab import a_rogue
from speakerlab import soon

from broadcasts.loudspeaker.states import PlayState
from hub.speakers.protocol import Priority, Reached

pytestmark = pytest.mark.slow
ON_THE_BRIDGE = {"bridge-1", "bridge-2", "bridge-3"}
LIE = 2**40
"""A number of a receipt that no honest loudspeaker reaches."""

KINDS: dict[str, Callable[[Path], Hosting]] = {
    "embedded": lambda _: Own("embedded"),
    "mosquitto": lambda _: Own("mosquitto"),
    "mosquitto-tls": lambda folder: Own("mosquitto", certificates(folder / "authority")),
    "external": External,
    "cluster": Cluster,
}


@pytest.fixture(scope="module", params=list(KINDS))
def county(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    folder = tmp_path_factory.mktemp(request.param)
    with a_county(folder, KINDS[request.param](folder / "broker")) as running:
        assert running.everyone_online()
        yield running


def test_who_is_meant_hears_it_once_and_says_so(county: County) -> None:
    broadcast = county.release(BRIDGE)
    assert soon(lambda: county.all_are(broadcast, PlayState.FINISHED)), county.states(broadcast)
    sounded = county.sounded(broadcast)
    assert set(sounded) == ON_THE_BRIDGE, "the other village is not meant"
    assert all(len(files) == 1 for files in sounded.values())
    for name in ON_THE_BRIDGE:
        assert county.receipts(broadcast, name) == ["received", "fetched", "started", "finished"]


def test_a_stop_wins(county: County) -> None:
    broadcast = county.release(BRIDGE, seconds=20)
    assert soon(lambda: county.all_are(broadcast, PlayState.STARTED)), county.states(broadcast)
    county.stop(broadcast)
    assert soon(lambda: county.all_are(broadcast, PlayState.STOPPED)), county.states(broadcast)
    for files in county.sounded(broadcast).values():
        assert [seconds_of(path) < 10 for path in files] == [True]


def test_an_emergency_for_both_villages_interrupts_what_sounds(county: County) -> None:
    market = county.release(BRIDGE, seconds=8)
    assert soon(lambda: county.all_are(market, PlayState.STARTED)), county.states(market)
    flood = county.release(TOWN, priority=Priority.EMERGENCY)
    assert soon(lambda: county.all_are(flood, PlayState.FINISHED)), county.states(flood)
    assert {name: len(files) for name, files in county.sounded(flood).items()} == dict.fromkeys(HOMES, 1)
    for name in ON_THE_BRIDGE:
        assert "interrupted" in county.receipts(market, name)
    county.stop(market)
    assert soon(lambda: county.all_are(market, PlayState.STOPPED)), county.states(market)


def test_nobody_gets_in_without_a_name_and_its_password(county: County) -> None:
    address = county.hosting.addresses(county.station)[0]
    strangers = [(None, None), ("bridge-1", "a wrong password"), ("nobody-1", "x" * 16), ("hub", "x" * 16)]
    for name, secret in strangers:
        with a_rogue(address, name, secret, ca=county.hosting.ca) as rogue:
            assert rogue.refused.wait(30), f"{name} was let in"
            assert not rogue.let_in.is_set()
    assert county.everyone_online(), "those whose names were used stay connected, or come back"


def test_a_stolen_device_hears_and_says_nothing_beyond_its_own(county: County) -> None:
    address = county.hosting.addresses(county.station)[0]
    told = county.release(BRIDGE)
    assert soon(lambda: county.all_are(told, PlayState.FINISHED)), county.states(told)
    lie = county.receipt_of(told, "bridge-1").model_copy(update={"n": LIE, "st": Reached.STOPPED}).to_bytes()
    with a_rogue(address, STOLEN, county.secrets[STOLEN], ca=county.hosting.ca) as thief:
        assert thief.let_in.wait(30)
        thief.listen("cx/1/dev/bridge-1/cmd", "cx/1/dev/+/cmd", f"cx/1/region/{BRIDGE}/cmd", "cx/1/#", "#")
        for topic in ("cx/1/dev/bridge-1/ack", "cx/1/dev/bridge-1/cmd", f"cx/1/region/{BRIDGE}/cmd"):
            thief.say(topic, lie)
        thief.say("cx/1/dev/bridge-1/state", b'{"dev":"bridge-1","up":false,"ts":null}', retain=True)
        assert soon(thief.paho.is_connected)
        thief.say(f"cx/1/dev/{STOLEN}/ack", lie)  # in its own name's place, it still cannot speak for another
        broadcast = county.release(BRIDGE)
        assert soon(lambda: county.all_are(broadcast, PlayState.FINISHED)), county.states(broadcast)
        time.sleep(0.5)
        own = {f"cx/1/dev/{STOLEN}/{kind}" for kind in ("cmd", "cfg", "time")}
        assert {topic for topic, _ in thief.heard} <= own, "a wildcard brings it what is its own, at most"
    assert LIE not in county.receipt_numbers()
    assert "bridge-1" in county.online()


def test_when_the_broker_is_killed_all_comes_back_and_nothing_sounds_twice(county: County) -> None:
    before = county.release(TOWN)
    assert soon(lambda: county.all_are(before, PlayState.FINISHED)), county.states(before)
    county.hosting.crash(county.station)
    assert soon(lambda: not county.station.connected)
    during = county.release(TOWN, priority=Priority.EMERGENCY)
    time.sleep(0.5)
    county.hosting.mend()
    assert soon(lambda: county.all_are(during, PlayState.FINISHED), 60), county.states(during)
    assert county.everyone_online()
    after = county.release(HILL)
    assert soon(lambda: county.all_are(after, PlayState.FINISHED)), county.states(after)
    for broadcast, names in ((before, HOMES), (during, HOMES), (after, ("hill-1", "hill-2"))):
        assert {name: len(files) for name, files in county.sounded(broadcast).items()} == dict.fromkeys(names, 1)


def seconds_of(path: Path) -> float:
    with wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()

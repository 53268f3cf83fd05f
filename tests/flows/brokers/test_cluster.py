"""Three machines of which one dies: within a minute all are on the others, and what was released meanwhile is heard."""

import logging
import socket
import time
from collections.abc import Iterator
from uuid import UUID

import pytest
from brokerlab import Cluster
from countylab import HOMES, TOWN, County, a_county
from speakerlab import soon

from broadcasts.loudspeaker.states import PlayState
from hub.speakers.protocol import Priority

pytestmark = pytest.mark.slow
log = logging.getLogger("cluster")
MOST_S = 60
WHOLE = {"received", "started", "finished"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(tmp_path_factory.mktemp("nodes"))


@pytest.fixture(scope="module")
def county(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    with a_county(tmp_path_factory.mktemp("cluster"), cluster) as running:
        assert running.everyone_online()
        yield running


def test_loudspeakers_begin_on_different_nodes(county: County) -> None:
    first = {county.device(name, number).addresses()[0] for number, name in enumerate(HOMES)}
    assert len(first) == 3


def test_the_death_of_the_hubs_node_costs_less_than_a_minute_and_no_emergency(county: County, cluster: Cluster) -> None:
    before = county.release(TOWN)
    assert soon(lambda: county.all_are(before, PlayState.FINISHED), 20), county.states(before)
    dead = cluster.node_of(county.station)
    on_it = [name for name in HOMES if node_of(county, name) == dead]
    assert on_it, "some loudspeakers must be on it, or nothing is proved"
    cluster.kill(dead)
    began = time.monotonic()
    assert soon(lambda: not county.station.connected)
    during = county.release(TOWN, priority=Priority.EMERGENCY, valid_s=300)
    assert soon(lambda: county.station.connected, MOST_S), "the hub found no other node"
    hub_back = time.monotonic() - began
    assert soon(lambda: county.all_are(during, PlayState.FINISHED), MOST_S - hub_back), whereabouts(county, during)
    assert county.everyone_online(10)
    log.warning("hub back after %.1f s, all heard after %.1f s", hub_back, time.monotonic() - began)
    assert cluster.node_of(county.station) != dead
    for broadcast in (before, during):
        assert {name: len(files) for name, files in county.sounded(broadcast).items()} == dict.fromkeys(HOMES, 1)
        assert soon(lambda: all(set(county.receipts(broadcast, name)) >= WHOLE for name in HOMES), 20)  # noqa: B023
    cluster.mend()
    assert soon(lambda: cluster.is_well(dead), 30), "a node that comes back catches up"


def whereabouts(county: County, broadcast: UUID) -> str:
    """What to say when somebody has not heard it."""
    states, online = county.states(broadcast), county.online()
    return "; ".join(
        f"{name}: {states[name]}, node {node_of(county, name)}, {'on' if name in online else 'off'}line"
        for name in HOMES
    )


def node_of(county: County, name: str) -> int:
    """The number of the node a loudspeaker is on; 0 for none."""
    sock = county.speakers[name]._client.socket()
    return int(sock.getpeername()[0].removeprefix("127.0.0.1")) if isinstance(sock, socket.socket) else 0

"""Two brokers, one for a village of its own, under a process for each role; a bridge and a broker are killed."""

import os
from pathlib import Path

import builders
import pytest
import requests
from livehub import HORN, until
from roleslab import OTHER_HORN, SeveralProcesses, release, several_processes

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
LONG = os.environ.get("CUNXIANG_LONG") == "1"
AWAY = "check_broker_of_place_away"
BOTH = [builders.BRIDGE, builders.HILL]
FINISHED = "SELECT count(*) FROM speaker_delivery WHERE speaker_id = :horn AND state = 'finished'"


def heard(hub: SeveralProcesses) -> tuple[int, int]:
    """How often each horn has sounded."""
    return len(hub.sounded(HORN)), len(hub.sounded(OTHER_HORN))


def reported(hub: SeveralProcesses) -> tuple[int, int]:
    """How often the tables say so."""
    first, second = (hub.ask(FINISHED, horn=horn)[0][0] for horn in (HORN, OTHER_HORN))
    return first, second


def history(hub: SeveralProcesses, horn: str) -> list[str]:
    """With what code it is said to have dropped out, each time."""
    query = "SELECT code FROM speaker_event WHERE speaker_id = :horn AND kind = 'offline' ORDER BY id"
    return [code for (code,) in hub.ask(query, horn=horn)]


@pytest.mark.skipif(not LONG, reason="test_shards.py does it in one process; CUNXIANG_LONG=1 by five")
def test_each_hears_its_own_though_a_bridge_and_a_broker_die(
    tmp_path: Path, postgres_url: str, postgres_pattern: str, prepared: Path
) -> None:
    like = (postgres_pattern, prepared)
    with several_processes(tmp_path, postgres_url, apart=builders.HILL, like=like) as hub:
        hub.start("web")
        hub.start("scheduler")
        hub.start("worker")
        bridges = [hub.start("bridge") for _ in range(2)]
        until(lambda: hub.roles() == {"web", "scheduler", "worker", "bridge"}, 60, what=hub.said())
        until(lambda: hub.ask("SELECT count(*) FROM speaker WHERE id LIKE 'horn-%' AND online") == [(2,)], 30)

        release(hub.call, regions=BOTH)
        until(lambda: reported(hub) == (1, 1), 30, what=hub.said())
        release(hub.call, regions=[builders.HILL])
        until(lambda: reported(hub) == (1, 2), 30, what=hub.said())
        assert heard(hub) == (1, 2)

        there = hub.brokers[builders.HILL]
        there.crash_alone()
        on_duty = hub.ask("SELECT pid FROM hub_process WHERE role = 'bridge' AND on_duty")[0][0]
        next(each for each in bridges if each.process.pid == on_duty).kill()
        release(hub.call, regions=BOTH)
        until(lambda: reported(hub) == (2, 2), 30, what=hub.said())
        until(lambda: history(hub, OTHER_HORN) == ["hub_was_away"], 30, what="its silence")
        until(lambda: AWAY in requests.get(f"{hub.address}/readyz", timeout=10).text, 20, what="the broker's place")
        assert requests.get(f"{hub.address}/readyz", timeout=10).status_code == 200, "the other place goes on"

        there.mend()
        until(lambda: reported(hub) == (2, 3), 60, what=hub.said())
        alarm = {"hazard": "flash_flood", "colour": "red", "regions": BOTH, "sms": False}
        horns = hub.call("duty", "POST", "/alerts/preview", alarm)["speakers"]
        made = hub.call("duty", "POST", "/alerts", {**alarm, "speakers_confirmed": horns, "form_key": "in-the-night-1"})
        until(lambda: heard(hub) == (3, 4), 30, what=hub.said())
        hub.call("duty", "POST", f"/alerts/{made['id']}/stop")
        stopped = "SELECT count(*) FROM speaker_delivery WHERE speaker_id LIKE 'horn-%' AND state = 'stopped'"
        until(lambda: hub.ask(stopped) == [(2,)], 30, what=hub.said())
        assert heard(hub) == (3, 4)
        assert history(hub, HORN) == [], "nothing happened on its line"
        hub.end()

"""One of three machines loses its power in the worst moment: nothing is lost, nothing is heard or written twice."""

import os
from datetime import timedelta
from pathlib import Path

import builders
import pytest
from clocklab import lay
from livehub import until
from nodelab import bridge_on_duty, lateness, some_machines, started
from roleslab import HORNS, release

from hub.core.clock import utc_now

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
LONG = os.environ.get("CUNXIANG_LONG") == "1"
ITEMS, EVERY_S = 200, 0.2
DONE = "SELECT count(*), count(DISTINCT broadcast_id) FROM occurrence WHERE state = 'fired'"


@pytest.mark.skipif(not LONG, reason="starts twelve processes; CUNXIANG_LONG=1 does")
def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    with some_machines(tmp_path) as (hub, machines):
        started(hub, machines)
        now = utc_now()
        first = now + timedelta(seconds=6)
        wanted = [(f"n{n}", first + timedelta(seconds=EVERY_S * n), 900) for n in range(ITEMS)]
        lay(hub.runtime, wanted, now=now, where=builders.HILL, plan=True)
        at = first + timedelta(seconds=20)
        release(hub.call, when="once", at=round(at.timestamp() * 1000), sms=True)
        until(lambda: hub.ask(DONE)[0][0] > ITEMS // 10, 60, what=hub.said())
        lost = bridge_on_duty(hub, machines)
        assert lost is not None
        lost.lose_power_in_the_middle(hub)
        others = [each for each in machines if each is not lost]
        until(lambda: bridge_on_duty(hub, others), 30, what=hub.said())
        until(lambda: hub.ask(HORNS) == [("finished", 1)], 60, what=hub.said())
        release(hub.call, title="再次停水")
        until(lambda: hub.ask(HORNS) == [("finished", 2)], 30, what=hub.said())
        until(lambda: hub.ask(DONE)[0][0] == ITEMS + 1, 60, what=hub.said())
        assert hub.ask(DONE) == [(ITEMS + 1, ITEMS + 1)]
        assert hub.ask("SELECT count(*) FROM occurrence") == [(ITEMS + 1,)]
        assert hub.ask("SELECT count(*) FROM broadcast") == [(ITEMS + 2,)]
        assert len(hub.sounded()) == 2
        until(lambda: hub.ask("SELECT state FROM sms_message") == [("delivered",)], 60, what="the text message")
        assert hub.ask("SELECT count(*) FROM local_sms WHERE NOT reply") == [(1,)]
        assert max(lateness(hub)) < 20

"""Pages about thousands of loudspeakers: short, honest about what they leave off, fast; and maps one can read."""

import re
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from builders import BRIDGE, HILL, NORTH
from carelab import an_alarm, change, many
from conftest import NOON
from flask.testing import FlaskClient

from hub.core.runtime import Runtime
from hub.regions.models import Region
from hub.speakers.models import Speaker

SignIn = Callable[[str], FlaskClient]
ONE, TWO = "s1001-1", "s1001-2"


def outline(runtime: Runtime, **outlines: str) -> None:
    with runtime.sessions.begin() as session:
        for name, points in outlines.items():
            session.get_one(Region, {"bridge": BRIDGE, "hill": HILL}[name]).outline = points


def test_a_long_round_lists_its_beginning_and_says_how_many_are_left(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        many(session, 60, now=NOON)
    client = sign_in("clerk")
    page = client.get("/speakers/patrol").text
    assert page.count('<a id="p-') == 50
    assert "还有 14 只没列出来" in page
    assert 'href="/speakers/patrol?all=1"' in page
    page = client.get("/speakers/patrol?all=1").text
    assert page.count('<a id="p-') == 64
    assert "没列出来" not in page


def test_many_alarms_are_listed_in_part_and_counted_in_full(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        for n, one in enumerate(many(session, 40, now=NOON)):
            done = {"acknowledged_at": NOON, "acknowledged_by_name": "某人"} if n >= 35 else {}
            an_alarm(session, one, "mains_lost", NOON - timedelta(minutes=n), **done)
    client = sign_in("clerk")
    page = client.get("/speakers/alarms").text
    assert page.count('action="/speakers/alarms/acknowledge"') == 30
    assert "35 件" in page
    assert "还有 5 件。" in page
    page = client.get("/speakers/alarms?all=1").text
    assert page.count('action="/speakers/alarms/acknowledge"') == 35
    assert "还有" not in page


def test_a_long_summary_leads_on_to_the_list(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        for one in many(session, 45, now=NOON):
            session.get_one(Speaker, one).online = False
    page = sign_in("clerk").get("/speakers/digest").text
    assert "45 只不响" in page
    assert "还有 15 只。" in page
    assert f'href="/speakers?region={NORTH}&amp;show=offline"' in page


def test_loudspeakers_of_one_village_stand_apart_on_its_map(sign_in: SignIn, runtime: Runtime) -> None:
    outline(runtime, bridge="0,0 100,0 100,100 0,100")
    change(runtime, ONE, lat=26.1, lon=103.1)
    change(runtime, TWO, lat=26.1, lon=103.2)
    page = sign_in("clerk").get(f"/speakers/map?region={BRIDGE}").text
    marks = [int(x) for x in re.findall(r'<circle class="form" cx="(\d+)"', page)]
    assert len(marks) == 2
    assert abs(marks[0] - marks[1]) > 200, "the village fills the picture, and they fill the village"


def test_names_on_the_map_are_drawn_last_and_said_once(sign_in: SignIn, runtime: Runtime) -> None:
    outline(runtime, bridge="0,0 100,0 100,100 0,100")
    change(runtime, ONE, lat=26.1, lon=103.1)
    page = sign_in("clerk").get("/speakers/map").text
    assert page.index('<tspan class="name">桥村') > page.index('class="mark ok"')
    assert '<g aria-hidden="true"><text' in page


def cost(client: FlaskClient, path: str) -> float:
    """Seconds this process works for a page: others use the machine too, and now and then it tidies up its memory."""
    began = time.process_time()
    client.get(path)
    return time.process_time() - began


@pytest.mark.slow
def test_two_thousand_are_listed_and_drawn_fast_and_small(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        for n, one in enumerate(many(session, 2000, now=NOON)):
            if n % 10 == 0:
                an_alarm(session, one, "mains_lost", NOON)
    client = sign_in("clerk")
    paths = (
        "/speakers",
        "/speakers?show=fault",
        "/speakers/map",
        "/speakers/patrol",
        "/speakers/digest",
        "/speakers/alarms",
    )
    for path in paths:
        page = client.get(path)
        took = min(cost(client, path) for _ in range(3))
        assert took < 1.0, f"{path}: {took:.2f} s"
        assert len(page.data) < 100_000, f"{path}: {len(page.data)}"

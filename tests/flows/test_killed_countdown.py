"""A hub killed in the middle of a countdown: what was confirmed goes out once; what is too old says so."""

import re
import sqlite3
from uuid import uuid4

import pytest
import requests
from flows_support import RunningDemo

from hub.demo.seeding import PASSWORD

pytestmark = pytest.mark.slow
TOWNSHIP, NEIGHBOUR = "990101001000", "990101002000"
TOKEN = re.compile(r'name="csrf-token" content="([^"]+)"')


def signed_in(demo: RunningDemo, login: str) -> requests.Session:
    browser = requests.Session()
    token = TOKEN.search(browser.get(f"{demo.address}/sign-in", timeout=20).text)
    assert token is not None
    browser.post(
        f"{demo.address}/sign-in",
        data={"login": login, "password": PASSWORD, "csrf_token": token[1]},
        headers={"X-CSRFToken": token[1]},
        timeout=20,
    )
    token = TOKEN.search(browser.get(f"{demo.address}/emergency", timeout=20).text)
    assert token is not None
    browser.headers["X-CSRFToken"] = token[1]
    return browser


def pressed(demo: RunningDemo, browser: requests.Session, area: str, key: str) -> str:
    form = {"form_key": key, "hazard": "flash_flood", "colour": "red", "area": area, "sms": "1", "speakers": "30"}
    answer = browser.post(f"{demo.address}/emergency", data=form, timeout=20, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def state(demo: RunningDemo, alert: str) -> str:
    return str(demo.ask("SELECT state FROM alert WHERE id = ?", alert.replace("-", ""))[0][0])


def an_hour_passes(demo: RunningDemo, alert: str) -> None:
    """As if the hub had lain still for an hour: what that alert knows of time lies an hour further back."""
    query = """UPDATE alert SET armed_at = strftime('%Y-%m-%d %H:%M:%f000', armed_at, '-60 minutes'),
        fires_at = strftime('%Y-%m-%d %H:%M:%f000', fires_at, '-60 minutes'),
        expires_at = strftime('%Y-%m-%d %H:%M:%f000', expires_at, '-60 minutes') WHERE id = ?"""
    with sqlite3.connect(demo.folder / "cunxiang.db", timeout=30) as connection:
        done = connection.execute(query, [alert.replace("-", "")])
        assert done.rowcount == 1
    connection.close()


def test_killed_in_the_countdown_it_is_sent_once_and_what_is_too_old_is_not(demo: RunningDemo) -> None:
    demo.start()
    demo.wait(lambda: demo.online() == 120)
    duty, chief = signed_in(demo, "duty"), signed_in(demo, "chief")
    old = pressed(demo, chief, NEIGHBOUR, str(uuid4()))
    key = str(uuid4())
    alert = pressed(demo, duty, TOWNSHIP, key)
    assert pressed(demo, duty, TOWNSHIP, key) == alert, "a double press is one"
    demo.kill()
    assert (state(demo, alert), state(demo, old)) == ("armed", "armed"), "killed in the countdown"
    assert demo.ask("SELECT count(*) FROM play_order") == [(0,)]
    an_hour_passes(demo, old)

    demo.start()
    demo.wait(lambda: state(demo, alert) == "fired" and state(demo, old) == "missed")
    demo.wait(
        lambda: (
            demo.ask(
                "SELECT count(*) FROM speaker_delivery d JOIN broadcast b ON b.id = d.broadcast_id "
                "WHERE b.kind = 'emergency' AND d.state IN ('started', 'finished')"
            )
            == [(30,)]
            and demo.online() == 120
        )
    )
    assert demo.ask("SELECT count(*) FROM broadcast WHERE kind = 'emergency'") == [(1,)]
    assert demo.ask("SELECT source FROM broadcast WHERE kind = 'emergency'") == [(f"alert:{alert}",)]
    twice = "SELECT speaker_id FROM play_receipt WHERE state = 'started' GROUP BY speaker_id HAVING count(*) > 1"
    assert demo.ask(twice) == []
    assert demo.ask("SELECT count(*) FROM sms_message WHERE region_path LIKE '%990101002%'") == [(0,)]

    page = signed_in(demo, "chief").get(f"{demo.address}/emergency/{old}", timeout=20).text
    assert "没有播" in page or "没播" in page, page
    assert demo.ask("SELECT count(*) FROM audit_entry WHERE deed = 'alert.missed'") == [(1,)]

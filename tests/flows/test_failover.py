"""The machine of the database is lost, a standby takes its place: nothing that was approved is lost or heard twice."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from livehub import live_hub, until
from postgres import Server, new_database, some_servers
from roleslab import HORNS, Place, people, release
from sqlalchemy import NullPool, create_engine, text

from hub.core.clock import utc_now

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
LONG = os.environ.get("CUNXIANG_LONG") == "1"
HEALS_WITHIN_S = 10.0


@contextmanager
def primary_and_standby() -> Iterator[tuple[Server, Server]]:
    """Two servers; what the first has committed, the second has too."""
    with some_servers() as make:
        primary, standby = make(), make()
        primary.run("initdb", "-D", primary.data, "-U", "cunxiang", "--auth=trust", "-E", "UTF8", "--no-sync")
        primary.start()
        where = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "cunxiang")
        standby.run("pg_basebackup", *where, "-D", standby.data, "-R", "-X", "stream", "-c", "fast", "--no-sync")
        standby.start()
        _tell(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        yield primary, standby


def _tell(server: Server, *statements: str) -> None:
    engine = create_engine(f"{server.url}/postgres", isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


def address(name: str, *servers: Server) -> str:
    """Return the URL of docs/scale.md: all hosts, and only the one that may be written to."""
    hosts = "&".join(f"host=127.0.0.1:{server.port}" for server in servers)
    return f"postgresql+psycopg://cunxiang@/{name}?{hosts}&target_session_attrs=read-write"


@pytest.mark.skipif(not LONG, reason="takes half a minute; CUNXIANG_LONG=1 tries it")
def test_a_standby_takes_over(tmp_path: Path) -> None:
    with primary_and_standby() as (primary, standby):
        new_database(primary.url, "hub")
        more: dict[str, dict[str, object]] = {
            "broadcast": {"quiet_hours": (), "prepare_seconds": 3},
            "database": {"url": address("hub", primary, standby)},
            "sms": {"window_from": "00:00", "window_until": "23:59"},
        }
        with live_hub(tmp_path, more=more) as hub:
            with hub.runtime.sessions.begin() as session:
                keys = people(session, hub.runtime)
            place = Place(tmp_path, hub.runtime, keys, hub.runtime.port)
            release(place.call, sms=True)
            until(lambda: place.ask(HORNS) == [("finished", 1)], 20, what="the announcement")
            until(lambda: place.ask("SELECT state FROM sms_message") == [("delivered",)], 20, what="its text message")
            release(place.call, when="once", at=round((utc_now() + timedelta(seconds=8)).timestamp() * 1000))

            primary.stop(signal.SIGQUIT)
            page = requests.get(f"{place.address}/healthz", timeout=20)
            assert page.status_code == 503, "the standby only reads, so there is no database"
            time.sleep(1)
            standby.run("pg_ctl", "promote", "-D", standby.data)
            until(lambda: requests.get(f"{place.address}/healthz", timeout=20).ok, HEALS_WITHIN_S, what="the new one")

            until(lambda: place.ask(HORNS) == [("finished", 2)], 40, what="what was planned before")
            release(place.call, title="再次停水")
            until(lambda: place.ask(HORNS) == [("finished", 3)], 30, what="something new")
            assert len(hub.sounded()) == 3
            assert place.ask("SELECT count(*) FROM local_sms WHERE NOT reply") == [(1,)]

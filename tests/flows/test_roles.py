"""The same job by the whole hub in one process, and by a process for each role, some of them killed on the way."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import builders
import pytest
import requests
from livehub import live_hub, until
from poolerlab import a_pooler
from postgres import Server
from rabbitlab import running_rabbit, server_program
from roleslab import HORNS, Call, Place, people, release, several_processes
from sqlalchemy.exc import SQLAlchemyError

from hub.core.clock import utc_now

pytestmark = pytest.mark.slow
LONG = os.environ.get("CUNXIANG_LONG") == "1"
ENGINES = ["celery", "local", "pooled"] if LONG else ["celery" if server_program() else "local"]
"""Who hands out the work; `pooled`: the processes themselves, with PgBouncer by session before PostgreSQL."""
Ask = Callable[[str], list[tuple[Any, ...]]]


def alarm(call: Call, key: str) -> str:
    wish = {"hazard": "flash_flood", "colour": "red", "regions": [builders.BRIDGE], "sms": True}
    horns = call("duty", "POST", "/alerts/preview", wish)["speakers"]
    return str(call("duty", "POST", "/alerts", {**wish, "speakers_confirmed": horns, "form_key": key})["id"])


def the_job(call: Call, ask: Ask, sounded: Callable[[], list[Path]], between: Callable[[int], None]) -> None:
    """At once and with text messages, by the timetable, and an emergency that is stopped; each is heard once."""
    release(call, sms=True)
    until(lambda: len(sounded()) == 1, 30, what="the announcement")
    until(lambda: ask("SELECT state FROM sms_message") == [("delivered",)], 30, what="the text message")
    release(call, when="once", at=round((utc_now() + timedelta(seconds=4)).timestamp() * 1000))
    between(1)
    until(lambda: len(sounded()) == 2, 30, what="the timetable")
    between(2)
    until(lambda: ask(HORNS) == [("finished", 2)], 30, what="the ends")
    alert = alarm(call, "in-the-night-1")
    until(lambda: len(sounded()) == 3, 30, what="the emergency")
    texts = "SELECT count(*) FROM sms_message WHERE state = 'delivered'"
    until(lambda: ask(texts) == [(2,)], 30, what="its text message")
    call("duty", "POST", f"/alerts/{alert}/stop")
    until(lambda: ask(HORNS) == [("finished", 2), ("stopped", 1)], 30, what="the last receipt")
    assert len(sounded()) == 3
    assert ask("SELECT count(*) FROM broadcast") == [(3,)]
    assert ask("SELECT count(*) FROM local_sms WHERE NOT reply") == [(2,)]


def without_database(hub: Place) -> None:
    """Who asks is told what goes on."""
    page = requests.get(f"{hub.address}/announcements", cookies={"cunxiang_session": "somebody"}, timeout=10)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "10")
    assert "喇叭里已经存好的节目，到点照样响" in page.text
    key = {"Authorization": f"Bearer {hub.keys['clerk']}"}
    answer = requests.get(f"{hub.address}/api/v1/announcements", headers=key, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_away")
    assert requests.get(f"{hub.address}/readyz", timeout=10).status_code == 503


@pytest.mark.skipif(not LONG, reason="other flows try one process; CUNXIANG_LONG=1 compares the two")
def test_in_one_process(tmp_path: Path) -> None:
    more: dict[str, dict[str, object]] = {
        "broadcast": {"quiet_hours": (), "prepare_seconds": 3},
        "sms": {"window_from": "00:00", "window_until": "23:59"},
    }
    with live_hub(tmp_path, more=more) as hub:
        with hub.runtime.sessions.begin() as session:
            keys = people(session, hub.runtime)
        place = Place(tmp_path, hub.runtime, keys, hub.runtime.port)
        the_job(place.call, place.ask, hub.sounded, lambda _: None)


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ENGINES)
def test_by_a_process_for_each_role_some_of_them_killed(
    tmp_path: Path, engine: str, postgres_server: Server, postgres_pattern: str, prepared: Path
) -> None:
    """With tickets by RabbitMQ too, which is killed as well: then workers look by themselves.

    The database is stopped and started again; everybody is told so meanwhile, and comes back by themselves.
    """
    with ExitStack() as stack:
        rabbit = stack.enter_context(running_rabbit(tmp_path / "rabbit")) if engine == "celery" else None
        amqp = rabbit.url if rabbit else ""
        url = postgres_server.url
        if engine == "pooled":
            options = "ignore_startup_parameters = options", "server_login_retry = 1"
            url = stack.enter_context(a_pooler(f"{url}/postgres", "session", *options)).rpartition("/")[0]
        hub = stack.enter_context(several_processes(tmp_path, url, amqp, like=(postgres_pattern, prepared)))
        hub.start("web")
        schedulers = [hub.start("scheduler") for _ in range(2)]
        workers = [hub.start("worker", "--lanes", "emergency,normal")]
        if LONG:
            workers.append(hub.start("worker", "--lanes", "normal,bulk"))
        bridges = [hub.start("bridge") for _ in range(2)]
        until(lambda: hub.roles() == {"web", "scheduler", "worker", "bridge"}, 40, what=hub.said())
        until(lambda: hub.ask("SELECT online FROM speaker WHERE id = 'horn-1'") == [(True,)], 20, what="the horn")

        def between(step: int) -> None:
            """Kill one of each role, at two moments; the others must do."""
            if step == 1:
                on_duty = hub.ask("SELECT pid FROM hub_process WHERE role = 'bridge' AND on_duty")
                first = next(each for each in bridges if each.process.pid == on_duty[0][0])
                for each in (first, schedulers[0]):
                    each.kill()
                hub.broker.crash_alone()
                hub.broker.mend()
            else:
                if rabbit is not None:
                    assert all("first_ticket" in each.log.read_text() for each in workers), "tickets were taken"
                    rabbit.kill()
                with away(postgres_server):
                    without_database(hub)
                until(partial(answers, hub), 20, what="the database, a pooler before it too")
                workers[0].kill()
                workers.append(hub.start("worker", "--lanes", "emergency,normal"))

        try:
            the_job(hub.call, hub.ask, hub.sounded, between)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{hub.said()}") from error
        hub.end()


def answers(hub: Place) -> bool:
    """Whether the database can be asked again."""
    try:
        return hub.ask("SELECT 1") == [(1,)]
    except SQLAlchemyError:
        return False


@contextmanager
def away(server: Server) -> Iterator[None]:
    """Stop it, and start it again: other tests need it too."""
    server.stop()
    try:
        yield
    finally:
        server.start()

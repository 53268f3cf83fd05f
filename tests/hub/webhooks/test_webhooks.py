"""Webhooks against a real receiver: signed, retried, claimed once, told only of what really happened."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import builders
import pytest
from builders import BRIDGE, NORTH, SOUTH, an_actor
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.accounts.roles import Role
from hub.core.actor import SYSTEM, Actor
from hub.core.background import Loop
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.running import _webhooks
from hub.speakers.care import alarms
from hub.webhooks import service
from hub.webhooks.events import note
from hub.webhooks.models import CallState, EventKind, Webhook, WebhookAttempt, WebhookCall
from hub.webhooks.secrets import SecretSafe
from hub.webhooks.sender import HERE, KEPT, PAUSES, WebhookSender
from hub.webhooks.signing import PREFIX, is_ours

pytestmark = pytest.mark.slow

SignIn = Callable[[str], FlaskClient]


class Receiver:
    """Another program. `answers` are given in turn, the last for ever."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers = [204]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                status = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", outer.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/told"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    there = Receiver()
    yield there
    there.server.shutdown()
    there.server.server_close()


@pytest.fixture
def safe(runtime: Runtime) -> SecretSafe:
    return SecretSafe(runtime.secrets)


@pytest.fixture
def sender(runtime: Runtime, safe: SecretSafe) -> WebhookSender:
    return WebhookSender(runtime.sessions, safe, runtime.clock)


def add(session: Session, safe: SecretSafe, url: str, home: str = NORTH, actor: Actor = SYSTEM) -> tuple[Webhook, str]:
    kinds = [EventKind.RELEASED, EventKind.SILENT, EventKind.BACK]
    return service.add(
        session, actor, safe, name="县平台", url=url, home_path=path_of(home), kinds=kinds, now=NOON
    )  # fmt: skip


def calls(runtime: Runtime) -> list[WebhookCall]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(WebhookCall).order_by(WebhookCall.id)))


def test_the_receiver_can_prove_that_it_is_us(
    runtime: Runtime, safe: SecretSafe, sender: WebhookSender, receiver: Receiver
) -> None:
    with runtime.sessions.begin() as session:
        hook, secret = add(session, safe, receiver.url)
        assert note(session, EventKind.RELEASED, path_of(BRIDGE), NOON, broadcast="b-1") == 1
        assert secret.removeprefix(PREFIX).encode() not in hook.sealed
    sender.step()
    [(headers, body)] = receiver.heard
    with runtime.sessions.read() as session:
        key = safe.open(session.scalars(select(Webhook.sealed)).one())
    assert is_ours(key, headers, body, now=NOON)
    assert not is_ours(key, headers, body + b" ", now=NOON)
    assert not is_ours(key, headers, body, now=NOON + timedelta(minutes=6)), "a replay of yesterday"
    assert not is_ours(b"another", headers, body, now=NOON)
    told = json.loads(body)
    assert (told["type"], told["data"]) == ("broadcast.released", {"broadcast": "b-1"})
    [call] = calls(runtime)
    assert call.state is CallState.DONE
    assert headers["webhook-id"] == told["id"] == str(call.id)


def test_it_hears_only_of_its_own_place_and_kinds(runtime: Runtime, safe: SecretSafe, receiver: Receiver) -> None:
    with runtime.sessions.begin() as session:
        hook, _ = add(session, safe, receiver.url)
        assert note(session, EventKind.RELEASED, path_of(SOUTH), NOON) == 0
        assert note(session, EventKind.STOPPED, path_of(BRIDGE), NOON) == 0
        service.switch(session, SYSTEM, hook.id, active=False, now=NOON)
        assert note(session, EventKind.RELEASED, path_of(BRIDGE), NOON) == 0


def test_what_is_rolled_back_is_never_told(
    runtime: Runtime, safe: SecretSafe, sender: WebhookSender, receiver: Receiver
) -> None:
    with runtime.sessions.begin() as session:
        add(session, safe, receiver.url)
    session = Session(runtime.sessions.engine)
    note(session, EventKind.RELEASED, path_of(BRIDGE), NOON)
    session.flush()
    session.rollback()
    session.close()
    sender.step()
    assert receiver.heard == []


def test_a_receiver_that_is_away_is_tried_with_growing_pauses_and_then_given_up(
    runtime: Runtime, clock: SetClock, safe: SecretSafe, sender: WebhookSender, receiver: Receiver
) -> None:
    receiver.answers = [503]
    with runtime.sessions.begin() as session:
        add(session, safe, receiver.url)
        note(session, EventKind.RELEASED, path_of(BRIDGE), NOON)
    for number, pause in enumerate(PAUSES, start=1):
        sender.step()
        sender.step()
        assert len(receiver.heard) == number, "not again before its time"
        clock.now += pause
    sender.step()
    [call] = calls(runtime)
    assert (call.state, call.attempts) == (CallState.GIVEN_UP, len(PAUSES) + 1)
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1, "one id, however often it is told"
    with runtime.sessions.begin() as session:
        service.again(session, SYSTEM, call.id, now=clock())
    receiver.answers = [200]
    sender.step()
    assert calls(runtime)[0].state is CallState.DONE


@pytest.mark.parametrize("status", [302, 410])
def test_a_redirect_is_not_followed_and_gone_is_gone(
    runtime: Runtime, safe: SecretSafe, sender: WebhookSender, receiver: Receiver, status: int
) -> None:
    receiver.answers = [status]
    with runtime.sessions.begin() as session:
        add(session, safe, receiver.url)
        note(session, EventKind.RELEASED, path_of(BRIDGE), NOON)
    sender.step()
    assert len(receiver.heard) == 1
    assert calls(runtime)[0].state is (CallState.GIVEN_UP if status == 410 else CallState.WAITING)


def test_nobody_there_is_written_down(runtime: Runtime, safe: SecretSafe, sender: WebhookSender) -> None:
    with runtime.sessions.begin() as session:
        add(session, safe, "http://127.0.0.1:1/nobody")
        note(session, EventKind.RELEASED, path_of(BRIDGE), NOON)
    sender.step()
    with runtime.sessions.read() as session:
        [attempt] = session.scalars(select(WebhookAttempt))
        assert (attempt.status, attempt.problem) == (0, "ConnectionError")


def test_two_hubs_tell_it_once(runtime: Runtime, safe: SecretSafe, receiver: Receiver) -> None:
    with runtime.sessions.begin() as session:
        add(session, safe, receiver.url)
        for _ in range(10):
            note(session, EventKind.RELEASED, path_of(BRIDGE), NOON)
    hubs = [WebhookSender(runtime.sessions, safe, runtime.clock) for _ in range(3)]
    threads = [threading.Thread(target=hub.step) for hub in hubs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.heard) == 10


def test_old_ones_are_forgotten(
    runtime: Runtime, clock: SetClock, safe: SecretSafe, sender: WebhookSender, receiver: Receiver
) -> None:
    with runtime.sessions.begin() as session:
        add(session, safe, receiver.url)
        note(session, EventKind.RELEASED, path_of(BRIDGE), NOON)
    sender.step()
    clock.now += KEPT + timedelta(days=1)
    sender.step()
    with runtime.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(WebhookCall)) == 0
        assert session.scalar(select(func.count()).select_from(WebhookAttempt)) == 0


def test_silent_loudspeakers_are_told_village_by_village(runtime: Runtime, safe: SecretSafe) -> None:
    with runtime.sessions.begin() as session:
        add(session, safe, "https://platform.example/told")
        long_ago = NOON - timedelta(hours=3)
        found = alarms.Changes(
            begin={alarms.OFFLINE: {"s1001-1": long_ago, "s1001-2": long_ago, "s2001-1": long_ago}},
            graces={alarms.OFFLINE: timedelta(minutes=30)},
        )
        alarms.apply(session, found, now=NOON)
    [call] = calls(runtime)
    assert (call.kind, call.facts) == (EventKind.SILENT, {"speakers": ["s1001-1", "s1001-2"]})


@pytest.mark.parametrize(
    "url", ["", "ftp://a.example", "https://", "https://me:secret@a.example", "javascript:alert(1)", "https://a b"]
)
def test_no_address_that_is_none(runtime: Runtime, safe: SecretSafe, url: str) -> None:
    with runtime.sessions.begin() as session, pytest.raises(BadInput):
        add(session, safe, url)


def test_a_stranger_sees_and_changes_nothing(runtime: Runtime, safe: SecretSafe) -> None:
    stranger = an_actor(Role.COUNTY_ADMIN, SOUTH)
    with runtime.sessions.begin() as session:
        hook, _ = add(session, safe, "https://platform.example/told")
        assert service.list_hooks(session, stranger) == []
        for deed in (service.test, service.remove):
            with pytest.raises(NotFound):
                deed(session, stranger, hook.id, now=NOON)
        with pytest.raises(HubError) as refused:
            add(session, safe, "https://platform.example/told", NORTH, stranger)
        assert isinstance(refused.value, NotAllowed)


def test_the_pages_from_adding_to_removing(sign_in: SignIn, runtime: Runtime, receiver: Receiver) -> None:
    client = sign_in("county")
    assert "至少勾一样" in client.post("/settings/webhooks", data={"name": "平台", "url": receiver.url}).text
    page = client.post(
        "/settings/webhooks", data={"name": "平台", "url": receiver.url, "kinds": ["broadcast.released", "test"]}
    ).text
    assert PREFIX in page
    assert PREFIX not in client.get("/settings/webhooks").text, "shown once"
    with runtime.sessions.read() as session:
        hook = session.scalars(select(Webhook)).one()
    assert hook.kinds == ["broadcast.released"]
    client.post(f"/settings/webhooks/{hook.id}/test")
    WebhookSender(runtime.sessions, SecretSafe(runtime.secrets), runtime.clock).step()
    assert "收到了" in client.get(f"/settings/webhooks/{hook.id}").text
    assert client.post(f"/settings/webhooks/{hook.id}/remove").status_code == 302
    assert "还没有程序要收通知" in client.get("/settings/webhooks").text
    for login in (person for person in builders.PEOPLE if person != "county"):
        assert sign_in(login).get("/settings/webhooks").status_code == 403, login


def test_a_running_hub_knocks_at_no_door_of_its_own_machine(runtime: Runtime, receiver: Receiver) -> None:
    safe = SecretSafe(runtime.secrets)
    runtime.provide(SecretSafe, safe)
    with runtime.sessions.begin() as session:
        hook, _ = add(session, safe, receiver.url)
        service.test(session, SYSTEM, hook.id, now=runtime.now())
    [loop] = _webhooks(runtime)
    assert isinstance(loop, Loop)
    loop._step()
    with runtime.sessions.read() as session:
        [attempt] = session.scalars(select(WebhookAttempt)).all()
    assert (attempt.status, attempt.problem, receiver.heard) == (0, HERE, [])

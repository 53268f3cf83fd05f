"""The database does not answer: pages and programs are told what happened, what goes on, and when to ask again."""

from collections.abc import Callable, Iterator

import pytest
from brokerlab import free_port
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import Engine, QueuePool, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, InvalidRequestError, OperationalError

from hub.core.db import Sessions, Trouble, make_engine, trouble_of
from hub.core.runtime import Runtime

SignIn = Callable[[str], FlaskClient]
GOES_ON = "喇叭里已经存好的节目，到点照样响"


@pytest.fixture
def clerk(sign_in: SignIn, runtime: Runtime) -> Iterator[FlaskClient]:
    """Somebody who has signed in before PostgreSQL went away: nobody listens at its port."""
    browser = sign_in("clerk")
    there = runtime.sessions
    gone = make_engine(f"postgresql+psycopg://cunxiang@127.0.0.1:{free_port()}/cunxiang")
    runtime.sessions = Sessions(gone)
    yield browser
    runtime.sessions = there
    gone.dispose()


def test_a_page_says_what_goes_on_and_asks_again_by_itself(clerk: FlaskClient) -> None:
    answer = clerk.get("/announcements?state=draft")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert GOES_ON in answer.text
    assert "马上打电话到村" in answer.text
    assert '<meta http-equiv="refresh" content="10">' in answer.text
    assert 'href="/announcements?state=draft"' in answer.text


def test_what_was_typed_can_be_sent_again(clerk: FlaskClient) -> None:
    answer = clerk.post("/compose", data={"title": "停水<通知>", "regions": ["1", "2"]})
    assert answer.status_code == 503
    assert 'http-equiv="refresh"' not in answer.text, "nothing is sent again by itself"
    assert '<form class="one" method="post" action="/compose">' in answer.text
    assert 'name="title" value="停水&lt;通知&gt;"' in answer.text
    assert answer.text.count('name="regions"') == 2


def test_a_password_is_not_written_into_the_page(clerk: FlaskClient) -> None:
    answer = clerk.post("/sign-in", data={"login": "clerk", "password": "a long and secret one"})
    assert answer.status_code == 503
    assert "a long and secret one" not in answer.text
    assert "回到刚才那一页再做一次" in answer.text


def test_a_stranger_reads_only_that_it_is_away(clerk: FlaskClient, app: OpenAPI) -> None:
    answer = app.test_client().get("/sign-in?next=/x")
    if answer.status_code != 200:  # a page that needs the database
        assert answer.status_code == 503
        assert GOES_ON not in answer.text
    answer = app.test_client().get("/healthz")
    assert answer.status_code == 503
    assert "村里的喇叭照样响" in answer.text
    assert "打电话到村" not in answer.text


def test_programs_and_parts_of_pages_are_told_shortly(clerk: FlaskClient, app: OpenAPI) -> None:
    key = {"Authorization": "Bearer cx_of-somebody", "Accept-Language": "en"}
    answer = app.test_client().get("/api/v1/announcements", headers=key)
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert answer.json["code"] == "database_away"
    assert "look first" in answer.json["detail"]
    part = clerk.get("/announcements", headers={"HX-Request": "true"})
    assert part.status_code == 503
    assert "<html" not in part.text
    assert clerk.get("/readyz").status_code == 503


def test_english_by_the_browsers_choice(clerk: FlaskClient) -> None:
    clerk.set_cookie("cunxiang_language", "en")
    answer = clerk.get("/announcements")
    assert "What is stored in the loudspeakers" in answer.text
    assert not any("一" <= letter <= "鿿" for letter in answer.text.split("<h1>")[1].split("</main>")[0])


def test_a_fault_of_ours_is_none_of_the_database(runtime: Runtime) -> None:
    with runtime.sessions.read() as session, pytest.raises(OperationalError) as caught:
        session.execute(text("SELECT 1 FROM a_table_that_is_not_there"))
    assert trouble_of(caught.value) is None
    assert trouble_of(ValueError()) is None


def test_a_pooler_that_answers_for_a_server_that_is_away() -> None:
    engine = create_engine("sqlite://", poolclass=QueuePool)

    @event.listens_for(engine, "checkout")
    def no_better(*_: object) -> None:
        raise InvalidatePoolError

    with pytest.raises(InvalidRequestError) as caught:
        engine.connect()
    assert trouble_of(caught.value) is Trouble.AWAY
    assert trouble_of(InvalidRequestError("of ours")) is None


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("statements", "trouble"),
    [
        (("SET statement_timeout = 20", "SELECT pg_sleep(5)"), Trouble.BUSY),
        (("SET TRANSACTION READ ONLY", "CREATE TABLE made (id int)"), Trouble.AWAY),
        (("SELECT pg_terminate_backend(pg_backend_pid())",), Trouble.AWAY),
        (("SELECT 1 FROM a_table_that_is_not_there",), None),
    ],
)
def test_what_postgresql_says(postgres_engine: Engine, statements: tuple[str, ...], trouble: Trouble | None) -> None:
    with Sessions(postgres_engine).read() as session:
        for statement in statements[:-1]:
            session.execute(text(statement))
        with pytest.raises(DBAPIError) as caught:
            session.execute(text(statements[-1]))
    assert trouble_of(caught.value) is trouble

"""Who comes first: the code, the county, the account; and that it happens once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import COUNTY, PASSWORD, the_actor
from click.testing import CliRunner
from conftest import NOON, SetClock, open_hub
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import func, select

import cunxiang
from hub.accounts import service as accounts
from hub.accounts.models import Account
from hub.accounts.roles import Role
from hub.accounts.throttle import FREE_FAILURES, Door
from hub.core.actor import SYSTEM
from hub.core.errors import BadInput, NotAllowed, TooMany, WrongState
from hub.core.runtime import Runtime
from hub.core.typed import read_code, shown
from hub.first_run import opening, steps
from hub.first_run.models import FirstStep, Said
from hub.first_run.opening import Opening, begin, first_code
from hub.first_run.steps import WHOLE, FirstSteps
from hub.regions import service as regions
from hub.regions.tree import path_of

DOOR = Door(origin="192.0.2.7")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with tables and keys and nobody in it, made once."""
    folder = tmp_path_factory.mktemp("untouched")
    open_hub(folder, SetClock()).sessions.engine.dispose()
    return folder


@pytest.fixture
def empty(tmp_path: Path, untouched: Path) -> Iterator[Runtime]:
    """A hub that nobody has ever used."""
    shutil.copytree(untouched, tmp_path / "empty")
    runtime = open_hub(tmp_path / "empty", SetClock())
    yield runtime
    runtime.sessions.engine.dispose()


def wish(runtime: Runtime, **given: str) -> Opening:
    fields = {
        "code": first_code(runtime.secrets),
        "county_code": "990107",
        "county_name": "雨帘县",
        "name": "管理员",
        "login": "first",
        "password": "stone-boat-9-lantern",
    }
    return Opening(**(fields | given))


def test_the_code_is_one_people_can_type_and_another_for_every_hub(empty: Runtime, runtime: Runtime) -> None:
    code = first_code(empty.secrets)
    assert read_code(shown(code).lower()) == code
    assert first_code(runtime.secrets) != code
    assert code.encode() not in empty.secrets.session_key


def test_wrong_codes_are_counted_and_make_one_wait(empty: Runtime) -> None:
    answers = []
    for _ in range(40):
        with empty.sessions.begin() as session:
            answers.append(begin(session, wish(empty, code="X" * 16), empty.secrets, door=DOOR, now=NOON))
    assert isinstance(answers[FREE_FAILURES - 2], BadInput)
    assert isinstance(answers[-1], TooMany)
    with empty.sessions.begin() as session:
        right = begin(session, wish(empty), empty.secrets, door=DOOR, now=NOON)
        assert isinstance(right, TooMany), "while one waits not even the right code is looked at"
        assert opening.is_untouched(session)


def test_what_is_wrong_is_said_at_once_and_nothing_is_made(empty: Runtime) -> None:
    with empty.sessions.begin() as session:
        found = begin(
            session, wish(empty, county_code="1", county_name=" ", password=""), empty.secrets, door=DOOR, now=NOON
        )
        assert isinstance(found, BadInput)
        fields = {problem.field for problem in getattr(found, "problems", ())}
        assert fields == {"county_code", "county_name", "password"}
        assert opening.is_untouched(session)
        assert regions.roots(session) == []


def test_the_first_administers_the_county_and_nobody_comes_first_twice(empty: Runtime) -> None:
    with empty.sessions.begin() as session:
        made = begin(session, wish(empty), empty.secrets, door=DOOR, now=NOON)
        assert isinstance(made, Account)
        assert [(grant.role, grant.region_path) for grant in made.grants] == [(Role.COUNTY_ADMIN, "990107000000/")]
    with empty.sessions.begin() as session, pytest.raises(WrongState):
        begin(session, wish(empty, login="second", county_code="990108"), empty.secrets, door=DOOR, now=NOON)


def test_two_that_begin_at_the_same_moment_make_one_county(empty: Runtime) -> None:
    """As PostgreSQL lets them: the second has looked before the first has written."""
    with empty.sessions.begin() as session:
        accounts.create_account(
            session, SYSTEM, login="quicker", name="x", password="", grants=[(Role.VIEWER, "990107000000/")], now=NOON
        )
        session.flush()
        with pytest.raises(WrongState):
            opening._made(session, wish(empty), DOOR, NOON)
        session.rollback()


def test_the_command_prints_the_code_until_somebody_came(empty: Runtime, tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text(f'[hub]\ndata_dir = "{tmp_path / "empty"}"\n', encoding="utf-8")
    told = CliRunner().invoke(cunxiang.main, ["--config", str(settings), "user", "first-code"])
    assert read_code(told.stdout.strip()) is not None, told.output
    add = ["user", "add", "admin", "--name", "管理员", "--role", "county_admin", "--region", COUNTY]
    CliRunner().invoke(cunxiang.main, ["--config", str(settings), *add, "--password", PASSWORD])
    again = CliRunner().invoke(cunxiang.main, ["--config", str(settings), "user", "first-code"])
    assert (again.exit_code, read_code(again.stdout.strip())) == (2, None)


def test_an_administrator_of_the_command_line_makes_the_county_of_their_account(empty: Runtime) -> None:
    with empty.sessions.begin() as session:
        for login, role in (("admin", Role.COUNTY_ADMIN), ("clerk", Role.CLERK)):
            grants = [(role, path_of(COUNTY))]
            accounts.create_account(session, SYSTEM, login=login, name="x", password="", grants=grants, now=NOON)
        with pytest.raises(NotAllowed):
            opening.add_county(session, the_actor(session, "clerk"), "试县", now=NOON)
        assert opening.add_county(session, the_actor(session, "admin"), "试县", now=NOON).code == COUNTY
        with pytest.raises(WrongState):
            opening.add_county(session, the_actor(session, "admin"), "试县", now=NOON)


@pytest.mark.parametrize("who", ["clerk", "approver", "stranger", "viewer"])
def test_nobody_but_the_administrator_leads(
    app: OpenAPI, runtime: Runtime, sign_in: Callable[[str], FlaskClient], who: str
) -> None:
    client = sign_in(who)
    assert client.get("/first-run").status_code == 403
    assert client.post("/first-run/voice", data={"said": "done"}).status_code == 403
    assert client.post("/first-run/test", data={"speaker": "s1001-1"}).status_code == 403
    assert "还没设置完" not in client.get("/").text
    assert client.get("/first-run/begin").status_code == 302
    with runtime.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(FirstStep)) == 0


def test_the_administrator_of_a_part_does_not_lead_the_whole(runtime: Runtime, app: OpenAPI) -> None:
    known = runtime.get(FirstSteps)
    with runtime.sessions.begin() as session:
        grants = [(Role.COUNTY_ADMIN, path_of("990101001000"))]
        accounts.create_account(session, SYSTEM, login="part", name="x", password="", grants=grants, now=NOON)
        part = the_actor(session, "part")
        assert not steps.is_open(session, part)
        with pytest.raises(NotAllowed):
            steps.say(session, part, known, "voice", Said.DONE, now=NOON)


def test_a_closed_guide_is_offered_no_more_but_still_found(app: OpenAPI, sign_in: Callable[[str], FlaskClient]) -> None:
    client = sign_in("county")
    assert "还没设置完" in client.get("/").text
    client.post(f"/first-run/{WHOLE}", data={"said": "done"})
    assert "还没设置完" not in client.get("/").text
    assert "引导已经收起来了" in client.get("/first-run").text
    assert client.post("/first-run/nothing", data={"said": "done"}).status_code == 404

"""What the hub refuses to start with."""

from pathlib import Path

import pytest
from builders import EARLIER
from conftest import SetClock

import cunxiang
from hub.accounts import service
from hub.accounts.roles import Role
from hub.app import RefusedToStart, build, open_runtime
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.core.secrets import SecretsError
from hub.demo.seeding import PASSWORD


def open_hub(data_dir: Path, mode: str) -> Runtime:
    overrides = {"hub": {"data_dir": data_dir, "mode": mode}}
    return open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=SetClock())


def add_demo_account(runtime: Runtime, login: str = "show") -> None:
    with runtime.sessions.begin() as session:
        service.create_account(
            session,
            SYSTEM,
            login=login,
            name="演示",
            password=PASSWORD,
            grants=[(Role.VIEWER, "990101000000/")],
            now=EARLIER,
            demo=True,
        )


@pytest.mark.slow
def test_production_refuses_accounts_whose_passwords_everybody_knows(tmp_path: Path) -> None:
    runtime = open_hub(tmp_path, "production")
    add_demo_account(runtime)
    runtime.sessions.engine.dispose()
    with pytest.raises(RefusedToStart, match=r"show.*cunxiang user disable"):
        open_hub(tmp_path, "production")


@pytest.mark.slow
def test_production_starts_again_when_they_are_switched_off(tmp_path: Path) -> None:
    runtime = open_hub(tmp_path, "production")
    add_demo_account(runtime)
    with runtime.sessions.begin() as session:
        service.set_active(session, SYSTEM, "show", False, now=EARLIER)
    runtime.sessions.engine.dispose()
    open_hub(tmp_path, "production").sessions.engine.dispose()


@pytest.mark.slow
def test_production_refuses_the_data_folder_of_a_demo(tmp_path: Path) -> None:
    open_hub(tmp_path, "demo").sessions.engine.dispose()
    with pytest.raises(SecretsError, match="made by a demo"):
        open_hub(tmp_path, "production")


@pytest.mark.slow
def test_a_demo_offers_its_accounts_and_one_press_signs_in(tmp_path: Path) -> None:
    runtime = open_hub(tmp_path, "demo")
    add_demo_account(runtime)
    app = build(runtime, cunxiang.FEATURES)
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    page = client.get("/sign-in?next=/speakers").text
    for value in ("show", PASSWORD, "/speakers"):
        assert f'value="{value}"' in page
    answer = client.post("/sign-in", data={"login": "show", "password": PASSWORD, "next": "/speakers"})
    assert answer.headers["Location"] == "/speakers"
    runtime.sessions.engine.dispose()

"""The hub looks at itself: what it finds, in words; numbers for programs; who may read them."""

import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import NOON
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from prometheus_client.parser import text_string_to_metric_families

import cunxiang
from broadcasts.pumps import Pumps
from hub.commands.top import command_line
from hub.core.backups import note_backup
from hub.core.checks import Checks, Finding, Level
from hub.core.config import Section
from hub.core.gauges import Gauge, Gauges
from hub.core.runtime import Runtime
from hub.speakers.broker import authority
from hub.speakers.models import Speaker
from hub.watching import certificates
from hub.watching.settings import WatchSettings

SignIn = Callable[[str], FlaskClient]


def found(runtime: Runtime) -> dict[str, Level]:
    return {finding.code: finding.level for finding in runtime.get(Checks).ask(runtime)}


def configured(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, kind: type[Section], **values: object) -> None:
    changed = runtime.config.section(kind).model_copy(update=values)
    monkeypatch.setitem(runtime.config._sections, kind, changed)


def test_the_page_says_what_to_do_the_worst_first(
    sign_in: SignIn, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(runtime, monkeypatch, WatchSettings, disk_low_mb=10**9, disk_full_mb=10**9)
    page = sign_in("county").get("/system").text
    assert page.index("快满了") < page.index("数据库")
    assert "有东西坏了" in page
    assert 'cunxiang_loudspeakers</code> <small class="dim">line online' in page


def test_only_who_runs_the_system_sees_it(sign_in: SignIn) -> None:
    for login in ("clerk", "approver", "stranger"):
        assert sign_in(login).get("/system").status_code == 403, login


def test_numbers_are_for_this_machine_or_for_the_token(
    app: OpenAPI, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = app.test_client()
    text = client.get("/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    lines = {s.labels["line"]: s.value for s in families["cunxiang_loudspeakers"].samples}
    assert lines == {"online": 6, "offline": 0}
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 403
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 403
    configured(
        runtime, monkeypatch, WatchSettings, metrics_token=WatchSettings(metrics_token="let-me-in").metrics_token
    )
    assert client.get("/metrics").status_code == 403
    far = {"REMOTE_ADDR": "203.0.113.9"}
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}, environ_base=far).status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer let-me-in"}, environ_base=far).status_code == 200


def test_requests_are_measured_by_endpoint_never_by_address(fresh_app: OpenAPI) -> None:
    client = fresh_app.test_client()
    client.get("/healthz?phone=13800000000")
    client.get("/broadcasts/13800000000")
    text = client.get("/metrics").text
    assert 'endpoint="shell.health"' in text
    assert "13800000000" not in text


def test_ready_is_refused_while_something_is_bad(
    app: OpenAPI, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert app.test_client().get("/readyz").json == {"status": "ok", "bad": []}
    runtime.get(Checks).add("worn", lambda _: [Finding("check_broker_away", Level.BAD, {"engine": "external"})])
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {"status": "bad", "bad": ["check_broker_away"]}


def test_what_is_bad_in_part_is_named_and_sends_nobody_elsewhere(app: OpenAPI, runtime: Runtime) -> None:
    """The broker of one county is away: the others' announcements, and all pages, go on in every process."""
    checks, browser = runtime.get(Checks), app.test_client()
    checks.add("place", lambda _: [Finding("check_broker_of_place_away", Level.BAD, {"place": "云岫县"}, in_part=True)])
    answer = browser.get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {"status": "degraded", "bad": ["check_broker_of_place_away"]}
    assert 'cunxiang_finding{code="check_broker_of_place_away"} 2.0' in browser.get("/metrics").text
    checks.add("disk", lambda _: [Finding("check_disk_low", Level.BAD, {"mb": 1})])
    answer = browser.get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["status"] == "bad"
    assert set(answer.json["bad"]) == {"check_broker_of_place_away", "check_disk_low"}


def test_a_question_that_fails_is_an_answer(runtime: Runtime, app: OpenAPI) -> None:
    def broken(_: Runtime) -> Iterable[Finding]:
        raise OSError("13800000000 is not for the log")

    runtime.get(Checks).add("broken", broken)
    [answer] = [f for f in runtime.get(Checks).ask(runtime) if f.code == "check_failed"]
    assert answer.level is Level.BAD
    assert answer.params == {"name": "broken", "why": "OSError"}


def test_a_gauge_that_fails_leaves_the_others(runtime: Runtime, app: OpenAPI) -> None:
    def broken(_: object) -> list[object]:
        raise ValueError

    runtime.get(Gauges).add(Gauge("cunxiang_broken", "Broken.", broken))  # type: ignore[arg-type]
    text = app.test_client().get("/metrics").text
    assert "cunxiang_loudspeakers{" in text
    assert "cunxiang_broken" not in text


def test_a_certificate_is_spoken_of_before_it_ends(
    runtime: Runtime, app: OpenAPI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = authority.make(tmp_path / "tls", ["127.0.0.1"], now=NOON)
    section = next(kind for kind in runtime.config._sections if kind.__name__ == "MqttSettings")
    configured(runtime, monkeypatch, section, tls_cert=files.cert)
    for later, level in ((0, Level.GOOD), (800, Level.LOOK), (900, Level.BAD)):
        monkeypatch.setattr(runtime, "clock", lambda later=later: NOON + timedelta(days=later))
        [finding] = certificates.certificate(runtime)
        assert finding.level is level, later


def test_backups_are_missed(runtime: Runtime, app: OpenAPI) -> None:
    assert found(runtime)["check_backup_never"] is Level.LOOK
    note_backup(runtime.config.data_dir, now=NOON)
    assert found(runtime)["check_backup"] is Level.GOOD
    note_backup(runtime.config.data_dir, now=NOON - timedelta(days=3))
    assert found(runtime)["check_backup_old"] is Level.LOOK


def test_an_address_loudspeakers_cannot_reach_is_spoken_of(
    runtime: Runtime, app: OpenAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "check_address_local" in found(runtime)
    with runtime.sessions.begin() as session:
        for speaker in session.query(Speaker):
            session.delete(speaker)
    assert "check_address_local" not in found(runtime)


def test_the_command_says_the_same_and_fails_when_something_is_bad(runtime: Runtime, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[hub]\ndata_dir = "{runtime.config.data_dir}"\n', encoding="utf-8")
    good = CliRunner().invoke(command_line(cunxiang.FEATURES), ["--config", str(config), "check"])
    assert good.exit_code == 0, good.output
    assert "The database answers" in good.output
    config.write_text(
        f'[hub]\ndata_dir = "{runtime.config.data_dir}"\n[watch]\ndisk_low_mb = 999999999\ndisk_full_mb = 999999999\n',
        encoding="utf-8",
    )
    bad = CliRunner().invoke(command_line(cunxiang.FEATURES), ["--config", str(config), "check", "--language", "zh"])
    assert bad.exit_code == 1
    assert "快满了" in bad.output


def test_a_loop_that_fails_or_has_ended_is_spoken_of() -> None:
    pumps, calls = Pumps(), threading.Event()

    def fails() -> float:
        calls.set()
        raise OSError

    failing = pumps.add("failing", fails)
    pumps.add("quiet", lambda: 60.0)
    assert list(pumps.look()) == [], "not started yet"
    for loop in pumps.loops:
        loop.start()
    try:
        assert calls.wait(30)
        failing.failures = 3
        assert [(f.code, f.params["name"]) for f in pumps.look()] == [("check_loop_fails", "failing")]
        failing.stop(5)
        assert [(f.code, f.params["name"]) for f in pumps.look()] == [("check_loop_ended", "failing")]
    finally:
        for loop in pumps.loops:
            loop.stop()

"""Dockerfile, compose file, units and proxies: every command, path, port and name in them is one the program has."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest
import requests
import yaml  # type: ignore[import-untyped]
from brokerlab import free_port
from flask_openapi3.openapi import OpenAPI
from postgres import new_database

import cunxiang
from hub.commands.frame import sections
from hub.core.clock import utc_now
from hub.core.config import DatabaseSettings, HubSettings, load
from hub.core.roles import Role
from hub.speakers.broker import authority
from hub.speakers.settings import MqttSettings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
FILLED = {"HUB_NAME": "hub.example", "DATABASE_PASSWORD": "letters1and2digits"}
ALWAYS_WITH_THE_WHEEL = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")
LONG = bool(os.environ.get("CUNXIANG_LONG"))


def dockerfile() -> list[str]:
    text = (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def compose() -> dict[str, Any]:
    text = (DEPLOY / "docker" / "compose.yaml").read_text(encoding="utf-8")
    for name, value in FILLED.items():
        text = text.replace(f"${{{name}:?}}", value)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def understood(arguments: list[str]) -> None:
    """Fail unless the program has that command with these options."""
    command: click.Command = cunxiang.main
    with click.Context(command, info_name="cunxiang", obj=None) as context:
        while isinstance(command, click.Group) and arguments:
            found = command.get_command(context, arguments[0])
            assert found is not None, f"no such command: {arguments}"
            command, arguments = found, arguments[1:]
        command.make_context(command.name, list(arguments), parent=context)


def test_the_image_is_built_from_what_there_is_and_from_all_that_is_needed() -> None:
    copied = [shlex.split(line)[1:-1] for line in dockerfile() if line.startswith("COPY") and "--from" not in line]
    sources = {source for line in copied for source in line}
    assert {source for source in sources if not (ROOT / source).exists()} == set()
    wanted = re.search(r"only-include = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert wanted
    packed = re.findall(r'"([^"]+)"', wanted[1])
    assert {each for each in (*packed, *ALWAYS_WITH_THE_WHEEL) if not _within(each, sources)} == set()


def _within(path: str, sources: set[str]) -> bool:
    return any(path == source or path.startswith(f"{source}/") for source in sources)


def test_the_image_starts_a_command_and_asks_an_address_that_there_are(app: OpenAPI) -> None:
    lines = dockerfile()
    [start] = [yaml.safe_load(line.removeprefix("ENTRYPOINT ")) for line in lines if line.startswith("ENTRYPOINT")]
    [then] = [yaml.safe_load(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD")]
    assert start == ["cunxiang"]
    understood(then)
    [health] = [line for line in lines if line.startswith("HEALTHCHECK")]
    found = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", health)
    assert found
    assert int(found[1]) == HubSettings().port
    assert app.test_client().get(found[2]).status_code == 200
    [ports] = [line.split()[1:] for line in lines if line.startswith("EXPOSE")]
    assert {int(port) for port in ports} == {HubSettings().port, MqttSettings().port, MqttSettings().tls_port}
    [folder] = [line.split()[1] for line in lines if line.startswith("VOLUME")]
    assert f"CUNXIANG_HUB_DATA_DIR={folder}" in " ".join(lines)


def test_what_the_compose_file_says_is_a_configuration_and_a_whole() -> None:
    found = compose()
    services, volumes = found["services"], found["volumes"]
    config = load(None, sections(cunxiang.FEATURES), environ=services["hub"]["environment"])
    mqtt, database = config.section(MqttSettings), services["database"]["environment"]
    assert config.section(DatabaseSettings).url == (
        f"postgresql+psycopg://{database['POSTGRES_USER']}:{database['POSTGRES_PASSWORD']}"
        f"@database/{database['POSTGRES_DB']}"
    )
    assert (mqtt.secure, mqtt.is_open) == (True, False), "nobody comes from outside without TLS"
    assert services["hub"]["ports"] == [f"{mqtt.tls_port}:{mqtt.tls_port}"]
    assert config.section(HubSettings).trusted_proxies == 1
    made = authority.Files(Path("/var/lib/cunxiang/tls"))
    assert (mqtt.tls_cert, mqtt.tls_key, mqtt.ca_file) == (made.cert, made.key, made.ca)
    assert database["POSTGRES_USER"] in services["database"]["healthcheck"]["test"][1]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source in volumes or (DEPLOY / "docker" / source).exists(), volume
    proxy = (DEPLOY / "proxy" / "Caddyfile").read_text(encoding="utf-8")
    assert f"reverse_proxy hub:{HubSettings().port}" in proxy
    asked = (DEPLOY / "docker" / "environment.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=", asked, re.MULTILINE)) == FILLED.keys()


def test_the_steps_in_the_compose_file_can_be_typed() -> None:
    text = (DEPLOY / "docker" / "compose.yaml").read_text(encoding="utf-8")
    typed = re.findall(r"#   docker compose (?:run --rm hub|exec hub cunxiang) (.+)", text)
    assert len(typed) == 2
    for line in typed:
        understood(shlex.split(line))


def test_commands_that_findings_name_are_there() -> None:
    text = (ROOT / "templates" / "errors" / "words" / "watching.toml").read_text(encoding="utf-8")
    named = set(re.findall(r"cunxiang (backup|db|tls|user|keys|audit)(?: ([a-z]+))?", text))
    assert named
    for group, verb in named:
        found = cunxiang.main.commands[group]
        assert isinstance(found, click.Group)
        assert verb in found.commands, f"cunxiang {group} {verb}"


def test_units_start_commands_that_there_are_in_folders_they_may_write() -> None:
    for unit in (DEPLOY / "systemd").glob("*.service"):
        text = unit.read_text(encoding="utf-8")
        [start] = re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)
        names = [role.value for role in Role] if "%i" in start else [""]
        for name in names:
            program, *arguments = shlex.split(start.replace("%i", name).replace("$ROLE_OPTIONS", ""))
            assert program == "/opt/cunxiang/bin/cunxiang"
            understood(arguments)
        for line in ("User=cunxiang", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet=\n"):
            assert line in text, f"{unit.name}: {line}"
    assert "/mnt/backup" in (DEPLOY / "systemd" / "cunxiang-backup.service").read_text(encoding="utf-8")


@pytest.mark.slow
def test_units_leave_little_open() -> None:
    """By systemd's own marks: 0 is shut, 10 is open."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not here")
    for unit in (DEPLOY / "systemd").glob("*.service"):
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
            capture_output=True,
            text=True,
            check=False,
        )
        if "unrecognized option" in done.stderr:
            pytest.skip("this systemd cannot judge a unit that is not installed")
        assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.slow
def test_nginx_understands_its_files(tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(nginx).exists():
        pytest.skip("nginx is not here (Debian: apt install nginx-light)")
    files = authority.make(tmp_path / "tls", ["hub.example"], now=utc_now())
    proxy = DEPLOY / "proxy"
    one = (proxy / "nginx.conf").read_text(encoding="utf-8")
    one = one.replace("/etc/ssl/cunxiang/fullchain.pem", str(files.cert))
    one = one.replace("/etc/ssl/cunxiang/key.pem", str(files.key))
    several = (proxy / "nginx-roles.conf").read_text(encoding="utf-8")
    for name, text in (("one", one), ("several", several + one.replace("http://127.0.0.1:8600", "http://cunxiang"))):
        config = tmp_path / f"{name}.conf"
        config.write_text(
            f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {text} }}", encoding="utf-8"
        )
        done = subprocess.run([nginx, "-t", "-c", config, "-p", tmp_path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.postgres
def test_the_steps_of_the_compose_file_end_in_a_hub_that_is_ready(postgres_url: str, tmp_path: Path) -> None:
    """The hub's own part of them, on this machine: same steps, same environment, another database and folder."""
    if not LONG:
        pytest.skip("starts a hub and mosquitto as the compose file does: CUNXIANG_LONG=1")
    port, home = free_port(), str(tmp_path / "home")
    environment = {
        name: str(value).replace("/var/lib/cunxiang", home)
        for name, value in compose()["services"]["hub"]["environment"].items()
    }
    environment |= {
        "CUNXIANG_DATABASE_URL": new_database(postgres_url, f"compose{port}"),
        "CUNXIANG_HUB_DATA_DIR": home,
        "CUNXIANG_HUB_PORT": str(port),
        "CUNXIANG_MQTT_PORT": "0",
        "CUNXIANG_MQTT_TLS_PORT": "0",
        "PATH": f"{Path(sys.executable).parent}:/usr/sbin:{os.environ['PATH']}",
    }
    steps = re.findall(
        r"#   docker compose (?:run --rm hub|exec hub cunxiang) (.+)",
        (DEPLOY / "docker" / "compose.yaml").read_text(encoding="utf-8"),
    )
    make_tls, first_code = (shlex.split(step.replace("$HUB_NAME", FILLED["HUB_NAME"])) for step in steps)
    run = ["cunxiang"]
    subprocess.run([*run, *make_tls], env=environment, check=True, capture_output=True)
    with (tmp_path / "log").open("wb") as log:
        hub = subprocess.Popen([*run, "run", "--json-logs"], env=environment, stdout=log, stderr=log)
    try:
        answer = _ready(f"http://127.0.0.1:{port}/readyz")
        assert answer == {"status": "ok", "bad": []}, (tmp_path / "log").read_text(encoding="utf-8")[-2000:]
        told = subprocess.run([*run, *first_code], env=environment, check=True, capture_output=True, text=True)
        assert len(told.stdout.strip()) >= 16
        sign_in = requests.get(f"http://127.0.0.1:{port}/sign-in", allow_redirects=False, timeout=5)
        assert sign_in.headers["Location"] == "/first-run/begin"
    finally:
        hub.terminate()
        assert hub.wait(20) == 0


def _ready(address: str) -> object:
    deadline = time.monotonic() + 40
    while True:
        try:
            return requests.get(address, timeout=5).json()
        except requests.RequestException:
            assert time.monotonic() < deadline
            time.sleep(0.2)

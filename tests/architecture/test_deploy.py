"""The files in deploy/ fit the program: numbers, commands, keys."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from flask_openapi3.openapi import OpenAPI

import cunxiang
from hub.commands.frame import sections
from hub.core.config import HUB_SECTIONS

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NUMBER = re.compile(r"\bcunxiang_[a-z_]+")
SUFFIX = re.compile(r"_(bucket|count|sum)$")


def test_every_number_that_is_watched_is_told(app: OpenAPI) -> None:
    told = set(re.findall(r"^# HELP (\S+)", app.test_client().get("/metrics").text, re.MULTILINE))
    for path in (DEPLOY / "grafana" / "cunxiang.json", DEPLOY / "prometheus" / "alerts.yaml"):
        watched = {SUFFIX.sub("", name) for name in NUMBER.findall(path.read_text(encoding="utf-8"))}
        assert watched - told == set(), path.name
    json.loads((DEPLOY / "grafana" / "cunxiang.json").read_text(encoding="utf-8"))


def test_every_variable_names_a_key() -> None:
    kinds = (*HUB_SECTIONS, *sections(cunxiang.FEATURES))
    known = {f"CUNXIANG_{kind.table}_{name}".upper() for kind in kinds for name in kind.model_fields}
    known.add("CUNXIANG_CONFIG")
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            assert set(re.findall(r"CUNXIANG_[A-Z_]+[A-Z]", path.read_text(encoding="utf-8"))) - known == set(), path


def test_no_file_holds_a_secret_of_its_own() -> None:
    example = (DEPLOY / "docker" / "environment.example").read_text(encoding="utf-8")
    assert all(line.endswith("=") for line in example.splitlines() if line and not line.startswith("#"))
    assert ":?}" in (DEPLOY / "docker" / "compose.yaml").read_text(encoding="utf-8"), "an empty value must stop it"


@pytest.mark.slow
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not here")
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text(encoding="utf-8").replace("/opt/cunxiang/bin/cunxiang", "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    for unit in sorted(tmp_path.iterdir()):
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
        complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or unit.name in line]
        assert [c for c in complaints if "Unit user" not in c and "not found" not in c.lower()] == []


@pytest.mark.slow
def test_prometheus_understands_the_rules_and_calls_when_it_should() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here (Debian: apt install prometheus)")
    cases = Path(__file__).with_name("alerts.test.yaml")
    for command in (("check", "rules", DEPLOY / "prometheus" / "alerts.yaml"), ("test", "rules", cases)):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_cases() -> None:
    rules = (DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8")
    cases = Path(__file__).with_name("alerts.test.yaml").read_text(encoding="utf-8")
    for alert in re.findall(r"- alert: (\w+)", rules):
        assert len(re.findall(rf"alertname: {alert}\b", cases)) > 1, (
            f"{alert}: a case that calls, and one that does not"
        )

"""What the hub is made of, and what must not lie in its files: the SBOM, secrets, and the map of personal data."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import cunxiang
from hub.core.db import Base

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 2_000_000
SECRETS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}"),
    "an Amazon key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "an Aliyun key": re.compile(r"\bLTAI[0-9A-Za-z]{12,24}\b"),
    "a Tencent key": re.compile(r"\bAKID[0-9A-Za-z]{32}\b"),
    "a Twilio key": re.compile(r"\bSK[0-9a-f]{32}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{60,})\b"),
    "a key of our own API": re.compile(r"\bcxt?_[0-9A-Za-z_-]{40,}\b"),
    "a password in an address": re.compile(
        r"\b[a-z+]{4,}://[^\s:/@'\"`{}<>$]+:(?!password|secret|guest)[^\s@'\"`{}<>$*:/]{6,}@"
    ),
}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout of git: what is tracked is not known")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


@pytest.mark.slow
def test_no_tracked_file_holds_a_secret() -> None:
    found = []
    for path in tracked():
        if not path.is_file() or path.stat().st_size > LARGEST or b"\0" in (data := path.read_bytes())[:8000]:
            continue
        text = data.decode("utf-8", errors="replace")
        for what, pattern in SECRETS.items():
            found += [f"{path.relative_to(ROOT)}: {what}" for _ in pattern.findall(text)[:1]]
    assert found == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (
            "a private key",
            "-----BEGIN " + "PRIVATE KEY-----\n" + "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9m",
        ),
        ("an Aliyun key", "LTAI" + "5tJ8s9d0f1g2h3j4k5"),
        ("a Twilio key", "SK" + "0123456789abcdef" * 2),
        ("a password in an address", "amqp://" + "hub:correct-horse@10.0.0.1/"),
    ],
)
def test_the_search_would_find_one(what: str, text: str) -> None:
    assert SECRETS[what].search(text)


def test_the_list_of_parts_is_what_is_installed() -> None:
    made = subprocess.run([sys.executable, "tools/sbom.py"], cwd=ROOT, capture_output=True, check=True).stdout
    document = json.loads(made)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    parts = {each["name"]: each for each in document["components"]}
    assert "pytest" not in parts, "tools for tests are no part of the hub"
    for name in ("flask", "sqlalchemy", "paho-mqtt", "cryptography", "pydantic-core", "werkzeug"):
        assert parts[name]["version"] == version(name)
        assert parts[name]["purl"] == f"pkg:pypi/{name}@{version(name)}"
        assert parts[name]["licenses"], name
    references = [each["bom-ref"] for each in document["components"]]
    assert len(set(references)) == len(references)
    known = {*references, document["metadata"]["component"]["bom-ref"]}
    assert all({each["ref"], *each["dependsOn"]} <= known for each in document["dependencies"])


def test_every_package_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {re.sub(r"[-_.]+", "-", Requirement(line).name).lower() for line in lines if line and line[0] != "#"}
    made = subprocess.run([sys.executable, "tools/sbom.py"], cwd=ROOT, capture_output=True, check=True).stdout
    assert {each["name"] for each in json.loads(made)["components"]} - pinned == set()


def test_every_table_with_a_sealed_number_is_in_the_map_of_personal_data() -> None:
    assert cunxiang.FEATURES, "all models are known"
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", page[page.index("## Personal data") :]))
    people = {
        table.name
        for table in Base.metadata.sorted_tables
        if {"masked", "phone_index"} & {column.name for column in table.columns} and table.name != "sms_receipt"
    }
    assert people - named == set()


@pytest.mark.parametrize("name", ["security.md", "running.md"])
def test_what_the_pages_on_security_and_running_name_exists(name: str) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|scripts|deploy|hub|broadcasts|schedules)/[A-Za-z0-9_/.]+)`", page)
    assert {path for path in named if not (ROOT / path).exists()} == set()

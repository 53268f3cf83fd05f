"""What the papers say is what the program does."""

import re
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import cunxiang
from hub.commands.example import example
from hub.commands.frame import sections
from hub.core.config import HUB_SECTIONS, load
from hub.web.words import catalogue

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [p for room in ("hub", "broadcasts", "schedules") for p in (ROOT / room).rglob("*.py")]
RAISED = re.compile(
    r"\b(?:BadInput|NotAllowed|NotFound|WrongState|Unavailable|TooMany|NotSignedIn|SignInRefused)\(\s*\"([a-z0-9_]+)\""
)


def test_the_example_configuration_is_what_the_program_writes() -> None:
    assert (ROOT / "config.example.toml").read_text(encoding="utf-8") == example(
        (*HUB_SECTIONS, *sections(cunxiang.FEATURES))
    ), "run: cunxiang config example > config.example.toml"


def test_the_example_configuration_is_valid_with_every_default_uncommented(tmp_path: Path) -> None:
    text = re.sub(r"^#(\w+ = )", r"\1", (ROOT / "config.example.toml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    assert load(path, sections(cunxiang.FEATURES), environ={}).source == path


def test_every_error_code_has_words_in_both_languages() -> None:
    raised = {code for path in SOURCES for code in RAISED.findall(path.read_text(encoding="utf-8"))}
    words = catalogue()
    assert sorted(raised - words.keys()) == []
    assert [code for code, item in words.items() if not (item.get("zh") and item.get("en"))] == []


def test_both_languages_fill_the_same_blanks() -> None:
    blanks = re.compile(r"\{(\w+)\}")
    wrong = [
        code for code, item in catalogue().items() if set(blanks.findall(item["zh"])) != set(blanks.findall(item["en"]))
    ]
    assert wrong == []


def test_every_configuration_key_is_explained() -> None:
    silent = [
        f"{kind.table}.{name}"
        for kind in (*HUB_SECTIONS, *sections(cunxiang.FEATURES))
        for name, field in kind.model_fields.items()
        if not field.description
    ]
    assert silent == []


def test_the_page_on_text_messages_names_every_key_of_theirs() -> None:
    page = (ROOT / "docs" / "text-messages.md").read_text(encoding="utf-8")
    rows = {found[1]: found[2] for found in re.finditer(r"(?m)^\| `\[(\w+)\]` \| (`.*) \|$", page)}
    own = page.partition("| `[sms]` |")[2].partition("\n\n")[0]
    kinds = {kind.table: kind for kind in sections(cunxiang.FEATURES)}
    missing = [
        f"[{table}] {name}"
        for table in ("sms", "twilio", "aliyun", "tencent", "mas", "kannel", "gammu", "sms_http")
        for name in kinds[table].model_fields
        if f"`{name}`" not in (own if table == "sms" else rows[table])
    ]
    assert missing == []


def test_every_command_is_in_the_documentation() -> None:
    papers = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    missing = [name for name in _commands(cunxiang.main, "cunxiang") if f"`{name}" not in papers]
    assert missing == []


def _commands(group: click.Group, prefix: str) -> list[str]:
    found = []
    for name, command in group.commands.items():
        if command.hidden:
            continue
        whole = f"{prefix} {name}"
        found += _commands(command, whole) if isinstance(command, click.Group) else [whole]
    return found


@pytest.mark.parametrize("command", ["", "run", "demo", "speaker", "simulate", "db", "config", "user", "audit"])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(cunxiang.main, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_the_changelog_begins_with_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert version in headings[:2]

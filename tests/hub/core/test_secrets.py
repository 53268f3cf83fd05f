"""The hub's own secrets: made once, private, and never shown."""

import stat
from pathlib import Path

import pytest

from hub.core.secrets import FILE_NAME, SecretsError, load_or_create


def test_they_are_made_once_and_stay_the_same(tmp_path: Path) -> None:
    first = load_or_create(tmp_path / "var", "production")
    assert load_or_create(tmp_path / "var", "production") == first
    assert load_or_create(tmp_path / "other", "production") != first
    assert {len(key) for key in (first.session_key, first.phone_key, first.phone_index_key, first.signing_seed)} == {32}


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    load_or_create(tmp_path, "production")
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_others_can_read_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    load_or_create(tmp_path, "production")
    path = tmp_path / FILE_NAME
    path.chmod(mode)
    with pytest.raises(SecretsError, match=f"chmod 600 {path}"):
        load_or_create(tmp_path, "production")


def test_production_refuses_what_a_demo_made_but_not_the_other_way_round(tmp_path: Path) -> None:
    load_or_create(tmp_path, "demo")
    load_or_create(tmp_path, "demo")
    with pytest.raises(SecretsError, match="made by a demo"):
        load_or_create(tmp_path, "production")


@pytest.mark.parametrize("text", ["", "nonsense", 'origin = "production"\nsession_key = "!!!"\n'])
def test_a_damaged_file_is_never_replaced(tmp_path: Path, text: str) -> None:
    load_or_create(tmp_path, "production")
    path = tmp_path / FILE_NAME
    path.write_text(text)
    with pytest.raises(SecretsError, match="backup"):
        load_or_create(tmp_path, "production")
    assert path.read_text() == text


def test_they_never_show_themselves(tmp_path: Path) -> None:
    secrets = load_or_create(tmp_path, "production")
    assert secrets.broker_password not in f"{secrets!r}{secrets}"

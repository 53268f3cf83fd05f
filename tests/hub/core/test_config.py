"""config.toml and the environment: read, checked, and every mistake answered with what to do."""

from pathlib import Path

import pytest

import cunxiang
from hub.commands.frame import sections
from hub.core.config import Config, ConfigError, HubSettings, load

KINDS = sections(cunxiang.FEATURES)


def read(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, KINDS, environ=environ or {})


def problems(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, text, environ)
    return refused.value.problems


def test_without_a_file_everything_has_a_default() -> None:
    settings = load(None, KINDS, environ={}).section(HubSettings)
    assert (settings.mode, settings.port, settings.time_zone) == ("production", 8600, "Asia/Shanghai")


def test_a_file_is_read_and_the_environment_overrides_it(tmp_path: Path) -> None:
    config = read(tmp_path, "[hub]\nport = 9000\nthreads = 8\n", {"CUNXIANG_HUB_PORT": "9100"})
    settings = config.section(HubSettings)
    assert (settings.port, settings.threads) == (9100, 8)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[hub]\nprot = 1\n", "[hub] prot: unknown key. Did you mean 'port'?"),
        ("[hbu]\nport = 1\n", "[hbu]: unknown table. Did you mean 'hub'?"),
        ('[hub]\ntime_zone = "Asia/Shangai"\n', "Did you mean 'Asia/Shanghai'?"),
        ("[hub]\nport = 70000\n", "[hub] port: "),
        ('[hub]\nmode = "live"\n', "[hub] mode: "),
        ("port = 1\n", "'port' stands outside any table"),
        ("[hub\n", "not valid TOML"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(tmp_path: Path, text: str, hint: str) -> None:
    [problem] = problems(tmp_path, text)
    assert hint in problem
    assert "config.toml" in problem


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "[hub]\nprot = 1\nthreads = 1\n[nonsense]\n")
    assert len(found) == 3


def test_a_mistyped_variable_is_found(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, "", {"CUNXIANG_HUB_PROT": "1"})
    assert "CUNXIANG_HUB_PROT: unknown. Did you mean 'CUNXIANG_HUB_PORT'?" in problem


def test_other_variables_are_none_of_ours(tmp_path: Path) -> None:
    read(tmp_path, "", {"PATH": "/bin", "CUNXIANG_CONFIG": "x"})


def test_a_file_that_was_named_but_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "missing.toml", KINDS, environ={})


def test_the_configuration_cannot_be_changed_afterwards(tmp_path: Path) -> None:
    settings = read(tmp_path, "").section(HubSettings)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_no_section_shows_a_secret(tmp_path: Path) -> None:
    config = read(tmp_path, '[mqtt]\npassword = "very-secret"\n')
    assert "very-secret" not in "".join(repr(section) for section in config)

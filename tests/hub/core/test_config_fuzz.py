"""Whatever somebody writes into config.toml: it is taken, or answered in plain sentences that name the key."""

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cunxiang
from hub.commands.frame import sections
from hub.core.config import HUB_SECTIONS, Config, ConfigError, load

KINDS = tuple(dict.fromkeys((*HUB_SECTIONS, *sections(cunxiang.FEATURES))))
KEYS = [(kind.table, name) for kind in KINDS for name in kind.model_fields]
EXAMPLES = 5000 if os.environ.get("CUNXIANG_LONG") else 400
ODD = st.one_of(
    st.text(max_size=30),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=True, allow_infinity=True),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.lists(st.one_of(st.text(max_size=8), st.integers(-9, 9), st.booleans()), max_size=3),
    st.dictionaries(st.text(min_size=1, max_size=5), st.integers(), max_size=2),
    st.sampled_from(["", "25:00", "-1", "http://", "postgresql+psycopg://u:secret@h/d", "1.2.3.4:99999", "\x00"]),
)


def problems_with(table: str, key: str, value: Any) -> list[str]:
    try:
        read(table, key, value)
    except ConfigError as error:
        return error.problems
    return []


def read(table: str, key: str, value: Any) -> Config:
    return load(None, sections(cunxiang.FEATURES), environ={}, overrides={table: {key: value}})


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(KEYS), value=ODD)
def test_any_value_is_taken_or_refused_in_sentences(place: tuple[str, str], value: Any) -> None:
    table, key = place
    for problem in problems_with(table, key, value):
        assert f"[{table}]" in problem
        assert "Traceback" not in problem
        assert "\n" not in problem
        assert len(problem) < 1000


@pytest.mark.parametrize(
    "text",
    [
        "[hub",
        "[hub]\nport = ",
        "port = 1",
        "[hub]\nport = 99999",
        "[hob]\n",
        "[hub]\nprot = 1",
        "[hub]\nport = 1979-05-27",
        "\xff",
    ],
)
def test_a_broken_file_ends_with_a_sentence_and_status_two(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode("latin-1"))
    result = CliRunner().invoke(cunxiang.main, ["--config", str(path), "config", "check"])
    assert result.exit_code == 2, result.output
    assert str(path) in result.output
    assert "Traceback" not in result.output


@settings(max_examples=60, deadline=None, derandomize=True)
@given(secret=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=20).map("0Q".__add__))
def test_a_refused_secret_is_not_repeated(secret: str) -> None:
    """What is wrong is said about the key; the value of a secret stands in no message."""
    for table, key in (("mqtt", "password"), ("watch", "metrics_token"), ("work", "broker_url")):
        with pytest.raises(ConfigError) as refused:
            read(table, key, [secret])
        assert secret not in str(refused.value)

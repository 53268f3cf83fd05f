"""Write config.example.toml out of the configuration sections, so that it can never lie."""

import textwrap
from collections.abc import Iterable
from datetime import time
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import SecretStr

from hub.core.config import Section

WIDTH = 110
HEAD = """\
# Configuration of Cunxiang 村响. Copy it to config.toml and change what you need; what is left out keeps its default.
# Every key can also be given by the environment as CUNXIANG_TABLE_KEY, e.g. CUNXIANG_TWILIO_AUTH_TOKEN.
# `cunxiang config check` says what is wrong. A line with # and no space shows a default.
"""


def example(kinds: Iterable[type[Section]]) -> str:
    """Return the whole example file."""
    return HEAD + "".join(_table(kind) for kind in kinds)


def _table(kind: type[Section]) -> str:
    lines = ["", f"# {(kind.__doc__ or '').strip().splitlines()[0]}", f"[{kind.table}]"]
    for name, field in kind.model_fields.items():
        lines += textwrap.wrap(field.description or "", WIDTH, initial_indent="# ", subsequent_indent="# ")
        lines.append(f"#{name} = {_toml(field.default)}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _toml(value: Any) -> str:
    match value:
        case None | SecretStr():
            return '""'
        case bool():
            return str(value).lower()
        case int() | float() | Decimal():
            return str(value)
        case tuple() | list():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case _:
            return _toml_text(value)


def _toml_text(value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    text = value.strftime("%H:%M") if isinstance(value, time) else str(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

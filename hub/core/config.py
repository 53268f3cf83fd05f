"""Read config.toml and the environment into one frozen, checked object; a typo is answered with a suggestion."""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

S = TypeVar("S", bound="Section")
ENV_PREFIX = "CUNXIANG_"
ENV_OTHER = frozenset({"CUNXIANG_CONFIG"})


class ConfigError(Exception):
    """The configuration is wrong; `problems` lists everything at once, each a sentence that says what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Section(BaseModel):
    """One table of config.toml. Subclasses set `table` and document every key by `Field(description=...)`."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)
    table: ClassVar[str]


OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
"""A path that an empty text leaves out."""


class HubSettings(Section):
    """Where the hub lives and how it serves."""

    table = "hub"

    mode: Literal["production", "demo"] = Field(
        "production", description="demo allows the invented county, its known passwords and simulated phones"
    )
    data_dir: Path = Field(Path("var"), description="database, secrets, sound files and broker state live here")
    host: str = Field(
        "127.0.0.1", pattern=r"^[A-Za-z0-9.:\[\]_-]{1,255}$", description="address the web server listens on"
    )
    port: int = Field(8600, ge=0, le=65535, description="port the web server listens on; 0 takes a free one")
    public_url: str = Field(
        "",
        description="address under which speakers and SMS providers reach this hub; empty = http://host:port",
    )
    threads: int = Field(16, ge=4, le=256, description="web threads")
    time_zone: str = Field("Asia/Shanghai", description="zone in which all local times are meant")
    trusted_proxies: int = Field(0, ge=0, le=4, description="how many reverse proxies stand in front of the hub")
    reach_this_machine: bool = Field(
        False,
        description="let webhooks and relayed programmes lie on this machine itself; else the hub knocks at no door "
        "that is closed to others",
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"is not a known time zone{_suggest(value, available_timezones())}")
        return ZoneInfo(value).key

    @field_validator("public_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value.rstrip("/"))
        bare = (
            parts.scheme in ("http", "https") and parts.hostname and not (parts.path or parts.query or parts.fragment)
        )
        if value and not bare:
            raise ValueError("must be http:// or https:// and a name, with nothing behind it, like https://hub.example")
        return value.rstrip("/")


class DatabaseSettings(Section):
    """Where the tables live."""

    table = "database"

    url: str = Field("", description="SQLAlchemy URL; empty = SQLite in data_dir. PostgreSQL: postgresql+psycopg://…")

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        """Refuse what no start could open. The value is never repeated: it may hold a password."""
        try:
            kind = make_url(value).drivername if value else ""
        except (ArgumentError, ValueError):
            raise ValueError("is no address of a database, like postgresql+psycopg://user:password@host/name") from None
        if kind not in ("", "sqlite", "postgresql+psycopg"):
            raise ValueError("must begin with postgresql+psycopg:// or sqlite:///")
        return value


class Config:
    """All sections, checked and frozen. `section(SpeechSettings)` returns one of them, typed."""

    def __init__(self, sections: Mapping[type[Section], Section], source: Path | None) -> None:
        self._sections = dict(sections)
        self.source = source

    def section(self, kind: type[S]) -> S:
        """Return the section of that kind."""
        found = self._sections[kind]
        if not isinstance(found, kind):
            raise TypeError(kind.__name__)
        return found

    def __iter__(self) -> Any:
        """Iterate over the sections."""
        return iter(self._sections.values())

    @property
    def data_dir(self) -> Path:
        """Absolute folder of everything the hub keeps."""
        return self.section(HubSettings).data_dir.resolve()

    @property
    def database_url(self) -> str:
        """The URL of the database, the default filled in."""
        return self.section(DatabaseSettings).url or f"sqlite:///{self.data_dir / 'cunxiang.db'}"


HUB_SECTIONS: tuple[type[Section], ...] = (HubSettings, DatabaseSettings)


def load(
    path: Path | None,
    kinds: Iterable[type[Section]],
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> Config:
    """Read `path` (None: `config.toml` here if it exists, else defaults), let the environment override, check it all.

    Raises ConfigError with every problem found.
    """
    environ = os.environ if environ is None else environ
    sections = (*HUB_SECTIONS, *kinds)
    source = path or _default_path(environ)
    raw = _read(source) if source else {}
    tables = {kind.table: kind for kind in sections}
    problems = [f"[{name}]: unknown table{_suggest(name, tables)}" for name in raw if name not in tables]
    merged: dict[str, dict[str, Any]] = {name: dict(raw.get(name, {})) for name in tables}
    problems += _apply_environment(merged, tables, environ)
    for name, values in (overrides or {}).items():
        merged[name].update(values)
    built: dict[type[Section], Section] = {}
    for name, kind in tables.items():
        try:
            built[kind] = kind.model_validate(merged[name])
        except ValidationError as error:
            problems += _explain(kind, error)
    if problems:
        raise ConfigError([f"{source or 'configuration'}: {p}" for p in problems])
    return Config(built, source)


def _default_path(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("CUNXIANG_CONFIG")
    if named:
        return Path(named)
    here = Path("config.toml")
    return here if here.exists() else None


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file. Copy config.example.toml to it, or leave out --config."]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: not valid TOML: {error}"]) from None
    wrong = [k for k, v in raw.items() if not isinstance(v, dict)]
    if wrong:
        raise ConfigError([f"{path}: {k!r} stands outside any table; put it under a [table] line." for k in wrong])
    return raw


def _apply_environment(
    merged: dict[str, dict[str, Any]], tables: Mapping[str, type[Section]], environ: Mapping[str, str]
) -> list[str]:
    known = {f"{ENV_PREFIX}{t}_{f}".upper(): (t, f) for t, kind in tables.items() for f in kind.model_fields}
    problems = []
    for name, value in environ.items():
        if not name.startswith(ENV_PREFIX) or name in ENV_OTHER:
            continue
        if name not in known:
            problems.append(f"environment variable {name}: unknown{_suggest(name, known)}")
            continue
        table, key = known[name]
        merged[table][key] = value
    return problems


def _explain(kind: type[Section], error: ValidationError) -> list[str]:
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            lines.append(f"[{kind.table}] {key}: unknown key{_suggest(key, kind.model_fields)}")
        else:
            field = kind.model_fields.get(str(item["loc"][0])) if item["loc"] else None
            hint = f" ({field.description})" if field and field.description else ""
            lines.append(f"[{kind.table}] {key}: {item['msg'].removeprefix('Value error, ')}{hint}")
    return lines


def _suggest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f". Did you mean '{close[0]}'?" if close else "."

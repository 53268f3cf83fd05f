"""What every command shares: reading the configuration, and errors as sentences."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
from sqlalchemy.exc import SQLAlchemyError

from hub.app import RefusedToStart, open_runtime
from hub.audit.anchoring import BadAnchorFile
from hub.audit.settings import AuditSettings
from hub.core.celery_engine import NoCelery
from hub.core.config import Config, ConfigError, Section, load
from hub.core.db import Trouble, trouble_of
from hub.core.errors import HubError
from hub.core.feature import Feature
from hub.core.lanes import WorkSettings
from hub.core.migrating import StillMigrating, WrongTables
from hub.core.runtime import Runtime
from hub.core.secrets import SecretsError
from hub.core.single import AlreadyRunning
from hub.keeping.archive import BackupError
from hub.speakers.broker.authority import CannotMake
from hub.speakers.broker.process import BrokerFailed
from hub.speakers.device.device_file import BadDeviceFile
from hub.speakers.joining.device import CannotJoin
from hub.speakers.settings import CareSettings, MqttSettings
from hub.watching.settings import WatchSettings
from hub.web.settings import ApiSettings
from hub.web.words import explain

P = ParamSpec("P")
R = TypeVar("R")
EXPECTED = (
    ConfigError,
    SecretsError,
    RefusedToStart,
    BrokerFailed,
    BadDeviceFile,
    CannotMake,
    CannotJoin,
    BadAnchorFile,
    BackupError,
    NoCelery,
    WrongTables,
    AlreadyRunning,
    StillMigrating,
)
TROUBLES = {
    Trouble.AWAY: "The database cannot be reached. Is its server running, and is [database] url right?",
    Trouble.BUSY: "The database is held by another program. Try again; if it goes on, look: ps ax | grep cunxiang",
    Trouble.FULL: "The disk of the database is full. Make room, then try again.",
}
HUB_SECTIONS: tuple[type[Section], ...] = (
    ApiSettings,
    AuditSettings,
    MqttSettings,
    CareSettings,
    WatchSettings,
    WorkSettings,
)


def sections(features: Sequence[Feature]) -> tuple[type[Section], ...]:
    """Return every configuration section there is."""
    return (*HUB_SECTIONS, *(kind for feature in features for kind in feature.settings))


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn expected failures into one readable message and exit status 2."""
    try:
        yield
    except HubError as error:
        click.secho(explain(error, "en"), fg="red", err=True)
        sys.exit(2)
    except EXPECTED as error:
        click.secho(str(error), fg="red", err=True)
        sys.exit(2)
    except SQLAlchemyError as error:
        trouble = trouble_of(error)
        if trouble is None:
            raise
        click.secho(TROUBLES[trouble], fg="red", err=True)
        sys.exit(2)


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Wrap a command in `plain_errors`."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with plain_errors():
            return command(*args, **kwargs)

    return run


class Frame:
    """What the top command knows: the features and which configuration file was named."""

    def __init__(self, features: Sequence[Feature], config_path: Path | None) -> None:
        self.features = tuple(features)
        self.config_path = config_path

    def config(self, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Config:
        """Read the configuration. Raises ConfigError."""
        return load(self.config_path, sections(self.features), overrides=overrides)

    def runtime(self, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Runtime:
        """Open database and secrets as configured."""
        return open_runtime(self.config(overrides))


pass_frame = click.make_pass_decorator(Frame)

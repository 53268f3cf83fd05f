"""What a running hub holds: configuration, secrets, sessions, clock, and the services that rooms provide."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from flask import Flask, current_app

from hub.core.clock import Clock
from hub.core.config import Config, HubSettings
from hub.core.db import Sessions
from hub.core.roles import WHOLE, Duties
from hub.core.secrets import Secrets

T = TypeVar("T")
KEY = "cunxiang"


@dataclass
class Runtime:
    """One hub in one process."""

    config: Config
    secrets: Secrets
    sessions: Sessions
    clock: Clock
    port: int = 0
    """The port the web server really listens on, once it does."""
    duties: Duties = WHOLE
    """Which part of the work this process does."""
    _services: dict[type[object], object] = field(default_factory=dict)

    def now(self) -> datetime:
        """Return the present moment by the hub's clock."""
        return self.clock()

    @property
    def settings(self) -> HubSettings:
        """The `[hub]` section."""
        return self.config.section(HubSettings)

    @property
    def base_url(self) -> str:
        """The address under which speakers and providers reach this hub, without a slash at the end."""
        settings = self.settings
        host = "127.0.0.1" if settings.host in ("", "0.0.0.0", "::") else settings.host  # noqa: S104
        return (settings.public_url or f"http://{host}:{self.port or settings.port}").rstrip("/")

    @property
    def zone(self) -> ZoneInfo:
        """The zone all local times are meant in."""
        return ZoneInfo(self.settings.time_zone)

    def provide(self, kind: type[T], service: T) -> T:
        """Offer a service to whoever asks for `kind`."""
        self._services[kind] = service
        return service

    def get(self, kind: type[T]) -> T:
        """Return the service of that kind; KeyError means a feature was not plugged in."""
        service = self._services[kind]
        if not isinstance(service, kind):
            raise TypeError(f"{kind.__name__} was provided by something else")
        return service

    def find(self, kind: type[T]) -> T | None:
        """Return the service of that kind, or None."""
        service = self._services.get(kind)
        return service if isinstance(service, kind) else None


def runtime(app: Flask | None = None) -> Runtime:
    """Return the runtime of the present application."""
    found = (app or current_app).extensions[KEY]
    assert isinstance(found, Runtime)  # noqa: S101 - put there by hub.app.build and by nobody else
    return found

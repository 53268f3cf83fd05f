"""The broker that the hub runs itself: its folder, who may use it, and its start."""

import logging
import threading
from pathlib import Path
from typing import Final

from hub.core.runtime import Runtime
from hub.speakers import registry
from hub.speakers.broker.accounts import hub_accounts, write_accounts
from hub.speakers.broker.child import Secure
from hub.speakers.broker.process import Kind, RunningBroker, start_broker
from hub.speakers.settings import MqttSettings

log = logging.getLogger(__name__)
THIS_MACHINE: Final = "127.0.0.1"


class OwnBroker:
    """Keeps its accounts as the tables have them, and starts it. With an external one there is nothing to do."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.config.section(MqttSettings)
        self._guard = threading.Lock()
        self.running: RunningBroker | None = None

    @property
    def folder(self) -> Path:
        """Where it keeps its accounts and log."""
        return self._runtime.config.data_dir / "broker"

    def start(self) -> None:
        """Start it, if the hub has one of its own. Raises BrokerFailed."""
        if self._settings.engine != "external":
            self.renew_accounts()
            self.running = self._start(self._settings.engine)

    def stop(self) -> None:
        """End it."""
        if self.running is not None:
            self.running.stop()

    def renew_accounts(self) -> None:
        """Write who may use it; it takes the change over within two seconds."""
        if self._settings.engine == "external":
            return
        with self._guard:  # around the reading too: the last to write must know the most
            with self._runtime.sessions.read() as session:
                accounts = registry.broker_accounts(session)
            hub = hub_accounts(self.folder, self._runtime.secrets.broker_password)
            write_accounts(self.folder, [*hub, *accounts])

    def _start(self, engine: Kind) -> RunningBroker:
        settings = self._settings
        if settings.is_open:
            log.warning(
                "the broker can be reached from other machines without TLS: who listens on the way can read the "
                "passwords of loudspeakers. See 'cunxiang tls make'"
            )
        plain = settings.host if settings.plain_too or not settings.secure else THIS_MACHINE
        secure = None
        if settings.tls_cert is not None and settings.tls_key is not None:
            secure = Secure(settings.host, settings.tls_port, settings.tls_cert, settings.tls_key)
        return start_broker(engine, self.folder, plain, settings.port, secure)

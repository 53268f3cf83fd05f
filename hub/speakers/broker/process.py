"""Starts the MQTT broker in a child process, waits until it answers, and starts it again if it dies."""

import contextlib
import logging
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final, Literal

from hub.speakers.broker.accounts import ACCOUNTS, BrokerAccount, write_accounts
from hub.speakers.broker.child import Secure

log = logging.getLogger(__name__)

Kind = Literal["auto", "embedded", "mosquitto"]
START_WITHIN_S: Final = 20.0
STOP_WITHIN_S: Final = 10.0
RESTART_AFTER_S: Final = 1.0
LOG_LINES: Final = 5
SBIN: Final = "/usr/local/sbin:/usr/sbin:/opt/homebrew/sbin"
KNOCK: Final = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x05\x00\x04who?"
CONNACK: Final = 0x20


class BrokerFailed(Exception):
    """The broker did not start; the message says why."""


class RunningBroker:
    """A broker in a child process that ends with us. It is started again when it dies by itself."""

    def __init__(
        self,
        kind: Literal["embedded", "mosquitto"],
        folder: Path,
        host: str,
        port: int,
        secure: Secure | None = None,
    ) -> None:
        self.kind = kind
        self.host = host
        self.port = port
        self.secure = secure
        """Its listener for TLS, if it has one."""
        self._folder = folder
        self._stopping = threading.Event()
        self._process = self._spawn()
        self._watcher = threading.Thread(target=self._watch, name="broker-watch", daemon=True)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def is_answering(self) -> bool:
        """Whether it speaks MQTT at this moment."""
        return _answers(self.host, self.port)

    def stop(self) -> None:
        """End it and wait for its end."""
        self._stopping.set()
        self._close_input()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._watcher.is_alive():
            self._watcher.join(STOP_WITHIN_S)

    def wait_until_answering(self) -> None:
        """Until it speaks MQTT; BrokerFailed with the last lines of its log when it ends or does not answer."""
        deadline = time.monotonic() + START_WITHIN_S
        while not self.is_answering():
            if self._process.poll() is not None:
                self.stop()
                raise BrokerFailed(f"the {self.kind} broker has ended: {self._last_words()}")
            if time.monotonic() > deadline:
                self.stop()
                raise BrokerFailed(f"the {self.kind} broker does not answer: {self._last_words()}")
            time.sleep(0.05)

    def keep_up(self) -> None:
        """From now on, start it again when it dies."""
        self._watcher.start()

    def _spawn(self) -> subprocess.Popen[bytes]:
        arguments = [str(self._folder), self.host, str(self.port)]
        if self.kind == "mosquitto":
            arguments.append(find_mosquitto() or "mosquitto")
        if self.secure is not None:
            arguments += self.secure.arguments()
        module = f"hub.speakers.broker.{self.kind}"
        with self._log().open("wb") as out:
            return subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for the hub, which ends us in order
                env=_environment(),
            )

    def _watch(self) -> None:
        while not self._stopping.is_set():
            self._process.wait()
            if self._stopping.wait(RESTART_AFTER_S):
                return
            log.error("broker_died", extra={"kind": self.kind, "last_words": self._last_words()})
            self._close_input()
            self._process = self._spawn()

    def _close_input(self) -> None:
        """The child takes this as the sign to end."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _log(self) -> Path:
        return self._folder / "broker.log"

    def _last_words(self) -> str:
        try:
            lines = self._log().read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return "it left no log"
        return " / ".join(lines[-LOG_LINES:]) or "it said nothing"


def start_broker(
    kind: Kind, folder: Path, host: str = "127.0.0.1", port: int = 0, secure: Secure | None = None
) -> RunningBroker:
    """Start a broker with the accounts in `folder` and return once it answers MQTT. Port 0 takes a free one.

    With `secure` it listens for TLS besides. BrokerFailed says why it cannot.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / ACCOUNTS).exists():
        no_accounts: list[BrokerAccount] = []
        write_accounts(folder, no_accounts)
    port = _free_port(host, port)
    if secure is not None:
        _check_certificate(secure)
        free = _free_port(secure.host, secure.port, but=port)
        secure = Secure(secure.host, free, secure.cert.resolve(), secure.key.resolve())
    broker = RunningBroker(_choose(kind), folder, host, port, secure)
    broker.wait_until_answering()
    broker.keep_up()
    return broker


def find_mosquitto() -> str | None:
    """The mosquitto program, also where ordinary users do not look for it."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=SBIN)


def _choose(kind: Kind) -> Literal["embedded", "mosquitto"]:
    if kind == "auto":
        return "mosquitto" if find_mosquitto() else "embedded"
    if kind == "mosquitto" and find_mosquitto() is None:
        raise BrokerFailed("mosquitto is not installed: install it, or choose the embedded broker")
    return kind


def _check_certificate(secure: Secure) -> None:
    """Find out now, with a sentence, what the broker's process would only say in its log."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(secure.cert, secure.key)
    except (OSError, ssl.SSLError) as error:
        raise BrokerFailed(
            f"the broker's certificate {secure.cert} with the key {secure.key} cannot be used: {error}. "
            "Make both with: cunxiang tls make"
        ) from error


def _free_port(host: str, port: int, *, but: int = 0) -> int:
    """The port to use; BrokerFailed when somebody else has it."""
    if port and port == but:
        raise BrokerFailed(f"port {port} cannot be used with TLS and without: choose another tls_port")
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BrokerFailed(
                f"port {port} on {host} cannot be used: {error.strerror}; choose another port"
            ) from error
        return int(probe.getsockname()[1])


def _answers(host: str, port: int) -> bool:
    """Knock without a name: a broker answers with a CONNACK that says no."""
    target = "127.0.0.1" if host in {"0.0.0.0", ""} else host  # noqa: S104
    try:
        with socket.create_connection((target, port), timeout=1) as sock:
            sock.sendall(KNOCK)
            answer = sock.recv(4)
    except OSError:
        return False
    return len(answer) > 0 and answer[0] == CONNACK


def _environment() -> dict[str, str]:
    """The child finds the same modules as we do."""
    root = str(Path(__file__).resolve().parents[3])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}

"""What every broker process does: open many files, and end when its parent ends."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Secure:
    """A second listener that speaks TLS: where, and with which certificate (PEM) and private key."""

    host: str
    port: int
    cert: Path
    key: Path

    def arguments(self) -> Sequence[str]:
        """The same for the command line of a broker process."""
        return ("--tls-host", self.host, "--tls-port", str(self.port), "--cert", str(self.cert), "--key", str(self.key))


def secure_options(command: F) -> F:
    """The options that `Secure.arguments` makes."""
    for option in (
        click.option("--tls-host", default=""),
        click.option("--tls-port", type=int, default=0),
        click.option("--cert", type=click.Path(path_type=Path)),
        click.option("--key", type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


def secure_of(tls_host: str, tls_port: int, cert: Path | None, key: Path | None) -> Secure | None:
    """Read those options."""
    return Secure(tls_host, tls_port, cert, key) if cert and key else None


def raise_file_limit() -> int:
    """Allow as many connections as the system lets us; the number of files that may be open."""
    if resource is None:
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def stdin_closed() -> None:
    """Wait until the parent has closed our input: it does so when it stops us, and when it dies."""
    stdin = sys.stdin.fileno()
    while os.read(stdin, 1024):  # unbuffered: a buffer's lock would trouble the interpreter at its end
        pass

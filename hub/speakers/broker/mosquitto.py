"""Keeps one mosquitto: writes its configuration, tells it of changed accounts, and ends it with the hub."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import click

from hub.speakers.broker.accounts import ACCOUNTS, PASSWORDS, RIGHTS
from hub.speakers.broker.child import Secure, raise_file_limit, secure_of, secure_options, stdin_closed
from hub.speakers.envelope import MAX_MESSAGE

CONFIG: Final = "mosquitto.conf"
REFRESH_EVERY_S: Final = 0.25
PR_SET_PDEATHSIG: Final = 1


def config_text(folder: Path, host: str, port: int, secure: Secure | None = None) -> str:
    """The configuration. As root, mosquitto would change to a user who may not read these files."""
    lines = [
        f"listener {port} {host}",
        *_secure_lines(secure),
        "allow_anonymous false",
        "use_username_as_clientid true",
        f"password_file {folder / PASSWORDS}",
        f"acl_file {folder / RIGHTS}",
        "max_queued_messages 1000000",
        "max_inflight_messages 20000",
        f"max_packet_size {MAX_MESSAGE + 1024}",
        "set_tcp_nodelay true",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 60",
        "persistent_client_expiration 1d",
        "log_type error",
        "log_type warning",
        "log_dest stderr",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        lines.append("user root")
    return "\n".join(lines) + "\n"


def _secure_lines(secure: Secure | None) -> list[str]:
    if secure is None:
        return []
    return [
        f"listener {secure.port} {secure.host}",
        f"certfile {secure.cert}",
        f"keyfile {secure.key}",
        "tls_version tlsv1.2",  # the least, not the only one
    ]


def keep(binary: str, folder: Path, host: str, port: int, secure: Secure | None = None) -> int:
    """Run mosquitto until it or our parent ends; its exit code."""
    config = folder / CONFIG
    config.write_text(config_text(folder, host, port, secure), encoding="utf-8")
    command = [binary, "-c", str(config)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)  # noqa: S603, PLW1509
    threading.Thread(target=_end_with_parent, args=(process,), daemon=True).start()
    stamp = _stamp(folder)
    while process.poll() is None:
        time.sleep(REFRESH_EVERY_S)
        now = _stamp(folder)
        if now != stamp:
            stamp = now
            process.send_signal(signal.SIGHUP)
    return process.returncode


def _stamp(folder: Path) -> tuple[int, int]:
    stat = (folder / ACCOUNTS).stat()
    return stat.st_mtime_ns, stat.st_ino


def _end_with_parent(process: subprocess.Popen[bytes]) -> None:
    stdin_closed()
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
        return
    process.kill()


def _die_with_parent() -> None:
    """In the child, before it becomes mosquitto: Linux shall end it when this keeper is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("host")
@click.argument("port", type=int)
@click.argument("binary")
@secure_options
def main(folder: Path, host: str, port: int, binary: str, **secure: Any) -> None:
    """Run mosquitto for the hub; started by the hub, not by people."""
    raise_file_limit()
    sys.exit(keep(binary, folder, host, port, secure_of(**secure)))


if __name__ == "__main__":
    main()

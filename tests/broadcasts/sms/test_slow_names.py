"""A name server that never answers: what goes by a name waits and takes another way; emergencies do not wait."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).resolve().parents[2] / "slowworker.py"
SILENT = "127.0.0.77"
RESOLV = f"nameserver {SILENT}\noptions timeout:2 attempts:2\n"
LOOKUP_S = 4.0


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("CUNXIANG_LONG") != "1", reason="takes ten seconds; CUNXIANG_LONG=1 tries it")
def test_a_slow_lookup_holds_up_nobody_else(tmp_path: Path) -> None:
    if sys.platform != "linux" or os.getuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs a mount namespace of its own, so Linux and root")
    (tmp_path / "resolv.conf").write_text(RESOLV)
    (tmp_path / "nsswitch.conf").write_text("hosts: files dns\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        try:
            silent.bind((SILENT, 53))
        except OSError as error:
            pytest.skip(f"no name server can be played here: {error}")
        binds = " && ".join(f"mount --bind {tmp_path}/{name} /etc/{name}" for name in ("resolv.conf", "nsswitch.conf"))
        command = f"{binds} && exec {sys.executable} {WORKER} sms.provider.example"
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", command],
            env={**os.environ, "PYTHONPATH": f"{WORKER.parent}:{WORKER.parents[1]}"},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        silent.settimeout(1)
        asked = silent.recv(512)
    emergency, hanging, routine, calls = (float(word) for word in done.stdout.split())
    assert b"provider" in asked, "the name server was asked for the provider"
    assert calls >= 1
    assert hanging == 0, "ordinary messages were waiting for the lookup when the emergency had gone out"
    assert emergency < LOOKUP_S / 2
    assert routine < 60, "the other provider takes them over"

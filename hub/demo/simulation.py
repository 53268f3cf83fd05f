"""The demo's loudspeakers: a child process that runs all of them and ends with the hub."""

import logging
import subprocess
import sys
from pathlib import Path

from hub.core.runtime import Runtime
from hub.demo.seeding import DEVICES, write_devices
from hub.speakers.device.device_file import load_devices
from hub.speakers.station import Station

log = logging.getLogger(__name__)


class SimulatedSpeakers:
    """Runs `cunxiang simulate` for the demo's devices."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Where the simulated loudspeakers keep their memory and the sound of some of them."""
        return self._runtime.config.data_dir / "speakers"

    @property
    def there(self) -> bool:
        """Whether they are: what loudspeakers keep for themselves is in no backup, so a restored demo has none."""
        return (self._runtime.config.data_dir / DEVICES).exists()

    def start(self) -> None:
        """Tell the devices where the broker is today, and start them."""
        if not self.there:
            return
        station = self._runtime.get(Station)
        host, port = station.address
        path = self._runtime.config.data_dir / DEVICES
        keys = station.keys.accepted()
        devices = [
            d.model_copy(update={"broker_host": host, "broker_port": port, "hub_keys": keys})
            for d in load_devices(path)
        ]
        write_devices(path, devices)
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "cunxiang", "simulate", str(path), "--state-dir", str(self.folder)]
        with (self._runtime.config.data_dir / "speakers.log").open("wb") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own program with our own paths
                [*command, "--keep-audio", "24", "--with-parent"],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for the hub, which ends us in order
            )

    def stop(self) -> None:
        """End them."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

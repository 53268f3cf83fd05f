"""`cunxiang speaker | simulate`: be a loudspeaker, or many."""

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

import click

from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.actor import SYSTEM
from hub.core.logs import configure
from hub.speakers import registry
from hub.speakers.device.client import SpeakerSettings, run_speaker
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.simulator import Crowd, SimulationOptions, run_simulation
from hub.speakers.settings import MqttSettings
from hub.speakers.station import KEY_ID, Station, signing_key


@click.group()
def speaker() -> None:
    """Add a loudspeaker, or run one on this machine."""


@speaker.command("enrol")
@click.argument("speaker_id")
@click.option("--name", required=True, help="Where it hangs, e.g. 村口.")
@click.option("--region", required=True, help="Code of its village or group.")
@click.option("--broker-host", help="Broker address as the device reaches it. Default: the configured one.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Device file. Default: SPEAKER_ID.toml")
@pass_frame
@guarded
def enrol(frame: Frame, speaker_id: str, name: str, region: str, broker_host: str | None, out: Path | None) -> None:
    """Add a loudspeaker and write its device file, which holds its password: keep it private."""
    runtime = frame.runtime()
    settings = runtime.config.section(MqttSettings)
    with runtime.sessions.begin() as session:
        enrolled = registry.enrol(
            session, SYSTEM, speaker_id=speaker_id, name=name, region_code=region, now=runtime.now()
        )
    Station(runtime, ()).renew_accounts()
    path = out or Path(f"{enrolled.speaker.id}.toml")
    DeviceFile(
        id=enrolled.speaker.id,
        number=enrolled.speaker.number,
        secret=enrolled.secret,
        broker_host=broker_host or settings.host,
        broker_port=settings.port or 1883,
        broker_tls=settings.tls,
        regions=tuple(enrolled.speaker.region_path.strip("/").split("/")),
        hub_keys={KEY_ID: signing_key(runtime.secrets.signing_seed).public()},
    ).save(path)
    click.echo(f"{enrolled.speaker.id} is number {enrolled.speaker.number}. Its device file: {path}")


@speaker.command("run")
@click.argument("device_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--sink",
    type=click.Choice(["auto", "device", "file", "silent"]),
    default="auto",
    show_default=True,
    help="Sound card, WAV files in the state folder, or only time passing. auto: the card if there is one.",
)
@guarded
def run_one(device_file: Path, sink: str) -> None:
    """Be this loudspeaker until Ctrl-C: through the sound card if there is one, else into files."""
    configure(json_lines=False)
    run_speaker(SpeakerSettings(DeviceFile.load(device_file), sink=sink))


@click.command()
@click.argument("devices", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--state-dir", type=click.Path(path_type=Path, file_okay=False), default=Path("simulated"))
@click.option("--keep-audio", default=0, help="Write what the first N of them play as WAV files.")
@click.option("--offline", default=0.0, type=click.FloatRange(0, 1), help="Share that never connects.")
@click.option("--flaky", default=0.0, type=click.FloatRange(0, 1), help="Share whose connection keeps breaking.")
@click.option("--failing", default=0.0, type=click.FloatRange(0, 1), help="Share that cannot fetch sound.")
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input is closed.")
@guarded
def simulate(devices: Path, state_dir: Path, with_parent: bool, **behaviour: float) -> None:
    """Be many loudspeakers at once: DEVICES holds one device a line, as JSON."""
    configure(json_lines=False)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    options = SimulationOptions(
        state_dir=state_dir,
        keep_audio=int(behaviour["keep_audio"]),
        offline=behaviour["offline"],
        flaky=behaviour["flaky"],
        failing=behaviour["failing"],
    )
    with contextlib.suppress(KeyboardInterrupt):
        run_simulation(devices, options, None if with_parent else _report)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _report(crowd: Crowd) -> None:
    click.echo(f"\r{crowd.up} of {crowd.devices} connected, {crowd.sounding} sounding   ", nl=False)

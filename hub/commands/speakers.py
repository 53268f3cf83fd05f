"""`cunxiang speaker | simulate`: be a loudspeaker, or many."""

import contextlib
import os
import platform
import signal
import sys
import threading
from pathlib import Path

import click
import segno

from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.actor import SYSTEM
from hub.core.logs import configure
from hub.core.runtime import Runtime
from hub.core.typed import shown
from hub.regions.tree import codes_in
from hub.speakers import registry
from hub.speakers.device.client import SpeakerSettings, run_speaker
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.simulator import Crowd, SimulationOptions, run_simulation
from hub.speakers.joining import desk, device
from hub.speakers.joining.claims import MOST_CODES, Place
from hub.speakers.joining.labels import address_of
from hub.speakers.settings import MqttSettings
from hub.speakers.settings_book import SettingsBook
from hub.speakers.station import Station

MODEL = "cunxiang-reference"
VERSION = "cunxiang-1"


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
    station = Station(runtime)
    station.renew_accounts()
    host, port, secure = station.told_at(enrolled.speaker.region_path)
    path = out or Path(f"{enrolled.speaker.id}.toml")
    DeviceFile(
        id=enrolled.speaker.id,
        number=enrolled.speaker.number,
        secret=enrolled.secret,
        broker_host=broker_host or host or settings.host,
        broker_port=port,
        broker_tls=secure,
        broker_ca=str(settings.ca_file.resolve()) if secure and settings.ca_file else None,
        regions=codes_in(enrolled.speaker.region_path),
        hub_keys=station.keys.accepted(),
    ).save(path)
    click.echo(f"{enrolled.speaker.id} is number {enrolled.speaker.number}. Its device file: {path}")


@speaker.command("code")
@click.option("--name", required=True, help="Where it will hang, e.g. 村口.")
@click.option("--region", required=True, help="Code of its village or group.")
@click.option("--count", default=1, type=click.IntRange(1, MOST_CODES), show_default=True)
@pass_frame
@guarded
def code(frame: Frame, name: str, region: str, count: int) -> None:
    """Make claim codes, each for one new device and good for 30 days. They are shown this once."""
    runtime = _open(frame)
    for label in desk.make_codes(runtime, SYSTEM, Place(name, region), count):
        click.echo(f"{shown(label.code)}  {label.speaker.id}  {label.speaker.name}")


@speaker.command("claim")
@click.argument("typed", metavar="CODE")
@click.option("--name", default="", help="Where it hangs, e.g. 村口.")
@click.option("--region", default="", help="Code of its village or group.")
@click.option("--replaces", default="", help="Id of the loudspeaker whose place it takes, instead of name and region.")
@pass_frame
@guarded
def claim(frame: Frame, typed: str, name: str, region: str, replaces: str) -> None:
    """Let in the device that waits under the code printed on it."""
    speaker = desk.offer(_open(frame), SYSTEM, typed, Place(name, region, replaces))
    click.echo(f"{speaker.id} may come. It fetches its papers within half a minute.")


@speaker.command("move")
@click.argument("speaker_id")
@click.option("--region", required=True, help="Code of its new village or group.")
@pass_frame
@guarded
def move(frame: Frame, speaker_id: str, region: str) -> None:
    """Hang a loudspeaker in another village or group. A running hub tells it at its next heartbeat."""
    speaker = desk.move(_open(frame), SYSTEM, speaker_id, region)
    click.echo(f"{speaker.id} belongs to {speaker.region_code} now and is number {speaker.number}.")


@speaker.command("retire")
@click.argument("speaker_id")
@click.option("--reason", default="", help="Why, for the log.")
@pass_frame
@guarded
def retire(frame: Frame, speaker_id: str, reason: str) -> None:
    """Take a loudspeaker out of service: the broker ends its connection within two seconds."""
    speaker = desk.retire(_open(frame), SYSTEM, speaker_id, reason)
    click.echo(f"{speaker.id} is out of service.")


@speaker.command("join")
@click.argument("hub_url")
@click.option("--code", "given", help="Claim code from a label. Default: this device's own, made once and shown.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("speaker.toml"), show_default=True)
@click.option("--serial", default=platform.node, help="What the people of the hub see. Default: this machine's name.")
@click.option("--ca-file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Authority of the hub.")
@guarded
def join(hub_url: str, given: str | None, out: Path, serial: str, ca_file: Path | None) -> None:
    """Be a new loudspeaker: wait until somebody claims it, then write its device file for `cunxiang speaker run`."""
    code = device.code_for(out.with_suffix(".code"), given)
    if given is None:
        segno.make_qr(address_of(code, hub_url), error="m").terminal(compact=True)
    click.echo(f"Claim code: {shown(code)}\nWaiting for {hub_url} …")
    applicant = device.Applicant(hub_url, code, serial, MODEL, VERSION, ca_file)
    path = device.join(applicant, out, tell=click.echo)
    click.echo(f"This is {DeviceFile.load(path).id} now. Start it with: cunxiang speaker run {path}")


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
@click.option("--faulty", default=0.0, type=click.FloatRange(0, 1), help="Share in which faults come and go.")
@click.option("--fetch-alone", is_flag=True, help="Each fetches sound for itself, not once for all.")
@click.option("--connects-per-s", default=300, show_default=True, type=click.IntRange(1, 100_000))
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
        faulty=behaviour["faulty"],
        fetch_per_device=bool(behaviour["fetch_alone"]),
        connects_per_s=int(behaviour["connects_per_s"]),
    )
    with contextlib.suppress(KeyboardInterrupt):
        run_simulation(devices, options, None if with_parent else _report)


def _open(frame: Frame) -> Runtime:
    """Open the hub's tables beside a running hub, with what the services of this room need."""
    runtime = frame.runtime()
    station = runtime.provide(Station, Station(runtime))
    runtime.provide(SettingsBook, SettingsBook(runtime, station, ()))
    return runtime


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _report(crowd: Crowd) -> None:
    click.echo(f"\r{crowd.up} of {crowd.devices} connected, {crowd.sounding} sounding   ", nl=False)

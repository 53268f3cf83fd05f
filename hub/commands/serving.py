"""`cunxiang run | demo`: the hub itself, and the hub with an invented county."""

import logging
import shutil
import socket
import sys
from datetime import datetime
from pathlib import Path

import click

from hub.app import build, open_runtime, provide
from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.clock import utc_now
from hub.core.feature import Feature
from hub.core.logs import configure
from hub.core.runtime import Runtime
from hub.core.typed import shown
from hub.demo import hours, seeding
from hub.demo.simulation import SimulatedSpeakers
from hub.first_run import opening
from hub.running import Server

log = logging.getLogger(__name__)
DEMO_DIR = Path("var") / "demo"
WORDS = {"regions": "镇和村", "speakers": "喇叭", "residents": "居民"}


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port instead of the configured one.")
@click.option("--json-logs", is_flag=True, help="One JSON object a line instead of plain lines.")
@pass_frame
@guarded
def run(frame: Frame, port: int | None, json_logs: bool) -> None:
    """Run the hub until Ctrl-C: web pages, timetable, loudspeakers, SMS and, unless configured, its own broker."""
    configure(json_lines=json_logs)
    runtime = frame.runtime({"hub": {"port": port}} if port is not None else None)
    server = Server(build(runtime, frame.features), runtime, frame.features)
    server.close_on_signals()
    log.info("hub ready", extra={"address": runtime.base_url})
    welcome(runtime)
    server.serve()


def welcome(runtime: Runtime) -> None:
    """Tell whoever stands at the console of a hub that nobody uses yet how to begin.

    The code is shown on a terminal alone: where the output is kept as a log, the sentence says how to get it.
    """
    with runtime.sessions.read() as session:
        if not opening.is_untouched(session):
            return
    click.echo()
    click.secho(f"  还没有人用过，打开  {runtime.base_url}/first-run/begin  Nobody uses this hub yet.", bold=True)
    if sys.stdout.isatty():
        click.secho(f"  开机码  {shown(opening.first_code(runtime.secrets))}  (code of the first run)", bold=True)
    else:
        click.echo("  开机码：在这台机器上运行 cunxiang user first-code  (prints the code of the first run)")
    click.echo()


@click.command()
@click.option("--fresh", is_flag=True, help="Throw the demo's data away and start anew.")
@click.option("--port", type=click.IntRange(0, 65535), default=8600, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 lets phones in this network try it.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default=DEMO_DIR, show_default=True)
@pass_frame
@guarded
def demo(frame: Frame, fresh: bool, port: int, host: str, data_dir: Path) -> None:
    """Try everything: an invented county, 120 simulated loudspeakers, 5,000 residents, nothing real is reached."""
    configure(json_lines=False, level=logging.WARNING)
    if fresh and data_dir.exists():
        shutil.rmtree(data_dir)
    now = utc_now()
    before, quiet = hours.kept(data_dir), hours.settle(data_dir, now)
    config = frame.config(demo_settings(host, port, data_dir, now))
    hours.keep(data_dir, quiet)
    runtime = open_runtime(config)
    _fill(runtime, frame.features)
    speakers = SimulatedSpeakers(runtime)
    features = (*frame.features, Feature(name="simulation", start=lambda _: (speakers,)))
    server = Server(build(runtime, features), runtime, features)
    server.close_on_signals()
    _announce(runtime, host)
    _say_quiet(before, quiet)
    if not speakers.there:
        click.echo("  没有模拟喇叭：喇叭自己的密钥不在备份里，所以都显示离线。加 --fresh 从头来。")
        click.echo("  No simulated loudspeakers: their keys are in no backup. --fresh begins anew.\n")
    server.serve()
    click.echo("\n已停止。再启动，数据还在。 Stopped; the data is kept.")


def demo_settings(host: str, port: int, data_dir: Path, now: datetime) -> dict[str, dict[str, object]]:
    """Return the settings of a demo. There is time before its quiet hours, so that it can be tried at any hour."""
    return {
        "hub": {"mode": "demo", "data_dir": data_dir, "host": host, "port": port, "public_url": ""},
        "database": {"url": ""},
        "mqtt": {"engine": "embedded", "host": "127.0.0.1", "port": 0, "heartbeat_seconds": 20},
        "sms": {"gateways": ("local",), "signature": "云岫县应急", "window_from": "00:00", "window_until": "23:59"},
        "broadcast": {"quiet_hours": (hours.settle(data_dir, now),)},
    }


def _fill(runtime: Runtime, features: tuple[Feature, ...]) -> None:
    with runtime.sessions.read() as session:
        if seeding.is_seeded(session):
            return
    click.echo("第一次启动，先造一个演示县。 First start: making the invented county.")

    def show(what: str, done: int, total: int) -> None:
        filled = round(30 * done / total)
        bar = "█" * filled + "·" * (30 - filled)
        click.echo(f"\r  {WORDS[what]:　<4}{bar} {done}/{total}", nl=done == total)

    seeding.seed(runtime, show)
    provide(runtime, features)
    for feature in features:
        feature.seed_demo(runtime)


def _announce(runtime: Runtime, host: str) -> None:
    click.echo()
    click.secho(f"  村响已经开好： {runtime.base_url}", bold=True)
    if host in ("0.0.0.0", "::"):  # noqa: S104 - the person asked for it
        click.echo(f"  手机同网打开： http://{socket.gethostname()}:{runtime.port}")
    click.echo(f"  密码都是  {seeding.PASSWORD}  (password of all accounts)")
    click.echo("    clerk      石笛镇广播员：写广播、提交     writes")
    click.echo("    approver   石笛镇副镇长：审批            approves")
    click.echo("    duty       石笛镇值班员：应急播发        emergencies")
    click.echo("    editor / chief  县里写 / 批，全县 120 只喇叭   the same for the whole county")
    click.echo("  按 Ctrl-C 停止。 Ctrl-C stops it.")


def _say_quiet(before: str, quiet: str) -> None:
    """Say when nothing routine sounds, and that it is another time than before."""
    click.echo(f"  安静时段 {quiet}，平常的广播不响。 Quiet hours: nothing routine sounds.")
    if before and before != quiet:
        click.echo(f"  原来是 {before}，现在正赶上或马上就到，没法试，所以挪开了。排在新时段里的节目这次不响。")
        click.echo("  They were moved so that there is something to try now; what is planned in them stays silent.")

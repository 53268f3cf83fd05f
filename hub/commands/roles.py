"""`cunxiang web | scheduler | worker | bridge`: the parts of one hub as processes, on as many machines as needed."""

import logging
import sys

import click
from sqlalchemy import make_url

from hub.app import RefusedToStart, build_pages, open_runtime, provide
from hub.commands.frame import Frame, guarded, pass_frame
from hub.commands.serving import welcome
from hub.core.config import Config, HubSettings
from hub.core.lanes import WorkSettings
from hub.core.logs import configure
from hub.core.roles import Duties, Role, WorkLane
from hub.running import Server
from hub.speakers.settings import MqttSettings

log = logging.getLogger(__name__)
json_logs = click.option("--json-logs", is_flag=True, help="One JSON object a line instead of plain lines.")


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port instead of the configured one.")
@json_logs
@pass_frame
@guarded
def web(frame: Frame, port: int | None, json_logs: bool) -> None:
    """Serve pages and API. Any number of them, behind a proxy."""
    _run(frame, Duties.of(Role.WEB), json_logs, port)


@click.command()
@json_logs
@pass_frame
@guarded
def scheduler(frame: Frame, json_logs: bool) -> None:
    """Keep the timetable, countdowns and calls. Two or more on different machines; the tables decide who fires what."""
    _run(frame, Duties.of(Role.SCHEDULER), json_logs)


def _lanes(context: click.Context, option: click.Parameter, value: str) -> frozenset[WorkLane]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    try:
        found = frozenset(WorkLane(name) for name in names)
    except ValueError:
        found = frozenset()
    if not found:
        raise click.BadParameter(
            f"{value!r} is no list of lanes. Lanes are {', '.join(WorkLane)}, with commas between."
        )
    return found


@click.command()
@click.option(
    "--lanes", default=",".join(WorkLane), show_default=True, callback=_lanes, help="What to take, with commas between."
)
@json_logs
@pass_frame
@guarded
def worker(frame: Frame, lanes: frozenset[WorkLane], json_logs: bool) -> None:
    """Send text messages, take in lists, add up sums. Any number; keep one that takes the emergency lane alone."""
    _run(frame, Duties.of(Role.WORKER, lanes), json_logs)


@click.command()
@json_logs
@pass_frame
@guarded
def bridge(frame: Frame, json_logs: bool) -> None:
    """Hold the line to the loudspeakers. A second one stands by and takes over when the first dies."""
    _run(frame, Duties.of(Role.BRIDGE), json_logs)


def _run(frame: Frame, duties: Duties, json_lines: bool, port: int | None = None) -> None:
    configure(json_lines=json_lines)
    config = frame.config({"hub": {"port": port}} if port is not None else None)
    require_shared(config)
    runtime = open_runtime(config, duties=duties)
    provide(runtime, frame.features)
    pages = build_pages(runtime, frame.features) if duties.has(Role.WEB) else None
    server = Server(pages, runtime, frame.features)
    server.close_on_signals()
    if pages is not None:
        welcome(runtime)
    log.info("process ready", extra={"role": duties.name, "port": server.port})
    server.serve()
    sys.exit(server.status)


def require_shared(config: Config) -> None:
    """Raise RefusedToStart with everything that several processes need and this configuration does not give."""
    missing = []
    if make_url(config.database_url).get_backend_name() != "postgresql":
        missing.append("a PostgreSQL database ([database] url)")
    if config.section(MqttSettings).engine != "external":
        missing.append('a broker that runs by itself ([mqtt] engine = "external", see docs/brokers.md)')
    if not config.section(HubSettings).public_url:
        missing.append("the address under which everybody reaches the pages ([hub] public_url)")
    work = config.section(WorkSettings)
    if work.engine == "celery" and not work.broker_url.get_secret_value():
        missing.append('the address of RabbitMQ ([work] broker_url), or [work] engine = "local"')
    if missing:
        raise RefusedToStart(f"A hub of several processes needs {'; '.join(missing)}. One process: 'cunxiang run'.")

"""`cunxiang stop`: silence a region from the machine itself, when no page can be reached."""

import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

import click
from sqlalchemy import make_url

from broadcasts.delivery import muting
from broadcasts.delivery.muting import Silence
from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.actor import Actor, Permission, Scope
from hub.core.clock import utc_now
from hub.core.config import Config, HubSettings
from hub.core.db import Trouble, trouble_of
from hub.core.runtime import Runtime
from hub.regions.tree import level_of
from hub.speakers import last_resort
from hub.speakers.settings import MqttSettings

CONSOLE = Actor(id=None, name="console", scopes=(Scope("", frozenset(Permission)),), via="system")
WITHIN_S = 8.0
"""So long the database is waited for: horns are sounding meanwhile."""
WORDS = {
    Trouble.AWAY: "数据库连不上。 The database cannot be reached.",
    Trouble.BUSY: "数据库被别的程序占着。 The database is held by another program.",
    Trouble.FULL: "数据库的磁盘满了。 The disk of the database is full.",
}
T = TypeVar("T")


class NoDatabase(Exception):
    """The database did not answer in time; the message says why."""


@click.command()
@click.option("--region", required=True, help="Code of the county, township or village that is to be silent.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_frame
@guarded
def stop(frame: Frame, region: str, yes: bool) -> None:
    """Silence every loudspeaker of a region. The running hub sends it within a second.

    Without a database the command goes straight to the broker.
    """
    level_of(region)
    config = frame.config()
    last_resort.require_keys(config.data_dir)
    try:
        runtime = _in_time(lambda: _open(frame, config))
        found = _in_time(lambda: _look(runtime, region))
        _ask(found, yes=yes)
        _in_time(lambda: _silence(runtime, region))
    except NoDatabase as error:
        _directly(config, region, str(error), yes=yes)
        return
    stopped = f"{len(found.whole)} broadcasts stopped whole, {len(found.partly)} go on elsewhere."
    click.secho(f"Silenced. {stopped} Whoever is not connected is told when it comes back.", fg="green")


def _open(frame: Frame, config: Config) -> Runtime:
    url = make_url(config.database_url)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        raise NoDatabase(f"没有数据库文件 {url.database}。 There is no such database.")
    return frame.runtime()


def _look(runtime: Runtime, region: str) -> Silence:
    with runtime.sessions.read() as session:
        return muting.look(session, CONSOLE, region)


def _silence(runtime: Runtime, region: str) -> None:
    with runtime.sessions.begin() as session:
        muting.silence(session, CONSOLE, region, now=runtime.now())


def _ask(found: Silence, *, yes: bool) -> None:
    words = f"{found.name}: {found.speakers} loudspeakers in {found.villages} villages, {found.offline} not connected"
    click.echo(words)
    if not yes:
        click.confirm("Silence them all?", abort=True)


def _directly(config: Config, region: str, why: str, *, yes: bool) -> None:
    """Send it to the broker by ourselves, and say what that does and does not do."""
    click.secho(why, fg="yellow", err=True)
    click.echo(f"直接发给喇叭：区划 {region} 全部静音。 It goes to the loudspeakers of {region} without the database.")
    if not yes:
        click.confirm("Silence them all?", abort=True)
    mode = config.section(HubSettings).mode
    told = last_resort.silence(config.data_dir, mode, config.section(MqttSettings), region, now=utc_now())
    for one in told:
        if one.problem:
            click.secho(f"{one.host}:{one.port}: {one.problem}", fg="red", err=True)
    if all(one.problem for one in told):
        click.secho(
            "没有送出去，喇叭还会响。马上打电话到村里：拉下喇叭的电源。在装着 MQTT 服务器的机器上再试一次。\n"
            "NOT SENT, loudspeakers go on. Call the villages now and have the loudspeakers' power cut. Try again on "
            "the machine of the MQTT broker.",
            fg="red",
            err=True,
        )
        raise click.exceptions.Exit(2)
    click.secho(
        "已经发出，连着的喇叭马上静下来。现在没连上的听不到；系统里没有记录。数据库好了再运行一次这个命令。\n"
        "Sent: connected loudspeakers fall silent. Whoever is not connected now is not told, and nothing is on record. "
        "Run this again when the database is back.",
        fg="yellow",
    )


def _in_time(work: Callable[[], T]) -> T:
    """Return what some work comes to; NoDatabase when the database is away or does not answer in time."""
    answers: SimpleQueue[T | Exception] = SimpleQueue()

    def do() -> None:
        try:
            answers.put(work())
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits
            answers.put(error)

    threading.Thread(target=do, name="silence", daemon=True).start()
    try:
        found = answers.get(timeout=WITHIN_S)
    except Empty:
        raise NoDatabase(WORDS[Trouble.BUSY]) from None
    if not isinstance(found, Exception):
        return found
    trouble = trouble_of(found)
    if trouble is not None:
        raise NoDatabase(WORDS[trouble]) from found
    raise found

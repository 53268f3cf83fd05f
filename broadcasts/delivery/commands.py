"""`cunxiang stop`: silence a region from the machine itself, when no page can be reached."""

import click

from broadcasts.delivery import muting
from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.actor import Actor, Permission, Scope

CONSOLE = Actor(id=None, name="console", scopes=(Scope("", frozenset(Permission)),), via="system")


@click.command()
@click.option("--region", required=True, help="Code of the county, township or village that is to be silent.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_frame
@guarded
def stop(frame: Frame, region: str, yes: bool) -> None:
    """Silence every loudspeaker of a region. The running hub sends it within a second."""
    runtime = frame.runtime()
    with runtime.sessions.read() as session:
        found = muting.look(session, CONSOLE, region)
    words = f"{found.name}: {found.speakers} loudspeakers in {found.villages} villages, {found.offline} not connected"
    click.echo(words)
    if not yes:
        click.confirm("Silence them all?", abort=True)
    with runtime.sessions.begin() as session:
        muting.silence(session, CONSOLE, region, now=runtime.now())
    stopped = f"{len(found.whole)} broadcasts stopped whole, {len(found.partly)} go on elsewhere."
    click.secho(f"Silenced. {stopped} Whoever is not connected is told when it comes back.", fg="green")

"""`cunxiang speaker digest`: the daily summary, for a terminal or a mail program."""

import click

from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.actor import SYSTEM
from hub.speakers.care.digest import Digest, Silent, Township, digest
from hub.speakers.settings import CareSettings


@click.command("digest")
@pass_frame
@guarded
def daily_digest(frame: Frame) -> None:
    """Print how every township's loudspeakers stand: silent ones, faults, repairs, the night's self-test."""
    runtime = frame.runtime()
    at = runtime.config.section(CareSettings).digest_at
    with runtime.sessions.read() as session:
        found = digest(session, SYSTEM, now=runtime.now(), zone=runtime.zone, at=at)
        made = found.made_at.astimezone(runtime.zone)
        click.echo(f"Loudspeakers on {made:%Y-%m-%d %H:%M}: {found.sum_of('online')} of {found.sum_of('total')} online")
        for line in lines(found):
            click.echo(line)


def lines(found: Digest) -> list[str]:
    """Return the summary below its heading."""
    return [line for township in found.townships for line in _township(township, found)]


def _township(one: Township, found: Digest) -> list[str]:
    text = f"{one.name}: {one.online} of {one.total} online, {one.faulty} faulty, {one.repairs} in repair"
    text += f", self-test {one.tested - one.failed - one.unheard} of {one.tested} passed"
    silent = [_silent(each, found) for each in one.silent]
    faults = [f"  fault   {speaker.id}  {speaker.name}  {code}" for speaker, code, _ in one.faults]
    tests = [f"  test    {test.speaker.id}  {test.speaker.name}  {test.result}" for test in one.tests]
    return [text, *silent, *faults, *tests]


def _silent(each: Silent, found: Digest) -> str:
    hours = "" if each.since is None else f"{(found.made_at - each.since).total_seconds() / 3600:.0f} h"
    mending = "  in repair" if each.in_repair else ""
    return f"  silent  {each.speaker.id}  {each.speaker.name}  {hours or 'never connected'}{mending}"

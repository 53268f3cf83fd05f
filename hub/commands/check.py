"""`cunxiang check`: what the hub finds about itself, before the first start or at any time."""

import sys
from collections.abc import Iterable

import click

from hub.app import provide
from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.checks import Checks, Finding, Level, worst
from hub.core.pooling import by_transaction
from hub.core.runtime import Runtime
from hub.watching.certificates import PublicCertificate
from hub.web.words import sentence

MARKS = {Level.GOOD: ("ok  ", "green"), Level.LOOK: ("look", "yellow"), Level.BAD: ("BAD ", "red")}


@click.command()
@click.option("--language", type=click.Choice(["zh", "en"]), default="en", show_default=True)
@pass_frame
@guarded
def check(frame: Frame, language: str) -> None:
    """Look at database, clock, disk, certificates, addresses and backups; say what to do.

    Exit status 1 when something is bad. Broker and providers are asked by a running hub: see its page 系统状态.
    """
    runtime = frame.runtime()
    provide(runtime, frame.features)
    runtime.get(PublicCertificate).step()
    runtime.get(Checks).add("pooler", pooler)
    findings = runtime.get(Checks).ask(runtime)
    for finding in findings:
        mark, colour = MARKS[finding.level]
        click.echo(f"{click.style(mark, fg=colour)}  {sentence(finding.code, language, **finding.params)}")
    sys.exit(1 if worst(findings) is Level.BAD else 0)


def pooler(runtime: Runtime) -> Iterable[Finding]:
    """Whether turns hold on the way to the database; a hub that runs has found that out at its start."""
    if by_transaction(runtime.sessions.engine):
        yield Finding("check_database_pooled", Level.BAD)

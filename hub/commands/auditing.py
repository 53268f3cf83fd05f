"""`cunxiang audit`: prove the log of who did what."""

from pathlib import Path

import click

from hub.audit import anchoring, guarding
from hub.audit.chain import Fault
from hub.audit.models import AuditEntry
from hub.commands.frame import Frame, guarded, pass_frame

WHAT = {
    "changed": "its words are not those that were written",
    "broken": "it does not fit the one before it: entries were taken out, put in or exchanged",
    "replaced": "it is not the entry that the daily mark speaks of: the log was written anew",
    "cut": "the daily mark knows it, the log does not: the end was cut off",
}


@click.group()
def audit() -> None:
    """Prove the log of who did what."""


@audit.command("verify")
@click.option(
    "--anchors",
    "copy",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A copy of the daily marks kept elsewhere. Default: the file of this hub.",
)
@pass_frame
@guarded
def audit_verify(frame: Frame, copy: Path | None) -> None:
    """Check that no entry was changed, put in, taken out or cut off the end."""
    runtime = frame.runtime()
    lines = anchoring.read_lines(copy or anchoring.file_of(runtime))
    with runtime.sessions.read() as session:
        proof = anchoring.verify(session, lines)
        kept = guarding.is_kept(session, AuditEntry.__tablename__)
    if proof.fault is not None:
        raise click.ClickException(_sentence(proof.fault))
    if not kept:
        raise click.ClickException(
            "The entries are whole, but the database no longer refuses changes to them. Run: cunxiang audit guard"
        )
    marks = f"{len(lines)} daily marks fit" if lines else "there are no daily marks yet to hold it against"
    click.echo(f"The log is whole: {proof.entries} entries, {marks}.")


@audit.command("anchor")
@click.option(
    "--to",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to add the line to. Default: the file of this hub.",
)
@pass_frame
@guarded
def audit_anchor(frame: Frame, path: Path | None) -> None:
    """Note now how far the log has come; a running hub does it once a day."""
    runtime = frame.runtime()
    now = runtime.now()
    day = now.astimezone(runtime.zone).date()
    with runtime.sessions.read() as session:
        found = anchoring.anchor_now(session, path or anchoring.file_of(runtime), day=day, at=now)
    if isinstance(found, Fault):
        raise click.ClickException(_sentence(found))
    if found is None:
        raise click.ClickException("The log is empty: there is nothing to note.")
    click.echo(f"Noted: entry {found.anchor.entry_id}, {found.anchor.hash.hex()}")


@audit.command("guard")
@pass_frame
@guarded
def audit_guard(frame: Frame) -> None:
    """Put back what makes the database refuse changes to the log, after a restore or a rebuilt table."""
    runtime = frame.runtime()
    with runtime.sessions.engine.begin() as connection:
        guarding.restore(connection, AuditEntry.__tablename__)
    click.echo("The database refuses changes to the log.")


def _sentence(fault: Fault) -> str:
    return f"Entry {fault.entry_id}: {WHAT[fault.kind]}. The log was changed from outside."

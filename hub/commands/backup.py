"""`cunxiang backup make | verify | restore`: keep what cannot be made anew, and get it back."""

from pathlib import Path

import click

from hub.app import VERSION, open_runtime, provide
from hub.commands.frame import Frame, guarded, pass_frame
from hub.keeping import service

MB = 1_000_000
FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group()
def backup() -> None:
    """Keep database, keys and recordings somewhere else, prove that they can be put back, put them back."""


@backup.command("make")
@click.option("--to", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder.")
@click.option("--keep", type=click.IntRange(0, 1000), default=14, show_default=True, help="Newest to keep; 0 = all.")
@pass_frame
@guarded
def make(frame: Frame, folder: Path, keep: int) -> None:
    """Write one backup file. The hub may go on running.

    The file holds the keys of phone numbers and of loudspeakers: keep it as you would keep them.
    """
    runtime = frame.runtime()
    provide(runtime, frame.features)
    made = service.make_backup(runtime, folder, version=VERSION, now=runtime.now())
    size = made.path.stat().st_size / MB
    click.echo(f"{made.path}: {len(made.manifest.members)} files, {size:.1f} MB.")
    if made.manifest.missing:
        click.echo(f"{made.manifest.missing} recordings were not on the disk; they are made anew when they are needed.")
    gone = service.thin_out(folder, keep)
    if gone:
        click.echo(f"{gone} old backups deleted.")


@backup.command("verify")
@click.argument("file", type=FILE)
@click.option("--trial-database", default="", help="PostgreSQL only: URL of an empty database to put the copy into.")
@guarded
def verify(file: Path, trial_database: str) -> None:
    """Put a backup back for trial, away from the hub, and look at it."""
    proof = service.prove(file, trial_database=trial_database)
    manifest = proof.manifest
    click.echo(f"Made {manifest.made_at} by version {manifest.version}: {len(manifest.members)} files, all whole.")
    if proof.rows:
        click.echo(f"Put back for trial: {proof.rows} rows, {proof.entries} entries of the log, an unbroken chain.")
    else:
        click.echo(
            "Only the bytes were checked; name an empty PostgreSQL database by --trial-database to see it put back."
        )


@backup.command("restore")
@click.argument("file", type=FILE)
@pass_frame
@guarded
def restore(frame: Frame, file: Path) -> None:
    """Put a backup back into the empty data folder and database that the configuration names.

    What was sent after the backup is not sent again: see docs/running.md.
    """
    config = frame.config()
    manifest = service.restore(file, config.data_dir, config.database_url)
    runtime = open_runtime(config)
    provide(runtime, frame.features)
    changed = service.set_right(runtime, manifest, now=runtime.now())
    click.echo(f"Back as of {manifest.made_at}. {changed} rows were set so that nothing goes out twice.")
    click.echo("Start the hub; what was planned for the time in between stands in the records as missed.")

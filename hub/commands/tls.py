"""`cunxiang tls make`: certificates for the broker, without an authority from outside."""

from pathlib import Path

import click

from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.clock import utc_now
from hub.speakers.broker import authority


@click.group()
def tls() -> None:
    """Certificates, so that nobody on the way reads what loudspeakers and hub say."""


@tls.command("make")
@click.option("--host", "hosts", multiple=True, required=True, help="Name or address of the broker; may be repeated.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder. Default: tls in the data folder."
)
@click.option("--renew", is_flag=True, help="Replace the broker's certificate; the authority stays.")
@pass_frame
@guarded
def make(frame: Frame, hosts: tuple[str, ...], out: Path | None, renew: bool) -> None:
    """Make a local authority and a certificate of the broker for every --host."""
    folder = out or frame.config().data_dir / "tls"
    files = authority.make(folder, hosts, now=utc_now(), renew=renew)
    click.echo(f"Made in {folder}, for {', '.join(hosts)}:")
    click.echo(f"  {files.cert.name}, {files.key.name}   the broker's, {authority.SERVER_LIFE.days} days")
    click.echo(f"  {files.ca.name}, {files.ca_key.name}           the authority's, ten years\n")
    click.echo("Next, in config.toml, then start the hub again:\n")
    click.echo("  [mqtt]")
    for key, path in (("tls_cert", files.cert), ("tls_key", files.key), ("ca_file", files.ca)):
        click.echo(f'  {key} = "{path.as_posix()}"')
    click.echo(f'  public_host = "{hosts[0]}"\n')
    click.echo(
        "New loudspeakers are given the authority with their papers. Those you have need ca.pem and a new device"
    )
    click.echo(f"file. Keep {files.ca_key.name} somewhere else than on this machine: it is only needed for --renew.")

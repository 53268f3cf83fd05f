"""`cunxiang broker`: accounts and rights for a broker that is not the hub's own."""

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.config import Config
from hub.core.runtime import Runtime
from hub.speakers import registry
from hub.speakers.broker.accounts import CONSOLE_NAME, BrokerAccount, hash_password
from hub.speakers.broker.export import NATS_USERS, CannotExport, export_mosquitto, export_nats
from hub.speakers.device.device_file import DeviceFile, load_devices
from hub.speakers.settings import MqttSettings

HUB_ITERATIONS = 50_000
"""The hub's password may have been thought up by a person."""


@click.group()
def broker() -> None:
    """Tell a broker that is not the hub's own who may connect, and about what they may speak."""


@broker.command("export")
@click.option("--format", "engine", type=click.Choice(["mosquitto", "nats"]), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the files.")
@click.option(
    "--device",
    "device_files",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A device file (.toml) or a list of devices (.jsonl), for NATS alone. Give it as often as needed.",
)
@pass_frame
@guarded
def export(frame: Frame, engine: str, out: Path, device_files: tuple[Path, ...]) -> None:
    """Write the accounts and rights of hub and loudspeakers as the broker's own files.

    Run it again after loudspeakers were added, moved or retired, copy the files and let the broker read them again.
    NATS knows no hash that the hub keeps: it needs each device file once, when the device is new.
    """
    runtime = frame.runtime()
    accounts = _accounts(runtime)
    if engine == "mosquitto":
        export_mosquitto(out, accounts)
        click.echo(f"{len(accounts)} accounts: {out}/passwords and {out}/acl")
        return
    passwords = _passwords(device_files) | _hub(runtime.config)
    missing = _export_nats(out, accounts, passwords)
    click.echo(f"{len(accounts) - len(missing)} accounts: {out / NATS_USERS}")
    if missing:
        click.secho(f"Left out, their device files are needed: {', '.join(missing)}", fg="red", err=True)
        sys.exit(1)


def _accounts(runtime: Runtime) -> list[BrokerAccount]:
    with runtime.sessions.read() as session:
        devices = registry.broker_accounts(session)
    try:
        hubs = [
            BrokerAccount(name, hash_password(password, iterations=HUB_ITERATIONS), is_hub=True)
            for name, password in _hub(runtime.config).items()
        ]
    except ValueError as error:
        raise click.ClickException(f"[mqtt] username: {error}") from error
    return [*hubs, *devices]


def _hub(config: Config) -> dict[str, str]:
    settings = config.section(MqttSettings)
    password = settings.password.get_secret_value()
    if not password:
        raise click.ClickException(
            "the hub's own password at the broker is not set: CUNXIANG_MQTT_PASSWORD, or [mqtt] password"
        )
    return {settings.username: password, CONSOLE_NAME: password}


def _passwords(device_files: Iterable[Path]) -> dict[str, str]:
    devices: list[DeviceFile] = []
    for path in device_files:
        devices += load_devices(path) if path.suffix == ".jsonl" else [DeviceFile.load(path)]
    return {device.id: device.secret for device in devices}


def _export_nats(out: Path, accounts: list[BrokerAccount], passwords: dict[str, str]) -> list[str]:
    try:
        return export_nats(out, accounts, passwords)
    except CannotExport as error:
        raise click.ClickException(str(error)) from error

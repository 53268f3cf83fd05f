"""`cunxiang`: the command everything else hangs from."""

from collections.abc import Sequence
from pathlib import Path

import click

from hub.app import VERSION
from hub.commands.auditing import audit
from hub.commands.backup import backup
from hub.commands.broker import broker
from hub.commands.care import daily_digest
from hub.commands.check import check
from hub.commands.frame import Frame
from hub.commands.keeping import config, db, user
from hub.commands.keys import keys
from hub.commands.roles import bridge, scheduler, web, worker
from hub.commands.serving import demo, run
from hub.commands.speakers import simulate, speaker
from hub.commands.tls import tls
from hub.core.feature import Feature


def command_line(features: Sequence[Feature]) -> click.Group:
    """Return the command with everything the features add."""

    @click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
    @click.version_option(VERSION, prog_name="cunxiang")
    @click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Configuration file. Default: config.toml in this folder, or $CUNXIANG_CONFIG.",
    )
    @click.pass_context
    def cunxiang(context: click.Context, config_path: Path | None) -> None:
        """Village loudspeakers and residents' phones, from one desk.

        New here? `cunxiang demo` starts everything with an invented county, then prints the address and the accounts.
        """
        context.obj = Frame(features, config_path)

    speaker.add_command(daily_digest)
    own = (
        run,
        demo,
        web,
        scheduler,
        worker,
        bridge,
        speaker,
        simulate,
        broker,
        keys,
        tls,
        db,
        config,
        check,
        backup,
        user,
        audit,
    )
    for command in (*own, *(c for feature in features for c in feature.commands)):
        cunxiang.add_command(command)
    return cunxiang

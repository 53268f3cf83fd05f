"""`cunxiang db | config | user`: keep a hub in order."""

import click

from hub.accounts import service as accounts
from hub.accounts.roles import Role
from hub.commands import trying
from hub.commands.example import example
from hub.commands.frame import Frame, guarded, pass_frame, sections
from hub.core import migrating
from hub.core.actor import SYSTEM
from hub.core.clock import utc_now
from hub.core.config import HUB_SECTIONS, ConfigError, Section
from hub.core.db import Base, Sessions, make_engine
from hub.core.errors import WrongState
from hub.core.single import AlreadyRunning, OnlyOne
from hub.core.turns import HOUSE, Turns
from hub.core.typed import shown
from hub.first_run import opening
from hub.regions.tree import path_of


@click.group()
def db() -> None:
    """Bring the database up to date, or look at it."""


@db.command("upgrade")
@pass_frame
@guarded
def db_upgrade(frame: Frame) -> None:
    """Apply missing migrations. `cunxiang run` does this by itself."""
    engine = make_engine(frame.config().database_url)
    migrating.upgrade(engine, Base.metadata)
    click.echo("The database is up to date.")


@db.command("downgrade")
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_frame
@guarded
def db_downgrade(frame: Frame, revision: str, yes: bool) -> None:
    """Take the tables back to REVISION, as an older version needs them. Stop the hub and make a backup first.

    What only the newer tables hold is lost. An older version that meets newer tables names the REVISION it needs.
    """
    engine = make_engine(frame.config().database_url)
    turns = Turns(engine, shared=False)
    turns.start()
    try:
        with OnlyOne(engine):
            if turns.taken(HOUSE):
                raise AlreadyRunning("A hub works on this database. Stop all its processes first.")
            if not yes:
                click.confirm("What only the newer tables hold will be lost. Is there a backup, and go on?", abort=True)
            migrating.downgrade(engine, Base.metadata, revision)
    finally:
        turns.stop()
    click.echo(f"The tables are at revision {revision}. Start the version that they belong to.")


@db.command("check")
@pass_frame
@guarded
def db_check(frame: Frame) -> None:
    """Say whether tables and program fit together."""
    engine = make_engine(frame.config().database_url)
    migrating.refuse_newer(migrating.current(engine))
    if not migrating.is_current(engine):
        raise click.ClickException("Migrations are missing. Run: cunxiang db upgrade")
    differences = migrating.drift(engine, Base.metadata)
    if differences:
        raise click.ClickException(f"The tables differ from the program in {len(differences)} places: {differences}")
    click.echo(f"Tables and program fit together, at revision {migrating.current(engine)}.")


@db.command("revision", hidden=True)
@click.argument("number")
@click.argument("message")
@pass_frame
@guarded
def db_revision(frame: Frame, number: str, message: str) -> None:
    """Write a migration for what changed in the models (for developers)."""
    migrating.write_revision(make_engine(frame.config().database_url), Base.metadata, message, number)


@click.group()
def config() -> None:
    """Check the configuration."""


@config.command("check")
@pass_frame
@guarded
def config_check(frame: Frame) -> None:
    """Read config.toml and say what is wrong, also what only a start would trip over, or that all is well."""
    found = frame.config()
    if wrong := trying.problems(found, frame.features):
        raise ConfigError([f"{found.source or 'configuration'}: {problem}" for problem in wrong])
    click.echo(f"{found.source or 'No config.toml: defaults'} - all is well.")


@config.command("show")
@pass_frame
@guarded
def config_show(frame: Frame) -> None:
    """Show every key with its present value; secrets stay hidden."""
    for section in frame.config():
        click.secho(f"[{section.table}]", bold=True)
        _show(section)


@config.command("example")
@pass_frame
@guarded
def config_example(frame: Frame) -> None:
    """Print a configuration file with every key, its meaning and its default."""
    click.echo(example((*HUB_SECTIONS, *sections(frame.features))), nl=False)


def _show(section: Section) -> None:
    for name, value in section:
        description = type(section).model_fields[name].description or ""
        click.echo(f"{name} = {value}".ljust(44) + f"  # {description}")


@click.group()
def user() -> None:
    """Add and change accounts."""


@user.command("add")
@click.argument("login")
@click.option("--name", required=True, help="The name people see.")
@click.option("--role", "role", required=True, type=click.Choice([r.value for r in Role]), help="What they are.")
@click.option("--region", required=True, help="Region code they answer for, 12 digits.")
@click.password_option(help="Asked for when left out.")
@pass_frame
@guarded
def user_add(frame: Frame, login: str, name: str, role: str, region: str, password: str) -> None:
    """Add an account, for example the first administrator."""
    with frame.runtime().sessions.begin() as session:
        grants = [(Role(role), path_of(region))]
        accounts.create_account(
            session, SYSTEM, login=login, name=name, password=password, grants=grants, now=utc_now()
        )
    click.echo(f"Account {login} can sign in now.")


@user.command("first-code")
@pass_frame
@guarded
def user_first_code(frame: Frame) -> None:
    """Print the code by which the first person opens a new hub in the browser."""
    runtime = frame.runtime()
    with runtime.sessions.read() as session:
        if not opening.is_untouched(session):
            raise WrongState("first_run_over")
    click.echo(shown(opening.first_code(runtime.secrets)))


@user.command("list")
@pass_frame
@guarded
def user_list(frame: Frame) -> None:
    """List the accounts."""
    with frame.runtime().sessions.read() as session:
        for account in accounts.list_accounts(session, SYSTEM):
            roles = ", ".join(f"{g.role} {g.region_path}" for g in account.grants)
            state = "" if account.active else "  (off)"
            click.echo(f"{account.login:20} {account.name:16} {roles}{state}")


@user.command("password")
@click.argument("login")
@click.password_option(help="Asked for when left out.")
@pass_frame
@guarded
def user_password(frame: Frame, login: str, password: str) -> None:
    """Give an account a new password and end its sessions."""
    with frame.runtime().sessions.begin() as session:
        accounts.set_password(session, SYSTEM, login, password, now=utc_now())
    click.echo(f"{login} has a new password.")


@user.command("disable")
@click.argument("login")
@pass_frame
@guarded
def user_disable(frame: Frame, login: str) -> None:
    """Switch an account off."""
    # Not through the runtime: in production that refuses to open as long as a demo account is on.
    engine = make_engine(frame.config().database_url)
    migrating.upgrade(engine, Base.metadata)
    with Sessions(engine).begin() as session:
        accounts.set_active(session, SYSTEM, login, active=False, now=utc_now())
    click.echo(f"{login} cannot sign in any more.")

"""`cunxiang keys`: the keys by which loudspeakers know this hub. A running hub takes a change over in two seconds."""

import secrets
import time
from collections.abc import Callable

import click
from sqlalchemy.orm import Session

from hub.audit import log
from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.core.secrets import Signing, add_phone_key, load_or_create, read_signing
from hub.regions import service as regions
from hub.residents.phones import LOOK_S, PhoneSafe
from hub.residents.resealing import Resealed, anything_old, reseal
from hub.speakers import keys as book

ANYWAY = "Go on, whoever has not taken it: those loudspeakers need a visit."
PASSES = 10
Change = Callable[[Session, Runtime], Signing]


@click.group()
def keys() -> None:
    """Change the key that signs every command to loudspeakers, without visiting them."""


@keys.command("list")
@pass_frame
@guarded
def list_keys(frame: Frame) -> None:
    """Show every key and how many loudspeakers have not taken it."""
    runtime = frame.runtime()
    with runtime.sessions.read() as session:
        states = book.overview(session, read_signing(runtime.config.data_dir), now=runtime.now())
    for state in states:
        what = "signs" if state.active else "accepted" if state.accepted else "dropped, kept for those without another"
        made = f"{state.made_at:%Y-%m-%d %H:%M} UTC" if state.made_at else "the first"
        click.echo(f"{state.kid:8} {what:42} {made:22} {_lacking(state.lacking)}")


@keys.command("new")
@pass_frame
@guarded
def new(frame: Frame) -> None:
    """Make a key. Loudspeakers are told to accept it; the old one still signs."""
    runtime = frame.runtime()
    before = read_signing(runtime.config.data_dir)
    signing = _change(
        runtime,
        "new",
        book.next_name(before),
        lambda _, hub: book.new(hub.config.data_dir, seed=secrets.token_bytes(32), now=hub.now()),
    )
    kid = max(signing.keys, key=lambda each: signing.made.get(each, 0))
    click.echo(f"{kid} is new. When 'cunxiang keys list' shows that nobody lacks it: cunxiang keys use {kid}")


@keys.command("use")
@click.argument("kid")
@click.option("--anyway", is_flag=True, help=ANYWAY)
@pass_frame
@guarded
def use(frame: Frame, kid: str, anyway: bool) -> None:
    """Let this key sign from now on."""
    _change(
        frame.runtime(),
        "use",
        kid,
        lambda session, hub: book.use(session, hub.config.data_dir, kid, now=hub.now(), anyway=anyway),
    )
    click.echo(f"{kid} signs now. Keep the old one for a while, then: cunxiang keys drop KID")


@keys.command("drop")
@click.argument("kid")
@click.option("--anyway", is_flag=True, help=ANYWAY)
@pass_frame
@guarded
def drop(frame: Frame, kid: str, anyway: bool) -> None:
    """Tell loudspeakers not to accept this key any more."""
    signing = _change(
        frame.runtime(),
        "drop",
        kid,
        lambda session, hub: book.drop(session, hub.config.data_dir, kid, now=hub.now(), anyway=anyway),
    )
    click.echo(_after(signing, kid))


@keys.command("revoke")
@click.argument("kid")
@pass_frame
@guarded
def revoke(frame: Frame, kid: str) -> None:
    """In an emergency: drop a key at once that somebody else may have. Another one signs."""
    signing = _change(
        frame.runtime(), "revoke", kid, lambda session, hub: book.revoke(session, hub.config.data_dir, kid)
    )
    click.echo(f"{signing.active} signs now. {_after(signing, kid)}")


@keys.command("phones")
@click.option("--at-once", is_flag=True, help="No hub is running: do not wait until it has taken the new key.")
@pass_frame
@guarded
def phones(frame: Frame, at_once: bool) -> None:
    """Seal every telephone number anew with a new key; the hub may go on running.

    When it is interrupted, run it again: it finishes what was begun before it makes another key.
    """
    runtime = frame.runtime()
    folder = runtime.config.data_dir
    begun = bool(runtime.secrets.newer_phone_keys) and anything_old(runtime.sessions, PhoneSafe(runtime.secrets))
    if not begun:
        add_phone_key(folder)
        time.sleep(0.0 if at_once else LOOK_S + 0.5)  # a running hub seals with it from now on
    safe = PhoneSafe(load_or_create(folder, runtime.secrets.origin))
    found, changed = Resealed(), 0
    for _ in range(PASSES):  # what was copied meanwhile is found by the next
        found = reseal(runtime.sessions, safe)
        changed += found.changed
        if not found.changed:
            break
    with runtime.sessions.begin() as session:
        county = next((top.path for top in regions.forest(session, SYSTEM)), "")
        log.record(session, SYSTEM, "phones.reseal", "phones", county, runtime.now(), count=changed)
    click.echo(f"{changed} numbers are sealed with {'the new key' if begun else 'a new key'}.")
    if found.unreadable:
        click.secho(
            f"{found.unreadable} could not be read with any key, and were left as they are.", fg="red", err=True
        )
    click.echo("Make a backup now: those before hold the numbers under the old key, and that key.")


def _change(runtime: Runtime, step: str, kid: str, change: Change) -> Signing:
    with runtime.sessions.begin() as session:
        signing = change(session, runtime)
        county = next((top.path for top in regions.forest(session, SYSTEM)), "")
        log.record(session, SYSTEM, "signing.change", f"key:{kid}", county, runtime.now(), step=step)
    return signing


def _after(signing: Signing, kid: str) -> str:
    if kid in signing.archive:
        return f"{kid} is dropped. It is kept until every loudspeaker that knows no other has been told."
    return f"{kid} is dropped and erased."


def _lacking(lacking: tuple[book.Lacking, ...]) -> str:
    if not lacking:
        return "everybody has it"
    late = [each.id for each in lacking if each.in_touch]
    shown = ", ".join(late[:5]) + (", …" if len(late) > 5 else "")
    silent = len(lacking) - len(late)
    parts = [f"{len(late)} lack it: {shown}" if late else "", f"{silent} silent for 30 days lack it" if silent else ""]
    return "; ".join(part for part in parts if part)

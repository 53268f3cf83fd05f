"""`cunxiang warnings check`: the three verdicts on a CAP document, without letting it in."""

import sys
from pathlib import Path

import click
from sqlalchemy.orm import Session

from broadcasts.bulletins import intake
from broadcasts.bulletins.intake import Received, Source
from broadcasts.bulletins.models import Door
from broadcasts.bulletins.settings import WarningSettings
from broadcasts.cap.findings import Finding
from broadcasts.cap.limits import Limits
from hub.commands.frame import Frame, guarded, pass_frame
from hub.core.actor import SYSTEM, Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.tree import Level
from hub.web.words import sentence

STAGES = ("schema", "prose", "policy")


@click.group()
def warnings() -> None:
    """Official warnings: judge documents without letting them in."""


@warnings.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--region", default="", help="Whose hub it comes to: code of a county or township. Else the county.")
@pass_frame
@guarded
def check(frame: Frame, files: tuple[Path, ...], region: str) -> None:
    """Say what CAP documents would be told: schema, the standard's words, this hub. Status 1 when one is refused.

    Nothing is kept: no warning is put before anybody, nothing is called off.
    """
    runtime = frame.runtime()
    refused = 0
    for file in files:
        received = _judged(runtime, file.read_bytes(), region)
        refused += received.refused
        said = ", ".join(f"{stage} {received.verdicts.get(stage, 'skipped')}" for stage in STAGES)
        click.secho(f"{file}: {said}", fg="red" if received.refused else "green")
        for finding in received.findings:
            click.secho(f"  {_line(finding)}", fg="yellow" if finding.warning else "red")
    sys.exit(1 if refused else 0)


def _judged(runtime: Runtime, data: bytes, region: str) -> Received:
    limits = Limits(size=runtime.config.section(WarningSettings).largest_document_kb * 1000)
    with runtime.sessions.begin() as session:
        source = Source(Door.PUSH, _home(session, region), "check")
        with session.begin_nested() as tried:
            received = intake.receive_cap(session, source, data, now=runtime.now(), limits=limits)
            session.expunge_all()
            tried.rollback()
    return received


def _home(session: Session, code: str) -> str:
    known = regions.choices(session, SYSTEM, Permission.SEE, levels=frozenset({Level.COUNTY, Level.TOWNSHIP}))
    wanted = code or next(iter(known), ("", ""))[0]
    if not wanted:
        raise BadInput("source_region_missing", field="region")
    return regions.get_region(session, SYSTEM, wanted).path


def _line(finding: Finding) -> str:
    place = f" {finding.element}" if finding.element else ""
    line = f" line {finding.line}" if finding.line else ""
    words = sentence(finding.code, "en", **finding.params)
    return f"[{finding.stage.value}] {finding.code}{place}{line}: {words}"

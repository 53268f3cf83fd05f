"""The first two verdicts on a document, in one call."""

from dataclasses import dataclass, replace

from lxml import etree

from broadcasts.cap import prose, schema
from broadcasts.cap.document import CapAlert
from broadcasts.cap.findings import Finding, Stage, Verdict, verdict
from broadcasts.cap.limits import USUAL, Limits
from broadcasts.cap.opening import Unreadable, open_document
from broadcasts.cap.reading import read


@dataclass(frozen=True)
class Examined:
    """What was found. `alert` is there when schema and prose have nothing against it."""

    schema: Verdict
    prose: Verdict
    findings: tuple[Finding, ...]
    alert: CapAlert | None = None
    root: etree._Element | None = None

    @property
    def sound(self) -> bool:
        """Whether this hub's own rules may look at it."""
        return self.alert is not None


def examine(data: bytes, limits: Limits = USUAL) -> Examined:
    """Judge a document by schema and prose. Never raises because of what is in it."""
    try:
        opened = open_document(data, limits)
    except Unreadable as error:
        return Examined(Verdict.INVALID, Verdict.SKIPPED, (error.finding,))
    found = schema.check(opened.root)
    if any(f.code in ("cap_version", "cap_no_alert") for f in found):
        return Examined(Verdict.INVALID, Verdict.SKIPPED, tuple(found))
    found += prose.check(opened.root)
    if opened.doubtful:
        found.append(Finding(Stage.PROSE, "cap_encoding", warning=True, params={"encoding": opened.encoding}))
    judged = Examined(verdict(Stage.SCHEMA, found), verdict(Stage.PROSE, found), tuple(found), root=opened.root)
    if Verdict.INVALID in (judged.schema, judged.prose):
        return judged
    try:
        return replace(judged, alert=read(opened.root))
    except ValueError:  # a moment that the schema lets pass although no calendar has it
        finding = Finding(Stage.PROSE, "cap_value_impossible", "/alert")
        return replace(judged, prose=Verdict.INVALID, findings=(*judged.findings, finding))

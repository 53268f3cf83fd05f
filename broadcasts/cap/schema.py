"""The first verdict: the schema of OASIS, which ships with the hub."""

import threading
from functools import cache
from pathlib import Path

from lxml import etree

from broadcasts.cap.findings import Finding, Stage
from broadcasts.cap.opening import CAP_NS
from broadcasts.cap.tree import line_of, local, where

SCHEMA = Path(__file__).parent / "schema" / "CAP-v1.2.xsd"
MOST = 50
_OLD = ("urn:oasis:names:tc:emergency:cap:1.1", "http://www.incident.com/cap/1.0")
_guard = threading.Lock()


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(SCHEMA), etree.XMLParser(no_network=True, load_dtd=False)))


def check(root: etree._Element) -> list[Finding]:
    """Return what the schema finds wrong."""
    namespace = etree.QName(root).namespace
    if local(root) != "alert" or namespace != CAP_NS:
        code = "cap_version" if local(root) == "alert" and namespace in _OLD else "cap_no_alert"
        return [Finding(Stage.SCHEMA, code, where(root), line_of(root), params={"found": str(namespace or "-")[:120]})]
    with _guard:  # a schema object keeps its errors to itself: two threads must not share them
        schema = _schema()
        if schema.validate(root):
            return []
        errors = [*schema.error_log][:MOST]  # type: ignore[misc]
    return [_finding(root, error) for error in errors]


def _finding(root: etree._Element, error: etree._LogEntry) -> Finding:
    found = _element(root, error)
    return Finding(
        Stage.SCHEMA,
        "cap_schema",
        where(found) if found is not None else "/alert",
        int(error.line or 0),
        params={"said": _said(error.message)},
    )


def _element(root: etree._Element, error: etree._LogEntry) -> etree._Element | None:
    path = getattr(error, "path", None)
    if not path:
        return None
    try:
        found = root.getroottree().xpath(path)
    except etree.XPathError:  # the path names an element by a prefix that only the document knows
        return next((item for item in root.iter() if item.sourceline == error.line), None)
    first = found[0] if isinstance(found, list) and found else None
    return first if isinstance(first, etree._Element) else None


def _said(message: str) -> str:
    """Return libxml2's sentence without the namespace in front of every name, and not endlessly long."""
    return message.replace(f"{{{CAP_NS}}}", "").replace("\n", " ")[:300]

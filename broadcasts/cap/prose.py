"""The second verdict: what the words of CAP 1.2 ask for and its schema cannot say. First the envelope of a document.

What the standard says must be is an error; what should be, or what the whole world does otherwise without harm, is a
warning. See docs/warnings.md for the list.
"""

from collections.abc import Iterator
from datetime import datetime

from lxml import etree

from broadcasts.cap import values
from broadcasts.cap.document import MsgType, Scope, Status
from broadcasts.cap.findings import Finding, Stage
from broadcasts.cap.prose_info import of_info
from broadcasts.cap.tree import child, children, each, line_of, raw, text, where, words

NEEDS_REFERENCES = frozenset({MsgType.UPDATE, MsgType.CANCEL, MsgType.ACK, MsgType.ERROR})
MOST = 200


def check(root: etree._Element) -> list[Finding]:
    """Return what the standard's words find wrong. Also works on what the schema refused, as far as it goes."""
    found: list[Finding] = []
    for rule in (_names, _moments, _scope, _references, _notes, _lists, _infos):
        for finding in rule(root):
            found.append(finding)
            if len(found) >= MOST:
                return found
    return found


def at(element: etree._Element, code: str, *, warning: bool = False, **params: str) -> Finding:
    """Return a finding about an element."""
    return Finding(Stage.PROSE, code, where(element), line_of(element), warning=warning, params=params)


def _names(root: etree._Element) -> Iterator[Finding]:
    """Look at identifier and sender: no spaces, commas, < or &."""
    for name in ("identifier", "sender"):
        found = child(root, name)
        if found is not None and not values.NAME.fullmatch(raw(found)):
            yield at(found, "cap_name_characters", name=name)


def _moments(root: etree._Element) -> Iterator[Finding]:
    """Look at how moments are written: UTC is -00:00. +00:00 is understood, because half of the world writes it."""
    for path in (("sent",), ("info", "effective"), ("info", "onset"), ("info", "expires")):
        for found in each(root, *path):
            if raw(found).strip().endswith("+00:00"):
                yield at(found, "cap_utc_sign", warning=True)


def _scope(root: etree._Element) -> Iterator[Finding]:
    scope = text(root, "scope")
    found = child(root, "scope")
    restriction, addresses = text(root, "restriction"), text(root, "addresses")
    if found is None:
        return
    if scope == Scope.RESTRICTED and not restriction:
        yield at(found, "cap_restriction_missing")
    if scope == Scope.PRIVATE and not addresses:
        yield at(found, "cap_addresses_missing")
    if scope != Scope.RESTRICTED and restriction:
        yield at(found, "cap_restriction_unused", warning=True)


def _references(root: etree._Element) -> Iterator[Finding]:
    found, kind = child(root, "references"), child(root, "msgType")
    given = words(raw(found))
    if found is not None and not given:
        yield at(found, "cap_references_empty")
    elif found is None and kind is not None and raw(kind).strip() in NEEDS_REFERENCES:
        yield at(kind, "cap_references_missing", kind=raw(kind).strip())
    own = (text(root, "sender"), text(root, "identifier"))
    for word in given:
        try:
            named = values.reference(word)
        except ValueError:
            assert found is not None  # noqa: S101 - there are words in it
            yield at(found, "cap_reference_malformed", given=word[:120])
        else:
            if (named.sender, named.identifier) == own and found is not None:
                yield at(found, "cap_reference_to_itself")


def _notes(root: etree._Element) -> Iterator[Finding]:
    status, kind = child(root, "status"), child(root, "msgType")
    if text(root, "note"):
        return
    if status is not None and raw(status).strip() == Status.EXERCISE:
        yield at(status, "cap_exercise_without_note", warning=True)
    if kind is not None and raw(kind).strip() == MsgType.ERROR:
        yield at(kind, "cap_error_without_note", warning=True)


def _lists(root: etree._Element) -> Iterator[Finding]:
    """Look at addresses and incidents: what holds white space stands in double quotes."""
    for name in ("addresses", "incidents"):
        found = child(root, name)
        if found is None:
            continue
        try:
            values.quoted_list(raw(found))
        except ValueError:
            yield at(found, "cap_list_quotes", name=name)


def _infos(root: etree._Element) -> Iterator[Finding]:
    infos = children(root, "info")
    kind = text(root, "msgType")
    if not infos and kind in (MsgType.ALERT, MsgType.UPDATE):
        yield at(root, "cap_info_missing", warning=True)
    sent = _moment(text(root, "sent"))
    for info in infos:
        yield from of_info(info, sent, final=kind == MsgType.CANCEL)


def _moment(given: str) -> datetime | None:
    try:
        return values.moment(given)
    except ValueError:
        return None

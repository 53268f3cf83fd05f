"""The third verdict: this hub's own rules. Pure: what has to be looked up comes in as an argument."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from broadcasts.bulletins.gist import Gist
from broadcasts.cap.document import CapAlert, MsgType, Scope, Status
from broadcasts.cap.findings import Finding, Stage
from broadcasts.cap.signatures import Signed

AHEAD: Final = timedelta(minutes=10)
"""So far may a sender's clock run before ours."""
LONGEST: Final = timedelta(days=7)
"""A warning that counts longer was written wrongly, or is no warning."""


LONGEST_NAME: Final = 200
MOST_REFERENCES: Final = 100


class Course(StrEnum):
    """What becomes of a document that nothing speaks against."""

    PROPOSE = "propose"
    """A person decides. Only this may ever come to live loudspeakers."""
    NOTE = "note"
    """Kept for reading: a test, an exercise, something not meant for the public."""
    TAKE_BACK = "take_back"


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of a sender."""

    known: bool = False
    needs_signature: bool = False
    signed: Signed = Signed.NONE


def course(status: Status, scope: Scope, purpose: MsgType) -> Course:
    """Return what a document is for. Nothing but an actual, public alert or update is proposed."""
    if status is not Status.ACTUAL:
        return Course.NOTE
    if purpose is MsgType.CANCEL:
        return Course.TAKE_BACK
    if scope is not Scope.PUBLIC or purpose not in (MsgType.ALERT, MsgType.UPDATE):
        return Course.NOTE
    return Course.PROPOSE


def of_envelope(alert: CapAlert, trust: Trust, *, now: datetime) -> Iterator[Finding]:
    """Return what speaks against a document as a whole."""
    if alert.status is Status.DRAFT:
        yield _at("policy_draft", "/alert/status")
    if alert.sent > now + AHEAD:
        yield _at("policy_from_the_future", "/alert/sent")
    if max(len(alert.sender), len(alert.identifier)) > LONGEST_NAME:
        yield _at("policy_name_too_long", "/alert/identifier")
    if len(alert.references) > MOST_REFERENCES:
        yield _at("policy_references_too_many", "/alert/references")
    yield from _of_sender(trust)


def _of_sender(trust: Trust) -> Iterator[Finding]:
    if trust.signed is Signed.BAD:
        yield _at("policy_signature_bad", "/alert")
    elif trust.needs_signature and trust.signed is not Signed.GOOD:
        yield _at("policy_signature_missing", "/alert")
    if not trust.known:
        yield _at("policy_sender_unknown", "/alert/sender", warning=True)


def of_gists(gists: Iterable[Gist], purpose: MsgType, *, now: datetime) -> Iterator[Finding]:
    """Return what speaks against what is said."""
    said = tuple(gists)
    if not said and purpose in (MsgType.ALERT, MsgType.UPDATE):
        yield _at("policy_says_nothing", "/alert")
    for gist in said:
        yield from _times(gist, now)
        if gist.colour is None:
            yield _at("policy_no_colour", "/alert/info/severity", warning=True)
        if gist.clashing:
            yield _at("policy_colours_differ", "/alert/info/severity", warning=True)
        if not gist.chinese:
            yield _at("policy_no_chinese", "/alert/info/language", warning=True)


def _times(gist: Gist, now: datetime) -> Iterator[Finding]:
    if gist.ends <= now:
        yield _at("policy_over_already", "/alert/info/expires")
    elif gist.ends - gist.begins > LONGEST:
        yield _at("policy_too_long", "/alert/info/expires", warning=True)
    if gist.ends_assumed:
        yield _at("policy_no_end", "/alert/info", warning=True)


def _at(code: str, element: str, *, warning: bool = False) -> Finding:
    return Finding(Stage.POLICY, code, element, warning=warning)

"""The third verdict: this hub's own rules. Pure: what has to be looked up comes in as an argument."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from broadcasts.bulletins.gist import Gist
from broadcasts.cap.document import MsgType, Scope, Status
from broadcasts.cap.findings import Finding, Stage
from broadcasts.cap.signatures import Signed

AHEAD: Final = timedelta(minutes=10)
"""So far may a sender's clock run before ours."""
LONGEST: Final = timedelta(days=7)
"""A warning that counts longer was written wrongly, or is no warning."""


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


def of_envelope(status: Status, sent: datetime, trust: Trust, *, now: datetime) -> Iterator[Finding]:
    """Return what speaks against a document as a whole."""
    if status is Status.DRAFT:
        yield _at("policy_draft", "/alert/status")
    if sent > now + AHEAD:
        yield _at("policy_from_the_future", "/alert/sent")
    if trust.needs_signature and trust.signed is not Signed.GOOD:
        yield _at("policy_signature_bad" if trust.signed is Signed.BAD else "policy_signature_missing", "/alert")
    elif trust.signed is Signed.BAD:
        yield _at("policy_signature_bad", "/alert")
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

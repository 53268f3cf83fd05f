"""What the words of an announcement would better say otherwise; what must be mended keeps it from being submitted."""

from collections.abc import Sequence

from broadcasts.announcements.drafting import Draft
from broadcasts.kinds import Theme
from broadcasts.speech.engine import Language
from broadcasts.speech.findings import Finding, Watched, mended, must_mend
from broadcasts.speech.lint import lint
from broadcasts.studio import Studio
from hub.core.errors import BadInput

SHOWN = 12
"""So many characters of what is to be mended stand in the refusal."""


def findings_of(studio: Studio, draft: Draft) -> tuple[Finding, ...]:
    """Return what is worth a second look; a recording, and words in another language, are not looked at."""
    if draft.recording is not None or draft.language is Language.ENGLISH:
        return ()
    return studio.check(draft.text, drill=draft.theme is Theme.DRILL)


def pressed(text: str, sent: str, findings: Sequence[Finding]) -> str:
    """Return the text with a fix applied; unchanged when what was to be mended no longer stands there."""
    fixes = (fix for finding in findings for fix in finding.fixes if fix.sent == sent)
    return next((mended(text, fix) for fix in fixes), text)


def unfit(draft: Draft, watched: Sequence[Watched]) -> list[BadInput]:
    """Return what must be mended in the words before they are submitted."""
    drill = draft.theme is Theme.DRILL
    return [problem for field, text in _texts(draft) if (problem := _problem(field, text, watched, drill=drill))]


def _texts(draft: Draft) -> list[tuple[str, str]]:
    sms = [("sms_text", draft.sms_text)] if draft.audience.sms and draft.sms_text.strip() else []
    return sms if draft.language is Language.ENGLISH else [("text", draft.text), *sms]


def _problem(field: str, text: str, watched: Sequence[Watched], *, drill: bool) -> BadInput | None:
    wrong = must_mend(lint(text, watched=watched, drill=drill))
    words = "、".join(dict.fromkeys(f"“{finding.written[:SHOWN]}”" for finding in wrong))
    return BadInput("text_must_mend", field=field, count=len(wrong), words=words) if wrong else None

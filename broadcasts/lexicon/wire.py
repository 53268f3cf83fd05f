"""What a check of a text found, as programs get it."""

from flask_babel import gettext

from broadcasts.speech.findings import Finding, FindingLevel
from hub.web.api import Output


class FixOut(Output):
    """text[start:end] replaced by `text` mends it."""

    start: int
    end: int
    text: str
    label: str


class FindingOut(Output):
    """What a text would better say otherwise. `must` keeps it from being submitted."""

    start: int
    end: int
    written: str
    level: FindingLevel
    code: str
    message: str
    suggestion: str
    fixes: list[FixOut]

    @classmethod
    def of(cls, finding: Finding) -> "FindingOut":
        """Return a finding for showing, in the reader's language."""
        return cls(
            start=finding.start,
            end=finding.end,
            written=finding.written,
            level=finding.level,
            code=finding.code,
            message=gettext(finding.message, **finding.values),
            suggestion=gettext(finding.suggestion, **finding.values) if finding.suggestion else "",
            fixes=[
                FixOut(start=fix.start, end=fix.end, text=fix.text, label=gettext(fix.shown, **fix.values))
                for fix in finding.fixes
            ],
        )

"""What a check of a text finds, and how it is mended."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class FindingLevel(StrEnum):
    """How serious it is: `must` keeps a text from being submitted, `advice` does not."""

    MUST = "must"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Fix:
    """One way to mend it: text[start:end] becomes `text`. `shown` is the msgid on its button, with `values` in it."""

    start: int
    end: int
    text: str
    shown: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def sent(self) -> str:
        """What the button of a form sends."""
        return json.dumps([self.start, self.end, self.text], ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """text[start:end] is `written`. `message` and `suggestion` are msgids with `values` in them."""

    start: int
    end: int
    written: str
    level: FindingLevel
    code: str
    message: str
    suggestion: str = ""
    values: Mapping[str, str | int] = field(default_factory=dict)
    fixes: tuple[Fix, ...] = ()


@dataclass(frozen=True, slots=True)
class Watched:
    """A word that staff do not want to hear: why, what to say instead (or nothing), and whether it blocks."""

    word: str
    why: str = ""
    say: str = ""
    blocking: bool = False


def must_mend(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those that keep a text from being submitted."""
    return tuple(finding for finding in findings if finding.level is FindingLevel.MUST)


def mended(text: str, fix: Fix) -> str:
    """The text with one fix applied."""
    return text[: fix.start] + fix.text + text[fix.end :]

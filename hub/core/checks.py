"""Is the hub well? Rooms add questions; each answer says how bad it is, and its words say what to do."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from hub.core.db import may_pass
from hub.core.runtime import Runtime

log = logging.getLogger(__name__)


class Level(IntEnum):
    """How much somebody has to do."""

    GOOD = 0
    LOOK = 1
    """Works, but not for ever or not as it should."""
    BAD = 2
    """Something people count on does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer. `code` names its words in `templates/hub/watching/words.toml`; `params` fill the blanks.

    Never a secret or a phone number: findings stand on a page, on a terminal and in the log.
    """

    code: str
    level: Level
    params: dict[str, object] = field(default_factory=dict)
    in_part: bool = False
    """Bad, but the rest goes on and no other process would do better: no reason to send people elsewhere."""


Question = Callable[[Runtime], Iterable[Finding]]


class Checks:
    """All questions of a hub, in the order they were added."""

    def __init__(self) -> None:
        self._questions: dict[str, Question] = {}

    def add(self, name: str, question: Question) -> None:
        """Add a question under a name of its own."""
        self._questions[name] = question

    def ask(self, runtime: Runtime) -> list[Finding]:
        """Return every answer, the worst first. A question that fails is an answer too."""
        found: list[Finding] = []
        for name, question in self._questions.items():
            try:
                found += question(runtime)
            except Exception as error:
                # Whoever asks every few seconds while the database is away shall not fill the log with traces.
                log.exception("check_failed", exc_info=not may_pass(error), extra={"check": name})
                found.append(Finding("check_failed", Level.BAD, {"name": name, "why": type(error).__name__}))
        return sorted(found, key=lambda finding: -finding.level)


def unready(findings: Iterable[Finding]) -> bool:
    """Whether something is so bad that this process should not be asked."""
    return any(finding.level is Level.BAD and not finding.in_part for finding in findings)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level among them."""
    return max((finding.level for finding in findings), default=Level.GOOD)

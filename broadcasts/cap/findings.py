"""What is wrong with a document: which of the three verdicts it touches, how much it weighs, and where it stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Stage(StrEnum):
    """Who judges: the schema, the words of the standard, or this hub's own rules."""

    SCHEMA = "schema"
    PROSE = "prose"
    POLICY = "policy"


class Verdict(StrEnum):
    """What a stage says of a document."""

    VALID = "valid"
    INVALID = "invalid"
    SKIPPED = "skipped"
    """Not looked at: an earlier stage found no document to look at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark. `code` names its sentence in `templates/errors/words/`; a warning refuses nothing."""

    stage: Stage
    code: str
    element: str = ""
    """Where: `/alert/info[2]/area/polygon[1]`; empty for the document as a whole."""
    line: int = 0
    warning: bool = False
    params: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return it as it is stored."""
        return {
            "stage": self.stage.value,
            "code": self.code,
            "element": self.element,
            "line": self.line,
            "warning": self.warning,
            "params": dict(self.params),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, object]) -> "Finding":
        """Return what `as_json` stored."""
        params = raw["params"]
        assert isinstance(params, dict)  # noqa: S101 - written by as_json
        return cls(
            stage=Stage(str(raw["stage"])),
            code=str(raw["code"]),
            element=str(raw["element"]),
            line=int(str(raw["line"])),
            warning=bool(raw["warning"]),
            params={str(name): str(value) for name, value in params.items()},
        )


def verdict(stage: Stage, findings: Iterable[Finding]) -> Verdict:
    """Return what a stage that was reached says."""
    wrong = any(f.stage is stage and not f.warning for f in findings)
    return Verdict.INVALID if wrong else Verdict.VALID

"""From figures to points: what counts how much, from where on it is good, and from where on it is bad. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Metric(StrEnum):
    """What is measured. Shares lie between 0 and 1; the others are counts or minutes."""

    ONLINE = "online"
    POWERED = "powered"
    PLAYED = "played"
    ANSWERED = "answered"
    FAULTY = "faulty"
    QUIET = "quiet"
    APPROVAL = "approval"
    THEMES = "themes"
    DRILLS = "drills"


@dataclass(frozen=True, slots=True)
class Rule:
    """Full `weight` from `good` on, nothing from `bad` on, in between in proportion. `good` may lie below `bad`."""

    metric: Metric
    weight: int
    good: float
    bad: float
    alarm: float | None = None
    """From here on whoever is responsible is told; None: nobody is."""

    def alarms(self, value: float) -> bool:
        """Return whether a value is worse than what nobody needs to be told."""
        if self.alarm is None:
            return False
        return value > self.alarm if self.good < self.bad else value < self.alarm

    def points(self, value: float) -> float:
        """Return the points for a value."""
        if self.good == self.bad:
            return float(self.weight) if value == self.good else 0.0
        share = (value - self.bad) / (self.good - self.bad)
        return self.weight * min(max(share, 0.0), 1.0)

    def tone(self, value: float) -> str:
        """Return how a value is shown: ok from `good` on, bad from `bad` on, warn in between."""
        share = (
            self.points(value) / self.weight if self.weight else Rule(self.metric, 1, self.good, self.bad).points(value)
        )
        return "ok" if share >= 1.0 else "bad" if share <= 0.0 else "warn"


DEFAULTS: Sequence[Rule] = (
    Rule(Metric.ONLINE, 25, 0.95, 0.70, alarm=0.80),
    Rule(Metric.POWERED, 5, 1.0, 0.80),
    Rule(Metric.PLAYED, 25, 0.95, 0.60),
    Rule(Metric.ANSWERED, 10, 0.98, 0.70),
    Rule(Metric.FAULTY, 10, 0.02, 0.20),
    Rule(Metric.QUIET, 10, 0.0, 3.0),
    Rule(Metric.APPROVAL, 5, 30.0, 480.0),
    Rule(Metric.THEMES, 5, 4.0, 0.0),
    Rule(Metric.DRILLS, 5, 80.0, 40.0),
)
"""A start; every county settles its own. The weights add up to 100."""


def score(values: Mapping[Metric, float | None], rules: Sequence[Rule]) -> float | None:
    """Return points out of 100. What could not be measured counts neither for nor against; None when nothing could."""
    measured = [(rule, value) for rule in rules if (value := values.get(rule.metric)) is not None and rule.weight]
    whole = sum(rule.weight for rule, _ in measured)
    if not whole:
        return None
    return 100 * sum(rule.points(value) for rule, value in measured) / whole

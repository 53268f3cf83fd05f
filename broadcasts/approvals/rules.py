"""How many reviewers something needs, by what it is and how far it reaches."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

MOST_STEPS = 3
ANYBODY = ""
"""A step that whoever may approve at the place can take."""
ONE_REVIEWER = (ANYBODY,)


class Matter(StrEnum):
    """What is to be approved."""

    ANY = "any"
    WORDS = "words"
    """A text that is read aloud."""
    RECORDING = "recording"
    RELAY = "relay"
    TEXTS = "texts"
    """Text messages alone."""
    CAMPAIGN = "campaign"
    SHEET = "sheet"
    MATERIAL = "material"
    """A text or recording of the library."""
    ROSTER = "round"
    """Who is reminded of a patrol or a duty by text message."""
    PLAN = "plan"
    """What is said in an emergency: whoever is on duty may then fire it alone."""


LEAST: Mapping[Matter, int] = {Matter.PLAN: 2}
"""What no rule goes below."""


class Reach(StrEnum):
    """How far it reaches: the level of the smallest region that holds all of it."""

    ANY = "any"
    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"


@dataclass(frozen=True, slots=True)
class Rule:
    """For matters of a kind and reach below a region: one entry a step, the role its reviewer needs (or ANYBODY)."""

    region_path: str
    matter: Matter
    reach: Reach
    steps: tuple[str, ...]

    def fits(self, path: str, matter: Matter, reach: Reach) -> bool:
        """Return whether it speaks of such a matter there."""
        here = path.startswith(self.region_path)
        return here and self.matter in (Matter.ANY, matter) and self.reach in (Reach.ANY, reach)


def enough(matter: Matter, steps: tuple[str, ...]) -> tuple[str, ...]:
    """Return the steps, and as many more as such a matter needs in any case."""
    return steps + (ANYBODY,) * (LEAST.get(matter, 1) - len(steps))


def steps_for(rules: Iterable[Rule], path: str, matter: Matter, reach: Reach) -> tuple[str, ...]:
    """Return the steps something needs.

    The rule nearest to its place counts, then the one that names its kind, then the one that names its reach. A rule
    further up that asks for more reviewers is not undercut.
    """
    fitting = [rule for rule in rules if rule.fits(path, matter, reach)]
    if not fitting:
        return ONE_REVIEWER
    named = max(fitting, key=lambda r: (len(r.region_path), r.matter is not Matter.ANY, r.reach is not Reach.ANY))
    above = [rule for rule in fitting if len(rule.region_path) < len(named.region_path)]
    upper = steps_for(above, path, matter, reach) if above else ONE_REVIEWER
    return upper if len(upper) > len(named.steps) else named.steps

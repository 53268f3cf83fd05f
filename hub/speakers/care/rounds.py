"""The night's round as its page shows it."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from hub.core.actor import Actor, Permission
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.tree import Level, codes_in
from hub.speakers.care import patrol
from hub.speakers.care.patrol import Patrol, Result, Tested
from hub.speakers.station import Station

SHOWN: Final = 100
LEVELS: Final = frozenset({Level.TOWNSHIP, Level.VILLAGE})


@dataclass(frozen=True, slots=True)
class PatrolPage:
    """Results, those that need somebody first; `more` is how many good ones were left off."""

    region: str
    regions: list[tuple[str, str]]
    counts: dict[Result, int]
    shown: tuple[Tested, ...]
    more: int
    places: dict[str, str]
    latest: datetime | None

    @property
    def total(self) -> int:
        """How many loudspeakers."""
        return sum(self.counts.values())

    @property
    def going(self) -> bool:
        """Whether answers are still to come."""
        return bool(self.counts[Result.WAITING])


def page(session: Session, actor: Actor, *, region: str, now: datetime) -> PatrolPage:
    """Return the results of a region, or of all the actor may see."""
    path = regions.get_region(session, actor, region).path if region else None
    found = patrol.results(session, actor, path=path, now=now)
    tally = Counter(each.result for each in found)
    shown = tuple(found[:SHOWN])
    return PatrolPage(
        region=region,
        regions=choices(session, actor),
        counts={result: tally[result] for result in Result},
        shown=shown,
        more=len(found) - len(shown),
        places=_places(session, shown),
        latest=max((each.at for each in found if each.at is not None), default=None),
    )


def choices(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """Return (code, name) of the townships and villages the actor may see."""
    return regions.choices(session, actor, Permission.SEE, levels=LEVELS)


def kick(runtime: Runtime) -> None:
    """Begin at once with what is wanted."""
    found = runtime.find(Patrol)
    if found is not None:
        found.kick()


def connected(runtime: Runtime) -> bool:
    """Return whether the broker can be reached."""
    return runtime.get(Station).connected


def _places(session: Session, shown: tuple[Tested, ...]) -> dict[str, str]:
    codes = {code for each in shown for code in codes_in(each.speaker.region_path)}
    names = regions.names(session, codes)
    return {
        path: " ".join(names.get(code, code) for code in (codes_in(path)[1:] or codes_in(path)))
        for path in {each.speaker.region_path for each in shown}
    }

"""The night's round as its page shows it."""

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

SHOWN: Final = 50
LEVELS: Final = frozenset({Level.TOWNSHIP, Level.VILLAGE})


@dataclass(frozen=True, slots=True)
class PatrolPage:
    """Results, those that need somebody first; `more` is how many were left off."""

    region: str
    every: bool
    regions: list[tuple[str, str]]
    counts: dict[Result, int]
    shown: tuple[Tested, ...]
    more: int
    places: dict[str, str]

    @property
    def total(self) -> int:
        """How many loudspeakers."""
        return sum(self.counts.values())

    @property
    def going(self) -> bool:
        """Whether answers are still to come."""
        return bool(self.counts[Result.WAITING])


def page(session: Session, actor: Actor, *, region: str, every: bool = False, now: datetime) -> PatrolPage:
    """Return the results of a region, or of all the actor may see: the first `SHOWN` of them, or really every one."""
    path = regions.get_region(session, actor, region).path if region else None
    counts = dict.fromkeys(Result, 0)
    for tally in patrol.tallies(session, actor, path=path, now=now):
        counts[tally.result] += tally.count
    shown = tuple(patrol.results(session, actor, path=path, now=now, limit=None if every else SHOWN))
    return PatrolPage(
        region=region,
        every=every,
        regions=choices(session, actor),
        counts=counts,
        shown=shown,
        more=sum(counts.values()) - len(shown),
        places=_places(session, shown),
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

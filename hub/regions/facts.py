"""What rooms above know about regions, for the pages of this one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.core.actor import Actor, Permission
from hub.core.runtime import Runtime
from hub.regions.tree import Level, codes_in, level_of


@dataclass(frozen=True)
class LoudspeakerCounts:
    """How many loudspeakers hang in each region, everything below it included. Provided by the loudspeakers' room."""

    by_region: Callable[[Session, Actor], Mapping[str, int]]


@dataclass(frozen=True)
class Silencing:
    """Where all loudspeakers of a region are silenced: the address for a region's code. Provided by the broadcasts."""

    address: Callable[[str], str]


def silencing_of(runtime: Runtime, actor: Actor, path: str) -> str:
    """Return the address where this place is silenced; empty when the actor may not or nobody can."""
    found = runtime.find(Silencing)
    codes = codes_in(path)
    if found is None or level_of(codes[-1]) is Level.GROUP or not actor.may(Permission.STOP, path):
        return ""
    return found.address(codes[-1])

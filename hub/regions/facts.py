"""What rooms above know about regions, for the pages of this one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.core.actor import Actor


@dataclass(frozen=True)
class LoudspeakerCounts:
    """How many loudspeakers hang in each region, everything below it included. Provided by the loudspeakers' room."""

    by_region: Callable[[Session, Actor], Mapping[str, int]]

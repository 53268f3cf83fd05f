"""What the shout pages show: whom one can speak to, how many loudspeakers that is, and whether it is time for it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.visibility import touches
from broadcasts.shout import service
from broadcasts.shout.models import Shout, ShoutState
from broadcasts.speech import audio
from broadcasts.speech.library import PEAKS, Library
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput
from hub.regions import service as regions
from hub.regions.tree import Level, path_of
from hub.speakers import registry
from hub.speakers.ticking import NONE, Branch, branch

NAMED = 3


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom it reaches, and what stands against it. `names` are the first places; `free` is when one may speak again."""

    regions: tuple[str, ...]
    names: tuple[str, ...]
    speakers: int
    offline: int
    room_s: int
    may_wake: bool
    free: str
    speaking: str
    """Who is speaking there now; empty when nobody is."""

    @property
    def hushed(self) -> bool:
        """Whether quiet hours hold."""
        return self.room_s == 0

    @property
    def refused(self) -> bool:
        """Whether nothing can be said now."""
        return self.hushed and not self.may_wake


@dataclass(frozen=True, slots=True)
class Desk:
    """The page on which one speaks."""

    tree: tuple[Branch, ...]
    reach: Reach

    @property
    def one_place(self) -> bool:
        """Whether there is nothing to choose."""
        return len(self.tree) == 1 and not self.tree[0].children


def lay_out(session: Session, actor: Actor, codes: Collection[str], *, rules: Rules, now: datetime) -> Desk:
    """Return the page for these regions; those of others count as not chosen."""
    forest = regions.forest(session, actor, Permission.SHOUT)
    counts = registry.count_by_region(session, actor, Permission.SHOUT)
    chosen = {code for code in codes if _is_theirs(actor, code)}
    tree = tuple(branch(node, chosen, counts) for node in forest)
    return Desk(tree, reach(session, actor, tuple(sorted(chosen)), rules=rules, now=now))


def reach(session: Session, actor: Actor, codes: tuple[str, ...], *, rules: Rules, now: datetime) -> Reach:
    """Return whom that would reach."""
    mine = tuple(code for code in codes if _is_theirs(actor, code))
    paths = Audience(mine).paths
    counts = registry.count_by_region(session, actor, Permission.SHOUT) if mine else {}
    outer = [path.rstrip("/").rpartition("/")[2] for path in paths]
    known = regions.names(session, set(outer))
    found = [counts.get(code, NONE) for code in outer]
    return Reach(
        regions=mine,
        names=tuple(known.get(code, code) for code in outer),
        speakers=sum(count.total for count in found),
        offline=sum(count.offline for count in found),
        room_s=service.room_ms(rules, now) // 1000,
        may_wake=all(actor.may(Permission.EMERGENCY, p) for p in paths)
        if paths
        else actor.may_somewhere(Permission.EMERGENCY),
        free=service.free_from(rules, now),
        speaking=_speaking(session, paths),
    )


def usual(session: Session, actor: Actor) -> tuple[str, ...]:
    """Return whom somebody speaks to: the same as last time, or the one village they have."""
    last = session.scalar(select(Shout).where(Shout.by_id == actor.id).order_by(Shout.made_at.desc()).limit(1))
    if last is not None:
        before = tuple(code for code in Audience.from_json(last.audience).regions if _is_theirs(actor, code))
        if before:
            return before
    forest = regions.forest(session, actor, Permission.SHOUT)
    single = len(forest) == 1 and forest[0].level in (Level.VILLAGE, Level.GROUP)
    return (forest[0].code,) if single else ()


@dataclass(frozen=True, slots=True)
class Listening:
    """The page on which one listens before sending."""

    shout: Shout
    reach: Reach
    peaks: tuple[int, ...]
    """How loud it is from beginning to end; empty when the recording is gone."""


def listening(
    session: Session, actor: Actor, shout_id: UUID, *, rules: Rules, library: Library, now: datetime
) -> Listening:
    """Return somebody's own recording, ready to be heard."""
    shout = service.own(session, actor, shout_id)
    found = reach(session, actor, Audience.from_json(shout.audience).regions, rules=rules, now=now)
    path = library.path_of(shout.audio_sha256)
    return Listening(shout, found, audio.peaks(audio.decode(path), PEAKS) if path else ())


def _speaking(session: Session, paths: tuple[str, ...]) -> str:
    for shout in session.scalars(select(Shout).where(Shout.state == ShoutState.LIVE)):
        if touches(Audience.from_json(shout.audience).paths, paths):
            return shout.by_name
    return ""


def _is_theirs(actor: Actor, code: str) -> bool:
    try:
        return actor.may(Permission.SHOUT, path_of(code))
    except BadInput:
        return False

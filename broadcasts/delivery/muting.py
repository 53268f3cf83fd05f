"""Silence a whole region: what it would mean, the deed itself, and who has confirmed it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import distinct, func, select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery import service
from broadcasts.delivery.models import Broadcast, BroadcastState
from broadcasts.delivery.visibility import touches
from broadcasts.loudspeaker import stopping
from broadcasts.loudspeaker.models import PlayReceipt, StopOrder
from broadcasts.loudspeaker.targets import below
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound
from hub.regions import service as regions
from hub.regions.service import Node
from hub.regions.tree import Level, contains, path_of
from hub.speakers.models import Speaker

VILLAGE_DEPTH = 3
LATEST = 5


@dataclass(frozen=True, slots=True)
class Area:
    """One region that may be silenced. `depth` counts from the topmost one."""

    code: str
    name: str
    depth: int


@dataclass(frozen=True, slots=True)
class Silence:
    """What silencing a region means. `whole` are stopped altogether, `partly` go on elsewhere."""

    code: str
    name: str
    villages: int
    speakers: int
    offline: int
    whole: tuple[Broadcast, ...]
    partly: tuple[Broadcast, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A region that was silenced: of `meant` loudspeakers so many have confirmed it, and so many are not connected."""

    order: StopOrder
    name: str
    meant: int
    confirmed: int
    offline: int

    @property
    def owing(self) -> int:
        """Connected, and not a word."""
        return max(0, self.meant - self.confirmed - self.offline)


def areas(session: Session, actor: Actor) -> list[Area]:
    """Return the regions the actor may silence, villages and above, in the order of the tree."""
    return [
        Area(n.code, n.name, d) for top in regions.forest(session, actor, Permission.STOP) for n, d in _walk(top, 0)
    ]


def _walk(node: Node, depth: int) -> list[tuple[Node, int]]:
    children = [] if node.level in (Level.VILLAGE, Level.GROUP) else node.children
    return [(node, depth), *(found for child in children for found in _walk(child, depth + 1))]


def look(session: Session, actor: Actor, code: str) -> Silence:
    """Return what silencing a region would mean; to who may not, it does not exist."""
    region = regions.get_region(session, actor, code, Permission.STOP)
    row = session.execute(
        select(
            func.count(distinct(func.substr(Speaker.region_path, 1, _village_length(region.path)))),
            func.count(),
            func.count().filter(Speaker.online.is_(False)),
        ).where(below([region.path]))
    ).one()
    villages, speakers, offline = row
    going = _going(session, region.path)
    whole = tuple(b for b in going if contains(region.path, b.home_path))
    return Silence(
        region.code, region.name, villages, speakers, offline, whole, tuple(b for b in going if b not in whole)
    )


def _village_length(path: str) -> int:
    """Return how many characters of a path name its village; every code there has twelve digits."""
    return max(len(path), 13 * VILLAGE_DEPTH)


def _going(session: Session, path: str) -> list[Broadcast]:
    query = select(Broadcast).where(Broadcast.state == BroadcastState.GOING).order_by(Broadcast.released_at)
    return [b for b in session.scalars(query) if touches(Audience.from_json(b.audience).paths, [path])]


def silence(session: Session, actor: Actor, code: str, *, now: datetime) -> StopOrder:
    """Silence every loudspeaker of a region. What goes to it alone is stopped whole, text messages included."""
    found = look(session, actor, code)
    order = stopping.stop_region(session, actor, path_of(found.code), now=now)
    for broadcast in found.whole:
        service.stop(session, actor, broadcast.id, now=now)
    log.record(
        session,
        actor,
        "region.silence",
        f"region:{found.code}",
        order.region_path,
        now,
        speakers=found.speakers,
        broadcasts=len(found.whole),
    )
    return order


def latest(session: Session, actor: Actor, *, now: datetime, limit: int = LATEST) -> list[Done]:
    """Return the last day's silences that touch what the actor may see, the newest first."""
    own = actor.paths(Permission.SEE)
    orders = [o for o in reversed(stopping.recent(session, now)) if touches([o.region_path], own)][:limit]
    names = regions.names(session, {o.region_code for o in orders})
    return [_done(session, order, names.get(order.region_code, order.region_code), own) for order in orders]


def get(session: Session, actor: Actor, order: StopOrder) -> Done:
    """Return how far a silence is, in the part that the actor may see."""
    own = actor.paths(Permission.SEE)
    if not touches([order.region_path], own):
        raise NotFound("region_unknown")
    names = regions.names(session, {order.region_code})
    return _done(session, order, names.get(order.region_code, order.region_code), own)


def _done(session: Session, order: StopOrder, name: str, own: Sequence[str]) -> Done:
    inside = (below([order.region_path]), Speaker.number <= order.upto, below(own))
    heard = select(PlayReceipt.speaker_id).where(PlayReceipt.command_id == order.id)
    meant, confirmed, offline = session.execute(
        select(
            func.count(),
            func.count().filter(Speaker.id.in_(heard)),
            func.count().filter(Speaker.online.is_(False), Speaker.id.not_in(heard)),
        ).where(*inside)
    ).one()
    return Done(order, name, meant, confirmed, offline)


def is_moving(found: Sequence[Done], now: datetime) -> bool:
    """Return whether confirmations may still come in the next seconds."""
    return any(done.owing and now < done.order.made_at + 2 * stopping.AGAIN_FOR for done in found)

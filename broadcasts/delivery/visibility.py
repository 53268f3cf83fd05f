"""Who may see a broadcast: whoever answers for its home, and whoever's own villages it reached."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, ScalarSelect, Select, false, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, Kind
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions.tree import codes_in, contains

BATCH = 50
PathColumn = InstrumentedAttribute[str] | ScalarSelect[str]


def touches(audience_paths: Sequence[str], own_paths: Sequence[str]) -> bool:
    """Return whether something aimed at the first is heard in one of the second."""
    return any(contains(a, o) or contains(o, a) for a in audience_paths for o in own_paths)


def may_see(actor: Actor, home_path: str, audience: Audience) -> bool:
    """Return whether the actor may see something of that home and audience: all of it, or their own part."""
    return actor.may(Permission.SEE, home_path) or touches(audience.paths, actor.paths(Permission.SEE))


def sees_all(actor: Actor, home_path: str) -> bool:
    """Return whether the actor sees the whole of it, not only their own part."""
    return actor.may(Permission.SEE, home_path)


def near(actor: Actor, home_path: PathColumn) -> ColumnElement[bool]:
    """Return the condition for rows that may concern the actor; ask `may_see` of each one found."""
    paths = actor.paths(Permission.SEE)
    if not paths:
        return false()
    above = {""}
    for path in paths:
        codes = codes_in(path)
        above |= {"".join(f"{code}/" for code in codes[:n]) for n in range(1, len(codes))}
    return or_(*(home_path.like(like_below(path)) for path in paths), home_path.in_(above))


def below(actor: Actor, region_path: PathColumn) -> ColumnElement[bool]:
    """Return the condition for rows that lie in the actor's own part."""
    paths = actor.paths(Permission.SEE)
    return or_(*(region_path.like(like_below(path)) for path in paths)) if paths else false()


def first_seen(session: Session, actor: Actor, query: Select[Broadcast], limit: int | None) -> list[Broadcast]:
    """Return the first broadcasts of an ordered query that the actor may see; all of them when `limit` is None."""
    found: list[Broadcast] = []
    query = query.where(Broadcast.kind != Kind.DRILL)  # drills have a list of their own
    rows = session.scalars(query.where(near(actor, Broadcast.home_path)).execution_options(yield_per=BATCH))
    for broadcast in rows:
        if may_see(actor, broadcast.home_path, Audience.from_json(broadcast.audience)):
            found.append(broadcast)
            if len(found) == limit:
                break
    rows.close()
    return found

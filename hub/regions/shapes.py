"""Keep the borders of regions, and tell which regions have one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput
from hub.regions.geojson import Border
from hub.regions.models import Region, RegionShape
from hub.regions.tree import common


def keep(session: Session, actor: Actor, borders: Sequence[Border], *, now: datetime) -> int:
    """Keep every border or, when one names no region the actor may edit, none. Return how many."""
    codes = {border.code for border in borders}
    known = {r.code: r.path for r in session.scalars(select(Region).where(Region.code.in_(codes)))}
    for border in borders:
        path = known.get(border.code)
        if path is None or not actor.may(Permission.EDIT_REGIONS, path):
            raise BadInput("border_unknown_region", field="file", code_given=border.code)
    for border in borders:
        session.merge(RegionShape(code=border.code, geometry=border.geometry, by_name=actor.name[:60], at=now))
    home = common([known[code] for code in codes])
    log.record(session, actor, "region.borders", f"region:{min(codes)}", home, now, count=len(borders))
    return len(borders)


def of_paths(session: Session, paths: Sequence[str]) -> dict[str, RegionShape]:
    """Return the shapes at and below some paths, by code."""
    if not paths:
        return {}
    query = (
        select(RegionShape)
        .join(Region, Region.code == RegionShape.code)
        .where(or_(*(Region.path.like(like_below(path)) for path in paths)))
    )
    return {shape.code: shape for shape in session.scalars(query)}


def count(session: Session, actor: Actor) -> int:
    """Return how many regions the actor may edit have a border or a point."""
    paths = actor.paths(Permission.EDIT_REGIONS)
    if not paths:
        return 0
    query = select(func.count()).select_from(RegionShape).join(Region, Region.code == RegionShape.code)
    return session.scalar(query.where(or_(*(Region.path.like(like_below(path)) for path in paths)))) or 0

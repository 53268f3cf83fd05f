"""Tags as a whole: which there are, what they are called, which are one. Residents carry them by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, literal, or_, select
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.below import below
from hub.core.errors import BadInput, NotAllowed, NotFound
from hub.residents.models import Resident, ResidentTag
from hub.residents.service import check_tags


@dataclass(frozen=True, slots=True)
class TagCount:
    """A tag, how many people carry it, and of how many of them the actor may take it."""

    tag: str
    people: int
    mine: int


def every(session: Session, actor: Actor) -> Sequence[TagCount]:
    """Return the tags of everybody the actor may see, by name."""
    seen = _counted(session, actor, Permission.SEE_RESIDENTS)
    mine = _counted(session, actor, Permission.EDIT_RESIDENTS)
    return [TagCount(tag, people, mine.get(tag, 0)) for tag, people in sorted(seen.items())]


def rename(session: Session, actor: Actor, tag: str, new: str, *, now: datetime) -> int:
    """Call a tag otherwise with everybody the actor may edit; who carries both carries one. Return with how many."""
    new = new.strip()
    if not new:
        raise BadInput("resident_tag_missing", field="new")
    check_tags([new])
    if new == tag:
        raise BadInput("resident_tag_same", field="new")
    people = _theirs(session, actor, tag)
    both = select(ResidentTag.resident_id).where(ResidentTag.tag == new)
    others = people.where(ResidentTag.resident_id.not_in(both)).with_only_columns(
        ResidentTag.resident_id, literal(new, ResidentTag.tag.type)
    )
    session.execute(insert(ResidentTag).from_select(["resident_id", "tag"], others, include_defaults=False))
    return _take(session, actor, tag, "resident_tag.rename", now, new=new)


def remove(session: Session, actor: Actor, tag: str, *, now: datetime) -> int:
    """Take a tag from everybody the actor may edit; return from how many. They stay on the list."""
    _theirs(session, actor, tag)
    return _take(session, actor, tag, "resident_tag.remove", now)


def _counted(session: Session, actor: Actor, permission: Permission) -> dict[str, int]:
    found = select(ResidentTag.tag, func.count()).join(Resident, Resident.id == ResidentTag.resident_id)
    inside = [below(Resident.region_path, path) for path in actor.paths(permission)]
    rows = session.execute(found.where(or_(*inside)).group_by(ResidentTag.tag)) if inside else ()
    return {tag: people for tag, people in rows}  # noqa: C416 - rows are no pairs to the type checker


def _theirs(session: Session, actor: Actor, tag: str) -> Select[Any]:
    paths = actor.paths(Permission.EDIT_RESIDENTS)
    if not paths:
        raise NotAllowed("not_allowed", permission=Permission.EDIT_RESIDENTS.value)
    inside = select(Resident.id).where(or_(*(below(Resident.region_path, path) for path in paths)))
    people: Select[Any] = select(ResidentTag.resident_id).where(
        ResidentTag.tag == tag, ResidentTag.resident_id.in_(inside)
    )
    if session.scalar(people.limit(1)) is None:
        raise NotFound("resident_tag_unknown")
    return people


def _take(session: Session, actor: Actor, tag: str, verb: str, now: datetime, **also: str) -> int:
    people = _theirs(session, actor, tag)
    count = session.scalar(select(func.count()).select_from(people.subquery())) or 0
    session.execute(
        delete(ResidentTag)
        .where(ResidentTag.tag == tag, ResidentTag.resident_id.in_(people))
        .execution_options(synchronize_session=False)
    )
    session.expire_all()
    path = actor.paths(Permission.EDIT_RESIDENTS)[0]
    log.record(session, actor, verb, f"tag:{tag}", path, now, people=count, **also)
    return count

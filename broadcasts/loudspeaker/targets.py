"""Who is meant, frozen into commands: a region's topic with its exceptions, or chosen loudspeakers one by one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, func, insert, literal, or_, select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from hub.core.db import copy_rows, like_below
from hub.regions.tree import codes_in
from hub.speakers import registry
from hub.speakers.models import Speaker, SpeakerState

MOST_EXCLUDED = 60
"""More exceptions than that make the message to a region too long; then everybody else is told one by one."""
AT_ONCE = 500
"""So many ids stand in one statement."""
Target = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Meant:
    """Everything in service below `paths`; of that only `only`, if it names any; never `without`.

    Drill loudspeakers are meant by a drill alone, and a drill means nothing else.
    """

    paths: tuple[str, ...]
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    drill: bool = False

    @property
    def where(self) -> ColumnElement[bool]:
        """The condition for loudspeakers that are meant now."""
        conditions = [below(self.paths, drill=self.drill)]
        if self.only:
            conditions.append(Speaker.id.in_(self.only))
        if self.without:
            conditions.append(Speaker.id.not_in(self.without))
        return and_(*conditions)


def below(paths: Sequence[str], *, drill: bool | None = None) -> ColumnElement[bool]:
    """Return the condition for loudspeakers in service below these paths: all, drill ones, or those for people."""
    if not paths:
        return false()
    found = (Speaker.state == SpeakerState.ACTIVE) & or_(*(Speaker.region_path.like(like_below(p)) for p in paths))
    return found if drill is None else found & Speaker.drill.is_(drill)


def count(session: Session, meant: Meant) -> int:
    """Return how many loudspeakers are meant now."""
    return session.scalar(select(func.count()).select_from(Speaker).where(meant.where)) or 0


def freeze(session: Session, meant: Meant) -> list[Target]:
    """Return the commands for who is meant now, each with an id and a number of its own.

    A region's command names the highest enrolment number there is, so a loudspeaker added a minute later is not meant.
    """
    return numbered(session, _commands(session, meant))


def freeze_counted(session: Session, meant: Meant) -> tuple[list[Target], int]:
    """Return what `freeze` does, and how many are meant: in one look where it can be, for who is in a hurry."""
    if meant.only or meant.without or meant.drill or len(meant.paths) != 1:
        commands = freeze(session, meant)
        return commands, count(session, meant) if commands else 0
    both = select(func.max(Speaker.number), func.count().filter(meant.where)).select_from(Speaker)
    seq = None
    if session.get_bind().dialect.name == "postgresql":  # SQLite cannot take the command's number in the same question
        taken = registry.taking(registry.COMMANDS).cte()
        upto, number, seq = session.execute(both.add_columns(select(taken.c.value).scalar_subquery())).one()
    else:
        upto, number = session.execute(both).one()
    return numbered(session, [_to_region(meant.paths[0], upto, [])], seq), number


def freeze_each(session: Session, all_meant: Sequence[Meant]) -> list[list[Target]]:
    """Return what `freeze` does for each of them: who is meant is asked once, all numbers are taken at once."""
    known = {meant: _commands(session, meant) for meant in dict.fromkeys(all_meant)}
    rest = iter(numbered(session, [command for meant in all_meant for command in known[meant]]))
    return [list(islice(rest, len(known[meant]))) for meant in all_meant]


def _commands(session: Session, meant: Meant) -> list[Target]:
    by_name = meant.only or meant.drill  # a drill never goes to a region's topic, where everybody listens
    found = [_chosen(session, meant.where)] if by_name else [_region(session, meant, path) for path in meant.paths]
    return [target for target in found if target is not None]


def numbered(session: Session, targets: Sequence[Target], seq: int | None = None) -> list[Target]:
    """Give commands their ids and numbers, beginning with `seq` where it was taken before."""
    if not targets:
        return []
    if seq is None:
        seq = registry.next_value(session, registry.COMMANDS, len(targets))
    return [{"id": str(uuid7()), "seq": seq + n, **target} for n, target in enumerate(targets)]


def _region(session: Session, meant: Meant, path: str) -> Target | None:
    here = below([path], drill=False)
    excluded = _ids(session, here & Speaker.id.in_(meant.without)) if meant.without else []
    if len(excluded) > MOST_EXCLUDED:
        return _chosen(session, here & Speaker.id.not_in(meant.without))
    return _to_region(path, session.scalar(select(func.max(Speaker.number))), excluded)


def _to_region(path: str, upto: int | None, excluded: list[str]) -> Target:
    return {"region": codes_in(path)[-1], "upto": upto or 0, "not": excluded, "paths": [path]}


def _chosen(session: Session, where: ColumnElement[bool]) -> Target | None:
    rows = session.execute(select(Speaker.id, Speaker.region_path).where(where).order_by(Speaker.id)).all()
    if not rows:
        return None
    return {"devices": [row.id for row in rows], "paths": sorted({row.region_path for row in rows})}


def _ids(session: Session, where: ColumnElement[bool]) -> list[str]:
    return list(session.scalars(select(Speaker.id).where(where).order_by(Speaker.id)))


def paths_of(targets: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the region paths these commands are heard below."""
    return [str(path) for target in targets for path in target.get("paths", ())]


def who(target: Mapping[str, Any]) -> Iterator[ColumnElement[bool]]:
    """Return conditions that together find who a command is for and in service now, each loudspeaker once."""
    if "devices" in target:
        devices = target["devices"]
        for start in range(0, len(devices), AT_ONCE):
            yield (Speaker.state == SpeakerState.ACTIVE) & Speaker.id.in_(devices[start : start + AT_ONCE])
        return
    excluded = target.get("not", ())
    meant = below(target["paths"], drill=False) & (Speaker.number <= target["upto"])
    yield meant & Speaker.id.not_in(excluded) if excluded else meant


def deliver(session: Session, broadcast_id: UUID, target: Mapping[str, Any], *, state: PlayState, now: datetime) -> int:
    """Write a delivery for everybody a command is for, in one statement: an emergency does not wait for 10,000 rows."""
    delivery = SpeakerDelivery.__table__.c
    columns = ("broadcast_id", "speaker_id", "region_path", "command_id", "state", "reason", "used", "changed_at")
    total = 0
    for where in who(target):
        chosen = select(
            literal(broadcast_id, delivery.broadcast_id.type),
            Speaker.id,
            Speaker.region_path,
            literal(UUID(target["id"]), delivery.command_id.type),
            literal(state, delivery.state.type),
            literal("", delivery.reason.type),
            literal("", delivery.used.type),
            literal(now, delivery.changed_at.type),
        ).where(where)
        total += copy_rows(session, insert(SpeakerDelivery).from_select(columns, chosen, include_defaults=False))
    return total

"""The tasks, and who has done them: asked of what happened, so that nobody can tick one off by hand."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, selectinload

from broadcasts.alerts.models import Alert
from broadcasts.kinds import Act, Mode
from broadcasts.practice.models import PracticeWork, WorkKind, WorkState
from hub.accounts.models import Account, RoleGrant
from hub.accounts.role_book import rights
from hub.audit.models import AuditEntry
from hub.core.actor import Actor, Permission
from hub.core.db import like_below

MOST_PEOPLE: Final = 500
MOST_DRILLS: Final = 1000
Done = Mapping[UUID, datetime]
"""When each of some people first did a task."""
Look = Callable[[Session, Collection[UUID]], Done]


@dataclass(frozen=True, slots=True)
class Task:
    """One task: for whom it is, and how to see that somebody has done it."""

    key: str
    permission: Permission
    endpoint: str
    look: Look


@dataclass(frozen=True, slots=True)
class Standing:
    """A task of one person; `done_at` is empty until it happened."""

    task: Task
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody and their tasks; None where one is not for them."""

    name: str
    standing: tuple[Standing | None, ...]

    @property
    def done(self) -> int:
        """How many they have done."""
        return sum(1 for one in self.standing if one is not None and one.done_at is not None)

    @property
    def meant(self) -> int:
        """How many there are for them."""
        return sum(1 for one in self.standing if one is not None)


def of_person(session: Session, actor: Actor) -> list[Standing]:
    """Return the actor's own tasks."""
    if actor.id is None:
        return []
    mine = [task for task in TASKS if actor.may_somewhere(task.permission)]
    return [Standing(task, task.look(session, [actor.id]).get(actor.id)) for task in mine]


def of_people(session: Session, actor: Actor) -> list[Person]:
    """Return everybody who works where the actor may read the log, with their tasks."""
    paths = actor.paths(Permission.SEE_AUDIT)
    if not paths:
        return []
    people = _people(session, paths)
    ids = [person.id for person in people]
    done = {task.key: task.look(session, ids) for task in TASKS}
    held = rights(session)
    found = []
    for person in people:
        may = frozenset(each for grant in person.grants for each in held.get(grant.role, ()))
        standing = (Standing(t, done[t.key].get(person.id)) if t.permission in may else None for t in TASKS)
        found.append(Person(person.name, tuple(standing)))
    return [person for person in found if person.meant]


def _people(session: Session, paths: Sequence[str]) -> Sequence[Account]:
    there = select(RoleGrant.account_id).where(or_(*(RoleGrant.region_path.like(like_below(p)) for p in paths)))
    query = select(Account).where(Account.active, Account.id.in_(there)).options(selectinload(Account.grants))
    return session.scalars(query.order_by(Account.name, Account.login).limit(MOST_PEOPLE)).all()


def _first(session: Session, who: Any, when: Any, ids: Collection[UUID], *conditions: ColumnElement[bool]) -> Done:
    query = select(who, func.min(when)).where(who.in_(ids), when.is_not(None), *conditions).group_by(who)
    return {row[0]: row[1] for row in session.execute(query)}


def _work(kind: WorkKind, who: Any, when: Any) -> Look:
    def look(session: Session, ids: Collection[UUID]) -> Done:
        done = () if when is PracticeWork.written_at else (PracticeWork.state == WorkState.DONE,)
        return _first(session, who, when, ids, PracticeWork.kind == kind, *done)

    return look


def _drill(*acts: Act) -> Look:
    def look(session: Session, ids: Collection[UUID]) -> Done:
        drills = Alert.mode == Mode.DRILL, Alert.act.in_(acts)
        return _first(session, Alert.armed_by, Alert.fired_at, ids, *drills)

    return look


def _stopped(session: Session, ids: Collection[UUID]) -> Done:
    """Who has stopped a drill: the log knows it by their account, the drill itself by a name alone."""
    newest = select(Alert.id).where(Alert.mode == Mode.DRILL).order_by(Alert.armed_at.desc()).limit(MOST_DRILLS)
    subjects = [f"alert:{drill}" for drill in session.scalars(newest)]
    stops = AuditEntry.deed == "alert.stop", AuditEntry.subject.in_(subjects)
    return _first(session, AuditEntry.actor_id, AuditEntry.at, ids, *stops)


_NOTICE, _LETTER = WorkKind.NOTICE, WorkKind.LETTER
_WRITER, _PASSER = PracticeWork.written_by, PracticeWork.passed_by
TASKS: Final = (
    Task("notice", Permission.COMPOSE, "practice.write", _work(_NOTICE, _WRITER, PracticeWork.written_at)),
    Task("pass", Permission.APPROVE, "practice.mine", _work(_NOTICE, _PASSER, PracticeWork.done_at)),
    Task("alarm", Permission.DRILL, "drills.desk", _drill(Act.ALERT, Act.UPDATE)),
    Task("stop", Permission.DRILL, "drills.desk", _stopped),
    Task("retract", Permission.DRILL, "drills.desk", _drill(Act.CORRECTION)),
    Task("letter", Permission.ANSWER, "practice.letter", _work(_LETTER, _WRITER, PracticeWork.done_at)),
)

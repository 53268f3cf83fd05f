"""Write a notice, pass somebody else's, answer a letter: all of it for practice."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.orders import Sound
from broadcasts.practice.letters import Act, letter
from broadcasts.practice.models import PracticeWork, WorkKind, WorkState
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.regions.tree import codes_in

TITLE_LENGTH: Final = 60
TEXT_LENGTH: Final = 500
ANSWER_LENGTH: Final = 300
VALID: Final = timedelta(minutes=10)
MOST_WAITING: Final = 50


@dataclass(frozen=True, slots=True)
class Notice:
    """What is written."""

    title: str
    text: str


def hand_in(session: Session, actor: Actor, notice: Notice, *, now: datetime) -> PracticeWork:
    """Hand a notice in for somebody else to pass."""
    home = _home(actor, Permission.COMPOSE)
    title, text = notice.title.strip(), notice.text.strip()
    problems = []
    if not title or len(title) > TITLE_LENGTH:
        problems.append(BadInput("practice_title", field="title", most=TITLE_LENGTH))
    if not text or len(text) > TEXT_LENGTH:
        problems.append(BadInput("practice_text", field="text", most=TEXT_LENGTH))
    if problems:
        raise Problems(problems)
    return _keep(session, actor, PracticeWork(kind=WorkKind.NOTICE, region_path=home, title=title, text=text), now)


def pass_on(
    session: Session, actor: Actor, work_id: UUID, sound: Sound | None, *, rules: Rules, now: datetime
) -> Broadcast | None:
    """Pass somebody else's notice. It sounds on drill loudspeakers alone; where there are none, nowhere."""
    work = get(session, actor, work_id)
    actor.require(Permission.APPROVE, work.region_path)
    if work.kind is not WorkKind.NOTICE or work.state is not WorkState.WAITING:
        raise WrongState("practice_done_already")
    if work.written_by == actor.id:
        raise NotAllowed("own_announcement")
    work.state, work.passed_by, work.passed_by_name, work.done_at = WorkState.DONE, actor.id, actor.name, now
    log.record(session, actor, "practice.pass", f"practice:{work.id}", work.region_path, now, title=work.title)
    code = codes_in(work.region_path)[-1]
    audience = Audience((code,), speakers=True, sms=False).checked()
    if sound is None or not orders.meant(session, audience.paths, drill=True):
        return None
    order = delivery.Order(
        source=f"practice:{work.id}",
        kind=Kind.DRILL,
        title=work.title,
        text=work.text,
        sms_text="",
        audience=audience,
        home_path=work.region_path,
        sound=sound,
        repeats=1,
        volume=None,
        starts_at=now,
        expires_at=now + VALID,
        approved_by_name=actor.name,
        by_name=work.written_by_name,
        mode="drill",
    )
    broadcast = delivery.release(session, actor, order, rules=rules, now=now)
    work.broadcast_id = broadcast.id
    return broadcast


def take_letter(session: Session, actor: Actor, *, now: datetime) -> PracticeWork:
    """Give the actor a letter of nobody: the one they have not answered yet, or the next."""
    home = _home(actor, Permission.ANSWER)
    mine = select(PracticeWork).where(PracticeWork.kind == WorkKind.LETTER, PracticeWork.written_by == actor.id)
    had = session.scalars(mine.order_by(PracticeWork.written_at)).all()
    waiting = next((work for work in had if work.state is WorkState.WAITING), None)
    if waiting is not None:
        return waiting
    fresh = PracticeWork(kind=WorkKind.LETTER, region_path=home, title=letter(len(had)).key, text="")
    return _keep(session, actor, fresh, now)


def answer_letter(session: Session, actor: Actor, work_id: UUID, act: str, text: str, *, now: datetime) -> PracticeWork:
    """Answer it. BadInput says why another act comes first; nothing leaves the hub whatever is answered."""
    work = get(session, actor, work_id)
    if work.kind is not WorkKind.LETTER or work.written_by != actor.id:
        raise NotFound("practice_unknown")
    if work.state is WorkState.DONE:
        raise WrongState("practice_done_already")
    wanted = letter(work.title)
    if act not in set(Act):
        raise BadInput("practice_act_missing", field="act")
    if act != wanted.first:
        raise BadInput(f"practice_letter_{wanted.first.value}", field="act")
    if act == Act.TEXT and not text.strip():
        raise BadInput("practice_answer_missing", field="answer")
    work.state, work.answer, work.done_at = WorkState.DONE, text.strip()[:ANSWER_LENGTH], now
    log.record(session, actor, "practice.answer", f"practice:{work.id}", work.region_path, now)
    return work


def get(session: Session, actor: Actor, work_id: UUID) -> PracticeWork:
    """Return a piece of practice the actor may see; to a stranger it does not exist."""
    work = session.get(PracticeWork, work_id)
    if work is None or not actor.may(Permission.SEE, work.region_path):
        raise NotFound("practice_unknown")
    return work


def waiting_for(session: Session, actor: Actor) -> list[PracticeWork]:
    """Return the notices the actor could pass, the oldest first; their own are not among them."""
    paths = actor.paths(Permission.APPROVE)
    if not paths:
        return []
    query = select(PracticeWork).where(
        PracticeWork.kind == WorkKind.NOTICE,
        PracticeWork.state == WorkState.WAITING,
        PracticeWork.written_by != actor.id,
        or_(*(PracticeWork.region_path.like(like_below(path)) for path in paths)),
    )
    return list(session.scalars(query.order_by(PracticeWork.written_at).limit(MOST_WAITING)))


def _keep(session: Session, actor: Actor, work: PracticeWork, now: datetime) -> PracticeWork:
    if actor.id is None:
        raise NotAllowed("not_allowed", permission=Permission.SEE.value)
    work.written_by, work.written_by_name, work.written_at = actor.id, actor.name[:40], now
    session.add(work)
    session.flush()
    log.record(session, actor, f"practice.{work.kind.value}", f"practice:{work.id}", work.region_path, now)
    return work


def _home(actor: Actor, permission: Permission) -> str:
    paths = actor.paths(permission)
    if not paths:
        raise NotAllowed("not_allowed", permission=permission.value)
    return paths[0]

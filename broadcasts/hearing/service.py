"""Take answers from the spot, and ask for them by text message."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import String, cast, func, or_, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.visibility import touches
from broadcasts.hearing.models import HearingAnswer, HearingQuestion, HearingVerdict, HearingWay
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.sms.letters.writing_back import CADRES, words
from broadcasts.sms.models import SmsInbound
from broadcasts.sms.purposes import HEARING
from broadcasts.sms.sending import outbox
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import Priority
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound, WrongState
from hub.regions import service as regions
from hub.regions.tree import Level, contains
from hub.residents.models import NumberKind, Phone, Resident, ResidentTag
from hub.speakers.models import Speaker

LATELY = timedelta(hours=48)
"""So long after a broadcast answers are taken: later nobody remembers."""
ASKED = (CADRES, "网格员")
"""The tags of those who are asked by text message."""
ANSWERABLE = frozenset({Level.TOWNSHIP, Level.VILLAGE, Level.GROUP})
NUMBERED = tuple(HearingVerdict)


def answer(
    session: Session,
    actor: Actor,
    broadcast_id: UUID,
    *,
    region: str,
    verdict: HearingVerdict,
    speaker_id: str = "",
    way: HearingWay = HearingWay.PAGE,
    now: datetime,
) -> HearingAnswer:
    """Note what the actor heard of a broadcast at a place, or by one loudspeaker. Again means: a change of mind."""
    place = regions.get_region(session, actor, region, Permission.ANSWER)
    broadcast = delivery.get(session, actor, broadcast_id)
    _require_there(session, broadcast, place.path, speaker_id, now)
    said = _Said(place.path, speaker_id, verdict, f"a:{actor.id}", actor.name, way)
    found = _note(session, broadcast, said, now)
    log.record(
        session,
        actor,
        "hearing.answer",
        f"broadcast:{broadcast.id}",
        place.path,
        now,
        after=verdict.value,
        speaker=speaker_id,
    )
    return found


def _require_there(session: Session, broadcast: Broadcast, path: str, speaker_id: str, now: datetime) -> None:
    if broadcast.kind is Kind.DRILL:
        raise NotFound("broadcast_unknown")
    if broadcast.starts_at > now:
        raise WrongState("hearing_too_early")
    if broadcast.starts_at <= now - LATELY:
        raise WrongState("hearing_too_late")
    if not touches(Audience.from_json(broadcast.audience).paths, [path]):
        raise BadInput("hearing_elsewhere", field="region")
    if speaker_id:
        horn = session.get(Speaker, speaker_id)
        if horn is None or not (contains(path, horn.region_path) or contains(horn.region_path, path)):
            raise BadInput("hearing_speaker_elsewhere", field="speaker")
        if session.get(SpeakerDelivery, (broadcast.id, speaker_id)) is None:
            raise BadInput("hearing_speaker_elsewhere", field="speaker")


@dataclass(frozen=True, slots=True)
class _Said:
    """One answer before it is kept."""

    path: str
    speaker_id: str
    verdict: HearingVerdict
    who: str
    name: str
    way: HearingWay


def _note(session: Session, broadcast: Broadcast, said: _Said, now: datetime) -> HearingAnswer:
    found = session.scalar(
        select(HearingAnswer).where(
            HearingAnswer.broadcast_id == broadcast.id,
            HearingAnswer.region_path == said.path,
            HearingAnswer.speaker_id == said.speaker_id,
            HearingAnswer.who == said.who,
        )
    )
    if found is None:
        found = HearingAnswer(
            broadcast_id=broadcast.id,
            region_path=said.path,
            speaker_id=said.speaker_id,
            who=said.who,
            sounded_at=broadcast.starts_at,
        )
        session.add(found)
    found.verdict, found.by_name, found.way, found.answered_at = said.verdict, said.name[:60], said.way, now
    session.flush()
    return found


def ask(
    session: Session, actor: Actor, broadcast_id: UUID, region: str, *, settings: SmsSettings, at: str, now: datetime
) -> HearingQuestion:
    """Ask the cadres and grid workers of a place by text message; `at` is when it was, as they read it.

    BadInput when there is nobody to ask; WrongState when they were asked already.
    """
    place = regions.get_region(session, actor, region, Permission.ANSWER)
    broadcast = delivery.get(session, actor, broadcast_id)
    _require_there(session, broadcast, place.path, "", now)
    asked = session.scalars(select(HearingQuestion).where(HearingQuestion.broadcast_id == broadcast.id)).all()
    if any(contains(one.region_path, place.path) or contains(place.path, one.region_path) for one in asked):
        raise WrongState("hearing_asked_already")
    people = askable(session, place.path)
    if not people:
        raise BadInput("hearing_nobody", field="region")
    text = words().hearing.format(at=at, title=broadcast.title.replace("【", "[").replace("】", "]"))
    run = outbox.plan_run(
        session,
        broadcast_id=uuid7(),
        text=text,
        signature=settings.signature,
        audience=Audience((place.code,), speakers=False, sms=True, tags=ASKED),
        priority=Priority.DRILL,
        expires_at=now + timedelta(hours=12),
        settings=settings,
        now=now,
        about=HEARING,
    )
    question = HearingQuestion(
        run_id=run.broadcast_id,
        broadcast_id=broadcast.id,
        region_path=place.path,
        asked_at=now,
        asked_by_name=actor.name[:60],
        people=people,
    )
    session.add(question)
    session.flush()
    log.record(session, actor, "hearing.ask", f"broadcast:{broadcast.id}", place.path, now, people=people)
    return question


def askable(session: Session, path: str) -> int:
    """Return how many telephones there are to be asked at a place."""
    query = (
        select(Phone.index)
        .join(Resident, Resident.id == Phone.resident_id)
        .join(ResidentTag, ResidentTag.resident_id == Resident.id)
        .where(Resident.region_path.like(like_below(path)), ResidentTag.tag.in_(ASKED), Phone.kind == NumberKind.MOBILE)
        .distinct()
    )
    return len(session.scalars(query).all())


def count_reply(session: Session, kept: SmsInbound, now: datetime) -> None:
    """Take a numbered answer to a question of this room; the sender's own village or group is where they were."""
    question = session.get(HearingQuestion, kept.broadcast_id) if kept.broadcast_id else None
    if question is None or not 1 <= kept.choice <= len(NUMBERED):
        return
    broadcast = session.get(Broadcast, question.broadcast_id)
    if broadcast is None:
        return
    path = kept.region_path or question.region_path
    verdict, who = NUMBERED[kept.choice - 1], f"p:{kept.phone_index.hex()}"
    name = session.scalar(select(Resident.name).where(Resident.id == kept.resident_id)) if kept.resident_id else ""
    _note(session, broadcast, _Said(path, "", verdict, who, name or kept.masked, HearingWay.SMS), now)


def questions_of(session: Session, broadcast_id: UUID, actor: Actor) -> list[HearingQuestion]:
    """Return who was asked about a broadcast, where the actor may answer."""
    paths = actor.paths(Permission.ANSWER)
    if not paths:
        return []
    here = or_(*(HearingQuestion.region_path.like(like_below(path)) for path in paths))
    query = select(HearingQuestion).where(HearingQuestion.broadcast_id == broadcast_id, here)
    return list(session.scalars(query.order_by(HearingQuestion.asked_at)))


def forget_names(session: Session, indexes: Sequence[bytes]) -> int:
    """Forget who answered from these telephones; the answers stay counted. Return how many."""
    gone = (
        update(HearingAnswer)
        .where(HearingAnswer.who.in_([f"p:{index.hex()}" for index in indexes]))
        .values(by_name="", who=func.substr(cast(HearingAnswer.id, String), 1, 36))
        .returning(HearingAnswer.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.scalars(gone).all())

"""What the pages show: broadcasts to be answered for, one with every place, and the answers of a place over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.visibility import first_seen, touches
from broadcasts.hearing import service, tallies
from broadcasts.hearing.models import HearingAnswer, HearingQuestion, HearingVerdict
from broadcasts.hearing.tallies import Spell
from broadcasts.loudspeaker.models import SpeakerDelivery
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions import service as regions
from hub.regions.service import Node
from hub.regions.tree import Level
from hub.speakers.clarity import NOTHING, OVER, Clarity
from hub.speakers.models import Speaker

SHOWN = 12
FEW = 3
"""With so many villages or fewer, everything can be answered on one page with one tap."""
LATEST = 60


@dataclass(frozen=True, slots=True)
class Point:
    """Something to answer for: a place, or one loudspeaker in it. `mine` is what the reader has said already."""

    code: str
    name: str
    speaker_id: str
    clarity: Clarity
    mine: HearingVerdict | None


@dataclass(frozen=True, slots=True)
class Place:
    """A village, and what can be told apart in it."""

    point: Point
    parts: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Said:
    """A broadcast with the villages the reader may answer for."""

    broadcast: Broadcast
    clarity: Clarity
    villages: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Opened:
    """One broadcast with every place, every answer, and who was asked."""

    broadcast: Broadcast
    places: Sequence[Place]
    answers: Sequence[HearingAnswer]
    names: dict[str, str]
    questions: Sequence[HearingQuestion]
    askable: Sequence[tuple[str, str]]
    open: bool
    """Answers are still taken."""


@dataclass(frozen=True, slots=True)
class Over:
    """The answers of a place over time."""

    name: str
    clarity: Clarity
    villages: Sequence[tuple[str, str, Clarity]]
    speakers: Sequence[tuple[str, str, Clarity]]
    answers: Sequence[tuple[HearingAnswer, str]]
    names: dict[str, str]


def recent(session: Session, actor: Actor, *, now: datetime) -> tuple[list[Said], bool]:
    """Return what went out lately where the actor may answer, and whether few enough villages to answer at once."""
    villages = _villages(session, actor)
    query = (
        select(Broadcast)
        .where(Broadcast.kind != Kind.DRILL, Broadcast.speakers_meant > 0)
        .where(Broadcast.starts_at > now - service.LATELY, Broadcast.starts_at <= now)
        .order_by(Broadcast.starts_at.desc(), Broadcast.id.desc())
    )
    found = [
        (one, there)
        for one in first_seen(session, actor, query, SHOWN)
        if (there := [v for v in villages if touches(Audience.from_json(one.audience).paths, [v.path])])
    ]
    ids = [one.id for one, _ in found]
    counted = tallies.of_broadcasts(session, actor, ids)
    answers = _answers(session, ids)
    few = len(villages) <= FEW
    return [
        Said(
            one, counted.get(one.id, NOTHING), [_point(actor, v, answers.get(one.id, [])) for v in there] if few else []
        )
        for one, there in found
    ], few


def opened(session: Session, actor: Actor, broadcast_id: UUID, *, now: datetime) -> Opened:
    """Return one broadcast with every place the actor may answer for; to a stranger it does not exist."""
    broadcast = delivery.get(session, actor, broadcast_id)
    paths = Audience.from_json(broadcast.audience).paths
    villages = [v for v in _villages(session, actor) if touches(paths, [v.path])]
    answers = _answers(session, [broadcast.id]).get(broadcast.id, [])
    horns = _horns(session, broadcast.id, [v.path for v in villages])
    mine = [a for a in answers if any(a.region_path.startswith(v.path) for v in villages)]
    places = [
        Place(
            _point(actor, v, answers),
            [
                *(_point(actor, group, answers) for group in v.children if touches(paths, [group.path])),
                *(_at_horn(actor, v, horn, answers) for horn in horns if horn.region_path.startswith(v.path)),
            ],
        )
        for v in villages
    ]
    tops = regions.choices(session, actor, Permission.ANSWER, levels=service.ANSWERABLE - {Level.GROUP})
    return Opened(
        broadcast=broadcast,
        places=places,
        answers=mine,
        names={a.region_path: regions.full_name(session, a.region_path, without_county=True) for a in mine},
        questions=service.questions_of(session, broadcast.id, actor),
        askable=[
            (code, name) for code, name in tops if touches(paths, [regions.get_region(session, actor, code).path])
        ],
        open=now - service.LATELY < broadcast.starts_at <= now and broadcast.kind is not Kind.DRILL,
    )


def over_time(session: Session, actor: Actor, code: str, *, now: datetime) -> Over:
    """Return what was answered at a place the actor sees during the last months."""
    top = regions.subtree(session, actor, code)
    spell = Spell(now - OVER)
    by_place = tallies.by_place(session, top.path, spell)
    by_speaker = tallies.by_speaker(session, top.path, spell)
    horns = {h.id: h.name for h in session.scalars(select(Speaker).where(Speaker.id.in_(list(by_speaker))))}
    latest = session.execute(
        select(HearingAnswer, Broadcast.title)
        .join(Broadcast, Broadcast.id == HearingAnswer.broadcast_id)
        .where(HearingAnswer.region_path.like(like_below(top.path)), spell.condition)
        .order_by(HearingAnswer.answered_at.desc())
        .limit(LATEST)
    ).all()
    return Over(
        name=top.name,
        clarity=tallies.below_place(by_place, top.path),
        villages=[
            (node.code, node.name, tallies.below_place(by_place, node.path))
            for node in top.walk()
            if node.level is Level.VILLAGE
        ],
        speakers=[(key, horns.get(key, key), one) for key, one in sorted(by_speaker.items(), key=_worst_first)],
        answers=[(answer, title) for answer, title in latest],
        names={a.region_path: regions.full_name(session, a.region_path, without_county=True) for a, _ in latest},
    )


def _worst_first(line: tuple[str, Clarity]) -> tuple[float, str]:
    return line[1].share or 0.0, line[0]


def _villages(session: Session, actor: Actor) -> list[Node]:
    """Return the villages the actor may answer for; a group where that is all they have."""
    tops = regions.forest(session, actor, Permission.ANSWER)
    return [n for top in tops for n in ([top] if top.level is Level.GROUP else top.walk()) if _answers_for(n, top)]


def _answers_for(node: Node, top: Node) -> bool:
    return node.level is Level.VILLAGE or (node.level is Level.GROUP and node is top)


def _answers(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[HearingAnswer]]:
    found: dict[UUID, list[HearingAnswer]] = {}
    query = select(HearingAnswer).where(HearingAnswer.broadcast_id.in_(ids)).order_by(HearingAnswer.answered_at.desc())
    for one in session.scalars(query):
        found.setdefault(one.broadcast_id, []).append(one)
    return found


def _point(actor: Actor, node: Node, answers: Sequence[HearingAnswer]) -> Point:
    inside = [a for a in answers if a.region_path.startswith(node.path)]
    own = (a.verdict for a in inside if a.who == f"a:{actor.id}" and a.region_path == node.path and not a.speaker_id)
    return Point(node.code, node.name, "", _counted(inside), next(own, None))


def _at_horn(actor: Actor, village: Node, horn: Speaker, answers: Sequence[HearingAnswer]) -> Point:
    by_it = [a for a in answers if a.speaker_id == horn.id]
    own = next((a.verdict for a in by_it if a.who == f"a:{actor.id}"), None)
    return Point(village.code, horn.name, horn.id, _counted(by_it), own)


def _counted(answers: Sequence[HearingAnswer]) -> Clarity:
    return tallies.gathered((0, a.verdict, 1) for a in answers).get(0, NOTHING)


def _horns(session: Session, broadcast_id: UUID, paths: Sequence[str]) -> list[Speaker]:
    if not paths:
        return []
    query = (
        select(Speaker)
        .join(SpeakerDelivery, SpeakerDelivery.speaker_id == Speaker.id)
        .where(SpeakerDelivery.broadcast_id == broadcast_id)
        .where(or_(*(Speaker.region_path.like(like_below(path)) for path in paths)))
        .order_by(Speaker.name, Speaker.id)
        .limit(200)
    )
    return list(session.scalars(query))

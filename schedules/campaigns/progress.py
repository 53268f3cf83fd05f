"""How far a campaign has come, village by village: counted from what loudspeakers and telephones reported."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.progress import HEARD
from broadcasts.delivery.visibility import below
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from broadcasts.sms.models import SmsMessage
from broadcasts.sms.states import MessageState
from hub.core.actor import Actor
from hub.regions import service as regions
from hub.regions.tree import codes_in, path_of, village_of
from hub.speakers.models import Speaker, SpeakerState
from schedules.campaigns.models import Campaign
from schedules.models import Occurrence, OccurrenceState, Slot

D = SpeakerDelivery
VILLAGE = 3
"""How many codes a village's path has."""
UNFINISHED = frozenset({OccurrenceState.PLANNED, OccurrenceState.FIRED})


@dataclass(frozen=True, slots=True)
class VillageLine:
    """One village. `heard`: broadcasts of which at least one of its loudspeakers let people hear the beginning."""

    code: str
    name: str
    township: str
    out: int
    """Broadcasts that were meant for it."""
    heard: int
    whole: int
    """Broadcasts that every loudspeaker there played to the end."""
    speakers: int
    texts: int
    """Text messages that arrived."""
    target: int

    @property
    def reached(self) -> bool:
        """Whether it has heard as much as was meant."""
        return self.heard >= self.target

    @property
    def deaf(self) -> bool:
        """Whether something was meant for it and nothing was heard."""
        return self.out > 0 and self.heard == 0


@dataclass(frozen=True, slots=True)
class TextLine:
    """One of the texts: how often it went out and how many villages have heard it at least once."""

    id: UUID
    out: int
    villages: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The whole campaign, in the part of the tree that the reader sees."""

    villages: tuple[VillageLine, ...]
    texts: tuple[TextLine, ...]
    out: int
    to_come: int
    missed: int
    next_at: datetime | None
    target: int

    @property
    def reached(self) -> int:
        """Villages that have heard as much as was meant."""
        return sum(v.reached for v in self.villages)

    @property
    def heard_somewhere(self) -> int:
        """Villages that have heard anything."""
        return sum(v.heard > 0 for v in self.villages)

    @property
    def texts_arrived(self) -> int:
        """Text messages that arrived."""
        return sum(v.texts for v in self.villages)

    @property
    def behind(self) -> tuple[VillageLine, ...]:
        """Villages that cannot reach the target with what is still planned, the furthest behind first."""
        late = [v for v in self.villages if v.heard + self.to_come < v.target]
        return tuple(sorted(late, key=lambda v: (v.heard, v.code)))


@dataclass(slots=True)
class _Count:
    out: int = 0
    heard: int = 0
    whole: int = 0
    texts: int = 0


def of(session: Session, actor: Actor, campaign: Campaign) -> Progress:
    """Return how far it has come."""
    spoken = {t.announcement_id: t.id for t in campaign.texts if t.announcement_id}
    counts, by_text = _heard(session, actor, spoken)
    for path, number in _texts(session, actor, campaign):
        counts[path].texts += number
    speakers = _speakers(session, actor, campaign)
    names = regions.names(session, {code for path in {*counts, *speakers} for code in codes_in(path)})
    paths = sorted({*counts, *speakers})
    lines = tuple(_line(path, counts[path], speakers.get(path, 0), names, campaign.target) for path in paths)
    to_come, missed, next_at = _planned(session, list(spoken))
    out = sum(number for number, _ in by_text.values())
    return Progress(
        villages=lines,
        texts=tuple(TextLine(t.id, *by_text.get(t.id, (0, 0))) for t in campaign.texts),
        out=out,
        to_come=to_come,
        missed=missed,
        next_at=next_at,
        target=campaign.target,
    )


def _heard(
    session: Session, actor: Actor, spoken: dict[UUID, UUID]
) -> tuple[dict[str, _Count], dict[UUID, tuple[int, int]]]:
    """Count broadcasts by village, and by text how many went out and in how many villages they were heard."""
    heard = func.max(case((HEARD, 1), else_=0))
    unfinished = func.sum(case((D.state == PlayState.FINISHED, 0), else_=1))
    rows = session.execute(
        select(D.broadcast_id, Broadcast.announcement_id, D.region_path, heard, unfinished)
        .join(Broadcast, Broadcast.id == D.broadcast_id)
        .where(Broadcast.announcement_id.in_(spoken), below(actor, D.region_path))
        .group_by(D.broadcast_id, Broadcast.announcement_id, D.region_path)
    )
    # Loudspeakers hang in villages and in groups below them: their rows are put together by village first.
    found: dict[tuple[UUID, UUID, str], list[tuple[bool, bool]]] = defaultdict(list)
    for broadcast_id, announcement_id, path, was_heard, missing in rows:
        key = (broadcast_id, spoken[announcement_id], village_of(path))
        found[key].append((bool(was_heard), missing == 0))
    counts: dict[str, _Count] = defaultdict(_Count)
    out, villages = defaultdict[UUID, set[UUID]](set), defaultdict[UUID, set[str]](set)
    for (broadcast_id, text_id, village), parts in found.items():
        count = counts[village]
        count.out += 1
        count.heard += any(part[0] for part in parts)
        count.whole += all(part[1] for part in parts)
        out[text_id].add(broadcast_id)
        if any(part[0] for part in parts):
            villages[text_id].add(village)
    return counts, {text_id: (len(ids), len(villages[text_id])) for text_id, ids in out.items()}


def _texts(session: Session, actor: Actor, campaign: Campaign) -> Iterable[tuple[str, int]]:
    texted = [t.sms_announcement_id for t in campaign.texts if t.sms_announcement_id]
    if not texted:
        return []
    rows = session.execute(
        select(SmsMessage.region_path, func.count())
        .join(Broadcast, Broadcast.id == SmsMessage.broadcast_id)
        .where(
            Broadcast.announcement_id.in_(texted),
            SmsMessage.state == MessageState.DELIVERED,
            below(actor, SmsMessage.region_path),
        )
        .group_by(SmsMessage.region_path)
    )
    return [(village_of(path), number) for path, number in rows]


def _speakers(session: Session, actor: Actor, campaign: Campaign) -> dict[str, int]:
    found: dict[str, int] = {}
    paths = _paths(campaign)
    rows = session.execute(
        select(Speaker.region_path, func.count())
        .where(Speaker.state == SpeakerState.ACTIVE, Speaker.drill.is_(False), below(actor, Speaker.region_path))
        .group_by(Speaker.region_path)
    )
    for path, number in rows:
        if path.startswith(paths):
            found[village_of(path)] = found.get(village_of(path), 0) + number
    return found


def _paths(campaign: Campaign) -> tuple[str, ...]:
    return tuple(_audience_paths(campaign.audience.get("regions", ())))


def _audience_paths(codes: Sequence[str]) -> list[str]:
    return [path_of(code) for code in codes]


def _planned(session: Session, announcement_ids: Sequence[UUID]) -> tuple[int, int, datetime | None]:
    rows = session.execute(
        select(Occurrence.state, func.count(), func.min(Occurrence.due_at))
        .join(Slot, Slot.id == Occurrence.slot_id)
        .where(Slot.announcement_id.in_(announcement_ids))
        .group_by(Occurrence.state)
    ).all()
    numbers = {state: number for state, number, _ in rows}
    next_at = next((at for state, _, at in rows if state is OccurrenceState.PLANNED), None)
    missed = sum(number for state, number in numbers.items() if state not in UNFINISHED)
    return numbers.get(OccurrenceState.PLANNED, 0), missed, next_at


def _line(path: str, count: _Count, speakers: int, names: dict[str, str], target: int) -> VillageLine:
    codes = codes_in(path)
    township = names.get(codes[-2], "") if len(codes) > 1 else ""
    return VillageLine(
        code=codes[-1],
        name=names.get(codes[-1], codes[-1]),
        township=township,
        out=count.out,
        heard=count.heard,
        whole=count.whole,
        speakers=speakers,
        texts=count.texts,
        target=target,
    )

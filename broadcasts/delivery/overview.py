"""The overview: how things stand in the reader's part of the tree, and what somebody should do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery import records
from broadcasts.delivery.desk import Approvals, Complaining, Countdowns, Pressings, Programme, Stage, Upcoming, Waiting
from broadcasts.delivery.matters import Matter, Source, all_matters
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.village_map import Shape, shapes
from broadcasts.delivery.visibility import below, touches
from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.sending.billing import billed
from hub.core.actor import Actor
from hub.regions import service as regions
from hub.regions.service import Node
from hub.regions.tree import Level
from hub.speakers import registry
from hub.speakers.registry import Count

AHEAD = timedelta(hours=24)
NEXT_SHOWN = 6
MATTERS_SHOWN = 8
BAD_SHARE = 0.2
"""From this share of silent loudspeakers on, a village is red."""


@dataclass(frozen=True, slots=True)
class Today:
    """What has sounded since local midnight. `ms` is how long in the villages that heard most, `most` their names."""

    ms: int
    items: int
    emergencies: int
    most: tuple[str, ...]
    """Empty when every village heard the same."""


@dataclass(frozen=True, slots=True)
class MonthlyTexts:
    """Text messages since the first of the local month: billed parts, and their price at most."""

    parts: int
    fen: int


@dataclass(frozen=True, slots=True)
class VillageMark:
    """One village on the map and in the list."""

    code: str
    name: str
    path: str
    total: int
    online: int
    shape: Shape | None

    @property
    def offline(self) -> int:
        """How many are not connected."""
        return self.total - self.online

    @property
    def tone(self) -> str:
        """The colour it is drawn in."""
        if not self.total:
            return "off"
        if not self.offline:
            return "ok"
        return "bad" if self.offline >= BAD_SHARE * self.total else "warn"


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the page below what is on air."""

    speakers: Count
    today: Today
    waiting: Waiting
    texts: MonthlyTexts
    matters: list[Matter]
    coming: list[tuple[Programme, records.Places]]
    villages: list[VillageMark]


@dataclass(frozen=True)
class Sources:
    """Where the overview asks; rooms that are not plugged in are None."""

    connected: bool
    approvals: Approvals | None
    countdowns: Countdowns | None
    pressings: Pressings | None
    upcoming: Upcoming | None
    complaining: Complaining | None = None


def overview(session: Session, actor: Actor, sources: Sources, *, rules: Rules, now: datetime) -> Overview:
    """Return it all, for the reader's own part of the tree."""
    marks = villages(session, actor)
    midnight = datetime.combine(now.astimezone(rules.zone).date(), time(), tzinfo=rules.zone)
    waiting = sources.approvals.waiting(session, actor) if sources.approvals else Waiting(0, mine=False)
    programmes = _programmes(session, actor, sources, now - AHEAD, now + AHEAD)
    past = [p for p in programmes if p.due_at < now]
    coming = [p for p in programmes if p.due_at >= now and p.stage is Stage.PLANNED]
    source = Source(
        connected=sources.connected,
        waiting=waiting,
        countdowns=sources.countdowns.running(session, actor) if sources.countdowns else [],
        pressing=sources.pressings.now(session, actor, now) if sources.pressings else [],
        complaints=sources.complaining.now(session, actor, now) if sources.complaining else None,
        failed=[p for p in past if p.stage in (Stage.MISSED, Stage.SKIPPED)],
    )
    places = records.places_of(session, [p.places for p in coming[:NEXT_SHOWN]])
    return Overview(
        speakers=Count(sum(v.total for v in marks), sum(v.online for v in marks)),
        today=today(records.since(session, actor, midnight - timedelta(days=1)), marks, midnight, now),
        waiting=waiting,
        texts=_texts(session, actor, midnight.replace(day=1)),
        matters=all_matters(session, actor, source, now=now),
        coming=list(zip(coming[:NEXT_SHOWN], places, strict=True)),
        villages=marks,
    )


def today(broadcasts: Sequence[Broadcast], villages: Sequence[VillageMark], midnight: datetime, now: datetime) -> Today:
    """Add up what has sounded between `midnight` and `now`, village by village."""
    sounded = [(b, ms) for b in broadcasts if (ms := _sounded_ms(b, midnight, now)) > 0]
    routine = [(Audience.from_json(b.audience).paths, ms) for b, ms in sounded if b.kind is Kind.ROUTINE]
    by_village = {village: sum(ms for paths, ms in routine if touches(paths, [village.path])) for village in villages}
    most = max(by_village.values(), default=0)
    differs = len(set(by_village.values())) > 1
    return Today(
        ms=most,
        items=len(routine),
        emergencies=len(sounded) - len(routine),
        most=tuple(village.name for village, ms in by_village.items() if ms == most) if differs else (),
    )


def _sounded_ms(broadcast: Broadcast, midnight: datetime, now: datetime) -> int:
    """Return for how long it has sounded since midnight, as it was planned and as far as it was not stopped."""
    if not broadcast.speakers_meant:
        return 0
    end = min(broadcast.starts_at + timedelta(milliseconds=broadcast.audio_ms), broadcast.stopped_at or now, now)
    return round((end - max(broadcast.starts_at, midnight)).total_seconds() * 1000)


def _programmes(session: Session, actor: Actor, sources: Sources, after: datetime, until: datetime) -> list[Programme]:
    return sources.upcoming.between(session, actor, after, until) if sources.upcoming else []


def _texts(session: Session, actor: Actor, since: datetime) -> MonthlyTexts:
    bill = billed(session, SmsRun.created_at >= since, below(actor, SmsMessage.region_path))
    return MonthlyTexts(bill.parts, bill.fen)


def villages(session: Session, actor: Actor) -> list[VillageMark]:
    """Return every village of the reader's part, with its loudspeakers and its shape on the map."""
    counts = registry.count_by_region(session, actor)
    nodes = [node for top in regions.forest(session, actor) for node in _village_nodes(top)]
    drawn = shapes([node.outline for node in nodes])
    return [
        VillageMark(node.code, node.name, node.path, count.total, count.online, shape)
        for node, shape in zip(nodes, drawn, strict=True)
        for count in [counts.get(node.code, Count(0, 0))]
    ]


def _village_nodes(top: Node) -> list[Node]:
    if top.level is Level.GROUP:
        return [top]
    return [node for node in top.walk() if node.level is Level.VILLAGE]

"""What happened on somebody's shift, gathered from every room that has something to tell."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from hub.core.actor import Actor
from hub.regions import service as regions
from hub.speakers.care.attention import visible
from hub.speakers.care.models import SpeakerAlarm
from hub.speakers.models import Speaker

MOST_ALARMS = 60


class ShiftTopic(StrEnum):
    """What it was. The order is that on the page: what endangers life stands first."""

    DANGER = "danger"
    EMERGENCY = "emergency"
    CALL = "call"
    FAILURE = "failure"
    ALARM = "alarm"
    REVIEW = "review"
    COMPLAINT = "complaint"


@dataclass(frozen=True, slots=True)
class ShiftEvent:
    """One thing that happened, or that lasts. `code`: a word for the template where it has its own sentence for it."""

    at: datetime
    topic: ShiftTopic
    title: str
    note: str = ""
    code: str = ""
    place: str = ""
    endpoint: str = ""
    values: tuple[tuple[str, str], ...] = ()
    open: bool = False
    """Somebody still has to do something about it."""


Source = Callable[[Session, Actor, datetime, datetime], Iterable[ShiftEvent]]
"""Returns what began between two moments, and what began before and is still open, where the actor may see it."""


@dataclass
class ShiftSources:
    """Whom the page of a shift asks; rooms add theirs."""

    sources: list[Source] = field(default_factory=lambda: [alarms])

    def add(self, source: Source) -> None:
        """Ask this one too."""
        self.sources.append(source)


def gather(
    session: Session, actor: Actor, sources: ShiftSources, *, since: datetime, until: datetime
) -> list[ShiftEvent]:
    """Return everything, by topic and in order of time."""
    found = [event for source in sources.sources for event in source(session, actor, since, until)]
    order = list(ShiftTopic)
    return sorted(found, key=lambda event: (order.index(event.topic), event.at))


def alarms(session: Session, actor: Actor, since: datetime, until: datetime) -> Sequence[ShiftEvent]:
    """Return alarms of loudspeakers that people were told of in that time, or that last."""
    rows = session.execute(
        select(SpeakerAlarm, Speaker.name, Speaker.region_path)
        .join(Speaker, Speaker.id == SpeakerAlarm.speaker_id)
        .where(visible(actor, None), SpeakerAlarm.raised_at.is_not(None), SpeakerAlarm.raised_at < until)
        .where(or_(SpeakerAlarm.raised_at >= since, SpeakerAlarm.ended_at.is_(None)))
        .order_by(SpeakerAlarm.ended_at.is_not(None), SpeakerAlarm.raised_at.desc())
        .limit(MOST_ALARMS)
    ).all()
    places = {path: regions.full_name(session, path, without_county=True) for path in {row[2] for row in rows}}
    return [
        ShiftEvent(
            at=alarm.raised_at or alarm.since,
            topic=ShiftTopic.ALARM,
            title=name,
            code=alarm.code,
            place=places[path],
            endpoint="speakers.one",
            values=(("speaker_id", alarm.speaker_id),),
            open=alarm.ended_at is None,
        )
        for alarm, name, path in rows
    ]

"""What of all alarms a person should look at now, in few lines; and what people do about them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound, WrongState
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.speakers.care import alarms, events
from hub.speakers.care.models import EventKind, SpeakerAlarm
from hub.speakers.models import Speaker

TOGETHER: Final = 5
"""So many loudspeakers of one township that fall silent at once are one matter: the power or the line."""
AT_ONCE: Final = timedelta(minutes=5)
SNOOZES: Final = (1, 3, 7)
"""Days; 1 means until tomorrow morning."""
MORNING: Final = 8

SHOWN: Final = 30
"""Lines a page lists at once; the others are counted."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to look at: one alarm of one loudspeaker, or many that began together in a township.

    `ids` are the alarms behind it; `place` is the code of the village, or of the township when they are many.
    """

    ids: tuple[UUID, ...]
    speakers: tuple[str, ...]
    code: str
    speaker_id: str
    name: str
    path: str
    place: str
    since: datetime
    acknowledged_by: str
    snoozed_until: datetime | None

    @property
    def count(self) -> int:
        """How many loudspeakers."""
        return len(self.ids)

    @property
    def handled(self) -> bool:
        """Whether somebody knows of it or has put it off."""
        return bool(self.acknowledged_by) or self.snoozed_until is not None

    @property
    def many(self) -> bool:
        """Whether it stands for more than one."""
        return len(self.ids) > 1


@dataclass(frozen=True, slots=True)
class Page:
    """What needs somebody, and apart from it what somebody knows of or has put off; as many lines as a page lists.

    `waits` and `known` count all of them; `names` says where each shown line is.
    """

    waiting: Sequence[Line]
    handled: Sequence[Line]
    waits: int
    known: int
    names: dict[str, str]

    @property
    def shown(self) -> tuple[Line, ...]:
        """All lines that are listed."""
        return (*self.waiting, *self.handled)


def page(session: Session, actor: Actor, *, now: datetime, most: int | None) -> Page:
    """Return both lists, each with at most `most` lines (None: with all)."""
    found = lines(session, actor, now=now, all_=True)
    waiting = [line for line in found if not line.handled]
    handled = [line for line in found if line.handled]
    shown = (waiting[:most], handled[:most])
    names = names_of(session, [*shown[0], *shown[1]])
    return Page(*shown, len(waiting), len(handled), names)


def lines(session: Session, actor: Actor, *, now: datetime, path: str | None = None, all_: bool = False) -> list[Line]:
    """Return what needs somebody, what began last first. `all_`: also what was acknowledged or put off."""
    query = (
        select(SpeakerAlarm, Speaker.name, Speaker.region_path)
        .join(Speaker, Speaker.id == SpeakerAlarm.speaker_id)
        .where(SpeakerAlarm.ended_at.is_(None), SpeakerAlarm.raised_at.is_not(None), visible(actor, path))
        .order_by(SpeakerAlarm.since, SpeakerAlarm.id)
    )
    if not all_:
        query = query.where(SpeakerAlarm.acknowledged_at.is_(None), _awake(now))
    return _gathered(session.execute(query).all(), now)


def count(session: Session, actor: Actor, *, now: datetime) -> int:
    """Return how many lines there are, for the menu."""
    return len(lines(session, actor, now=now))


def of_speaker(session: Session, actor: Actor, speaker_id: str) -> Sequence[SpeakerAlarm]:
    """Return the alarms of one loudspeaker that last."""
    query = select(SpeakerAlarm).join(Speaker, Speaker.id == SpeakerAlarm.speaker_id)
    return session.scalars(
        query.where(
            SpeakerAlarm.speaker_id == speaker_id,
            SpeakerAlarm.ended_at.is_(None),
            SpeakerAlarm.raised_at.is_not(None),
            visible(actor, None),
        ).order_by(SpeakerAlarm.since)
    ).all()


def acknowledge(session: Session, actor: Actor, alarm_ids: Sequence[UUID], *, now: datetime) -> list[SpeakerAlarm]:
    """Note that somebody knows: it leaves the list of matters, and comes back only as a new alarm."""
    found = _mine(session, actor, alarm_ids)
    for alarm in found:
        alarm.acknowledged_at = now
        alarm.acknowledged_by_name = actor.name
    _remember(session, actor, found, "acknowledge", now)
    return found


def snooze(
    session: Session, actor: Actor, alarm_ids: Sequence[UUID], days: int, *, now: datetime, zone: Any
) -> list[SpeakerAlarm]:
    """Put it off until 8 in the morning so many days from now. It holds even if the loudspeaker comes and goes."""
    if days not in SNOOZES:
        raise BadInput("snooze_days", field="days")
    found = _mine(session, actor, alarm_ids)
    local = now.astimezone(zone) + timedelta(days=days)
    until = local.replace(hour=MORNING, minute=0, second=0, microsecond=0)
    for alarm in found:
        alarm.snoozed_until = until
        alarm.acknowledged_at, alarm.acknowledged_by_name = None, ""
    _remember(session, actor, found, "snooze", now, detail=str(days))
    return found


def visible(actor: Actor, path: str | None) -> Any:
    """Return the condition that a loudspeaker lies where the actor may see it, below `path` if one is given."""
    paths = actor.paths(Permission.SEE)
    if path is not None:
        paths = (path,) if actor.may(Permission.SEE, path) else ()
    return or_(*(Speaker.region_path.like(like_below(p)) for p in paths)) if paths else Speaker.id.is_(None)


def names_of(session: Session, found: Iterable[Line]) -> dict[str, str]:
    """Return code → 青石镇 石桥村 of every place in these lines."""
    paths = {line.place: codes_in(_path_to(line.path, line.place)) for line in found}
    known = regions.names(session, {code for codes in paths.values() for code in codes})
    return {place: " ".join(known.get(code, code) for code in (codes[1:] or codes)) for place, codes in paths.items()}


def _path_to(path: str, code: str) -> str:
    return path[: path.index(code) + len(code) + 1]


def _awake(now: datetime) -> Any:
    return or_(SpeakerAlarm.snoozed_until.is_(None), SpeakerAlarm.snoozed_until <= now)


def _gathered(rows: Sequence[Any], now: datetime) -> list[Line]:
    """Put together what fell silent at once in one township; everything else stays alone."""
    groups: defaultdict[tuple[str, bool], list[list[Any]]] = defaultdict(list)
    found: list[Line] = []
    for row in rows:
        alarm = row[0]
        if alarm.code != alarms.OFFLINE:
            found.append(_line([row], now))
            continue
        # In order of time: whoever follows the one before closely enough belongs to the same group.
        handled = alarm.acknowledged_at is not None or _asleep(alarm, now)
        clusters = groups[codes_in(row.region_path)[:2][-1], handled]
        if clusters and alarm.since - clusters[-1][-1][0].since <= AT_ONCE:
            clusters[-1].append(row)
        else:
            clusters.append([row])
    for clusters in groups.values():
        for cluster in clusters:
            together = len(cluster) >= TOGETHER
            found += [_line(cluster, now)] if together else [_line([row], now) for row in cluster]
    return sorted(found, key=lambda line: (line.since, line.count), reverse=True)


def _asleep(alarm: SpeakerAlarm, now: datetime) -> bool:
    return alarm.snoozed_until is not None and alarm.snoozed_until > now


def _line(rows: Sequence[Any], now: datetime) -> Line:
    alarm, name, path = rows[0]
    codes = codes_in(path)
    single = len(rows) == 1
    return Line(
        ids=tuple(row[0].id for row in rows),
        speakers=tuple(row[0].speaker_id for row in rows),
        code=alarm.code,
        speaker_id=alarm.speaker_id if single else "",
        name=name if single else "",
        path=path,
        place=codes[:3][-1] if single else codes[:2][-1],
        since=alarm.since,
        acknowledged_by=alarm.acknowledged_by_name if alarm.acknowledged_at else "",
        snoozed_until=alarm.snoozed_until if _asleep(alarm, now) else None,
    )


def _mine(session: Session, actor: Actor, alarm_ids: Sequence[UUID]) -> list[SpeakerAlarm]:
    """Return the alarms that still last; all must lie where the actor may see them, and may change loudspeakers."""
    query = (
        select(SpeakerAlarm, Speaker.region_path)
        .join(Speaker, Speaker.id == SpeakerAlarm.speaker_id)
        .where(SpeakerAlarm.id.in_(alarm_ids))
    )
    rows = session.execute(query).all()
    if not rows or not all(actor.may(Permission.SEE, row.region_path) for row in rows):
        raise NotFound("alarm_unknown")
    for path in {row.region_path for row in rows}:
        actor.require(Permission.EDIT_SPEAKERS, path)
    found = [row[0] for row in rows if row[0].ended_at is None]
    if not found:
        raise WrongState("alarm_over")
    return found


def _remember(
    session: Session, actor: Actor, found: Sequence[SpeakerAlarm], deed: str, now: datetime, *, detail: str = ""
) -> None:
    events.note(
        session,
        [
            events.Happening(alarm.speaker_id, EventKind.DEED, deed, f"{alarm.code} {detail}".strip(), actor.name)
            for alarm in found
        ],
        now=now,
    )
    path = found[0].region_path if len(found) == 1 else _shared([alarm.region_path for alarm in found])
    log.record(
        session,
        actor,
        f"speaker.alarm_{deed}",
        f"speaker:{found[0].speaker_id}",
        path,
        now,
        count=len(found),
        alarm=found[0].code,
    )


def _shared(paths: Sequence[str]) -> str:
    return "".join(f"{code}/" for code in codes_in(paths[0])[:2])

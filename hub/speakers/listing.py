"""Loudspeakers as their pages show them: with the names of their places, and the counts on top."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from hub.core.actor import Actor, Permission
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.tree import Level, codes_in, nearest
from hub.speakers import registry
from hub.speakers.care import alarms, geography, repairs
from hub.speakers.care.attention import visible
from hub.speakers.care.geography import Picture
from hub.speakers.care.models import Repair, SpeakerAlarm
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.forms import Filter
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.registry import Count, Enrolled
from hub.speakers.settings import THIS_MACHINE, MqttSettings
from hub.speakers.station import Station

PAGE = 50
HANGING = frozenset({Level.VILLAGE, Level.GROUP})
"""Levels a loudspeaker can hang in."""
FILTERED = frozenset({Level.TOWNSHIP, Level.VILLAGE})


class Show(StrEnum):
    """Which kind the list shows."""

    ALL = ""
    OFFLINE = "offline"
    FAULT = "fault"
    MUTE = "mute"
    REPAIR = "repair"
    EXPECTED = "expected"
    DRILL = "drill"


_FAULTY: Final = or_(
    Speaker.fault != "",
    select(SpeakerAlarm.id)
    .where(
        SpeakerAlarm.speaker_id == Speaker.id,
        SpeakerAlarm.ended_at.is_(None),
        SpeakerAlarm.raised_at.is_not(None),
        SpeakerAlarm.code != alarms.OFFLINE,
    )
    .exists(),
)
_MENDING: Final = select(Repair.id).where(Repair.speaker_id == Speaker.id, Repair.done_at.is_(None)).exists()
_rank: Final[ColumnElement[int]] = case((Speaker.online.is_(False), 0), (_FAULTY, 1), else_=2)
_ACTIVE: Final = Speaker.state == SpeakerState.ACTIVE
_NOT_YET: Final = Speaker.seen_at.is_(None)
_SHOWN: Final[dict[Show, Any]] = {
    Show.ALL: _ACTIVE,
    Show.OFFLINE: and_(_ACTIVE, Speaker.online.is_(False)),
    Show.FAULT: and_(_ACTIVE, _FAULTY),
    Show.MUTE: and_(_ACTIVE, Speaker.volume == 0),
    Show.REPAIR: and_(Speaker.state != SpeakerState.RETIRED, _MENDING),
    # Not installed: its papers are made, or it has its file, but it was never heard of.
    Show.DRILL: and_(_ACTIVE, Speaker.drill.is_(True)),
    Show.EXPECTED: or_(Speaker.state == SpeakerState.EXPECTED, and_(_ACTIVE, _NOT_YET, Speaker.online.is_(False))),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One loudspeaker of the list. `rank`: 0 offline, 1 faulty, 2 well."""

    speaker: Speaker
    rank: int
    mending: bool
    fault: str


@dataclass(frozen=True, slots=True)
class SpeakerPage:
    """Some loudspeakers, failing first. `places` names their villages; `after` says where to go on (empty: the end).

    `numbers` counts each kind in the chosen region; `matching` is how many the filter finds in all.
    """

    rows: tuple[Row, ...]
    places: dict[str, str]
    count: Count
    """Of those that people live by; those for drills are counted apart."""
    drills: int
    numbers: dict[Show, int]
    matching: int
    regions: list[tuple[str, str]]
    picture: Picture
    path: str
    """Of the chosen region; empty for all."""
    after: str


def page(session: Session, actor: Actor, wanted: Filter) -> SpeakerPage:
    """Return one page of what the filter asks for."""
    path = regions.get_region(session, actor, wanted.region).path if wanted.region else None
    found = rows(session, actor, wanted, path=path, after=wanted.place(), limit=PAGE + 1, lived_by=True)
    shown = found[:PAGE]
    last = shown[-1] if len(found) > PAGE else None
    numbers = _numbers(session, actor, path)
    matching = _matching(actor, wanted, path, lived_by=True).subquery()
    return SpeakerPage(
        rows=tuple(shown),
        places=places(session, [row.speaker for row in shown]),
        count=registry.count(session, actor, path),
        drills=registry.count_for_drills(session, actor, path),
        numbers=numbers,
        matching=session.scalar(select(func.count()).select_from(matching)) or 0,
        regions=regions.choices(session, actor, Permission.SEE, levels=FILTERED),
        picture=geography.picture(session, actor, path=path, with_marks=False),
        path=path or "",
        after=f"{last.rank}.{last.speaker.id}" if last else "",
    )


def rows(
    session: Session,
    actor: Actor,
    wanted: Filter,
    *,
    path: str | None,
    after: registry.Place | None = None,
    limit: int = PAGE,
    lived_by: bool = False,
) -> list[Row]:
    """Return loudspeakers after `after`: offline ones first, then faulty ones, then the rest.

    `lived_by`: those for drills only where they are asked for.
    """
    query = _matching(actor, wanted, path, lived_by=lived_by).add_columns(_rank.label("rank"))
    if after is not None:
        last_rank, last_id = after
        query = query.where(or_(_rank > last_rank, and_(_rank == last_rank, Speaker.id > last_id)))
    found = session.execute(query.order_by(_rank, Speaker.id).limit(limit)).all()
    ids = [speaker.id for speaker, _ in found]
    mending = repairs.in_repair(session, ids)
    faults = faults_of(session, ids)
    return [Row(speaker, rank, speaker.id in mending, faults.get(speaker.id, "")) for speaker, rank in found]


def ids_matching(session: Session, actor: Actor, wanted: Filter) -> list[str]:
    """Return every loudspeaker in service that the filter finds, for doing something to all of them."""
    path = regions.get_region(session, actor, wanted.region).path if wanted.region else None
    query = _matching(actor, wanted, path, lived_by=True).with_only_columns(Speaker.id).where(_ACTIVE)
    return list(session.scalars(query.order_by(Speaker.id)))


def faults_of(session: Session, speaker_ids: Sequence[str]) -> dict[str, str]:
    """Return the code of what is wrong with each of these, the oldest first; silence is not meant."""
    found: dict[str, str] = {}
    query = select(SpeakerAlarm.speaker_id, SpeakerAlarm.code).where(
        SpeakerAlarm.speaker_id.in_(speaker_ids),
        SpeakerAlarm.ended_at.is_(None),
        SpeakerAlarm.raised_at.is_not(None),
        SpeakerAlarm.code != alarms.OFFLINE,
    )
    for speaker_id, code in session.execute(query.order_by(SpeakerAlarm.since)):
        found.setdefault(speaker_id, code)
    return found


def _matching(actor: Actor, wanted: Filter, path: str | None, *, lived_by: bool) -> Any:
    show = Show(wanted.show) if wanted.show in set(Show) else Show.ALL
    query = select(Speaker).where(visible(actor, path), _SHOWN[show], *_kept_apart(show, lived_by=lived_by))
    text = wanted.query.strip()
    if text:
        query = query.where(
            or_(
                Speaker.id.contains(text.lower(), autoescape=True),
                Speaker.name.contains(text, autoescape=True),
                Speaker.place.contains(text, autoescape=True),
            )
        )
    return query


def _kept_apart(show: Show, *, lived_by: bool) -> list[ColumnElement[bool]]:
    return [Speaker.drill.is_(False)] if lived_by and show is not Show.DRILL else []


def _numbers(session: Session, actor: Actor, path: str | None) -> dict[Show, int]:
    columns = [func.count().filter(condition, *_kept_apart(show, lived_by=True)) for show, condition in _SHOWN.items()]
    row = session.execute(select(*columns).select_from(Speaker).where(visible(actor, path))).one()
    return dict(zip(_SHOWN, row, strict=True))


def places(session: Session, speakers: Sequence[Speaker]) -> dict[str, str]:
    """Return region path → 青石镇 石桥村 for some loudspeakers."""
    codes = {code for speaker in speakers for code in codes_in(speaker.region_path)}
    names = regions.names(session, codes)
    return {
        path: " ".join(names.get(code, code) for code in (codes_in(path)[1:] or codes_in(path)))
        for path in {speaker.region_path for speaker in speakers}
    }


def villages(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """Return (code, name) of every place where the actor may hang a loudspeaker."""
    return regions.choices(session, actor, Permission.EDIT_SPEAKERS, levels=HANGING)


def device_file(runtime: Runtime, enrolled: Enrolled, broker_host: str) -> DeviceFile:
    """Return what the new device must be given. `broker_host` is the hub's address as the device reaches it."""
    station, settings = runtime.get(Station), runtime.config.section(MqttSettings)
    path = enrolled.speaker.region_path
    host, port, secure = station.told_at(path)
    if nearest(settings.told_shards, path):
        broker_host = host  # a broker of its place's own
    return DeviceFile(
        id=enrolled.speaker.id,
        number=enrolled.speaker.number,
        secret=enrolled.secret,
        broker_host=broker_host,
        broker_port=port,
        broker_tls=secure,
        broker_ca=str(settings.ca_file) if secure and settings.ca_file else None,
        regions=codes_in(enrolled.speaker.region_path),
        hub_keys=station.keys.accepted(),
    )


def broker_host(runtime: Runtime) -> str:
    """Return the configured address of the broker, if it is one that other machines can use."""
    return runtime.config.section(MqttSettings).told_host


def is_for_this_machine(runtime: Runtime) -> bool:
    """Return whether the broker listens so that no other machine reaches it."""
    settings = runtime.config.section(MqttSettings)
    return settings.engine != "external" and settings.host in THIS_MACHINE

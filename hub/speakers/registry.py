"""Which loudspeakers there are, where they hang, and how they were when last heard of."""

from collections import Counter as Tally
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound, Problems, WrongState
from hub.core.keeping import Moment
from hub.regions.models import Region
from hub.regions.tree import Level, codes_in
from hub.speakers.broker.accounts import BrokerAccount, hash_password, new_secret
from hub.speakers.models import Counter, Speaker, SpeakerState
from hub.speakers.topics import is_device_id

ENROLMENTS = "speaker_number"
COMMANDS = "command_seq"
ID_LENGTH = 32
HANGING = frozenset({Level.VILLAGE, Level.GROUP})
"""Levels a loudspeaker can hang in."""
RESERVED = frozenset(
    {"hub", "hub-console", "new", "joining", "map", "import", "export", "alarms", "repairs", "patrol", "digest", "bulk"}
)
"""The first two are the hub's own names at the broker, the others are addresses of pages."""


Place = tuple[int, str]
"""Where a page of loudspeakers ended: 0 offline, 1 faulty, 2 well; and its id."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A new loudspeaker and the password it must be given; the password is kept nowhere."""

    speaker: Speaker
    secret: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many loudspeakers there are, and how many of them are silent."""

    total: int
    online: int

    @property
    def offline(self) -> int:
        """Those that are not connected."""
        return self.total - self.online


def next_value(session: Session, name: str, step: int = 1) -> int:
    """Return the first of `step` numbers that nobody else gets. Numbers only grow, across restarts."""
    take = taking(name, step)
    found = session.execute(take).scalar()
    if found is None:
        # Several hubs may want the first number at once: one of them begins, all of them take.
        new = sqlite.insert(Counter) if session.get_bind().dialect.name == "sqlite" else postgresql.insert(Counter)
        session.execute(new.values(name=name, value=0).on_conflict_do_nothing(index_elements=["name"]))
        found = session.execute(take).scalar_one()
    return int(found) - step + 1


def taking(name: str, step: int = 1) -> ReturningUpdate[int]:
    """Return the statement that takes `step` numbers and says the last; nothing, where none was ever taken."""
    return update(Counter).where(Counter.name == name).values(value=Counter.value + step).returning(Counter.value)


LEAP = 1_000_000
"""Commands sent between a backup and its restore, at most: more than a county sends in years."""


def go_on_after(session: Session, moment: Moment) -> int:
    """Leap over numbers that were given after the backup: devices refuse a command with a number they know."""
    for name in (COMMANDS, ENROLMENTS):
        next_value(session, name, LEAP)
    return 2


def enrol(
    session: Session,
    actor: Actor,
    *,
    speaker_id: str,
    name: str,
    region_code: str,
    now: datetime,
    simulated: bool = False,
    secret: str | None = None,
    state: SpeakerState = SpeakerState.ACTIVE,
) -> Enrolled:
    """Add a loudspeaker to a village or group and make its broker password.

    One that is EXPECTED may connect, but is nobody's target before it has done so (see `hub.speakers.joining`).
    """
    region = _place(session, actor, region_code)
    speaker_id = speaker_id.strip().lower()
    _check_new(session, speaker_id, name, region)
    secret = secret or new_secret()
    speaker = Speaker(
        id=speaker_id,
        number=next_value(session, ENROLMENTS),
        name=name.strip()[:60],
        region_code=region.code,
        region_path=region.path,
        password_hash=hash_password(secret),
        enrolled_at=now,
        simulated=simulated,
        state=state,
    )
    session.add(speaker)
    session.flush()
    log.record(session, actor, "speaker.enrol", f"speaker:{speaker_id}", region.path, now, number=speaker.number)
    return Enrolled(speaker, secret)


def _place(session: Session, actor: Actor, region_code: str) -> Region:
    region = session.get(Region, region_code)
    if region is None or not actor.may(Permission.SEE, region.path):
        raise NotFound("region_unknown", code_given=region_code)
    actor.require(Permission.EDIT_SPEAKERS, region.path)
    return region


def _check_new(session: Session, speaker_id: str, name: str, region: Region) -> None:
    problems = []
    if not is_device_id(speaker_id) or len(speaker_id) > ID_LENGTH or speaker_id in RESERVED:
        problems.append(BadInput("speaker_id_malformed", field="speaker_id"))
    elif known := session.get(Speaker, speaker_id):
        retired = known.state is SpeakerState.RETIRED
        code = "speaker_id_retired" if retired else "speaker_exists"
        problems.append(BadInput(code, field="speaker_id", speaker=speaker_id))
    if not name.strip():
        problems.append(BadInput("name_missing", field="name"))
    if region.level not in HANGING:
        problems.append(BadInput("speaker_needs_village", field="region_code"))
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)


def move(session: Session, actor: Actor, speaker_id: str, region_code: str, *, now: datetime) -> Speaker:
    """Hang a loudspeaker in another village or group; both places must be the actor's.

    It gets a new enrolment number: commands that were made for either place before do not mean it. What it has already
    been sent is called off by `moved_seq` (see `hub.speakers.joining.arrivals`).
    """
    speaker = get(session, actor, speaker_id)
    actor.require(Permission.EDIT_SPEAKERS, speaker.region_path)
    if speaker.state is SpeakerState.RETIRED:
        raise WrongState("speaker_retired_already", speaker=speaker_id)
    region = _place(session, actor, region_code)
    if region.level not in HANGING:
        raise BadInput("speaker_needs_village", field="region_code")
    if region.code == speaker.region_code:
        raise BadInput("speaker_there_already", field="region_code")
    before, speaker.region_code = speaker.region_path, region.code
    speaker.region_path = region.path
    speaker.number = next_value(session, ENROLMENTS)
    speaker.moved_seq, speaker.moved_at = next_value(session, COMMANDS), now
    if speaker.settings_version:
        speaker.settings_version += 1  # should nobody publish its new settings: its next heartbeat shows they are old
    for path in {before, region.path}:
        log.record(
            session,
            actor,
            "speaker.move",
            f"speaker:{speaker_id}",
            path,
            now,
            moved_from=before,
            moved_to=region.path,
            number=speaker.number,
        )
    return speaker


def retire(
    session: Session, actor: Actor, speaker_id: str, *, now: datetime, reason: str = "", replaced_by: str = ""
) -> Speaker:
    """Take a loudspeaker out of service; the broker will refuse it from now on.

    What else belongs to it (broker, retained messages) is `hub.speakers.joining.desk`'s.
    """
    speaker = get(session, actor, speaker_id)
    actor.require(Permission.EDIT_SPEAKERS, speaker.region_path)
    if speaker.state is SpeakerState.RETIRED:
        raise WrongState("speaker_retired_already", speaker=speaker_id)
    speaker.state = SpeakerState.RETIRED
    speaker.online = False
    speaker.activity = speaker.now_playing = ""
    log.record(
        session,
        actor,
        "speaker.retire",
        f"speaker:{speaker_id}",
        speaker.region_path,
        now,
        reason=reason[:200],
        replaced_by=replaced_by,
    )
    return speaker


def prepare_volume(session: Session, actor: Actor, speaker_id: str, volume: int) -> Speaker:
    """Return the loudspeaker if its volume may be set to that, else raise; nothing is changed."""
    speaker = get(session, actor, speaker_id)
    actor.require(Permission.EDIT_SPEAKERS, speaker.region_path)
    if speaker.state is SpeakerState.RETIRED:
        raise WrongState("speaker_retired_already", speaker=speaker_id)
    if not 0 <= volume <= 100:
        raise BadInput("volume_range", field="volume")
    return speaker


def set_volume(session: Session, actor: Actor, speaker_id: str, volume: int, *, now: datetime) -> Speaker:
    """Note the volume of routine items, 0 to 100. Telling the device is `hub.speakers.volume`'s."""
    speaker = prepare_volume(session, actor, speaker_id, volume)
    before, speaker.volume = speaker.volume, volume
    log.record(
        session, actor, "speaker.volume", f"speaker:{speaker_id}", speaker.region_path, now, before=before, after=volume
    )
    return speaker


def get(session: Session, actor: Actor, speaker_id: str) -> Speaker:
    """Return a loudspeaker the actor may see; to a stranger it does not exist."""
    speaker = session.get(Speaker, speaker_id)
    if speaker is None or not actor.may(Permission.SEE, speaker.region_path):
        raise NotFound("speaker_unknown", speaker=speaker_id)
    return speaker


def page(
    session: Session,
    actor: Actor,
    *,
    path: str | None = None,
    only_offline: bool = False,
    query: str = "",
    after: Place | None = None,
    limit: int = 50,
) -> list[Speaker]:
    """Return loudspeakers the actor may see, one page after `after`: offline ones first, then faulty, then the rest."""
    wanted = select(Speaker).where(_visible(actor, path), Speaker.state == SpeakerState.ACTIVE)
    if only_offline:
        wanted = wanted.where(Speaker.online.is_(False))
    if query.strip():
        text = query.strip()
        wanted = wanted.where(
            or_(Speaker.id.contains(text.lower(), autoescape=True), Speaker.name.contains(text, autoescape=True))
        )
    rank = case((Speaker.online.is_(False), 0), (Speaker.fault != "", 1), else_=2)
    if after is not None:
        last_rank, last_id = after
        wanted = wanted.where(or_(rank > last_rank, and_(rank == last_rank, Speaker.id > last_id)))
    return list(session.scalars(wanted.order_by(rank, Speaker.id).limit(limit)))


def place_of(speaker: Speaker) -> Place:
    """Return where a loudspeaker stands in the order of `page`."""
    if not speaker.online:
        return 0, speaker.id
    return (1 if speaker.fault else 2), speaker.id


def count(session: Session, actor: Actor, path: str | None = None) -> Count:
    """Count the loudspeakers the actor may see, below `path` if one is given, without those for drills."""
    row = session.execute(
        select(func.count(), func.count().filter(Speaker.online.is_(True))).where(
            _visible(actor, path), Speaker.state == SpeakerState.ACTIVE, Speaker.drill.is_(False)
        )
    ).one()
    return Count(*row)


def count_for_drills(session: Session, actor: Actor, path: str | None = None) -> int:
    """Return how many loudspeakers sound drills and nothing else."""
    query = select(func.count()).where(
        _visible(actor, path), Speaker.state == SpeakerState.ACTIVE, Speaker.drill.is_(True)
    )
    return session.scalar(query) or 0


def count_by_region(
    session: Session, actor: Actor, permission: Permission = Permission.SEE, *, drill: bool = False
) -> dict[str, Count]:
    """Return counts for every region code the actor may see, each including everything below it.

    Drill loudspeakers are counted apart: nobody lives by them.
    """
    paths = actor.paths(permission)
    if not paths:
        return {}
    rows = session.execute(
        select(Speaker.region_path, Speaker.online, func.count())
        .where(or_(*(Speaker.region_path.like(like_below(p)) for p in paths)), Speaker.state == SpeakerState.ACTIVE)
        .where(Speaker.drill.is_(drill))
        .group_by(Speaker.region_path, Speaker.online)
    )
    total: Tally[str] = Tally()
    online: Tally[str] = Tally()
    for region_path, is_online, number in rows:
        for code in region_path.strip("/").split("/"):
            total[code] += number
            online[code] += number if is_online else 0
    return {code: Count(total[code], online[code]) for code in total}


def totals_by_region(session: Session, actor: Actor) -> dict[str, int]:
    """Return how many loudspeakers hang below every region code the actor may see."""
    return {code: count.total for code, count in count_by_region(session, actor).items()}


def _visible(actor: Actor, path: str | None) -> Any:
    paths = actor.paths(Permission.SEE)
    if path is not None:
        paths = (path,) if actor.may(Permission.SEE, path) else ()
    return or_(*(Speaker.region_path.like(like_below(p)) for p in paths)) if paths else Speaker.id.is_(None)


def broker_accounts(session: Session) -> list[BrokerAccount]:
    """Return every loudspeaker in service or expected, as the broker must know it."""
    rows = session.execute(
        select(Speaker.id, Speaker.password_hash, Speaker.region_path).where(Speaker.state != SpeakerState.RETIRED)
    )
    return [BrokerAccount(row.id, row.password_hash, regions=codes_in(row.region_path)) for row in rows]

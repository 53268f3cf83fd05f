"""The shadow run: what would sound where, on the loudspeakers there are, and what stands in its way.

It asks the same questions as the real run: the same occurrences, the same sources, the same rules about who gives way.
Only the clock is another, and nothing goes out.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.delivery.rules import Rules
from broadcasts.delivery.visibility import touches
from hub.core.actor import SYSTEM, Actor, Permission
from hub.regions.tree import contains
from hub.speakers.models import Speaker, SpeakerState
from schedules import almanac, clashes, noise, timetable
from schedules.booking import rule_of
from schedules.calendar import occurrences
from schedules.clashes import Clash, Item, Overlap
from schedules.models import OccurrenceState, Slot, SlotKind
from schedules.noise import Limits, Sounding, Tally
from schedules.sources import Nothing, Piece, Sources
from schedules.timetable import Line


class Trouble(StrEnum):
    """What is wrong with something planned."""

    QUIET = "quiet"
    CLASH = "clash"
    YIELDS = "yields"
    NOTHING = "nothing"
    """There is nothing it could play."""
    NOT_READY = "not_ready"
    """Its sound is still to be made."""
    TOO_LONG = "too_long"
    """It lasts longer than its slot."""
    NOISE = "noise"
    """A village hears more than it should on that day."""
    NOISE_WEEK = "noise_week"
    """A village hears more than it should in that week."""
    OFFLINE = "offline"
    """Most of its loudspeakers are away."""


MOST_LINES = 100_000
SERIOUS = frozenset(Trouble) - {Trouble.NOT_READY, Trouble.OFFLINE}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong. `other` is the title of what it meets, `code` says why there is nothing, `amount` how much."""

    trouble: Trouble
    other: str = ""
    code: str = ""
    amount: int = 0
    limit: int = 0
    place: str = ""


@dataclass(frozen=True, slots=True)
class Showing:
    """One time something would sound, with all that stands against it."""

    line: Line
    end: datetime
    speakers: int
    offline: int
    findings: tuple[Finding, ...]

    @property
    def troubled(self) -> bool:
        """Whether somebody should do something about it."""
        return any(finding.trouble in SERIOUS for finding in self.findings)


@dataclass(frozen=True)
class Rehearsal:
    """What a stretch of time would bring."""

    since: datetime
    until: datetime
    showings: tuple[Showing, ...]
    clashes: tuple[Clash, ...]
    noise: Tally
    limits: Limits
    names: Mapping[str, str]
    """Villages by path."""

    @property
    def troubled(self) -> tuple[Showing, ...]:
        """What has something wrong."""
        return tuple(one for one in self.showings if one.troubled)

    def worst_day(self, village: str) -> tuple[date, float] | None:
        """Return the day of that time on which a village hears most, and how many minutes; None without a sound."""
        days = [(day, minutes) for (path, day), minutes in self.noise.by_day.items() if path == village]
        return max(days, key=lambda pair: pair[1], default=None)


@dataclass(frozen=True)
class Stage:
    """What a rehearsal needs of the hub. `limits`: the noise a village should not exceed."""

    rules: Rules
    sources: Sources
    limits: Limits

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the villages."""
        return self.rules.zone


@dataclass(frozen=True)
class Extra:
    """Slots that are not approved yet, shown as if they were; `instead_of` are the slots they would replace."""

    slots: Sequence[Slot] = ()
    instead_of: frozenset[UUID] = field(default_factory=frozenset)


def rehearse(
    session: Session,
    actor: Actor,
    stage: Stage,
    *,
    since: datetime,
    until: datetime,
    below: str = "",
    extra: Extra = Extra(),
) -> Rehearsal:
    """Run that time through. What the actor may not see is counted, but not shown; `below` narrows what is shown."""
    lines = timetable.lines(session, SYSTEM, since=since, until=until, limit=MOST_LINES)
    lines = [line for line in lines if line.slot_id not in extra.instead_of]
    lines += _extra(session, extra.slots, since, until)
    lines.sort(key=lambda line: (line.due_at, line.id))
    horns = _horns(session)
    cast = _Cast(session, stage, horns)
    parts = {(line.slot_id, line.due_at): cast.part(line) for line in lines if not line.gone}
    found = clashes.find([part.item for part in parts.values() if part.sounds or part.item.silence], horns.ids)
    sound = noise.heard(session, *_days_around(since, until, stage.zone))
    hushed = {(one.second.key, one.second.start) for one in found if one.overlap is Overlap.YIELDS}
    heard = {key: part for key, part in parts.items() if part.sounds and key not in hushed}
    places = noise.villages(session)
    later = timetable.to_come(session, until, timetable.week_end(until, stage.zone))
    back = _stepping_back(heard, [*sound, *later], [place.path for place in places], stage)
    heard = {key: part for key, part in heard.items() if key not in back}
    sound += [part.sounding for part in heard.values() if part.line.state is OccurrenceState.PLANNED]
    tally = noise.tally(sound, [place.path for place in places], stage.zone)
    against = _against(parts, found)
    for key in back:
        against[key].append(Finding(Trouble.NOTHING, code="noise_budget_spent"))
    _too_loud(heard, tally, stage, against)
    shown = tuple(
        Showing(line, line.due_at + timedelta(milliseconds=line.audio_ms), *horns.reached(line), ())
        if line.gone
        else _showing(parts[line.slot_id, line.due_at], against[line.slot_id, line.due_at], horns)
        for line in lines
        if _concerns(actor, line, below)
    )
    names = {place.path: place.name for place in places if _sees(actor, place.path)}
    return Rehearsal(since, until, shown, tuple(found), tally, stage.limits, names)


@dataclass(frozen=True, slots=True)
class _Part:
    line: Line
    item: Item
    piece: Piece | Nothing | None
    """None for an announcement with a time of its own: it is what it is."""
    findings: tuple[Finding, ...]
    sounds: bool

    @property
    def sounding(self) -> Sounding:
        ms = round((self.item.end - self.item.start).total_seconds() * 1000)
        return Sounding(self.item.paths, self.item.start, ms, self.line.volume)


@dataclass(frozen=True)
class _Horns:
    ids: Mapping[str, frozenset[str]]
    offline: frozenset[str]

    def reached(self, line: Line) -> tuple[int, int]:
        """Return how many loudspeakers something is for, and how many of them are away."""
        paths, only, without = line.audience.paths, frozenset(line.audience.only), frozenset(line.audience.without)
        found: set[str] = set()
        for place, ids in self.ids.items():
            if any(contains(path, place) for path in paths):
                found |= (ids & only if only else ids) - without
        return len(found), len(found & self.offline)


def _horns(session: Session) -> _Horns:
    ids: dict[str, set[str]] = defaultdict(set)
    offline = set()
    query = select(Speaker.id, Speaker.region_path, Speaker.online).where(
        Speaker.state == SpeakerState.ACTIVE, Speaker.drill.is_(False)
    )
    for speaker_id, path, online in session.execute(query):
        ids[path].add(speaker_id)
        if not online:
            offline.add(speaker_id)
    return _Horns({path: frozenset(found) for path, found in ids.items()}, frozenset(offline))


class _Cast:
    """Asks what each line would play."""

    def __init__(self, session: Session, stage: Stage, horns: _Horns) -> None:
        self._session, self._stage, self._horns = session, stage, horns
        self._slots: dict[UUID, Slot] = {}

    def part(self, line: Line) -> _Part:
        if line.announcement_id is not None:
            return self._part(line, None, line.audio_ms, [])
        slot = self._slots.get(line.slot_id) or self._session.get(Slot, line.slot_id)
        if slot is None:  # an extra slot, which is nowhere yet
            return self._part(line, None, line.audio_ms, [])
        self._slots[line.slot_id] = slot
        return self.of_slot(line, slot)

    def of_slot(self, line: Line, slot: Slot) -> _Part:
        piece = self._stage.sources.piece(self._session, slot, line.due_at)
        if isinstance(piece, Nothing):
            findings = [Finding(Trouble.NOTHING, code=piece.code)] if piece.code else []
            return self._part(line, piece, line.audio_ms, findings)
        ms = piece.ms or line.audio_ms
        findings = [] if piece.can_sound else [Finding(Trouble.NOT_READY)]
        room = slot.minutes * timetable.MINUTE_MS
        if room and ms > room:
            findings.append(Finding(Trouble.TOO_LONG, amount=-(-ms // 60_000), limit=slot.minutes))
        return self._part(line, piece, ms, findings)

    def _part(self, line: Line, piece: Piece | Nothing | None, ms: int, findings: list[Finding]) -> _Part:
        silence = line.kind is SlotKind.SILENCE
        sounds = line.audience.speakers and not silence and not isinstance(piece, Nothing)
        if sounds and self._stage.rules.quiet.touches(line.due_at, ms / 1000):
            findings = [*findings, Finding(Trouble.QUIET)]
        item = Item(
            key=line.slot_id,
            start=line.due_at,
            end=line.due_at + timedelta(milliseconds=max(ms, 1)),
            title=line.title,
            home_path=line.home_path,
            paths=line.audience.paths,
            only=frozenset(line.audience.only),
            without=frozenset(line.audience.without),
            silence=silence,
        )
        return _Part(line, item, piece, tuple(findings), sounds)


def _extra(session: Session, slots: Sequence[Slot], since: datetime, until: datetime) -> list[Line]:
    days = almanac.load(session) if slots else almanac.Almanac()
    second = timedelta(seconds=1)
    return [
        timetable.line_of(slot, None, due)
        for slot in slots
        for due in occurrences(rule_of(slot), since - second, until - second, days.of(slot.home_path))
    ]


def _days_around(since: datetime, until: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the whole weeks that hold a stretch of time."""
    first = since.astimezone(zone).date()
    return datetime.combine(_monday(first), datetime.min.time(), tzinfo=zone), until


Key = tuple[UUID, datetime]


def _against(parts: Mapping[Key, _Part], found: Sequence[Clash]) -> Mapping[Key, list[Finding]]:
    against: dict[Key, list[Finding]] = {key: list(part.findings) for key, part in parts.items()}
    for clash in found:
        trouble = Trouble(clash.overlap.value)
        second = (clash.second.key, clash.second.start)
        against[second].append(Finding(trouble, other=clash.first.title, amount=clash.speakers))
        if trouble is Trouble.CLASH:
            first = (clash.first.key, clash.first.start)
            against[first].append(Finding(trouble, other=clash.second.title, amount=clash.speakers))
    return against


def _stepping_back(
    heard: Mapping[Key, _Part], sound: Sequence[Sounding], villages: Sequence[str], stage: Stage
) -> set[Key]:
    """Return which plays of campaigns would step back, as they would when they are due."""
    ahead = {key: part for key, part in heard.items() if part.line.state is OccurrenceState.PLANNED}
    campaigns = [(key, part.sounding) for key, part in ahead.items() if part.line.kind is SlotKind.CAMPAIGN]
    others = [part.sounding for part in ahead.values() if part.line.kind is not SlotKind.CAMPAIGN]
    if not campaigns:
        return set()
    return noise.stepping_back(
        campaigns, noise.tally([*sound, *others], villages, stage.zone), villages, stage.limits, stage.zone
    )


def _too_loud(parts: Mapping[Key, _Part], tally: Tally, stage: Stage, against: Mapping[Key, list[Finding]]) -> None:
    """Say it at the last item of the day, and of the week, that a village has too much of: the one that could move."""
    limits = stage.limits
    for (village, day), key in _last_of(parts, tally.over(limits), stage.zone, _same_day).items():
        minutes = round(tally.day(village, day))
        _say(against[key], Finding(Trouble.NOISE, amount=minutes, limit=limits.a_day, place=village))
    for (village, monday), key in _last_of(parts, tally.weeks_over(limits), stage.zone, _monday).items():
        minutes = round(tally.week(village, monday))
        _say(against[key], Finding(Trouble.NOISE_WEEK, amount=minutes, limit=limits.a_week, place=village))


def _say(findings: list[Finding], found: Finding) -> None:
    """Once for an item is enough: its other villages are on the map."""
    if not any(finding.trouble is found.trouble for finding in findings):
        findings.append(found)


def _last_of(
    parts: Mapping[Key, _Part], over: Sequence[tuple[str, date]], zone: ZoneInfo, span: Callable[[date], date]
) -> Mapping[tuple[str, date], Key]:
    """Return the last item heard in each village within each stretch of time it has too much of."""
    villages: dict[date, list[str]] = defaultdict(list)
    for village, begin in over:
        villages[begin].append(village)
    last: dict[tuple[str, date], Key] = {}
    for key, part in sorted(parts.items(), key=lambda pair: pair[0][1]):
        begin = span(part.line.due_at.astimezone(zone).date())
        for village in villages.get(begin, ()):
            if touches(part.item.paths, (village,)):
                last[village, begin] = key
    return last


def _same_day(day: date) -> date:
    return day


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _showing(part: _Part, against: Sequence[Finding], horns: _Horns) -> Showing:
    speakers, offline = horns.reached(part.line)
    findings = list(against)
    if part.sounds and speakers and offline * 2 > speakers:
        findings.append(Finding(Trouble.OFFLINE, amount=offline, limit=speakers))
    if part.sounds and not speakers:
        findings.append(Finding(Trouble.NOTHING, code="no_speaker_there"))
    return Showing(part.line, part.item.end, speakers, offline, tuple(dict.fromkeys(findings)))


def _sees(actor: Actor, path: str) -> bool:
    return actor.may(Permission.SEE, path)


def _concerns(actor: Actor, line: Line, below: str) -> bool:
    if below and not touches(line.audience.paths, (below,)):
        return False
    return _sees(actor, line.home_path) or touches(line.audience.paths, actor.paths(Permission.SEE))

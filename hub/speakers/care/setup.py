"""How one loudspeaker is set up, and where it hangs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, Problems
from hub.speakers import registry
from hub.speakers.care import events
from hub.speakers.care.asking import in_service
from hub.speakers.care.models import EventKind
from hub.speakers.models import Speaker
from hub.speakers.protocol import MINUTES_A_DAY

MOST_TIMES: Final = 8
LONGEST_LEAD_IN_MS: Final = 5000
LENGTHS: Final[Mapping[str, int]] = {"name": 60, "place": 80, "keeper": 40, "model": 40, "note": 200}
MOST_HOUSEHOLDS: Final = 20_000
EARLIEST: Final = date(1980, 1, 1)


@dataclass(frozen=True, slots=True)
class LoudTime:
    """A time of the local day (minutes) in which routine sounds are no louder than `cap`."""

    start: int
    end: int
    cap: int


@dataclass(frozen=True, slots=True)
class Sound:
    """How it sounds."""

    volumes: tuple[LoudTime, ...]
    lead_in_ms: int
    drill: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where it hangs and who looks after it. `keeper` is a name, never a phone number."""

    name: str
    place: str = ""
    lat: float | None = None
    lon: float | None = None
    keeper: str = ""
    households: int | None = None
    model: str = ""
    installed_on: date | None = None
    note: str = ""

    @classmethod
    def of(cls, speaker: Speaker) -> "Place":
        """Return it as it is."""
        return cls(**{name: getattr(speaker, name) for name in cls.__dataclass_fields__})


def set_sound(session: Session, actor: Actor, speaker_id: str, sound: Sound, *, now: datetime) -> Speaker:
    """Set volumes by the time of day, lead-in and drill. Publishing the settings afterwards is the caller's."""
    speaker = in_service(session, actor, speaker_id)
    _raise([*_volume_problems(sound.volumes), *_lead_in_problems(sound.lead_in_ms)])
    volumes: list[dict[str, Any]] = [asdict(each) for each in sorted(sound.volumes, key=lambda t: t.start)]
    before = (speaker.volumes, speaker.lead_in_ms, speaker.drill)
    if (volumes, sound.lead_in_ms, sound.drill) == before:
        return speaker
    speaker.volumes, speaker.lead_in_ms, speaker.drill = volumes, sound.lead_in_ms, sound.drill
    _remember(
        session, actor, speaker, "sound_setup", now, lead_in_ms=sound.lead_in_ms, drill=sound.drill, times=len(volumes)
    )
    return speaker


def set_place(session: Session, actor: Actor, speaker_id: str, place: Place, *, now: datetime) -> Speaker:
    """Correct what is known about where it hangs."""
    speaker = registry.get(session, actor, speaker_id)
    actor.require(Permission.EDIT_SPEAKERS, speaker.region_path)
    check_place(place, now)
    changed = [name for name in Place.__dataclass_fields__ if getattr(speaker, name) != getattr(place, name)]
    for name in changed:
        setattr(speaker, name, getattr(place, name))
    if changed:
        _remember(session, actor, speaker, "place", now, changed=",".join(changed))
    return speaker


def check_place(place: Place, now: datetime) -> None:
    """Raise BadInput, or Problems, unless it can be."""
    problems = [
        BadInput("place_text_too_long", field=name, most=most)
        for name, most in LENGTHS.items()
        if len(getattr(place, name)) > most
    ]
    if not place.name:
        problems.append(BadInput("name_missing", field="name"))
    if any(sum(c.isdigit() for c in part) >= 7 for part in (place.keeper,)):
        problems.append(BadInput("keeper_is_a_number", field="keeper"))
    problems += _position_problems(place)
    if place.households is not None and not 0 <= place.households <= MOST_HOUSEHOLDS:
        problems.append(BadInput("households_range", field="households", most=MOST_HOUSEHOLDS))
    if place.installed_on is not None and not EARLIEST <= place.installed_on <= now.date():
        problems.append(BadInput("installed_on_range", field="installed_on"))
    _raise(problems)


def _position_problems(place: Place) -> list[BadInput]:
    if (place.lat is None) != (place.lon is None):
        return [BadInput("position_half", field="lat" if place.lat is None else "lon")]
    problems = []
    if place.lat is not None and not -90 <= place.lat <= 90:
        problems.append(BadInput("position_range", field="lat"))
    if place.lon is not None and not -180 <= place.lon <= 180:
        problems.append(BadInput("position_range", field="lon"))
    return problems


def _volume_problems(times: Sequence[LoudTime]) -> list[BadInput]:
    if len(times) > MOST_TIMES:
        return [BadInput("volumes_too_many", field="volumes", most=MOST_TIMES)]
    problems = []
    for n, each in enumerate(times):
        if not (0 <= each.start < MINUTES_A_DAY and 0 <= each.end <= MINUTES_A_DAY) or each.start == each.end:
            problems.append(BadInput("volume_time_wrong", field=f"start-{n}"))
        if not 0 <= each.cap <= 100:
            problems.append(BadInput("volume_range", field=f"cap-{n}"))
    return problems


def _lead_in_problems(lead_in_ms: int) -> list[BadInput]:
    return [] if 0 <= lead_in_ms <= LONGEST_LEAD_IN_MS else [BadInput("lead_in_range", field="lead_in")]


def _raise(problems: Sequence[BadInput]) -> None:
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(list(problems))


def _remember(session: Session, actor: Actor, speaker: Speaker, deed: str, now: datetime, **details: object) -> None:
    happened = events.Happening(speaker.id, EventKind.DEED, deed, "", actor.name)
    events.note(session, [happened], now=now)
    log.record(session, actor, f"speaker.{deed}", f"speaker:{speaker.id}", speaker.region_path, now, **details)

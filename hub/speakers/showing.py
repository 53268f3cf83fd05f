"""One loudspeaker as its page shows it: how it is, what happened, what was asked of it, what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from hub.core.actor import Actor, Permission
from hub.core.runtime import Runtime
from hub.speakers import history, listing, registry
from hub.speakers.care import asking, attention, events, patrol, repairs
from hub.speakers.care.asking import ENDS
from hub.speakers.care.awaited import PATIENCE
from hub.speakers.care.models import DeviceCommand, Repair, SpeakerAlarm, SpeakerEvent
from hub.speakers.care.patrol import Result
from hub.speakers.clarity import SpeakerVoices, VoicesOfSpeaker
from hub.speakers.history import SpeakerHistory
from hub.speakers.models import Speaker, SpeakerState

EVENTS: Final = 50
COMMANDS: Final = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the history: an event of this room, or what the room above tells of a broadcast."""

    at: datetime
    event: SpeakerEvent | None = None
    played: history.SpeakerEvent | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A command and how far it has come. `standing`: waiting, received, finished, failed, refused, stopped, silent."""

    command: DeviceCommand
    standing: str

    @property
    def open(self) -> bool:
        """Whether more is to come."""
        return self.standing in ("waiting", "received")


@dataclass(frozen=True, slots=True)
class Now:
    """What changes while one looks: the state and the answers to what was asked."""

    speaker: Speaker
    alarms: Sequence[SpeakerAlarm]
    asked: tuple[Asked, ...]
    result: Result
    tested_at: datetime | None
    report: dict[str, str]

    @property
    def waiting(self) -> bool:
        """Whether an answer is still to come."""
        return any(asked.open for asked in self.asked)


@dataclass(frozen=True, slots=True)
class Page:
    """All of it."""

    now: Now
    place: str
    moments: tuple[Moment, ...]
    repairs: Sequence[Repair]
    may_edit: bool
    may_report: bool
    sound_free_at: datetime | None
    """When a test may sound; None when it may at once, or never, as `sound_never` says."""
    sound_never: bool
    voices: SpeakerVoices | None = None
    """What people say of it."""

    @property
    def speaker(self) -> Speaker:
        """Which loudspeaker."""
        return self.now.speaker

    @property
    def open_repair(self) -> Repair | None:
        """The order that is not done."""
        return next((repair for repair in self.repairs if repair.done_at is None), None)

    @property
    def active(self) -> bool:
        """Whether it is in service."""
        return self.speaker.state is SpeakerState.ACTIVE


def page(runtime: Runtime, session: Session, actor: Actor, speaker_id: str) -> Page:
    """Return the page of a loudspeaker the actor may see."""
    now = runtime.now()
    present = state(session, actor, speaker_id, now=now)
    speaker = present.speaker
    free = asking.sound_allowed_at(runtime, now)
    voices = runtime.find(VoicesOfSpeaker)
    may_edit = actor.may(Permission.EDIT_SPEAKERS, speaker.region_path)
    return Page(
        now=present,
        place=listing.places(session, [speaker])[speaker.region_path],
        moments=_moments(runtime, session, actor, speaker_id),
        repairs=repairs.of_speaker(session, speaker_id),
        may_edit=may_edit,
        may_report=may_edit or actor.may(Permission.COMPOSE, speaker.region_path),
        sound_free_at=free if free is not None and free > now else None,
        sound_never=free is None,
        voices=voices.of(session, actor, speaker_id, now) if voices else None,
    )


def state(session: Session, actor: Actor, speaker_id: str, *, now: datetime) -> Now:
    """Return how it is now."""
    speaker = registry.get(session, actor, speaker_id)
    run = asking.test_of(session, speaker_id)
    asked = asking.latest(session, actor, speaker_id, limit=COMMANDS)
    return Now(
        speaker=speaker,
        alarms=attention.of_speaker(session, actor, speaker_id),
        asked=tuple(Asked(command, standing(command, now)) for command in asked),
        result=patrol.result_of(run, now),
        tested_at=(run.answered_at or run.asked_at) if run else None,
        report=patrol.report_of(run),
    )


def standing(command: DeviceCommand, now: datetime) -> str:
    """Return how far a command has come."""
    if command.state in ENDS:
        return "refused" if command.state == "expired" else command.state
    if now >= command.sent_at + PATIENCE:
        return "silent"
    return "received" if command.state else "waiting"


def _moments(runtime: Runtime, session: Session, actor: Actor, speaker_id: str) -> tuple[Moment, ...]:
    above = runtime.find(SpeakerHistory)
    found = [Moment(event.at, event=event) for event in events.latest(session, actor, speaker_id, limit=EVENTS)]
    if above is not None:
        found += [Moment(each.at, played=each) for each in above.latest(session, actor, speaker_id)]
    return tuple(sorted(found, key=lambda moment: moment.at, reverse=True)[:EVENTS])

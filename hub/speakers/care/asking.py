"""Ask something of one loudspeaker, and take in what it answers."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session
from uuid6 import uuid7

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import Unavailable, WrongState
from hub.core.runtime import Runtime
from hub.speakers import registry
from hub.speakers.care import alarms, events
from hub.speakers.care.awaited import Awaited
from hub.speakers.care.models import Deed, DeviceCommand, EventKind, SelfTestRun
from hub.speakers.care.quiet import QuietTimes
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import Reached, Receipt, Restart, SelfTest, SetVolume
from hub.speakers.station import Station

SENTENCES: Final[dict[Deed, type[SelfTest] | type[Restart] | type[SetVolume]]] = {
    Deed.TEST: SelfTest,
    Deed.SOUND: SelfTest,
    Deed.RESTART: Restart,
    Deed.VOLUME: SetVolume,
}
ENDS: Final = frozenset({Reached.FINISHED, Reached.FAILED, Reached.REFUSED, Reached.EXPIRED, Reached.STOPPED})


def ask(runtime: Runtime, actor: Actor, speaker_id: str, deed: Deed, *, level: int | None = None) -> UUID:
    """Send it a command and return the command's id; `level` is for the volume alone.

    Unavailable when the broker cannot be reached: then nothing is noted. WrongState when the loudspeaker is not in
    service, or when it would have to sound in quiet hours.
    """
    station, now = runtime.get(Station), runtime.now()
    with runtime.sessions.begin() as session:
        speaker = in_service(session, actor, speaker_id)
        if deed is Deed.SOUND:
            require_no_quiet(runtime, now)
        seq = registry.next_value(session, registry.COMMANDS)
        command_id = uuid7()
        detail = "" if level is None else str(level)
        session.add(
            DeviceCommand(
                id=command_id, speaker_id=speaker_id, deed=deed, detail=detail, sent_at=now, by_name=actor.name[:60]
            )
        )
        path = speaker.region_path
    awaited = runtime.find(Awaited)
    if awaited is not None:
        awaited.add([str(command_id)], now)
    if station.send(SENTENCES[deed], speaker_id, seq, id=str(command_id), **_fields(deed, level)) is None:
        with runtime.sessions.begin() as session:
            session.execute(delete(DeviceCommand).where(DeviceCommand.id == command_id))
        raise Unavailable("broker_away")
    with runtime.sessions.begin() as session:
        events.note(session, [events.Happening(speaker_id, EventKind.DEED, deed.value, detail, actor.name)], now=now)
        if deed is not Deed.VOLUME:
            log.record(session, actor, f"speaker.{deed}", f"speaker:{speaker_id}", path, now)
    return command_id


def in_service(session: Session, actor: Actor, speaker_id: str) -> Speaker:
    """Return a loudspeaker the actor may change and that takes commands; else raise."""
    speaker = registry.get(session, actor, speaker_id)
    actor.require(Permission.EDIT_SPEAKERS, speaker.region_path)
    if speaker.state is SpeakerState.RETIRED:
        raise WrongState("speaker_retired_already", speaker=speaker_id)
    if speaker.state is SpeakerState.EXPECTED:
        raise WrongState("speaker_not_installed", speaker=speaker_id)
    return speaker


def require_no_quiet(runtime: Runtime, now: datetime) -> None:
    """Raise WrongState in quiet hours, with the time when a test may sound."""
    free = sound_allowed_at(runtime, now)
    if free is None:
        raise WrongState("test_never_allowed")
    if free > now:
        raise WrongState("test_in_quiet_hours", free_at=free.astimezone(runtime.zone).strftime("%H:%M"))


def sound_allowed_at(runtime: Runtime, now: datetime) -> datetime | None:
    """Return `now` when a test may sound, else when it may."""
    quiet = runtime.find(QuietTimes)
    return now if quiet is None else quiet.free_at(now)


def get(session: Session, command_id: UUID) -> DeviceCommand:
    """Return a command that `ask` has sent."""
    return session.get_one(DeviceCommand, command_id)


def latest(
    session: Session, actor: Actor, speaker_id: str, *, limit: int = 1, after: tuple[datetime, UUID] | None = None
) -> Sequence[DeviceCommand]:
    """Return the latest commands to a loudspeaker the actor may see, newest first; `after` is the last one seen."""
    registry.get(session, actor, speaker_id)
    query = select(DeviceCommand).where(DeviceCommand.speaker_id == speaker_id)
    if after is not None:
        query = query.where(tuple_(DeviceCommand.sent_at, DeviceCommand.id) < after)
    return session.scalars(query.order_by(DeviceCommand.sent_at.desc(), DeviceCommand.id.desc()).limit(limit)).all()


def test_of(session: Session, speaker_id: str) -> SelfTestRun | None:
    """Return the latest self-test of a loudspeaker."""
    return session.get(SelfTestRun, speaker_id)


def note_answers(session: Session, receipts: Iterable[Receipt], *, now: datetime) -> None:
    """Write down what loudspeakers answered to commands of this room. A last word is not overwritten by an earlier."""
    found = {UUID(receipt.id): receipt for receipt in receipts if receipt.id is not None and _newer(receipt)}
    if not found:
        return
    commands = session.scalars(select(DeviceCommand).where(DeviceCommand.id.in_(found))).all()
    for command in commands:
        receipt = found[command.id]
        if receipt.dev == command.speaker_id and command.state not in ENDS:
            command.state, command.reason, command.heard_at = receipt.st.value, receipt.reason or "", now
    # A refusal of a test that a person asked for, in quiet hours for instance, says nothing about the device.
    tests = {c.speaker_id: found[c.id] for c in commands if c.deed in (Deed.TEST, Deed.SOUND) and _made(found[c.id])}
    runs = session.scalars(select(SelfTestRun).where(SelfTestRun.command_id.in_(found))).all()
    tests.update({run.speaker_id: found[run.command_id] for run in runs})
    _note_tests(session, {who: what for who, what in tests.items() if what.st in ENDS and what.dev == who}, now)


def _made(receipt: Receipt) -> bool:
    return receipt.st in (Reached.FINISHED, Reached.FAILED)


def _newer(receipt: Receipt) -> bool:
    return receipt.st is not Reached.DUPLICATE


def _note_tests(session: Session, made: dict[str, Receipt], now: datetime) -> None:
    if not made:
        return
    runs = session.scalars(select(SelfTestRun).where(SelfTestRun.speaker_id.in_(made)))
    known = {run.speaker_id: run for run in runs}
    happened, failed = [], {}
    for speaker_id, receipt in made.items():
        passed = receipt.st is Reached.FINISHED
        command_id = UUID(receipt.id)
        run = known.get(speaker_id)
        if run is None:
            run = SelfTestRun(speaker_id=speaker_id, asked_at=now, sent_at=now)
            session.add(run)
        elif run.command_id == command_id and run.answered_at is not None:
            continue
        run.command_id, run.answered_at, run.passed = command_id, now, passed
        run.report = json.dumps(_report(receipt), ensure_ascii=False)
        detail = "" if passed else (receipt.reason or "")
        happened.append(events.Happening(speaker_id, EventKind.TEST, "passed" if passed else "failed", detail))
        if not passed:
            failed[speaker_id] = now
    events.note(session, happened, now=now)
    alarms.end(session, alarms.TEST, [h.speaker_id for h in happened if h.speaker_id not in failed], now=now)
    alarms.begin(session, alarms.TEST, failed, now=now)


def _report(receipt: Receipt) -> dict[str, str]:
    found = dict(receipt.report or {})
    if receipt.reason:
        found.setdefault("reason", receipt.reason)
    return found


def _fields(deed: Deed, level: int | None) -> dict[str, Any]:
    if deed is Deed.VOLUME:
        return {"level": level}
    return {"sound": deed is Deed.SOUND} if deed in (Deed.TEST, Deed.SOUND) else {}

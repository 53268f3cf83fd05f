"""Listen to all loudspeakers and keep their history and alarms true."""

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import select

from hub.core.runtime import Runtime
from hub.speakers.care import alarms, asking, events, keeping
from hub.speakers.care.awaited import Awaited
from hub.speakers.care.events import Happening
from hub.speakers.care.models import EventKind, SpeakerAlarm
from hub.speakers.care.patrol import Patrol
from hub.speakers.protocol import Beat, FaultCode, FaultReport, Receipt
from hub.speakers.settings import CareSettings
from hub.speakers.station import Station

STEP_S: Final = 10.0
TIDY_EVERY: Final = timedelta(hours=1)
SAY_AGAIN: Final = timedelta(minutes=10)
"""The same refusal by the same loudspeaker is written down at most so often: an attacker must not fill the history."""
OWN: Final = frozenset(code.value for code in FaultCode) - {alarms.CLOCK}
"""Faults that a device reports and takes back itself; its clock is judged by the hub's."""


class _Said(NamedTuple):
    """What is kept of a heartbeat until the next."""

    up_s: int | None
    cfg: int
    bad: int

    @classmethod
    def of(cls, beat: Beat) -> "_Said":
        return cls(beat.up_s, beat.cfg, beat.bad)


class Watch:
    """What the hub remembers between two messages of a loudspeaker, and what it writes down when something changed."""

    def __init__(self, runtime: Runtime, station: Station, awaited: Awaited) -> None:
        self._runtime = runtime
        self._station = station
        self._awaited = awaited
        self._settings = runtime.config.section(CareSettings)
        self._guard = threading.Lock()
        self._faults: dict[str, frozenset[str]] | None = None
        self._before: dict[str, _Said] = {}
        self._said: dict[tuple[str, str], datetime] = {}
        self._tidied_at: datetime | None = None

    def changed(self, came: Sequence[str], went: Sequence[str]) -> None:
        """Note who came and who went: one transaction, however many."""
        found = [Happening(one, EventKind.ONLINE) for one in came]
        now = self._runtime.now()
        found += [
            Happening(one, EventKind.OFFLINE, events.HUB_WAS_AWAY if self._station.was_away(one) else "")
            for one in went
        ]
        if found:
            with self._runtime.sessions.begin() as session:
                events.note(session, found, now=now)

    def faults(self, reports: Sequence[FaultReport]) -> None:
        """Note faults that came or went. The last word about each counts."""
        known = {value.value for value in FaultCode}
        details = {(r.dev, r.code): r.detail or "" for r in reports}
        last = {(r.dev, r.code): r.on for r in reports if r.code in known}
        with self._guard:
            have = self._known_faults()
            came = [key for key, on in last.items() if on and key[1] not in have.get(key[0], frozenset())]
            went = [key for key, on in last.items() if not on and key[1] in have.get(key[0], frozenset())]
            self._write_faults(came, went, details)

    def beats(self, beats: Sequence[Beat]) -> None:
        """Note what a heartbeat says differently from the one before. Faults heal by it when a report was lost."""
        latest = {beat.dev: beat for beat in beats}
        with self._guard:
            have = self._known_faults()
            found = [
                happening
                for beat in latest.values()
                if (before := self._before.get(beat.dev)) is not None
                for happening in _differences(before, beat)
            ]
            self._before.update({dev: _Said.of(beat) for dev, beat in latest.items()})
            came = [(b.dev, c) for b in latest.values() for c in OWN & set(b.faults) - have.get(b.dev, frozenset())]
            went = [(b.dev, c) for b in latest.values() for c in OWN & have.get(b.dev, frozenset()) - set(b.faults)]
            self._write_faults(came, went, {})
        if found:
            with self._runtime.sessions.begin() as session:
                events.note(session, found, now=self._runtime.now())

    def receipts(self, receipts: Sequence[Receipt]) -> None:
        """Note answers to commands of this room, and messages that a device could not believe."""
        now = self._runtime.now()
        answers = self._awaited.of(receipts)
        refused = self._new_refusals(receipts, now)
        if answers or refused:
            with self._runtime.sessions.begin() as session:
                asking.note_answers(session, answers, now=now)
                events.note(session, refused, now=now)

    def step(self) -> float:
        """Let alarms begin, be told and end. A step of a background loop."""
        now = self._runtime.now()
        grace = timedelta(minutes=self._settings.offline_alarm_minutes)
        with self._runtime.sessions.read() as session:
            changes = alarms.survey(session, now=now, grace=grace, heard=self._station.hears)
        if changes:
            with self._runtime.sessions.begin() as session:
                alarms.apply(session, changes, now=now)
        if self._tidied_at is None or now - self._tidied_at >= TIDY_EVERY:
            self._tidied_at = now
            with self._runtime.sessions.begin() as session:
                keeping.tidy(session, now=now, days=self._settings.keep_events_days)
        return STEP_S

    def _known_faults(self) -> dict[str, frozenset[str]]:
        """Return the faults that last; read from the tables once."""
        if self._faults is None:
            query = select(SpeakerAlarm.speaker_id, SpeakerAlarm.code).where(
                SpeakerAlarm.ended_at.is_(None), SpeakerAlarm.code.in_(OWN)
            )
            found: dict[str, frozenset[str]] = {}
            with self._runtime.sessions.read() as session:
                for speaker_id, code in session.execute(query):
                    found[speaker_id] = found.get(speaker_id, frozenset()) | {code}
            self._faults = found
        return self._faults

    def _write_faults(
        self, came: list[tuple[str, str]], went: list[tuple[str, str]], details: dict[tuple[str, str], str]
    ) -> None:
        if not came and not went:
            return
        now = self._runtime.now()
        with self._runtime.sessions.begin() as session:
            events.note(session, _fault_events(came, went, details), now=now)
            for code in {code for _, code in came} & OWN:
                alarms.begin(session, code, {dev: now for dev, c in came if c == code}, now=now)
            for code in {code for _, code in went}:
                alarms.end(session, code, [dev for dev, c in went if c == code], now=now)
        have = self._known_faults()
        for dev, code in came:
            have[dev] = have.get(dev, frozenset()) | {code}
        for dev, code in went:
            have[dev] = have.get(dev, frozenset()) - {code}

    def _new_refusals(self, receipts: Sequence[Receipt], now: datetime) -> list[Happening]:
        found = {(r.dev, r.reason or ""): r for r in receipts if r.id is None}
        if not found:
            return []
        with self._guard:
            self._said = {key: at for key, at in self._said.items() if now - at < SAY_AGAIN}
            new = [key for key in found if key not in self._said]
            self._said.update(dict.fromkeys(new, now))
        return [Happening(dev, EventKind.REFUSED, reason) for dev, reason in new]


def attach(runtime: Runtime, station: Station) -> None:
    """Offer this room's services and listen to the station; nothing is started."""
    awaited = runtime.provide(Awaited, Awaited(everything=not runtime.duties.whole))
    watch = runtime.provide(Watch, Watch(runtime, station, awaited))
    runtime.provide(Patrol, Patrol(runtime, station, awaited))
    station.on_receipts(watch.receipts)
    station.on_beats(watch.beats)
    station.on_faults(watch.faults)
    station.on_changes(watch.changed)


def _fault_events(
    came: Iterable[tuple[str, str]], went: Iterable[tuple[str, str]], details: dict[tuple[str, str], str]
) -> list[Happening]:
    return [
        *(Happening(dev, EventKind.FAULT, code, details.get((dev, code), "")) for dev, code in came),
        *(Happening(dev, EventKind.RECOVERY, code, details.get((dev, code), "")) for dev, code in went),
    ]


def _differences(before: _Said, beat: Beat) -> Iterable[Happening]:
    if beat.up_s is not None and before.up_s is not None and beat.up_s < before.up_s:
        yield Happening(beat.dev, EventKind.RESTART, "started")
    if beat.cfg > before.cfg:
        yield Happening(beat.dev, EventKind.SETTINGS, "taken")
    if beat.bad > before.bad:
        yield Happening(beat.dev, EventKind.REFUSED, "bad_messages", str(beat.bad - before.bad))

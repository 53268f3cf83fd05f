"""The rules of a loudspeaker, without network, clock or disk: messages and ticks in, actions out."""

import secrets
from collections.abc import Callable
from typing import Final

from hub.speakers.device.actions import Action, Fetch, Resubscribe, Send, SendBeat, SetLevel
from hub.speakers.device.memory import Memory, Queued
from hub.speakers.device.playing import STUCK_AFTER_MS, Playing
from hub.speakers.envelope import KeyRing, Refused
from hub.speakers.protocol import (
    Beat,
    Command,
    Configure,
    Doing,
    Ping,
    Play,
    Priority,
    Reached,
    Settings,
    SetVolume,
    Stop,
    TimeAnswer,
    read_command,
)

CLOCK_SLACK_MS: Final = 300_000
MAX_QUEUE: Final = 64
ANSWER_WITHIN_MS: Final = 10_000
COMPLAIN_EVERY_MS: Final = 10_000
SECOND_BEAT_MS: Final = 10_000

Read = Callable[[bytes, KeyRing], Command | Refused]


class SpeakerCore(Playing):
    """One loudspeaker. Every call takes `now` (ms UTC of the local clock) and returns actions in order.

    The caller must persist `memory` whenever `dirty` is set, before it carries out the actions: that order
    is what keeps a power cut from playing anything twice.
    """

    def __init__(
        self,
        device: str,
        first: Settings,
        memory: Memory,
        *,
        version: str = "cunxiang-1",
        clock_known: bool = True,
        read: Read = read_command,
    ) -> None:
        super().__init__(device, first, memory)
        self._version = version
        self._read = read
        self._clock_known = clock_known
        self._next_beat: int | None = None
        self._nonce = ""
        self._nonce_at = 0
        self._bad = 0
        self._complained: dict[str, int] = {}

    # ---- what happens to the device

    def connected(self, now: int) -> list[Action]:
        """The broker has let the device in: say so with a heartbeat, and again soon.

        After a broker's fall the hub may come back later than the device and miss the first one.
        """
        self._next_beat = now
        actions = self.tick(now)
        self._next_beat = now + min(SECOND_BEAT_MS, self.settings.beat_s * 1000)
        return actions

    def disconnected(self) -> None:
        """No heartbeats until the next connection; sounds go on."""
        self._next_beat = None

    def receive(self, message: bytes, now: int) -> list[Action]:
        """A message arrived, on whatever topic: only what is signed inside counts."""
        command = self._read(message, self._ring)
        if isinstance(command, TimeAnswer):
            return self._set_clock(command, now)
        now = self._time(now)
        if isinstance(command, Refused):
            return self._complain(command, now)
        settings = self.settings
        if not command.to.means(self.device, settings.number, self._regions):
            return []
        match command:
            case Stop():
                return self._stop(command, now)
            case Configure():
                return self._configure(command, now)
            case _:
                return self._timed(command, now)

    def tick(self, now: int) -> list[Action]:
        """Time has passed."""
        actions = self._advance(self._time(now))
        if self._next_beat is not None and now >= self._next_beat:
            self._next_beat = now + self.settings.beat_s * 1000
            actions.append(SendBeat())
        return actions

    def next_wake(self, now: int) -> int:
        """The local time by which `tick` must be called again, if nothing happens before."""
        wakes = [now + self.settings.beat_s * 1000 if self._next_beat is None else self._next_beat]
        for item in self.memory.queue:
            if item.command.id == self.memory.playing:
                wakes.append(self._started + item.command.audio.duration_ms * 2 + STUCK_AFTER_MS - self._offset)
                continue
            wakes.append(item.command.exp - self._offset)
            if item.next_try:
                wakes.append(item.next_try - self._offset)
            if item.command.start_at is not None and item.fetched:
                wakes.append(item.command.start_at - self._offset)
        later = [wake for wake in wakes if wake > now]
        return min(later, default=now + 1000)

    def beat(self, now: int, free: int) -> Beat:
        """The heartbeat of this moment, with a fresh nonce for the hub's clock to answer."""
        self._nonce, self._nonce_at = secrets.token_hex(8), now
        memory = self.memory
        idle = Doing.FAULT if self._fault else Doing.IDLE
        return Beat(
            dev=self.device,
            st=Doing.PLAYING if memory.playing else idle,
            now=memory.playing,
            last=tuple(memory.recent),
            seq=memory.last_seq,
            ts=self._time(now),
            free=free,
            vol=self._lasting_volume(),
            ver=self._version,
            cfg=self.settings.version,
            nonce=self._nonce,
            bad=self._bad,
        )

    # ---- commands

    def _timed(self, command: Play | SetVolume | Ping, now: int) -> list[Action]:
        """Everything that expires: seen before, too early, too late, or too old to be remembered."""
        if command.id not in self.memory.seen and not self._clock_known:
            return []
        objection = self._objection(command, now)
        if objection is not None:
            return [objection]
        self.memory.hub_time = max(self.memory.hub_time, command.iat)
        self.memory.last_seq = max(self.memory.last_seq, command.seq)
        match command:
            case Play():
                return self._play(command, now)
            case SetVolume():
                return self._set_volume(command, now)
            case Ping():
                return [self._note(command, Reached.FINISHED, now)]

    def _objection(self, command: Command, now: int) -> Send | None:
        known = self.memory.seen.get(command.id)
        if known is not None:
            return self._receipt(command.id, Reached.DUPLICATE, now, reached=known.state)
        if now >= command.exp:
            return self._receipt(command.id, Reached.EXPIRED, now)
        if now < command.nbf or command.iat > now + CLOCK_SLACK_MS:
            return self._receipt(command.id, Reached.REFUSED, now, "not_yet")
        if self.memory.is_too_old(command):
            return self._receipt(command.id, Reached.REFUSED, now, "replayed")
        return None

    def _play(self, command: Play, now: int) -> list[Action]:
        if self.memory.was_stopped(command):
            return [self._note(command, Reached.STOPPED, now, "stopped_before", 0)]
        if self._forbidden(command, max(now, command.start_at or now)):
            return [self._note(command, Reached.REFUSED, now, "quiet_hours")]
        if len(self.memory.queue) >= MAX_QUEUE:
            return [self._receipt(command.id, Reached.REFUSED, now, "busy")]
        self.memory.queue.append(Queued(command=command))
        received = self._note(command, Reached.RECEIVED, now)
        return [received, Fetch(command.audio, command.pri), *self._advance(now)]

    def _set_volume(self, command: SetVolume, now: int) -> list[Action]:
        self.memory.volume = command.level
        playing = self.memory.item(self.memory.playing)
        finished = self._note(command, Reached.FINISHED, now)
        if playing is not None and playing.command.pri is Priority.EMERGENCY:
            return [finished]
        return [finished, SetLevel(self._lasting_volume())]

    def _stop(self, command: Stop, now: int) -> list[Action]:
        """Silence and remember. It touches only what was issued before it, so a replay does no harm."""
        known = command.id in self.memory.seen
        self.dirty = True
        self.memory.take_stop(command)
        actions: list[Action] = []
        for item in list(self.memory.queue):
            if self.memory.was_stopped(item.command):
                actions += self._call_off(item, Reached.STOPPED, now)
        if known:
            again = self._receipt(command.id, Reached.DUPLICATE, now, reached=Reached.FINISHED)
            return [*actions, again, *self._advance(now)]
        self.memory.last_seq = max(self.memory.last_seq, command.seq)
        return [*actions, self._note(command, Reached.FINISHED, now), *self._advance(now)]

    def _configure(self, command: Configure, now: int) -> list[Action]:
        new, old = command.settings, self.settings
        if new.version == old.version:
            return []
        if new.version < old.version:
            return [self._receipt(command.id, Reached.REFUSED, now, "replayed")]
        self.memory.settings = new
        self._take_settings()
        actions: list[Action] = [self._note(command, Reached.FINISHED, now)]
        gone, come = set(old.regions) - set(new.regions), set(new.regions) - set(old.regions)
        if gone or come:
            actions.append(Resubscribe(tuple(sorted(gone)), tuple(sorted(come))))
        if self.memory.playing is None:
            actions.append(SetLevel(self._lasting_volume()))
        if self._next_beat is not None:
            self._next_beat = now - self._offset + new.beat_s * 1000
            actions.append(SendBeat())
        return actions + self._advance(now)

    def _set_clock(self, answer: TimeAnswer, local: int) -> list[Action]:
        """Believe the hub's clock only in answer to the heartbeat just sent."""
        waited = local - self._nonce_at
        to_me = answer.to.means(self.device, self.settings.number, self._regions)
        if not to_me or answer.nonce != self._nonce or not 0 <= waited <= ANSWER_WITHIN_MS:
            return []
        self._nonce = ""
        self._offset = answer.iat + waited // 2 - local
        self._clock_known = True
        self.memory.hub_time = answer.iat
        self.dirty = True
        return self._advance(self._time(local))

    def _complain(self, refused: Refused, now: int) -> list[Action]:
        """Answer what cannot be believed, without naming what it claims to be, and not too often."""
        self._bad += 1
        if now < self._complained.get(refused.reason, 0) + COMPLAIN_EVERY_MS:
            return []
        self._complained[refused.reason] = now
        return [self._receipt(None, Reached.REFUSED, now, refused.reason)]

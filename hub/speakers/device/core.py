"""The rules of a loudspeaker, without network, clock or disk: messages and ticks in, actions out."""

import base64
import binascii
import secrets
from collections.abc import Callable
from typing import Final, Unpack

from hub.speakers.device.actions import Action, Feed, Resubscribe, Send, SendBeat, SetLevel
from hub.speakers.device.ground import Health
from hub.speakers.device.keeping import Keeping
from hub.speakers.device.memory import Memory, Queued
from hub.speakers.envelope import KeyRing, Refused
from hub.speakers.protocol import (
    Beat,
    Chunk,
    Command,
    Configure,
    Doing,
    FaultCode,
    Ping,
    Play,
    Prefetch,
    Priority,
    Reached,
    Records,
    Restart,
    SelfTest,
    Settings,
    SetVolume,
    Stop,
    TimeAnswer,
    read_command,
)

CLOCK_SLACK_MS: Final = 300_000
CLOCK_WRONG_MS: Final = 5_000
EARLY_MS: Final = 5_000
"""A clock that is right to some seconds must not refuse what the hub has just said."""
MAX_QUEUE: Final = 64
MAX_EMERGENCIES: Final = 16
"""Emergencies have places of their own: a long sheet of routine plays leaves room for them."""
ANSWER_WITHIN_MS: Final = 10_000
COMPLAIN_EVERY_MS: Final = 10_000
SECOND_BEAT_MS: Final = 10_000
LEAST_FREE: Final = 20_000_000

Read = Callable[[bytes, KeyRing], Command | Refused]
Timed = Play | SetVolume | Ping | Prefetch | Restart | SelfTest | Records


class SpeakerCore(Keeping):
    """One loudspeaker. Every call takes `now` (ms UTC of the local clock) and returns actions in order.

    The caller must persist `memory` whenever `dirty` is set, before it carries out the actions, and say `kept`; or
    `unkept`, and carry out what that answers instead. That order is what keeps a power cut from playing anything twice.
    """

    def __init__(
        self,
        device: str,
        first: Settings,
        memory: Memory,
        *,
        version: str = "cunxiang-1",
        clock_known: bool = True,
        can_speak: bool = False,
        read: Read = read_command,
    ) -> None:
        super().__init__(device, first, memory, can_speak=can_speak)
        self._version = version
        self._read = read
        self._clock_known = clock_known
        self._next_beat: int | None = None
        self._nonce = ""
        self._nonce_at = 0
        self._bad = 0
        self._complained: dict[str, int] = {}
        self._chunks: dict[str, set[int]] = {}
        self._health = Health()
        self._up_since: int | None = None

    # ---- what happens to the device

    def boot(self, now: int) -> list[Action]:
        """Call once after power on. What was sounding is over; what waited still waits."""
        self._up_since = now
        return super().boot(now)

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

    def set_health(self, **measured: Unpack[Health]) -> None:
        """What heartbeats say from now on of what the body measures: amp, mains, battery, temp, signal, pack."""
        self._health.update(measured)

    def receive(self, message: bytes, now: int) -> list[Action]:
        """A message arrived, on whatever topic: only what is signed inside counts."""
        command = self._read(message, self._ring)
        if isinstance(command, TimeAnswer):
            return self._set_clock(command, now)
        now = self._time(now)
        if isinstance(command, Refused):
            return self._complain(command, now)
        if not command.to.means(self.device, self.settings.number, self._regions):
            return []
        match command:
            case Stop():
                return self._stop(command, now)
            case Configure():
                return self._configure(command, now)
            case Chunk():
                return self._feed(command, now)
            case _:
                return self._timed(command, now)

    def tick(self, now: int) -> list[Action]:
        """Time has passed."""
        unsaid, self._unsaid = self._unsaid, []
        beats: list[Action] = []
        if self._next_beat is not None and now >= self._next_beat:
            self._next_beat = now + self.settings.beat_s * 1000
            beats.append(SendBeat())
        return [*unsaid, *beats, *self._advance(self._time(now))]

    def next_wake(self, now: int) -> int:
        """The local time by which `tick` must be called again, if nothing happens before."""
        wakes = [wake - self._offset for wake in self._wakes()]
        wakes.append(now + self.settings.beat_s * 1000 if self._next_beat is None else self._next_beat)
        if self._unsaid:
            wakes.append(now + 1)
        return min((wake for wake in wakes if wake > now), default=now + 1000)

    def beat(self, now: int, free: int) -> Beat:
        """The heartbeat of this moment, with a fresh nonce for the hub's clock to answer."""
        self._nonce, self._nonce_at = secrets.token_hex(8), now
        memory = self.memory
        self._unsaid += self._turn(
            FaultCode.STORAGE_LOW, free < LEAST_FREE or not self._flash_works, f"{free} bytes free", self._time(now)
        )
        idle = Doing.FAULT if FaultCode.PLAYBACK in memory.faults else Doing.IDLE
        health = Health(pack=self.pack_here) if self.settings.pack else Health()
        return Beat(
            dev=self.device,
            st=Doing.PLAYING if memory.playing else idle,
            now=memory.playing,
            last=tuple(memory.recent),
            seq=memory.last_seq,
            ts=self._time(now),
            free=free,
            vol=memory.volume,
            ver=self._version,
            cfg=self.settings.version,
            nonce=self._nonce,
            bad=self._bad,
            n=memory.receipts,
            up_s=None if self._up_since is None else max(0, now - self._up_since) // 1000,
            faults=tuple(memory.faults),
            **(health | self._health),
        )

    # ---- commands

    def _timed(self, command: Timed, now: int) -> list[Action]:
        """Everything that expires: seen before, too early, too late, or too old to be remembered."""
        if command.id not in self.memory.seen and not self._clock_known:
            return []
        objection = self._objection(command, now)
        if objection is not None:
            return [objection]
        self.memory.hub_time = max(self.memory.hub_time, command.iat)
        self.memory.last_seq = max(self.memory.last_seq, command.seq)
        if isinstance(command, Play):
            return self._play(command, now)
        return self._serve(command, now)

    def _serve(self, command: SetVolume | Ping | Prefetch | Restart | SelfTest | Records, now: int) -> list[Action]:
        match command:
            case SetVolume():
                return self._set_volume(command, now)
            case Ping():
                return [self._note(command, Reached.FINISHED, now)]
            case Prefetch():
                return self._prefetch(command, now)
            case Restart():
                return self._restart(command, now)
            case SelfTest():
                return self._test(command, now)
            case Records():
                return self._send_records(command, now)

    def _objection(self, command: Timed, now: int) -> Send | None:
        known = self.memory.seen.get(command.id)
        if known is not None:
            return self._receipt(command.id, Reached.DUPLICATE, now, reached=known.state)
        if now >= command.exp:
            return self._receipt(command.id, Reached.EXPIRED, now)
        if now + EARLY_MS < command.nbf or command.iat > now + CLOCK_SLACK_MS:
            return self._receipt(command.id, Reached.REFUSED, now, reason="not_yet")
        if self.memory.is_too_old(command):
            return self._receipt(command.id, Reached.REFUSED, now, reason="replayed")
        return None

    def _play(self, command: Play, now: int) -> list[Action]:
        if self.memory.was_stopped(command):
            return [self._note(command, Reached.STOPPED, now, reason="stopped_before", played_ms=0)]
        reason = self._forbidden(command, now) or self._unkeepable(command)
        if reason is not None:
            return [self._note(command, Reached.REFUSED, now, reason=reason)]
        if self._is_full(command):
            return [self._receipt(command.id, Reached.REFUSED, now, reason="busy")]
        item = Queued(command=command, since=now)
        self.memory.queue.append(item)
        received = self._note(command, Reached.RECEIVED, now)
        return [received, *self._fetch(item, now), *self._advance(now)]

    def _is_full(self, command: Play) -> bool:
        urgent = command.pri is Priority.EMERGENCY
        alike = sum((item.command.pri is Priority.EMERGENCY) is urgent for item in self.memory.queue)
        return alike >= (MAX_EMERGENCIES if urgent else MAX_QUEUE)

    def _feed(self, chunk: Chunk, now: int) -> list[Action]:
        """A piece of a live voice goes to its play, once; nothing is remembered of it."""
        item = self.memory.item(chunk.play)
        if item is None or item.command.shout is None or not chunk.nbf - EARLY_MS <= now < chunk.exp:
            return []
        waiting = {each.command.id for each in self.memory.queue}
        self._chunks = {name: numbers for name, numbers in self._chunks.items() if name in waiting}
        heard = self._chunks.setdefault(chunk.play, set())
        if chunk.n in heard:
            return []
        try:
            data = base64.b64decode(chunk.data, validate=True)
        except binascii.Error:
            return []
        heard.add(chunk.n)
        return [Feed(chunk.play, chunk.n, data, chunk.last)]

    def _set_volume(self, command: SetVolume, now: int) -> list[Action]:
        self.memory.volume = command.level
        playing = self.memory.item(self.memory.playing)
        finished = self._note(command, Reached.FINISHED, now)
        if playing is not None and playing.command.pri is Priority.EMERGENCY:
            return [finished]
        level = self._level(now)
        if self._pass is not None:
            self._pass.volume = level
        return [finished, SetLevel(level)]

    def _stop(self, command: Stop, now: int) -> list[Action]:
        """Silence and remember. It touches only what was issued before it, so a replay does no harm."""
        known = command.id in self.memory.seen
        self.dirty = True
        self.memory.take_stop(command)
        actions: list[Action] = []
        for item in list(self.memory.queue):
            if self.memory.was_stopped(item.command):
                actions += self._call_off(item, Reached.STOPPED, now)
        actions += self._stop_test(now)
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
            return [self._receipt(command.id, Reached.REFUSED, now, reason="replayed")]
        self.memory.settings = new
        self._take_settings()
        actions: list[Action] = [self._note(command, Reached.FINISHED, now)]
        gone, come = set(old.regions) - set(new.regions), set(new.regions) - set(old.regions)
        if gone or come:
            actions.append(Resubscribe(tuple(sorted(gone)), tuple(sorted(come))))
        if new.pack != old.pack:
            actions.append(self._keep_pack())
        if self.memory.playing is None:
            actions.append(SetLevel(self._level(now)))
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
        self._moved = local + self._offset - (answer.iat + waited // 2)
        self._offset -= self._moved
        wrong = self._clock_known and abs(answer.offset_ms) > CLOCK_WRONG_MS
        self._clock_known = True
        self.memory.take_time(answer.iat)
        self.dirty = True
        now = self._time(local)
        return [*self._turn(FaultCode.CLOCK_WRONG, wrong, f"{answer.offset_ms} ms", now), *self._advance(now)]

    def _complain(self, refused: Refused, now: int) -> list[Action]:
        """Answer what cannot be believed, without naming what it claims to be, and not too often."""
        self._bad += 1
        if now < self._complained.get(refused.reason, 0) + COMPLAIN_EVERY_MS:
            return []
        self._complained[refused.reason] = now
        return [self._receipt(None, Reached.REFUSED, now, reason=refused.reason)]

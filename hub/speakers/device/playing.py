"""What a loudspeaker sounds next: the queue, interruption, volume, quiet hours, receipts."""

from typing import Final

from hub.speakers.device.actions import Action, Fetch, Send, SetLevel, Silence, Sound
from hub.speakers.device.memory import Memory, Queued
from hub.speakers.envelope import KeyRing
from hub.speakers.protocol import Command, Play, Priority, Reached, Receipt, Settings

MAX_ATTEMPTS: Final = 6
MAX_RESTARTS: Final = 1
STUCK_AFTER_MS: Final = 30_000


class Playing:
    """The half of a loudspeaker that sounds. Every call takes `now`, ms UTC of the local clock."""

    def __init__(self, device: str, first: Settings, memory: Memory) -> None:
        self.device = device
        self.memory = memory
        self.dirty = False
        self._first = first
        self._offset = 0
        self._started = 0
        self._fault = False
        self._take_settings()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.memory.settings or self._first

    def boot(self, now: int) -> list[Action]:
        """Call once after power on. What was sounding is over; what waited still waits."""
        now = self._time(now)
        actions: list[Action] = [SetLevel(self._lasting_volume())]
        if self.memory.playing is not None:
            item = self.memory.item(self.memory.playing)
            self.memory.playing = None
            if item is not None:
                actions.append(self._end(item, Reached.FAILED, now, "power_lost"))
        for item in self.memory.queue:
            item.fetched, item.next_try = False, 0
            actions.append(Fetch(item.command.audio, item.command.pri))
        return actions + self._advance(now)

    def fetched(self, sha256: str, now: int) -> list[Action]:
        """The audio is here and its hash is right."""
        now = self._time(now)
        actions: list[Action] = []
        for item in self.memory.queue:
            if item.command.audio.sha256 == sha256 and not item.fetched:
                item.fetched = self.dirty = True
                if self.memory.seen[item.command.id].state is Reached.RECEIVED:
                    actions.append(self._note(item.command, Reached.FETCHED, now))
        return actions + self._advance(now)

    def fetch_failed(self, sha256: str, reason: str, now: int) -> list[Action]:
        """One attempt failed: try again later, at most six times in all."""
        now = self._time(now)
        actions: list[Action] = []
        for item in list(self.memory.queue):
            if item.command.audio.sha256 != sha256 or item.fetched:
                continue
            item.attempts += 1
            item.next_try = now + min(60, 2**item.attempts) * 1000
            self.dirty = True
            if item.attempts >= MAX_ATTEMPTS:
                actions.append(self._end(item, Reached.FAILED, now, reason))
        return actions + self._advance(now)

    def sound_ended(self, command_id: str, played_ms: int, error: str | None, now: int) -> list[Action]:
        """The sound came to its end, or the device could not go on with it."""
        now = self._time(now)
        if self.memory.playing != command_id:
            return []
        item = self._leave(command_id)
        if item is None:
            return []
        self._fault = error is not None
        state = Reached.FINISHED if error is None else Reached.FAILED
        ended = self._end(item, state, now, error, played_ms)
        return [ended, SetLevel(self._lasting_volume()), *self._advance(now)]

    def _advance(self, now: int) -> list[Action]:
        """Drop what has run out, ask again for what is missing, and let the most urgent sound."""
        actions = self._stuck(now)
        for item in list(self.memory.queue):
            if item.command.id != self.memory.playing:
                actions += self._wait(item, now)
        current = self.memory.item(self.memory.playing)
        best = self._best(now)
        if best is None or (current is not None and best.command.pri <= current.command.pri):
            return actions
        if current is not None:
            actions += self._interrupt(current, now)
        return [*actions, *self._begin(best, now)]

    def _wait(self, item: Queued, now: int) -> list[Action]:
        if now >= item.command.exp:
            if item.interrupted:
                return [self._end(item, Reached.FAILED, now, "interrupted", item.played_ms)]
            return [self._end(item, Reached.EXPIRED, now)]
        if self._is_due(item, now) and self._forbidden(item.command, now):
            return [self._end(item, Reached.REFUSED, now, "quiet_hours", item.played_ms)]
        if not item.fetched and item.next_try and now >= item.next_try:
            item.next_try = 0
            return [Fetch(item.command.audio, item.command.pri)]
        return []

    def _best(self, now: int) -> Queued | None:
        due = [
            item
            for item in self.memory.queue
            if item.fetched and item.command.id != self.memory.playing and self._is_due(item, now)
        ]
        return min(due, key=lambda item: (-item.command.pri, item.command.seq), default=None)

    def _begin(self, item: Queued, now: int) -> list[Action]:
        command = item.command
        self.memory.playing, self._started = command.id, now
        started = self._note(command, Reached.STARTED, now)
        return [started, Sound(command, self._volume_for(command))]

    def _interrupt(self, item: Queued, now: int) -> list[Action]:
        """Make room. It starts again from the beginning, once, unless half of it was heard already."""
        played = self._played(item, now)
        self._leave(item.command.id)
        silence = Silence(item.command.id)
        noted = self._note(item.command, Reached.INTERRUPTED, now, None, played)
        item.interrupted += 1
        item.played_ms = played
        if item.interrupted > MAX_RESTARTS or played * 2 >= item.command.audio.duration_ms:
            return [silence, noted, self._end(item, Reached.FAILED, now, "interrupted", played)]
        return [silence, noted]

    def _call_off(self, item: Queued, state: Reached, now: int, reason: str | None = None) -> list[Action]:
        if item.command.id != self.memory.playing:
            return [self._end(item, state, now, reason, item.played_ms)]
        played = self._played(item, now)
        self._leave(item.command.id)
        ended = self._end(item, state, now, reason, played)
        return [Silence(item.command.id), ended, SetLevel(self._lasting_volume())]

    def _stuck(self, now: int) -> list[Action]:
        item = self.memory.item(self.memory.playing)
        if item is None or now < self._started + item.command.audio.duration_ms * 2 + STUCK_AFTER_MS:
            return []
        self._fault = True
        return self._call_off(item, Reached.FAILED, now, "stuck")

    def _take_settings(self) -> None:
        self._ring = KeyRing.of(self.settings.keys)
        self._regions = frozenset(self.settings.regions)

    def _time(self, local: int) -> int:
        """The best known time: the local clock, set by the hub, never before what a hub has signed."""
        return max(local + self._offset, self.memory.hub_time)

    def _leave(self, command_id: str) -> Queued | None:
        self.memory.playing = None
        self.dirty = True
        return self.memory.item(command_id)

    def _played(self, item: Queued, now: int) -> int:
        return max(0, min(now - self._started, item.command.audio.duration_ms))

    def _forbidden(self, command: Play, when: int) -> bool:
        """Quiet hours yield to a live emergency alone."""
        if command.pri is Priority.EMERGENCY and command.mode == "live":
            return False
        return self.settings.is_quiet(when)

    def _is_due(self, item: Queued, now: int) -> bool:
        return (item.command.start_at or 0) <= now

    def _lasting_volume(self) -> int:
        return min(self.memory.volume, self.settings.volume_cap)

    def _volume_for(self, command: Play) -> int:
        wanted = self.memory.volume if command.volume is None else command.volume
        if command.pri is Priority.EMERGENCY:
            return wanted
        return min(wanted, self.settings.volume_cap)

    def _receipt(
        self,
        command_id: str | None,
        state: Reached,
        now: int,
        reason: str | None = None,
        played_ms: int | None = None,
        *,
        reached: Reached | None = None,
    ) -> Send:
        self.memory.receipts += 1
        self.dirty = True
        receipt = Receipt(
            id=command_id,
            dev=self.device,
            n=self.memory.receipts,
            st=state,
            ts=now,
            reason=reason,
            played_ms=played_ms,
            reached=reached,
        )
        return Send(receipt)

    def _note(
        self, command: Command, state: Reached, now: int, reason: str | None = None, played_ms: int | None = None
    ) -> Send:
        """Remember the state of a command, and say it."""
        self.memory.note(command, state)
        return self._receipt(command.id, state, now, reason, played_ms)

    def _end(
        self, item: Queued, state: Reached, now: int, reason: str | None = None, played_ms: int | None = None
    ) -> Send:
        self.memory.queue.remove(item)
        return self._note(item.command, state, now, reason, played_ms)

"""What a loudspeaker sounds next: the queue, passes, interruption, volume, quiet hours, receipts."""

from dataclasses import dataclass
from typing import Final

from hub.speakers.device.actions import ATTENTION_MS, Action, Send, SetLevel, Silence, Sound
from hub.speakers.device.memory import Memory, Queued
from hub.speakers.device.supplies import STAND_IN_AFTER_MS, Supplies
from hub.speakers.protocol import WAKES, FaultCode, Play, Priority, Reached, Settings, Used

MAX_RESTARTS: Final = 1
MAX_ROUND: Final = 99
STUCK_AFTER_MS: Final = 30_000
NOT_KEPT: Final = "storage_low"
WARM_MS: Final = 2_000
"""So soon after a sound the amplifier is still on and needs no lead-in."""
STREAM_LOST: Final = "stream_lost"
STAND_INS: Final = frozenset({Used.PACK, Used.SPEECH, Used.TONE})


@dataclass(slots=True)
class Pass:
    """One pass of what sounds; `over` is when it ended, while the next one is waited for."""

    used: Used
    volume: int
    since: int
    lead_in: int
    length: int
    over: int | None = None

    def heard(self, now: int) -> int:
        """How much of it was heard by now."""
        if self.over is not None:
            return 0
        return max(0, min(now - self.since - self.lead_in, self.length))

    @property
    def stuck_at(self) -> int:
        """When it can only have gone wrong."""
        return self.since + self.lead_in + 2 * self.length + STUCK_AFTER_MS


class Playing(Supplies):
    """The half of a loudspeaker that sounds."""

    def __init__(self, device: str, first: Settings, memory: Memory, *, can_speak: bool = False) -> None:
        super().__init__(device, first, memory, can_speak=can_speak)
        self._pass: Pass | None = None
        self._announced = False
        self._warm_until = 0
        self._on_flash = memory.playing
        """What sounds by what the flash says: after a power cut it will not sound again."""

    # ---- what the body reports

    def boot(self, now: int) -> list[Action]:
        """Call once after power on. What was sounding is over; what waited still waits, unless it was a live voice."""
        now = self._time(now)
        actions: list[Action] = [self._keep_pack()] if self.settings.pack else []
        actions.append(SetLevel(self._level(now)))
        lost, self.memory.playing = self.memory.playing, None
        over = [item for item in self.memory.queue if item.command.id == lost or item.command.shout is not None]
        actions += [self._conclude(item, Reached.FAILED, now, "power_lost", item.heard_ms or None) for item in over]
        return [*actions, *self._fetch_all(now), *self._advance(now)]

    def fetched(self, sha256: str, now: int) -> list[Action]:
        """A recording is here, of a play, ordered ahead or of the pack, and its hash is right."""
        now = self._time(now)
        return [*self._came(sha256, now), *self._advance(now)]

    def fetch_failed(self, sha256: str, reason: str, now: int) -> list[Action]:
        """One attempt failed."""
        now = self._time(now)
        return [*self._failed_to_come(sha256, reason, now), *self._advance(now)]

    def lost(self, sha256: str, now: int) -> list[Action]:
        """A recording that was here is gone or spoilt."""
        now = self._time(now)
        self._went(sha256, now)
        return self._advance(now)

    def shout_ready(self, command_id: str, now: int) -> list[Action]:
        """Enough of a live voice is here to sound without a break."""
        now = self._time(now)
        item = self.memory.item(command_id)
        if item is None or item.command.shout is None or item.ready:
            return []
        item.ready = True
        return [self._note(item.command, Reached.FETCHED, now), *self._advance(now)]

    def stream_ready(self, command_id: str, now: int) -> list[Action]:
        """The first sound of a stream has come: only now has it started."""
        now = self._time(now)
        item = self.memory.item(command_id)
        if item is None or self._announced or not self._is_sounding(command_id) or self._pass is None:
            return []
        self._pass.since, self._pass.lead_in = now, 0
        return [self._announce(item, self._pass, now), *self._advance(now)]

    def sound_ended(self, command_id: str, played_ms: int, error: str | None, now: int) -> list[Action]:
        """One pass came to its end, or the device could not go on with it."""
        now = self._time(now)
        item, ended = self.memory.item(command_id), self._pass
        if item is None or ended is None or not self._is_sounding(command_id):
            return []
        self._warm_until, ended.over, self.dirty = now + WARM_MS, now, True
        item.heard_ms += max(0, played_ms)
        if error is not None:
            return [*self._broken(item, ended, error[:200], now), *self._advance(now)]
        item.passes += 1
        actions = self._turn(FaultCode.PLAYBACK, False, None, now)
        if self._has_more(item, ended, now):
            progress = self._receipt(
                command_id,
                Reached.PROGRESS,
                now,
                played_ms=item.heard_ms,
                used=ended.used,
                round=min(item.passes, MAX_ROUND),
            )
            return [*actions, progress, *self._advance(now)]
        return [*actions, *self._close(item, Reached.FINISHED, now), *self._advance(now)]

    # ---- what sounds next

    def _advance(self, now: int) -> list[Action]:
        """Drop what has run out, ask again for what is missing, and let the most urgent sound."""
        actions = [*self._overdue(now), *self._again(now)]
        for item in list(self.memory.queue):
            if item.command.id != self.memory.playing:
                actions += self._wait(item, now)
        current = self.memory.item(self.memory.playing)
        best = self._best(now)
        if best is None or (current is not None and best.command.pri <= current.command.pri):
            return actions + self._next_pass(current, now)
        if current is not None:
            actions += self._interrupt(current, now)
        return [*actions, *self._begin(best, now)]

    def _wait(self, item: Queued, now: int) -> list[Action]:
        if now >= self._latest(item):
            if item.interrupted:
                return [self._end(item, Reached.FAILED, now, reason="interrupted", played_ms=item.played_ms)]
            return [self._end(item, Reached.EXPIRED, now)]
        reason = self._forbidden(item.command, now) if self._is_due(item, now) else None
        if reason is None and self._would_begin_unkept(item, now):
            reason = NOT_KEPT
        return [] if reason is None else [self._turn_away(item, reason, now)]

    def _turn_away(self, item: Queued, reason: str, now: int) -> Send:
        """It must not begin, or not begin again."""
        state = Reached.FAILED if item.interrupted else Reached.REFUSED
        return self._end(item, state, now, reason=reason, played_ms=item.played_ms)

    def _would_begin_unkept(self, item: Queued, now: int) -> bool:
        if self._flash_works or self._may_sound_unkept(item.command):
            return False
        return self._is_due(item, now) and self._source(item, now) is not None

    def _best(self, now: int) -> Queued | None:
        due = [
            item
            for item in self.memory.queue
            if item.command.id != self.memory.playing
            and self._is_due(item, now)
            and self._source(item, now) is not None
            and self._may_begin(item)
        ]
        return min(due, key=lambda item: (-item.command.pri, item.command.seq), default=None)

    def _may_begin(self, item: Queued) -> bool:
        return True

    def _begin(self, item: Queued, now: int) -> list[Action]:
        self.memory.playing, self._announced, self.dirty = item.command.id, False, True
        item.began = item.began or now + self._lead_in(item.command, now)
        return self._sound(item, now)

    def _next_pass(self, item: Queued | None, now: int) -> list[Action]:
        if item is None or self._pass is None or self._pass.over is None:
            return []
        if now < self._pass.over + item.command.gap_ms:
            return []
        reason = self._forbidden(item.command, now)
        return self._sound(item, now) if reason is None else self._call_off(item, Reached.FAILED, now, reason)

    def _sound(self, item: Queued, now: int) -> list[Action]:
        """One pass, of the best there is. It has started when it is heard: a stream only when it has come."""
        command, used = item.command, self._source(item, now)
        if used is None:
            return self._call_off(item, Reached.FAILED, now, "bad_audio")
        lead_in = self._lead_in(command, now)
        uncounted = lead_in + (ATTENTION_MS if used is Used.SHOUT else 0)
        self._pass = Pass(used, self._volume_for(command, now), now, uncounted, self._length(command, used))
        sound = Sound(command, self._pass.volume, used, self._sounding_audio(command, used), lead_in)
        if self._announced or used is Used.STREAM:
            return [sound]
        return [self._announce(item, self._pass, now), sound]

    def _announce(self, item: Queued, sounding: Pass, now: int) -> Send:
        self._announced = True
        return self._note(item.command, Reached.STARTED, now, volume=sounding.volume, used=sounding.used)

    def _has_more(self, item: Queued, ended: Pass, now: int) -> bool:
        """Passes that are left; the last one is the ordered recording, if it has come at last."""
        if item.command.audio is None:
            return False
        better = ended.used in STAND_INS and self._source(item, now) is Used.AUDIO
        return item.passes < item.command.repeat or better

    def _broken(self, item: Queued, ended: Pass, error: str, now: int) -> list[Action]:
        """It cannot go on: what is next best sounds instead."""
        item.broken = (*item.broken, ended.used)
        actions = [] if error == STREAM_LOST else self._turn(FaultCode.PLAYBACK, True, error, now)
        if item.command.shout is not None or self._source(item, now) is None:
            return actions + self._close(item, Reached.FAILED, now, error)
        forbidden = self._forbidden(item.command, now)
        if forbidden is not None:
            return actions + self._close(item, Reached.FAILED, now, forbidden)
        told = self._receipt(
            item.command.id, Reached.PROGRESS, now, reason=error, played_ms=item.heard_ms, used=ended.used
        )
        return [*actions, told, *self._sound(item, now)]

    def _interrupt(self, item: Queued, now: int) -> list[Action]:
        """Make room. A recording starts its pass again, once, unless half of all was heard; a live voice never does."""
        item.played_ms = self._played(item, now)
        item.interrupted += 1
        actions: list[Action] = [Silence(item.command.id)]
        if self._announced:
            actions.append(self._note(item.command, Reached.INTERRUPTED, now, played_ms=item.played_ms))
        if self._comes_back(item, now):
            self._leave(now)
            return actions
        return [*actions, self._conclude(item, Reached.FAILED, now, "interrupted", item.played_ms)]

    def _comes_back(self, item: Queued, now: int) -> bool:
        command, sounding = item.command, self._pass
        if sounding is None or command.shout is not None:
            return False
        if sounding.used is Used.STREAM:
            item.heard_ms = item.played_ms
            return now < self._latest(item)
        heard_half = item.played_ms * 2 >= sounding.length * command.repeat
        return item.interrupted <= MAX_RESTARTS and not heard_half

    def _overdue(self, now: int) -> list[Action]:
        """End what has lasted its time, and what can only have gone wrong."""
        item, sounding = self.memory.item(self.memory.playing), self._pass
        if item is None or sounding is None:
            return []
        if item.command.stream is not None and now >= self._latest(item):
            if self._announced:
                return self._call_off(item, Reached.FINISHED, now)
            return self._call_off(item, Reached.FAILED, now, STREAM_LOST)
        if sounding.over is not None or now < sounding.stuck_at:
            return []
        fault = self._turn(FaultCode.PLAYBACK, True, "stuck", now)
        return [*fault, *self._call_off(item, Reached.FAILED, now, "stuck")]

    def _call_off(self, item: Queued, state: Reached, now: int, reason: str | None = None) -> list[Action]:
        if item.command.id != self.memory.playing:
            return [self._end(item, state, now, reason=reason, played_ms=item.played_ms)]
        return [Silence(item.command.id), *self._close(item, state, now, reason)]

    def _close(self, item: Queued, state: Reached, now: int, reason: str | None = None) -> list[Action]:
        """It sounds no more: say how it ended, and go back to the lasting volume."""
        return [self._conclude(item, state, now, reason, self._played(item, now)), SetLevel(self._level(now))]

    def _conclude(self, item: Queued, state: Reached, now: int, reason: str | None, played_ms: int | None) -> Send:
        sounding = self._pass if item.command.id == self.memory.playing else None
        self.memory.queue.remove(item)
        ended = self._note(
            item.command,
            state,
            now,
            reason=reason,
            played_ms=played_ms,
            volume=None if sounding is None else sounding.volume,
            used=None if sounding is None else sounding.used,
            round=min(item.passes, MAX_ROUND) or None if item.command.repeat > 1 else None,
        )
        if sounding is not None:
            self._leave(now)
        return ended

    def _leave(self, now: int) -> None:
        if self._pass is not None and self._pass.over is None:
            self._warm_until = now + WARM_MS
        self.memory.playing, self._pass, self.dirty = None, None, True

    # ---- rules

    def _forbidden(self, command: Play, when: int) -> str | None:
        """Why it may not sound then. Quiet hours yield only to a grave emergency that a person answers for."""
        if (command.mode == "drill") is not self.settings.drill:
            return "wrong_mode"
        if not self.settings.is_quiet(max(when, command.start_at or when)):
            return None
        grave = command.pri is Priority.EMERGENCY and command.mode == "live" and command.severity in WAKES
        return None if grave and (command.by or "").strip() else "quiet_hours"

    def _may_sound_unkept(self, command: Play) -> bool:
        """In a grave emergency silence is worse than a second sound after a power cut. All else needs the flash."""
        grave = command.pri is Priority.EMERGENCY and command.mode == "live" and command.severity in WAKES
        return grave or command.id == self._on_flash

    def _is_sounding(self, command_id: str) -> bool:
        return self.memory.playing == command_id and self._pass is not None and self._pass.over is None

    def _is_due(self, item: Queued, now: int) -> bool:
        """The lead-in comes before the time, so that the first word falls on it."""
        return (item.command.start_at or 0) - self.settings.lead_in_ms <= now

    def _latest(self, item: Queued) -> int:
        """It does not begin from then on; a stream that has begun may come back until its own end."""
        command = item.command
        start = command.start_at or item.began
        if command.stream is None or not start:
            return command.exp
        end = start + command.duration_ms
        return end if item.began else min(end, command.exp)

    def _lead_in(self, command: Play, now: int) -> int:
        if command.start_at is not None and command.start_at > now:
            return min(command.start_at - now, self.settings.lead_in_ms)
        return 0 if now < self._warm_until else self.settings.lead_in_ms

    def _played(self, item: Queued, now: int) -> int:
        return item.heard_ms + (self._pass.heard(now) if self._pass is not None and self._announced else 0)

    def _volume_for(self, command: Play, now: int) -> int:
        wanted = self.memory.volume if command.volume is None else command.volume
        return wanted if command.pri is Priority.EMERGENCY else min(wanted, self.settings.cap_at(now))

    def _wakes(self) -> list[int]:
        wakes = super()._wakes()
        for item in self.memory.queue:
            if item.command.id == self.memory.playing:
                wakes += self._wakes_of_sound(item)
                continue
            wakes.append(self._latest(item))
            if item.command.pri is Priority.EMERGENCY:
                wakes.append(item.since + STAND_IN_AFTER_MS)
            if item.command.start_at is not None:
                wakes.append(item.command.start_at - self.settings.lead_in_ms)
        return wakes

    def _wakes_of_sound(self, item: Queued) -> list[int]:
        if self._pass is None:
            return []
        end = [self._latest(item)] if item.command.stream is not None else []
        if self._pass.over is not None:
            return [*end, self._pass.over + item.command.gap_ms]
        return [*end, self._pass.stuck_at]

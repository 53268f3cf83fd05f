"""What a loudspeaker has to sound: fetching ahead and again, the emergency pack, what stands in for what is missing."""

from typing import Final

from hub.speakers.device.actions import Action, Fetch, Keep, Send
from hub.speakers.device.ground import Ground
from hub.speakers.device.memory import Memory, Queued, Wanted
from hub.speakers.protocol import Audio, Play, Priority, Reached, Settings, Used

MAX_ATTEMPTS: Final = 6
LONGEST_WAIT_S: Final = 60
STAND_IN_AFTER_MS: Final = 3_000
SPOKEN_MS: Final = 400
"""How long a device's own voice may take for one character, at most."""
REASON_LENGTH: Final = 200
SHORTEST_ALARM_MS: Final = 4_000
ALARM_MS: Final = 30_000
"""The alarm tone lasts as long as the words would, within these."""


def recording(command: Play) -> Audio | None:
    """What is to be fetched for it: the ordered recording, or the one that stands in for its stream."""
    return command.stream.fallback if command.stream is not None else command.audio


class Supplies(Ground):
    """The half of a loudspeaker that sees to it that there is something to sound."""

    def __init__(self, device: str, first: Settings, memory: Memory, *, can_speak: bool = False) -> None:
        super().__init__(device, first, memory)
        self._can_speak = can_speak
        self._pack: set[str] = set()

    @property
    def pack_here(self) -> int:
        """How many recordings of the emergency pack are here and right."""
        return sum(audio.sha256 in self._pack for audio in self.settings.pack.values())

    # ---- fetching

    def _came(self, sha256: str, now: int) -> list[Action]:
        if any(audio.sha256 == sha256 for audio in self.settings.pack.values()):
            self._pack.add(sha256)
        actions: list[Action] = []
        for item in self.memory.queue:
            if self._needs(item, sha256):
                item.fetched, item.next_try, self.dirty = True, 0, True
                if item.attempts < MAX_ATTEMPTS:
                    item.broken = tuple(used for used in item.broken if used is not Used.AUDIO)
                if item.command.audio and self.memory.seen[item.command.id].state is Reached.RECEIVED:
                    actions.append(self._note(item.command, Reached.FETCHED, now))
        ordered = [wanted for wanted in self.memory.wanted if wanted.command.audio.sha256 == sha256]
        return actions + [self._let_go(wanted, Reached.FINISHED, now) for wanted in ordered]

    def _failed_to_come(self, sha256: str, reason: str, now: int) -> list[Action]:
        """Say it at once, and try again later and later. An emergency never gives up."""
        reason = reason[:REASON_LENGTH]
        actions: list[Action] = []
        for item in list(self.memory.queue):
            if not self._needs(item, sha256):
                continue
            actions += self._try_later(item, reason, now)
            if item.attempts < MAX_ATTEMPTS or item.command.pri is Priority.EMERGENCY:
                continue
            if item.command.stream is None:
                actions.append(self._end(item, Reached.FAILED, now, reason=reason))
            item.next_try = 0
        for wanted in list(self.memory.wanted):
            if wanted.command.audio.sha256 == sha256:
                actions += self._try_later(wanted, reason, now)
                if wanted.attempts >= MAX_ATTEMPTS:
                    actions.append(self._let_go(wanted, Reached.FAILED, now, reason))
        return actions

    def _try_later(self, item: Queued | Wanted, reason: str, now: int) -> list[Action]:
        item.attempts += 1
        item.next_try = now + min(LONGEST_WAIT_S, 2 ** min(item.attempts, MAX_ATTEMPTS)) * 1000
        self.dirty = True
        if item.attempts > 1:
            return []
        return [self._receipt(item.command.id, Reached.PROGRESS, now, reason=reason)]

    def _went(self, sha256: str, now: int) -> None:
        """It was here and is not any more: get it again."""
        self._pack.discard(sha256)
        for item in self.memory.queue:
            audio = recording(item.command)
            if audio is not None and audio.sha256 == sha256 and item.fetched:
                item.fetched, item.next_try, self.dirty = False, now, True
                item.attempts += 1

    def _again(self, now: int) -> list[Action]:
        """Ask again for what has not come, and drop what came too late to be of use."""
        actions: list[Action] = []
        for item in self.memory.queue:
            if item.next_try and now >= item.next_try:
                item.next_try = 0
                actions += self._fetch(item, now, spread=False)
        for wanted in list(self.memory.wanted):
            if now >= wanted.command.exp:
                actions.append(self._let_go(wanted, Reached.EXPIRED, now))
            elif wanted.next_try and now >= wanted.next_try:
                wanted.next_try = 0
                actions.append(Fetch(wanted.command.audio, Priority.RELAY))
        return actions

    def _fetch(self, item: Queued, now: int, *, spread: bool = True) -> list[Action]:
        """Nobody waits for what begins later: it is fetched some time in the first half of what is left."""
        command, audio = item.command, recording(item.command)
        if audio is None:
            return []
        within = 0
        if spread and command.pri is not Priority.EMERGENCY and command.start_at is not None:
            within = min(command.fetch_within_ms, max(0, command.start_at - now) // 2)
        return [Fetch(audio, command.pri, within)]

    def _fetch_all(self, now: int) -> list[Action]:
        """After the power came: everything anew."""
        actions: list[Action] = []
        for item in self.memory.queue:
            item.fetched, item.next_try, item.since = False, 0, now
            actions += self._fetch(item, now)
        for wanted in self.memory.wanted:
            wanted.next_try = 0
            actions.append(Fetch(wanted.command.audio, Priority.RELAY, wanted.command.within_ms))
        return actions

    def _wakes(self) -> list[int]:
        """The hub's times at which something of this falls due."""
        wakes = [item.next_try for item in self.memory.queue]
        for wanted in self.memory.wanted:
            wakes += [wanted.next_try, wanted.command.exp]
        return [wake for wake in wakes if wake]

    def _keep_pack(self) -> Keep:
        """Have the emergency pack, and only what belongs to it, kept for ever."""
        audios = tuple(self.settings.pack.values())
        self._pack &= {audio.sha256 for audio in audios}
        return Keep(audios, self.settings.pack_within_s)

    def _needs(self, item: Queued, sha256: str) -> bool:
        audio = recording(item.command)
        return audio is not None and audio.sha256 == sha256 and not item.fetched

    def _let_go(self, wanted: Wanted, state: Reached, now: int, reason: str | None = None) -> Send:
        self.memory.wanted.remove(wanted)
        return self._note(wanted.command, state, now, reason=reason)

    # ---- what there is to sound

    def _source(self, item: Queued, now: int) -> Used | None:
        """What it can sound as now, the best first."""
        return next((used for used in self._sources(item, now) if used not in item.broken), None)

    def _sources(self, item: Queued, now: int) -> list[Used]:
        command = item.command
        if command.shout is not None:
            return [Used.SHOUT] if item.ready else []
        ordered = [Used.STREAM] if command.stream is not None else []
        if item.fetched:
            ordered.append(Used.AUDIO)
        return ordered + self._stand_ins(item, now)

    def _stand_ins(self, item: Queued, now: int) -> list[Used]:
        """Only an emergency is better said in other words, or as a mere alarm, than not at all."""
        waited = item.attempts > 0 or item.broken or now >= item.since + STAND_IN_AFTER_MS
        if item.command.pri is not Priority.EMERGENCY or not waited:
            return []
        kept = self._kept(item.command)
        found = [Used.PACK] if kept is not None and kept.sha256 in self._pack else []
        if self._can_speak and item.command.text:
            found.append(Used.SPEECH)
        return [*found, Used.TONE]

    def _kept(self, command: Play) -> Audio | None:
        return self.settings.pack.get(command.pack) if command.pack else None

    def _sounding_audio(self, command: Play, used: Used) -> Audio | None:
        if used is Used.PACK:
            return self._kept(command)
        return recording(command) if used is Used.AUDIO else None

    def _length(self, command: Play, used: Used) -> int:
        """How long one pass lasts, at most."""
        audio = self._sounding_audio(command, used)
        if audio is not None:
            return audio.duration_ms
        if used is Used.SPEECH:
            return len(command.text or "") * SPOKEN_MS
        if used is Used.TONE:
            return max(SHORTEST_ALARM_MS, min(command.duration_ms, ALARM_MS))
        return command.duration_ms

    def _end(
        self, item: Queued, state: Reached, now: int, *, reason: str | None = None, played_ms: int | None = None
    ) -> Send:
        self.memory.queue.remove(item)
        return self._note(item.command, state, now, reason=reason, played_ms=played_ms)

"""One loudspeaker around its rules: persists, publishes, fetches and sounds what they ask for."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hub.speakers.device.actions import (
    Action,
    Examine,
    Feed,
    Fetch,
    Keep,
    Resend,
    Resubscribe,
    Send,
    SendBeat,
    SendFault,
    SetLevel,
    Silence,
    Sound,
    StartAnew,
)
from hub.speakers.device.core import SpeakerCore
from hub.speakers.device.health import Checks, examine, is_well, verdicts
from hub.speakers.device.journal import Entry, entry_of
from hub.speakers.device.parts import Parts
from hub.speakers.device.player import Playback, SilentSink
from hub.speakers.device.shouting import Shout, Voice
from hub.speakers.device.sounds import TRIAL_MS, Recorded, Source, alarm, trial_tone
from hub.speakers.device.speaking import Spoken
from hub.speakers.device.streaming import Relay
from hub.speakers.protocol import Audio, FaultCode, Presence, Receipt, Used
from hub.speakers.topics import DOWN, Kind, device_topic, region_command

log = logging.getLogger(__name__)

RESEND_AT_ONCE: Final = 10
RESEND_EVERY_MS: Final = 200
"""50 receipts a second: a bad line survives it."""
MAX_SHOUTS: Final = 4
LOOK_EVERY_MS: Final = 250
LOOK_AGAIN_MS: Final = 20

Event = Callable[[int], list[Action]]
Tell = Callable[[Event], None]


@dataclass(slots=True)
class Sounds:
    """What sounds at this moment: a command, or the tone of a self-test."""

    command_id: str
    playback: Playback
    over_at: int
    watched: bool
    """Whether it may end at any time: it is looked at often."""
    told_begun: bool = True
    report: dict[str, str] | None = None


class Body:
    """Carries out a core's actions. Nothing is done before the memory is safe.

    `tell` brings an event to the one thread that owns the core; answers of slow parts come by it.
    """

    def __init__(self, core: SpeakerCore, parts: Parts, tell: Tell) -> None:
        self.core = core
        self.starts_anew = False
        """Set when the rules have asked for a restart: the owner sees to it."""
        self._parts = parts
        self._tell = tell
        self._sounds: Sounds | None = None
        self._shouts: dict[str, Shout] = {}
        self._payloads: dict[int, bytes] = {}
        self._again: deque[Entry] = deque()
        self._again_at = 0

    @property
    def sounding(self) -> str | None:
        """The command that sounds, or whose self-test does; then `listen` has something to watch."""
        return None if self._sounds is None else self._sounds.command_id

    @property
    def current(self) -> object | None:
        """What sounds, as a thing that is another one for every sound."""
        return self._sounds

    def look_in_ms(self, now: int) -> int:
        """How soon `listen` has something to find out."""
        sounds = self._sounds
        if sounds is None or sounds.watched or not sounds.told_begun:
            return LOOK_EVERY_MS
        return max(LOOK_AGAIN_MS, sounds.over_at - now)

    @property
    def resends(self) -> bool:
        """Whether `resend` has something to do."""
        return bool(self._again)

    def topics(self) -> list[str]:
        """All the device listens to."""
        own = [device_topic(self.core.device, kind) for kind in DOWN]
        return own + [region_command(code) for code in self.core.settings.regions]

    def presence(self, *, up: bool, now: int | None = None) -> tuple[str, bytes]:
        """Topic and payload of the retained presence; without a time it is the last will."""
        said = Presence(dev=self.core.device, up=up, ts=now)
        return device_topic(self.core.device, Kind.PRESENCE), said.to_bytes()

    # ---- what happens by itself

    def listen(self, now: int) -> list[Action]:
        """Ask how the sound is going, and what follows from it."""
        sounds = self._sounds
        if sounds is None:
            return []
        if not sounds.told_begun and sounds.playback.begun:
            sounds.told_begun = True
            return self.core.stream_ready(sounds.command_id, now)
        ended = sounds.playback.ended()
        if ended is None:
            return []
        self._sounds = None
        self._shouts.pop(sounds.command_id, None)
        if sounds.report is None:
            return self.core.sound_ended(sounds.command_id, ended.played_ms, ended.error, now)
        report = sounds.report | {"tone": "ok" if ended.error is None else "failed"}
        return self.core.examined(sounds.command_id, is_well(report), report, now)

    def feel(self, now: int) -> list[Action]:
        """Measure, and say what came or went."""
        felt = self._parts.senses.feel()
        self.core.set_health(**felt)
        actions: list[Action] = []
        for code, on, detail in verdicts(felt, self.core.memory.faults):
            actions += self.core.fault(code, on, detail, now)
        return actions

    def resend(self, now: int) -> None:
        """Publish the next of the receipts that were asked for again, if it is time."""
        if now < self._again_at:
            return
        self._again_at = now + RESEND_EVERY_MS
        for _ in range(min(RESEND_AT_ONCE, len(self._again))):
            self._publish(Kind.RECEIPT, self._again.popleft()[1])

    # ---- doing

    def save(self, actions: list[Action], now: int) -> list[Action]:
        """Make the memory safe if it changed, note the receipts, and return what may be done now.

        With a disk that takes nothing that is not what was asked for: see `SpeakerCore.unkept`.
        """
        if self.core.dirty:
            actions = self._keep(actions, now)
        said = [each.receipt for each in actions if isinstance(each, Send) and each.receipt.id is not None]
        if said:
            self._note(said)
        return actions

    def _keep(self, actions: list[Action], now: int) -> list[Action]:
        try:
            self._parts.store.save(self.core.memory)
        except OSError as error:
            if self.core.is_kept:
                log.warning("memory_not_written", extra={"device": self.core.device, "error": str(error)})
            return self.core.unkept(actions, now)
        if not self.core.is_kept:
            log.info("memory_written_again", extra={"device": self.core.device})
        self.core.kept()
        return actions

    def _note(self, said: list[Receipt]) -> None:
        entries = [entry_of(receipt) for receipt in said]
        self._payloads = dict(entries)
        try:
            self._parts.journal.note(entries, final=any(receipt.is_final for receipt in said))
        except OSError as error:
            log.warning("journal_not_written", extra={"device": self.core.device, "error": str(error)})

    def act(self, actions: list[Action], now: int) -> None:
        """Persist, then do."""
        self.carry_out(self.save(actions, now), now)

    def carry_out(self, actions: list[Action], now: int) -> None:
        """Do what was decided, in its order; the memory must be safe already."""
        for action in actions:
            self._do(action, now)
        self._payloads = {}

    def hush(self) -> None:
        """Silence whatever sounds, as when the power goes."""
        if self._sounds is not None:
            self._sounds.playback.stop()
            self._shouts.pop(self._sounds.command_id, None)
            self._sounds = None

    def _do(self, action: Action, now: int) -> None:
        match action:
            case Send(receipt):
                self._say(receipt)
            case Sound():
                self._sound(action, now)
            case Silence(command_id):
                self._silence(command_id)
            case Feed():
                self._feed(action)
            case Fetch(audio, pri, within_ms):
                self._parts.recordings.want(audio, pri, within_ms)
            case SendBeat():
                self._beat(now)
            case _:
                self._do_more(action)

    def _do_more(self, action: Action) -> None:
        """What happens seldom."""
        match action:
            case SetLevel(volume):
                self._parts.sink.set_level(volume)
            case Keep(pack, within_s):
                self._parts.recordings.keep(pack, within_s)
            case Examine(command_id, sound, volume):
                self._examine(command_id, volume if sound else None)
            case Resend(after):
                self._again = deque(self._parts.journal.after(after))
            case SendFault(report):
                self._publish(Kind.FAULT, report.to_bytes())
            case StartAnew():
                self.starts_anew = True
            case Resubscribe(gone, new):
                self._parts.wire.unsubscribe([region_command(code) for code in gone])
                self._parts.wire.subscribe([region_command(code) for code in new])

    # ---- saying

    def _say(self, receipt: Receipt) -> None:
        """What is among those to be sent again anyway comes in its turn, so that it comes last."""
        payload = self._payloads.get(receipt.n) if receipt.id is not None else None
        if payload is None:
            payload = receipt.to_bytes()
        elif self._again and self._again[-1][0] >= receipt.n:
            return
        self._publish(Kind.RECEIPT, payload)

    def _beat(self, now: int) -> None:
        self.core.set_health(amp=self._parts.sink.amp)
        self._publish(Kind.BEAT, self.core.beat(now, self._parts.recordings.free()).to_bytes(), 0)

    def _publish(self, kind: Kind, payload: bytes, qos: int = 1) -> None:
        self._parts.wire.publish(device_topic(self.core.device, kind), payload, qos)

    # ---- sounding

    def _sound(self, sound: Sound, now: int) -> None:
        """Nothing is sounded over something else: a self-test gives way."""
        if self._sounds is not None:
            self._give_way(self._sounds)
        self.hush()
        command = sound.command
        source, length = self._source(sound)
        if source is None:
            self._tell_gone(sound)
            return
        playback = self._parts.sink.play(command.id, source, length, sound.volume, sound.lead_in_ms)
        self._sounds = Sounds(
            command.id,
            playback,
            over_at=now + sound.lead_in_ms + length,
            watched=self._parts.sink.name != SilentSink.name or sound.used is Used.SHOUT,
            told_begun=sound.used is not Used.STREAM,
        )

    def _source(self, sound: Sound) -> tuple[Source | None, int]:
        """What to sound, and how long it lasts; None when its recording is not here."""
        command = sound.command
        match sound.used:
            case Used.STREAM if command.stream is not None:
                length = command.stream.duration_ms
                return Relay(command.stream.url, length, self._parts.open_stream), length
            case Used.SHOUT:
                return Voice(self._shouts.setdefault(command.id, Shout())), command.duration_ms
            case Used.SPEECH:
                return Spoken(self._parts.voice, command.text or ""), command.duration_ms
            case Used.TONE:
                tone = alarm(command.duration_ms)
                return tone, tone.duration_ms
        path = None if sound.audio is None else self._parts.recordings.find(sound.audio)
        if sound.audio is None or path is None:
            return None, 0
        return Recorded(path), sound.audio.duration_ms

    def _tell_gone(self, sound: Sound) -> None:
        command_id, audio = sound.command.id, sound.audio
        if audio is not None:
            self._tell(lambda now: self.core.lost(audio.sha256, now))
        self._tell(lambda now: self.core.sound_ended(command_id, 0, "bad_audio", now))

    def _silence(self, command_id: str) -> None:
        self._shouts.pop(command_id, None)
        if self.sounding == command_id:
            self.hush()

    def _feed(self, piece: Feed) -> None:
        shout = self._shouts.get(piece.command_id)
        if shout is None:
            self._forget_shouts()
            shout = self._shouts[piece.command_id] = Shout()
        shout.feed(piece.n, piece.data, last=piece.last)
        if shout.ready and not shout.told:
            shout.told = True
            self._tell(lambda now: self.core.shout_ready(piece.command_id, now))

    def _forget_shouts(self) -> None:
        """Those that wait no more, and the oldest of too many."""
        for command_id in list(self._shouts):
            over = self.core.memory.item(command_id) is None or len(self._shouts) >= MAX_SHOUTS
            if over and command_id != self.sounding:
                del self._shouts[command_id]

    # ---- self-test

    def _examine(self, command_id: str, volume: int | None) -> None:
        """Look at everything away from the rules; with a volume sound the tone when that is done."""
        parts, core = self._parts, self.core
        checks = Checks(
            folder=parts.folder,
            find=parts.recordings.find,
            free=parts.recordings.free,
            opens=parts.sink.opens,
            pack=tuple(core.settings.pack.values()),
            clock_set=core.memory.hub_time > 0,
        )

        def look() -> None:
            report = examine(checks)
            self._tell(lambda now: self._looked(command_id, volume, report, now))

        parts.later(look)

    def _looked(self, command_id: str, volume: int | None, report: dict[str, str], now: int) -> list[Action]:
        if volume is None:
            return self.core.examined(command_id, is_well(report), report, now)
        if not self.core.tests(command_id):
            return []
        if self._sounds is not None:
            return self.core.examined(command_id, is_well(report), report | {"tone": "gave way"}, now)
        lead_in = self.core.settings.lead_in_ms
        playback = self._parts.sink.play(command_id, trial_tone(), TRIAL_MS, volume, lead_in)
        self._sounds = Sounds(command_id, playback, now + lead_in + TRIAL_MS, watched=True, report=report)
        return []

    def _give_way(self, sounds: Sounds) -> None:
        report = sounds.report
        if report is not None:
            said = report | {"tone": "gave way"}
            self._tell(lambda now: self.core.examined(sounds.command_id, is_well(report), said, now))

    def fetched(self, audio: Audio, reason: str | None, *, full: bool = False) -> None:
        """A recording has come, or an attempt has failed, perhaps because the disk is full. From any thread."""
        if full:
            self._tell(lambda now: self.core.fault(FaultCode.STORAGE_LOW, True, "disk full", now))
        if reason is None:
            self._tell(lambda now: self.core.fetched(audio.sha256, now))
        else:
            self._tell(lambda now: self.core.fetch_failed(audio.sha256, reason, now))

    def gone(self, audio: Audio) -> None:
        """A recording that was kept is spoilt. From any thread."""
        self._tell(lambda now: self.core.lost(audio.sha256, now))

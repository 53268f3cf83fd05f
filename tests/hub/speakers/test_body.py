"""What a loudspeaker does about what its rules ask."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from soundlab import pieces
from speakerlab import (
    GRAVE,
    KEY,
    MINUTE,
    NOON,
    a_chunk,
    a_play,
    a_relay,
    a_shout,
    a_stop,
    an_audio,
    some_settings,
    write_tone,
)

from hub.speakers.device.actions import Action
from hub.speakers.device.body import RESEND_EVERY_MS, Body, Event
from hub.speakers.device.core import SpeakerCore
from hub.speakers.device.ground import Health
from hub.speakers.device.journal import FileJournal
from hub.speakers.device.memory import Memory
from hub.speakers.device.parts import Parts
from hub.speakers.device.player import Amplifier, Playback
from hub.speakers.device.shouting import Voice
from hub.speakers.device.sounds import Ended, Pattern, Recorded, Source
from hub.speakers.device.speaking import Spoken
from hub.speakers.device.store import FileStore
from hub.speakers.device.streaming import Container, Relay
from hub.speakers.protocol import (
    Audio,
    Command,
    Priority,
    Reached,
    Receipt,
    Records,
    Restart,
    SelfTest,
    ToDevice,
    seal_command,
)


class Line:
    """A line that keeps what was published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, int]] = []
        self.listening: set[str] = set()

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        self.published.append((topic.rpartition("/")[2], payload, qos))

    def subscribe(self, topics: list[str]) -> None:
        self.listening |= set(topics)

    def unsubscribe(self, topics: list[str]) -> None:
        self.listening -= set(topics)

    def receipts(self) -> list[Receipt]:
        return [Receipt.model_validate_json(payload) for kind, payload, _ in self.published if kind == "ack"]


class Playing:
    """A sound that lasts until it is told otherwise."""

    def __init__(self, source: Source, volume: int, lead_in_ms: int) -> None:
        self.source, self.volume, self.lead_in_ms = source, volume, lead_in_ms
        self.begun = not isinstance(source, Relay)
        self.over: Ended | None = None
        self.stopped = False

    def ended(self) -> Ended | None:
        return self.over

    def stop(self) -> None:
        self.stopped = True


class Stage:
    """A sink that keeps what was played."""

    name = "stage"
    amp: Amplifier = "off"

    def __init__(self) -> None:
        self.plays: list[Playing] = []
        self.levels: list[int] = []
        self.works = True

    def set_level(self, volume: int) -> None:
        self.levels.append(volume)

    def opens(self) -> bool:
        return self.works

    def play(self, command_id: str, source: Source, duration_ms: int, volume: int, lead_in_ms: int = 0) -> Playback:
        self.plays.append(Playing(source, volume, lead_in_ms))
        return self.plays[-1]


class Cupboard:
    """Recordings that are here or not."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tone.mp3"
        write_tone(self.path, 0.2)
        self.here: set[str] = set()
        self.wanted: list[tuple[str, int, int]] = []
        self.kept: tuple[Audio, ...] = ()

    def want(self, audio: Audio, pri: int, within_ms: int) -> None:
        self.wanted.append((audio.sha256, pri, within_ms))

    def keep(self, pack: tuple[Audio, ...], within_s: float) -> None:
        self.kept = pack

    def find(self, audio: Audio) -> Path | None:
        return self.path if audio.sha256 in self.here else None

    def free(self) -> int:
        return 5_000_000_000


class Feeling:
    """Senses that are told what to feel."""

    def __init__(self) -> None:
        self.felt = Health()

    def feel(self) -> Health:
        return self.felt


class Device:
    """A body with rules, on a bench: events are handled as they come, time is set by hand."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.line, self.stage, self.cupboard, self.senses = Line(), Stage(), Cupboard(folder), Feeling()
        self.now = NOON
        self.options = options
        self.work: list[Callable[[], None]] = []
        self.body = self.assemble()

    def assemble(self) -> Body:
        self.events: list[Event] = []
        store = FileStore(self.folder / "memory.json")
        settings = some_settings(**self.options.get("settings", {}))
        can_speak = self.options.get("can_speak", False)
        core = SpeakerCore("horn-7", settings, store.load(self.now), can_speak=can_speak)
        parts = Parts(
            store=store,
            journal=FileJournal(self.folder / "journal.jsonl"),
            sink=self.stage,
            wire=self.line,
            recordings=self.cupboard,
            senses=self.senses,
            folder=self.folder,
            later=self.work.append if self.options.get("later") else lambda work: work(),
            open_stream=lambda _url: never(),
        )
        return Body(core, parts, self.events.append)

    def do(self, actions: list[Action]) -> None:
        self.body.act(actions, self.now)
        while self.events:
            event = self.events.pop(0)
            self.body.act(event(self.now), self.now)

    def hear(self, *commands: Command) -> None:
        for command in commands:
            self.do(self.body.core.receive(seal_command(command, KEY), self.now))

    def come(self, audio: Audio) -> None:
        self.cupboard.here.add(audio.sha256)
        self.body.fetched(audio, None)
        self.do([])

    def wait(self, ms: int) -> None:
        self.now += ms
        self.do(self.body.core.tick(self.now))
        self.do(self.body.listen(self.now))

    def end(self, played_ms: int, error: str | None = None) -> None:
        self.stage.plays[-1].over = Ended(played_ms, error)
        self.wait(20)

    def said(self, command: Command) -> list[Reached]:
        return [receipt.st for receipt in self.line.receipts() if receipt.id == command.id]


def never() -> Container:
    raise OSError("no stream on the bench")


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def order(kind: type[Any], **given: Any) -> Any:
    fields = a_play().model_dump(include={"issuer", "iat", "nbf", "exp", "seq"})
    return kind(**(fields | {"id": a_play().id, "to": ToDevice(device="horn-7")} | given))


def test_a_play_is_fetched_sounded_and_reported(device: Device) -> None:
    play = a_play(fetch_within_ms=9000, start_at=NOON + MINUTE, volume=55)
    device.hear(play)
    assert play.audio is not None
    assert device.cupboard.wanted == [(play.audio.sha256, 1, 9000)]
    device.come(play.audio)
    assert device.stage.plays == []
    device.wait(MINUTE)
    (sound,) = device.stage.plays
    assert isinstance(sound.source, Recorded)
    assert (sound.volume, sound.lead_in_ms) == (55, 0)
    device.end(10_000)
    assert device.said(play) == [Reached.RECEIVED, Reached.FETCHED, Reached.STARTED, Reached.FINISHED]
    assert device.body.sounding is None


def test_nothing_is_published_or_sounded_before_the_memory_is_safe(device: Device, tmp_path: Path) -> None:
    play = a_play()
    device.hear(play)
    assert play.audio is not None
    device.cupboard.here.add(play.audio.sha256)
    actions = device.body.core.fetched(play.audio.sha256, device.now)
    device.body.save(actions, device.now)
    assert device.stage.plays == []
    assert json.loads((tmp_path / "memory.json").read_text())["playing"] == play.id
    numbers = [json.loads(line)["st"] for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert numbers == ["received", "fetched", "started"]


def test_what_is_published_is_what_is_in_the_journal(device: Device, tmp_path: Path) -> None:
    play = a_play()
    device.hear(play)
    assert play.audio is not None
    device.come(play.audio)
    device.end(10_000)
    published = [payload for kind, payload, _ in device.line.published if kind == "ack"]
    assert (tmp_path / "journal.jsonl").read_bytes().splitlines() == published


def test_a_stop_silences_at_once(device: Device) -> None:
    play = a_play()
    device.hear(play)
    assert play.audio is not None
    device.come(play.audio)
    device.do(device.body.core.receive(seal_command(stop_of(play), KEY), device.now))
    assert device.stage.plays[0].stopped
    assert device.body.sounding is None
    assert device.said(play)[-1] is Reached.STOPPED


def stop_of(play: Any) -> Any:
    from_play = play.model_dump(include={"issuer", "iat", "nbf", "exp"})
    return a_stop(broadcasts=(play.broadcast,), **from_play)


def test_a_recording_that_is_gone_when_it_should_sound_is_a_failure(device: Device) -> None:
    play = a_play(start_at=NOON + MINUTE)
    device.hear(play)
    assert play.audio is not None
    device.come(play.audio)
    device.cupboard.here.clear()
    device.wait(MINUTE)
    assert device.stage.plays == []
    assert device.said(play)[-1] is Reached.FAILED
    assert device.line.receipts()[-1].reason == "bad_audio"


def test_a_stream_has_started_when_it_is_heard(device: Device) -> None:
    relay = a_relay()
    device.hear(relay)
    (sound,) = device.stage.plays
    assert isinstance(sound.source, Relay)
    device.wait(500)
    assert device.said(relay) == [Reached.RECEIVED]
    sound.begun = True
    device.wait(500)
    assert device.said(relay) == [Reached.RECEIVED, Reached.STARTED]


def test_a_stream_that_is_lost_gives_way_to_its_recording(device: Device) -> None:
    fallback = an_audio(sha256="f" * 64)
    relay = a_relay(fallback=fallback)
    device.hear(relay)
    device.come(fallback)
    device.end(0, "stream_lost")
    assert isinstance(device.stage.plays[-1].source, Recorded)
    assert device.said(relay) == [Reached.RECEIVED, Reached.PROGRESS, Reached.STARTED]


def test_a_shout_sounds_from_its_first_piece_on(device: Device) -> None:
    shout, data = a_shout(), [base64.b64encode(piece).decode() for piece in pieces(3)]
    device.hear(shout)
    assert device.stage.plays == []
    device.hear(a_chunk(shout, 0, data=data[0]), a_chunk(shout, 1, data=data[1]))
    (sound,) = device.stage.plays
    assert isinstance(sound.source, Voice)
    device.hear(a_chunk(shout, 2, data=data[2], last=True))
    assert sum(map(len, sound.source.blocks())) > 3.9 * 24_000
    device.end(3000)
    assert device.said(shout)[-1] is Reached.FINISHED


def test_pieces_of_a_shout_that_was_stopped_are_dropped(device: Device) -> None:
    shout = a_shout()
    device.hear(shout, a_chunk(shout, 0), stop_of(shout), a_chunk(shout, 1))
    (sound,) = device.stage.plays
    assert sound.stopped
    assert device.body.sounding is None
    assert device.said(shout)[-1] is Reached.STOPPED


def test_an_emergency_without_its_recording_is_said_in_the_devices_own_voice(tmp_path: Path) -> None:
    device = Device(tmp_path, can_speak=True)
    play = a_play(pri=Priority.EMERGENCY, text="山洪来了")
    device.hear(play)
    assert play.audio is not None
    device.body.fetched(play.audio, "http_404")
    device.do([])
    assert isinstance(device.stage.plays[-1].source, Spoken)


def test_an_emergency_without_anything_sounds_the_alarm(device: Device) -> None:
    play = a_play(pri=Priority.EMERGENCY)
    device.hear(play)
    assert play.audio is not None
    device.body.fetched(play.audio, "fetch_failed")
    device.do([])
    assert isinstance(device.stage.plays[-1].source, Pattern)


def test_the_pack_is_kept_and_a_recording_of_it_that_rots_is_no_longer_counted(tmp_path: Path) -> None:
    pack = {"flood": an_audio(sha256="a" * 64), "fire": an_audio(sha256="b" * 64)}
    device = Device(tmp_path, settings={"pack": pack})
    device.do(device.body.core.boot(device.now))
    assert set(device.cupboard.kept) == set(pack.values())
    for audio in pack.values():
        device.come(audio)
    assert device.body.core.beat(device.now, 0).pack == 2
    device.body.gone(pack["fire"])
    device.do([])
    assert device.body.core.beat(device.now, 0).pack == 1


def test_a_full_disk_is_a_fault(device: Device) -> None:
    play = a_play()
    device.hear(play)
    assert play.audio is not None
    device.body.fetched(play.audio, "fetch_failed", full=True)
    device.do([])
    (fault,) = [json.loads(payload) for kind, payload, _ in device.line.published if kind == "fault"]
    assert (fault["code"], fault["on"]) == ("storage_low", True)
    assert device.line.receipts()[-1].reason == "fetch_failed"


def test_faults_are_said_as_they_come_and_go_and_values_are_in_the_heartbeat(device: Device) -> None:
    device.senses.felt = Health(mains=False, battery=80, temp=40)
    device.do(device.body.feel(device.now))
    device.do(device.body.feel(device.now))
    device.senses.felt = Health(mains=True, battery=80, temp=40)
    device.do(device.body.feel(device.now))
    said = [json.loads(payload) for kind, payload, _ in device.line.published if kind == "fault"]
    assert [(fault["code"], fault["on"]) for fault in said] == [("mains_lost", True), ("mains_lost", False)]
    beat = device.body.core.beat(device.now, 0)
    assert (beat.mains, beat.battery, beat.temp) == (True, 80, 40)


def test_a_silent_self_test_reports(device: Device) -> None:
    test = order(SelfTest)
    device.hear(test)
    receipt = device.line.receipts()[-1]
    assert receipt.st is Reached.FINISHED
    assert receipt.report is not None
    assert receipt.report["amp"] == "ok"
    assert "tone" not in receipt.report
    assert device.stage.plays == []


def test_a_self_test_that_finds_something_has_failed(device: Device) -> None:
    device.stage.works = False
    device.hear(order(SelfTest))
    receipt = device.line.receipts()[-1]
    assert (receipt.st, receipt.reason) == (Reached.FAILED, "self_test")
    assert receipt.report is not None
    assert receipt.report["amp"] == "does not open"


def test_a_self_test_with_sound_answers_after_its_tone(device: Device) -> None:
    test = order(SelfTest, sound=True)
    device.hear(test)
    (sound,) = device.stage.plays
    assert sum(map(len, sound.source.blocks())) == 3 * 24_000
    assert device.said(test) == [Reached.RECEIVED]
    device.end(3000)
    assert device.said(test) == [Reached.RECEIVED, Reached.FINISHED]
    report = device.line.receipts()[-1].report
    assert report is not None
    assert report["tone"] == "ok"


def test_the_tone_of_a_self_test_gives_way_to_an_emergency(device: Device) -> None:
    test, play = order(SelfTest, sound=True), a_play(pri=Priority.EMERGENCY)
    device.hear(test, play)
    assert play.audio is not None
    device.come(play.audio)
    tone, alarm = device.stage.plays
    assert tone.stopped
    assert isinstance(alarm.source, Recorded)
    assert device.said(test)[-1] is Reached.FINISHED
    assert device.body.sounding == play.id


def test_records_come_again_paced_and_the_answer_comes_last(device: Device) -> None:
    plays = [a_play(seq=seq, id=a_play().id) for seq in range(1, 21)]
    device.hear(*plays)
    device.line.published.clear()
    records = order(Records, after=3, seq=100)
    device.hear(records)
    assert device.line.receipts() == []
    rounds = 0
    while device.body.resends:
        before = len(device.line.published)
        device.body.resend(device.now)
        device.body.resend(device.now)
        assert len(device.line.published) - before <= 10
        device.now += RESEND_EVERY_MS
        rounds += 1
    numbers = [receipt.n for receipt in device.line.receipts()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 4
    assert device.line.receipts()[-1].id == records.id
    assert rounds == 2
    assert all(qos == 1 for _, _, qos in device.line.published)


def test_a_restart_is_left_to_the_owner_and_done_once(device: Device) -> None:
    restart = order(Restart)
    device.hear(restart)
    assert device.body.starts_anew
    device.body = device.assemble()
    device.do(device.body.core.boot(device.now))
    device.hear(restart)
    assert not device.body.starts_anew
    assert device.said(restart) == [Reached.FINISHED, Reached.DUPLICATE]


def test_a_memory_that_did_not_change_is_not_written(device: Device, tmp_path: Path) -> None:
    device.hear(a_play())
    (tmp_path / "memory.json").unlink()
    device.wait(10)
    device.do(device.body.core.connected(device.now))
    assert not (tmp_path / "memory.json").exists()
    assert Memory() != device.body.core.memory


def break_disk(folder: Path) -> None:
    """Where it writes there are folders: every attempt fails, as on a full or read-only disk."""
    (folder / "memory.new").mkdir()
    (folder / "journal.jsonl").unlink(missing_ok=True)
    (folder / "journal.jsonl").mkdir()


def test_a_device_whose_disk_takes_nothing_sounds_a_grave_emergency_and_says_so(device: Device, tmp_path: Path) -> None:
    break_disk(tmp_path)
    play = a_play(**GRAVE)
    device.hear(play)
    assert play.audio is not None
    device.come(play.audio)
    device.end(10_000)
    device.hear(play)
    assert len(device.stage.plays) == 1
    assert device.said(play)[-2:] == [Reached.FINISHED, Reached.DUPLICATE]
    faults = [json.loads(payload) for kind, payload, _ in device.line.published if kind == "fault"]
    assert [(fault["code"], fault["detail"]) for fault in faults] == [("storage_low", "memory not written")]
    assert device.body.core.dirty
    (tmp_path / "memory.new").rmdir()
    device.wait(10)
    assert json.loads((tmp_path / "memory.json").read_text())["seen"][play.id]["state"] == "finished"


def test_a_device_whose_disk_takes_nothing_sounds_nothing_else(device: Device, tmp_path: Path) -> None:
    kept, play = a_play(start_at=NOON + MINUTE), a_play(seq=2)
    device.hear(kept)
    assert kept.audio is not None
    device.come(kept.audio)
    break_disk(tmp_path)
    device.hear(play)
    device.wait(MINUTE)
    assert device.stage.plays == []
    assert device.said(play) == [Reached.REFUSED]
    assert device.said(kept)[-1] is Reached.REFUSED
    assert {receipt.reason for receipt in device.line.receipts() if receipt.st is Reached.REFUSED} == {"storage_low"}
    (tmp_path / "memory.new").rmdir()
    device.wait(10)
    device.hear(a_play(seq=3))
    device.come(kept.audio)
    assert len(device.stage.plays) == 1


def test_a_device_starts_with_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "memory.json").write_bytes(b"\x00" * 100)
    for name in ("memory.damaged", "memory.new", "journal.new"):
        (tmp_path / name / "full").mkdir(parents=True)
    device = Device(tmp_path)
    device.do(device.body.core.boot(device.now))
    device.now += MINUTE
    play = a_play(iat=device.now, **GRAVE)
    device.hear(play)
    assert play.audio is not None
    device.come(play.audio)
    assert len(device.stage.plays) == 1


@pytest.mark.parametrize("words", [{"all": True}, {"ids": True}], ids=["everything", "the test alone"])
def test_a_stop_cuts_the_tone_of_a_self_test(device: Device, words: dict[str, bool]) -> None:
    test = order(SelfTest, sound=True)
    device.hear(test)
    (tone,) = device.stage.plays
    given = {"ids": (test.id,)} if "ids" in words else {"all": True}
    device.hear(a_stop(**given))
    assert tone.stopped
    assert device.body.sounding is None
    assert device.said(test) == [Reached.RECEIVED, Reached.STOPPED]
    device.hear(a_play(seq=2000))
    assert device.body.core.memory.testing is None


def test_a_stop_that_comes_while_the_device_still_looks_keeps_the_tone_from_sounding(tmp_path: Path) -> None:
    device = Device(tmp_path, later=True)
    test = order(SelfTest, sound=True)
    device.hear(test, a_stop(all=True))
    device.work.pop()()
    device.do([])
    assert device.stage.plays == []
    assert device.said(test) == [Reached.RECEIVED, Reached.STOPPED]


def test_a_self_test_that_took_too_long_does_not_sound_after_all(tmp_path: Path) -> None:
    device = Device(tmp_path, later=True)
    test = order(SelfTest, sound=True)
    device.hear(test)
    device.wait(30_000)
    device.work.pop()()
    device.do([])
    assert device.stage.plays == []
    assert device.said(test) == [Reached.RECEIVED, Reached.FAILED]


def test_a_self_test_that_comes_after_its_stop_is_silent(device: Device) -> None:
    test = order(SelfTest, sound=True)
    device.hear(a_stop(all=True), test)
    assert device.stage.plays == []
    assert device.said(test) == [Reached.STOPPED]


def test_a_stop_of_everything_leaves_a_silent_self_test_alone(tmp_path: Path) -> None:
    device = Device(tmp_path, later=True)
    test = order(SelfTest)
    device.hear(test, a_stop(all=True))
    device.work.pop()()
    device.do([])
    assert device.said(test) == [Reached.RECEIVED, Reached.FINISHED]

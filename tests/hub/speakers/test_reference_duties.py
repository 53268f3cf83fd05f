"""The reference loudspeaker beside its announcements: live voices, streams, self-test, records, restart."""

import base64
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from soundlab import pieces
from speakerlab import KEY, VILLAGE, Recordings, Village, a_chunk, a_play, a_relay, a_shout, a_stop, an_audio, soon

from hub.speakers.device.actions import ATTENTION_MS
from hub.speakers.device.brokers import wait_s
from hub.speakers.device.client import ReferenceSpeaker, SpeakerSettings, now_ms
from hub.speakers.device.player import SilentSink
from hub.speakers.device.sounds import RATE
from hub.speakers.device.streaming import Container
from hub.speakers.protocol import (
    Command,
    Configure,
    Priority,
    Reached,
    Records,
    Restart,
    SelfTest,
    Settings,
    ToDevice,
    ToRegion,
    seal_command,
)
from hub.speakers.topics import Kind, device_topic, region_command

pytestmark = pytest.mark.slow


@contextmanager
def a_speaker(village: Village, **options: Any) -> Iterator[ReferenceSpeaker]:
    given: dict[str, Any] = {"sink": "file", "voice": "", "pack_within_s": 0.2}
    speaker = ReferenceSpeaker(SpeakerSettings(village.device("horn-1"), **(given | options)))
    speaker.start()
    try:
        assert soon(lambda: village.is_up("horn-1") and len(village.beats) > 0)
        yield speaker
    finally:
        speaker.stop()


def send(village: Village, command: Command, topic: str = region_command(VILLAGE)) -> None:
    assert village.link.publish(topic, seal_command(command, KEY))


def order(kind: type[Any], **given: Any) -> Any:
    now = now_ms()
    fields = {"id": a_play().id, "issuer": "hub", "iat": now, "nbf": now, "exp": now + 60_000, "seq": 50}
    return kind(**(fields | {"to": ToDevice(device="horn-1")} | given))


def tell_settings(village: Village, **given: Any) -> None:
    settings = Settings(version=1, number=1, regions=(VILLAGE,), keys={"h1": KEY.public()}, **given)
    send(village, order(Configure, settings=settings), device_topic("horn-1", Kind.CONFIG))


def sounds_of(village: Village) -> list[Any]:
    """What the device has sounded, oldest first, as samples."""
    paths = sorted((village.folder / "horn-1" / "sounded").glob("*.wav"))
    return [np.frombuffer(path.read_bytes()[44:], dtype=np.int16) for path in paths]


def now_and_here() -> dict[str, Any]:
    return {"iat": now_ms(), "to": ToRegion(region=VILLAGE, upto=9)}


def test_a_live_voice_is_heard_while_it_speaks(village: Village) -> None:
    shout, spoken = a_shout(**now_and_here()), pieces(5)
    began = time.monotonic()
    with a_speaker(village):
        send(village, shout)
        for n, piece in enumerate(spoken):
            data = base64.b64encode(piece).decode()
            send(village, a_chunk(shout, n, **now_and_here(), data=data, last=n == len(spoken) - 1))
            if n == 1:
                assert soon(lambda: Reached.STARTED in village.states(shout)), "after two pieces of it"
            time.sleep(0.9)
        assert soon(lambda: Reached.FINISHED in village.states(shout))
        assert time.monotonic() - began < 13
    assert village.states(shout) == [Reached.RECEIVED, Reached.FETCHED, Reached.STARTED, Reached.FINISHED]
    (sound,) = sounds_of(village)
    assert len(sound) / RATE == pytest.approx(5 + ATTENTION_MS / 1000, abs=0.7)
    played = village.receipts[-1].played_ms
    assert played == pytest.approx(5000, abs=700)


def test_a_stop_ends_a_live_voice(village: Village) -> None:
    shout, (one, two) = a_shout(**now_and_here()), pieces(2)
    with a_speaker(village):
        send(village, shout)
        for n, piece in enumerate((one, two)):
            send(village, a_chunk(shout, n, **now_and_here(), data=base64.b64encode(piece).decode()))
        assert soon(lambda: Reached.STARTED in village.states(shout))
        send(village, a_stop(iat=now_ms(), all=True))
        assert soon(lambda: Reached.STOPPED in village.states(shout))


def a_generator(_url: str) -> Container:
    return av.open("sine=frequency=500", format="lavfi")


def test_a_stream_sounds_as_long_as_ordered(village: Village) -> None:
    relay = a_relay(**now_and_here(), duration_ms=1200)
    with a_speaker(village, open_stream=a_generator):
        send(village, relay)
        assert soon(lambda: Reached.FINISHED in village.states(relay))
    (sound,) = sounds_of(village)
    assert len(sound) / RATE == pytest.approx(1.2, abs=0.15)
    started = [receipt for receipt in village.receipts if receipt.st is Reached.STARTED]
    assert [receipt.used for receipt in started] == ["stream"]


def test_an_emergency_nobody_can_fetch_is_an_alarm_at_once(village: Village, recordings: Recordings) -> None:
    audio = an_audio(url=f"http://127.0.0.1:{recordings.port}/none.mp3", duration_ms=4000)
    play = a_play(**now_and_here(), pri=Priority.EMERGENCY, audio=audio)
    with a_speaker(village):
        send(village, play)
        assert soon(lambda: Reached.FINISHED in village.states(play))
    (sound,) = sounds_of(village)
    assert np.abs(sound).max() > 10_000
    (started,) = [receipt for receipt in village.receipts if receipt.st is Reached.STARTED]
    assert started.used == "tone"


def test_an_emergency_nobody_can_fetch_is_told_by_the_pack(village: Village, recordings: Recordings) -> None:
    kept = recordings.tone("flood.mp3", 0.7)
    audio = an_audio(url=f"http://127.0.0.1:{recordings.port}/none.mp3")
    with a_speaker(village):
        tell_settings(village, pack={"flood": kept}, beat_s=1, lead_in_ms=300)
        assert soon(lambda: any(beat.pack == 1 for beat in village.beats))
        play = a_play(**now_and_here(), pri=Priority.EMERGENCY, audio=audio, pack="flood")
        send(village, play)
        assert soon(lambda: Reached.FINISHED in village.states(play))
    (sound,) = sounds_of(village)
    assert not sound[: int(0.3 * RATE)].any()
    assert len(sound) / RATE == pytest.approx(1.0, abs=0.1)
    (started,) = [receipt for receipt in village.receipts if receipt.st is Reached.STARTED]
    assert started.used == "pack"


def test_a_self_test_with_sound_is_heard_and_reported(village: Village) -> None:
    test = order(SelfTest, sound=True)
    with a_speaker(village):
        assert soon(lambda: village.is_up("horn-1"))
        send(village, test, device_topic("horn-1", Kind.COMMAND))
        assert soon(lambda: len(village.states(test)) == 2)
    (sound,) = sounds_of(village)
    assert len(sound) / RATE == pytest.approx(3, abs=0.1)
    report = village.receipts[-1].report
    assert report is not None
    assert (report["storage"], report["amp"], report["pack"], report["tone"]) == ("ok", "ok", "ok 0", "ok")


def test_records_are_sent_again(village: Village, recordings: Recordings) -> None:
    play, records = a_play(**now_and_here(), audio=recordings.tone("a.mp3", 0.2)), order(Records, after=0)
    with a_speaker(village):
        send(village, play)
        assert soon(lambda: Reached.FINISHED in village.states(play))
        send(village, records, device_topic("horn-1", Kind.COMMAND))
        assert soon(lambda: Reached.FINISHED in village.states(records))
    assert village.states(play) == [Reached.RECEIVED, Reached.FETCHED, Reached.STARTED, Reached.FINISHED] * 2
    assert village.states(records) == [Reached.FINISHED]


def test_a_restart_is_survived_within_the_process(village: Village, recordings: Recordings) -> None:
    play = a_play(**now_and_here(), audio=recordings.tone("a.mp3", 0.2), start_at=now_ms() + 3500)
    restart = order(Restart)
    with a_speaker(village):
        send(village, play)
        assert soon(lambda: Reached.FETCHED in village.states(play))
        send(village, restart, device_topic("horn-1", Kind.COMMAND))
        assert soon(lambda: Reached.FINISHED in village.states(restart))
        assert soon(lambda: [presence.up for presence in village.presences][:3] == [True, False, True])
        assert soon(lambda: village.beats[-1].up_s == 0)
        send(village, restart, device_topic("horn-1", Kind.COMMAND))
        assert soon(lambda: Reached.DUPLICATE in village.states(restart))
        assert soon(lambda: Reached.FINISHED in village.states(play))
    assert len(sounds_of(village)) == 1
    assert [presence.up for presence in village.presences].count(False) <= 2


def test_the_next_node_is_found_when_the_first_is_lost(village: Village) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        gone = nobody.getsockname()[1]
    real = village.device("horn-1")
    device = real.model_copy(
        update={"broker_port": gone, "brokers": (f"127.0.0.1:{gone}", f"{real.broker_host}:{real.broker_port}")}
    )
    assert wait_s(0) <= 1
    speaker = ReferenceSpeaker(SpeakerSettings(device, sink="silent"))
    speaker.start()
    try:
        assert soon(lambda: village.is_up("horn-1"), within_s=8)
    finally:
        speaker.stop()


def mutated(chance: random.Random, messages: list[bytes]) -> bytes:
    """Bytes of any kind: noise, JSON that is none of ours, ours with something broken."""
    message = bytearray(chance.choice(messages))
    match chance.randrange(6):
        case 0:
            return chance.randbytes(chance.randrange(200))
        case 1:
            return chance.choice([b"", b"null", b"[]", b"{}", b'{"v":1}', b'"\\ud800"', b"[" * 5000, b"1e999", b"\x00"])
        case 2:
            del message[chance.randrange(len(message)) :]
        case 3:
            for _ in range(chance.randint(1, 8)):
                message[chance.randrange(len(message))] = chance.randrange(256)
        case 4:
            at = chance.randrange(len(message))
            message[at:at] = chance.randbytes(chance.randrange(1, 40))
        case _:
            message *= chance.randint(2, 12)
    return bytes(message)


@pytest.fixture
def alone(tmp_path: Path, village: Village) -> Iterator[ReferenceSpeaker]:
    speaker = ReferenceSpeaker(SpeakerSettings(village.device("horn-1")), SilentSink())
    speaker.start()
    yield speaker
    speaker.stop()


def test_no_bytes_on_any_topic_stop_a_speaker(village: Village, alone: ReferenceSpeaker) -> None:
    chance, messages = random.Random(7), valid_messages()
    assert soon(lambda: village.is_up("horn-1"))
    topics = [device_topic("horn-1", kind) for kind in Kind] + [region_command(VILLAGE), "", "x/y", "cx/1"]
    for number in range(2000):
        alone.heard(chance.choice(topics), mutated(chance, messages))
        if number % 200 == 0:
            assert soon(lambda: alone.idle)
    assert soon(lambda: alone.idle)
    play = a_play(**now_and_here(), audio=None, pri=Priority.RELAY, stream=a_relay(duration_ms=300).stream, seq=900)
    send(village, play)
    assert soon(lambda: Reached.FINISHED in village.states(play))
    assert all(receipt.id in {None, play.id} for receipt in village.receipts)


def valid_messages() -> list[bytes]:
    """One of each, for another device, so that only what is broken can do harm."""
    shout = a_shout()
    commands: list[Command] = [
        a_play(), shout, a_chunk(shout, 0), a_relay(), a_stop(all=True), order(Restart), order(SelfTest),
        order(Records, after=0),
    ]  # fmt: skip
    others = [command.model_copy(update={"to": ToDevice(device="horn-99")}) for command in commands]
    return [seal_command(command, KEY) for command in others]

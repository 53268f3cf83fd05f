"""When a device fetches what."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from speakerlab import Recordings, an_audio, recordings_served, soon

from hub.speakers.device import audio as audio_module
from hub.speakers.device.audio import AudioCache, Failed
from hub.speakers.device.fetching import PACK_PRI, Agenda, Fetching, Job, share_of
from hub.speakers.protocol import Audio, Priority

pytestmark = pytest.mark.slow


@pytest.fixture
def recordings(tmp_path: Path) -> Iterator[Recordings]:
    folder = tmp_path / "web"
    folder.mkdir()
    with recordings_served(folder) as served:
        yield served


class Heard:
    """What a device's fetching has told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None]] = []
        self.full: list[bool] = []
        self.lost: list[str] = []

    def tell(self, audio: Audio, reason: str | None, full: bool) -> None:
        self.told.append((audio.sha256, reason))
        self.full.append(full)

    def tell_lost(self, audio: Audio) -> None:
        self.lost.append(audio.sha256)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def cache(tmp_path: Path) -> AudioCache:
    return AudioCache(tmp_path / "cache")


@pytest.fixture
def fetching(cache: AudioCache, heard: Heard) -> Iterator[Fetching]:
    fetching = Fetching(cache, "horn-1")
    fetching.tell, fetching.tell_lost = heard.tell, heard.tell_lost
    yield fetching
    fetching.close()


def named(letter: str) -> Audio:
    return an_audio(sha256=letter * 64)


def test_the_moment_of_a_device_is_its_own_and_always_the_same() -> None:
    shares = [share_of(f"horn-{number}", "a" * 64) for number in range(1000)]
    assert shares == [share_of(f"horn-{number}", "a" * 64) for number in range(1000)]
    assert all(0 <= share < 1 for share in shares)
    tenths = [sum(int(share * 10) == tenth for share in shares) for tenth in range(10)]
    assert min(tenths) > 60, "a thousand devices spread evenly"


def test_the_most_urgent_of_what_is_due_comes_first() -> None:
    agenda = Agenda()
    for letter, pri, due in (("a", 1, 5.0), ("b", 3, 9.0), ("c", 1, 4.0), ("d", PACK_PRI, 0.0), ("e", 3, 20.0)):
        agenda.add(Job(named(letter), pri, due))
    order = [job.audio.sha256[0] for _ in range(4) if (job := agenda.take(10.0)) is not None]
    assert order == ["b", "c", "a", "d"]
    assert agenda.take(10.0) is None
    assert agenda.sleep(10.0) == 10.0


def test_what_is_wanted_twice_is_as_urgent_and_early_as_the_more_urgent_of_the_two() -> None:
    agenda = Agenda()
    agenda.add(Job(named("a"), PACK_PRI, 500.0))
    agenda.add(Job(named("b"), 1, 1.0))
    agenda.add(Job(named("a"), 3, 1.0, asked=True))
    first, second = agenda.take(1.0), agenda.take(1.0)
    assert first is not None
    assert (first.audio.sha256[0], first.pri, first.asked) == ("a", 3, True)
    assert second is not None
    assert agenda.take(1e9) is None


def test_a_former_pack_is_not_fetched_any_more_except_what_was_ordered() -> None:
    agenda = Agenda()
    agenda.add(Job(named("a"), PACK_PRI, 0.0))
    agenda.add(Job(named("b"), PACK_PRI, 0.0))
    agenda.add(Job(named("c"), 1, 0.0, asked=True))
    agenda.keep_only(frozenset({"b" * 64}))
    assert {job.audio.sha256[0] for _ in range(3) if (job := agenda.take(1.0))} == {"b", "c"}


def test_what_is_wanted_comes_and_is_told_once(recordings: Recordings, fetching: Fetching, heard: Heard) -> None:
    audio = recordings.offer("a", os.urandom(50_000))
    for _ in range(3):
        fetching.want(audio, Priority.ROUTINE)
    assert soon(lambda: len(heard.told) > 0)
    assert set(heard.told) == {(audio.sha256, None)}
    assert len(recordings.asked) == 1
    assert fetching.find(audio) is not None


def test_what_may_wait_waits_its_part_of_the_time(recordings: Recordings, fetching: Fetching, heard: Heard) -> None:
    later, at_once = recordings.offer("later", os.urandom(500)), recordings.offer("now", os.urandom(500))
    began = time.monotonic()
    within_s = 0.6 / share_of("horn-1", later.sha256)
    fetching.want(later, Priority.ROUTINE, int(within_s * 1000))
    fetching.want(at_once, Priority.EMERGENCY)
    assert soon(lambda: len(heard.told) == 2)
    assert [sha for sha, _ in heard.told] == [at_once.sha256, later.sha256]
    assert 0.5 <= time.monotonic() - began < 15


def test_an_emergency_does_not_wait_behind_a_queue(recordings: Recordings, fetching: Fetching, heard: Heard) -> None:
    gate = threading.Event()
    recordings.gate = gate
    slow = [recordings.offer(f"slow-{number}", os.urandom(500)) for number in range(6)]
    urgent = recordings.offer("urgent", os.urandom(500))
    for audio in slow:
        fetching.want(audio, Priority.ROUTINE)
    assert soon(lambda: len(recordings.asked) == 2), "two at a time"
    fetching.want(urgent, Priority.EMERGENCY)
    time.sleep(0.1)
    assert len(recordings.asked) == 2
    gate.set()
    assert soon(lambda: len(heard.told) == 7)
    assert [path for path, _ in recordings.asked].index("/urgent") <= 3


def test_a_failure_is_told_with_its_reason(recordings: Recordings, fetching: Fetching, heard: Heard) -> None:
    audio = recordings.offer("a", b"x")
    (recordings.folder / "a").unlink()
    fetching.want(audio, Priority.ROUTINE)
    assert soon(lambda: heard.told == [(audio.sha256, "http_404")])
    assert heard.full == [False]


def test_the_pack_is_fetched_told_and_pinned(recordings: Recordings, tmp_path: Path, heard: Heard) -> None:
    cache = AudioCache(tmp_path / "cache", limit=2_500)
    fetching = Fetching(cache, "horn-1")
    fetching.tell = heard.tell
    pack = [recordings.offer(f"p{number}", os.urandom(1000)) for number in range(2)]
    fetching.keep(tuple(pack), 0.1)
    assert soon(lambda: {sha for sha, _ in heard.told} == {audio.sha256 for audio in pack})
    for number in range(4):
        fetching.want(recordings.offer(f"r{number}", os.urandom(1000)), Priority.ROUTINE)
    assert soon(lambda: len(heard.told) == 6)
    assert all(fetching.find(audio) is not None for audio in pack)
    assert len(list((tmp_path / "cache").iterdir())) <= 3
    fetching.close()


def test_a_pack_that_is_here_is_checked_and_told_without_the_network(
    recordings: Recordings, cache: AudioCache, fetching: Fetching, heard: Heard
) -> None:
    good, rotten = recordings.offer("good", os.urandom(1000)), recordings.offer("rotten", os.urandom(1000))
    cache.fetch(good)
    cache.fetch(rotten)
    cache.path(rotten.sha256).write_bytes(b"rot")
    recordings.asked.clear()
    fetching.keep((good, rotten), 0.1)
    assert soon(lambda: len(heard.told) == 2)
    assert recordings.asked == [("/rotten", None)]


def test_a_recording_of_the_pack_that_rots_is_told_and_fetched_again(
    recordings: Recordings, cache: AudioCache, fetching: Fetching, heard: Heard
) -> None:
    audio = recordings.offer("a", os.urandom(1000))
    fetching.keep((audio,), 0.1)
    assert soon(lambda: heard.told == [(audio.sha256, None)])
    fetching.check_pack()
    assert heard.lost == []
    cache.path(audio.sha256).write_bytes(b"rot")
    fetching.check_pack()
    assert heard.lost == [audio.sha256]
    assert soon(lambda: heard.told == [(audio.sha256, None)] * 2)
    assert fetching.find(audio) is not None


def test_a_pack_that_cannot_be_had_is_tried_again(
    recordings: Recordings, fetching: Fetching, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.speakers.device.fetching.PACK_AGAIN_S", (0.1, 0.2))
    audio = recordings.offer("a", os.urandom(1000))
    data = (recordings.folder / "a").read_bytes()
    (recordings.folder / "a").unlink()
    fetching.keep((audio,), 0.1)
    assert soon(lambda: len(recordings.asked) >= 2)
    assert heard.told == [], "the rules do not wait for it"
    (recordings.folder / "a").write_bytes(data)
    assert soon(lambda: heard.told == [(audio.sha256, None)])


def test_a_full_disk_is_said_and_what_nobody_needs_makes_way(
    recordings: Recordings, cache: AudioCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, needed, new = (recordings.offer(name, os.urandom(1000)) for name in ("old", "needed", "new"))
    for age, audio in ((100, needed), (50, old)):
        path = cache.fetch(audio)
        assert isinstance(path, Path)
        os.utime(path, (path.stat().st_atime - age, path.stat().st_mtime - age))
    cache.pinned = frozenset({needed.sha256})
    room = 0

    def write(answer: requests.Response, part: Path, have: int, size: int) -> None:
        if len(list(part.parent.iterdir())) > room + 1:
            raise OSError(errno.ENOSPC, "no space left on device")
        part.write_bytes(answer.content)

    monkeypatch.setattr(audio_module.AudioCache, "_receive", staticmethod(write))
    assert cache.fetch(new) == Failed("fetch_failed", full=True)
    assert cache.find(old) is None
    assert cache.find(needed) is not None
    assert isinstance(cache.fetch(new), Path)

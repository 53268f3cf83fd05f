"""Recordings fetched by hash."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from speakerlab import Recordings, recordings_served

from hub.speakers.device.audio import AudioCache, Failed


@pytest.fixture
def recordings(tmp_path: Path) -> Iterator[Recordings]:
    folder = tmp_path / "web"
    folder.mkdir()
    with recordings_served(folder) as served:
        yield served


def test_a_recording_is_fetched_once_and_kept(recordings: Recordings, tmp_path: Path) -> None:
    cache, audio = AudioCache(tmp_path / "cache"), recordings.offer("a", os.urandom(200_000))
    first, second = cache.fetch(audio), cache.fetch(audio)
    assert isinstance(first, Path)
    assert first == second
    assert first.read_bytes() == (recordings.folder / "a").read_bytes()
    assert len(recordings.asked) == 1


def test_a_broken_download_goes_on_where_it_broke(recordings: Recordings, tmp_path: Path) -> None:
    cache, audio = AudioCache(tmp_path / "cache"), recordings.offer("a", os.urandom(200_000))
    recordings.break_after = 131_072
    assert cache.fetch(audio) == Failed("fetch_failed")
    assert isinstance(cache.fetch(audio), Path)
    assert recordings.asked == [("/a", None), ("/a", "bytes=131072-")]


def test_what_has_another_hash_is_thrown_away(recordings: Recordings, tmp_path: Path) -> None:
    cache, audio = AudioCache(tmp_path / "cache"), recordings.offer("a", os.urandom(5000))
    (recordings.folder / "a").write_bytes(os.urandom(5000))
    assert cache.fetch(audio) == Failed("bad_audio")
    assert list((tmp_path / "cache").iterdir()) == []


def test_more_bytes_than_announced_are_not_taken(recordings: Recordings, tmp_path: Path) -> None:
    cache, audio = AudioCache(tmp_path / "cache"), recordings.offer("a", os.urandom(5000))
    (recordings.folder / "a").write_bytes(os.urandom(3_000_000))
    assert cache.fetch(audio) == Failed("bad_audio")


def test_a_missing_recording_says_what_the_server_said(recordings: Recordings, tmp_path: Path) -> None:
    audio = recordings.offer("a", b"x")
    (recordings.folder / "a").unlink()
    assert AudioCache(tmp_path / "cache").fetch(audio) == Failed("http_404")


def test_a_server_that_is_not_there_is_a_failure(recordings: Recordings, tmp_path: Path) -> None:
    audio = recordings.offer("a", b"x").model_copy(update={"url": "http://127.0.0.1:9/a"})
    assert AudioCache(tmp_path / "cache").fetch(audio) == Failed("fetch_failed")


def test_a_file_damaged_on_the_disk_is_fetched_anew(recordings: Recordings, tmp_path: Path) -> None:
    cache, audio = AudioCache(tmp_path / "cache"), recordings.offer("a", os.urandom(5000))
    cache.fetch(audio)
    cache.path(audio.sha256).write_bytes(b"rot")
    assert cache.find(audio) is None
    assert isinstance(cache.fetch(audio), Path)


def test_the_least_used_recordings_go_first(recordings: Recordings, tmp_path: Path) -> None:
    cache = AudioCache(tmp_path / "cache", limit=2500)
    audios = [recordings.offer(f"{number}", os.urandom(1000)) for number in range(3)]
    for age, audio in zip((300, 200), audios, strict=False):
        path = cache.fetch(audio)
        assert isinstance(path, Path)
        os.utime(path, (path.stat().st_atime - age, path.stat().st_mtime - age))
    cache.fetch(audios[2])
    assert [cache.find(audio) is not None for audio in audios] == [False, True, True]


def test_a_server_that_ignores_ranges_costs_only_time(recordings: Recordings, tmp_path: Path) -> None:
    cache, audio = AudioCache(tmp_path / "cache"), recordings.offer("a", os.urandom(200_000))
    recordings.break_after, recordings.ignores_ranges = 131_072, True
    assert cache.fetch(audio) == Failed("fetch_failed")
    path = cache.fetch(audio)
    assert isinstance(path, Path)
    assert path.read_bytes() == (recordings.folder / "a").read_bytes()
    assert recordings.asked[-1] == ("/a", "bytes=131072-")


def test_what_is_pinned_or_needed_never_goes(recordings: Recordings, tmp_path: Path) -> None:
    audios = [recordings.offer(f"{number}", os.urandom(1000)) for number in range(5)]
    cache = AudioCache(tmp_path / "cache", limit=2500, needed=lambda: [audios[1].sha256])
    cache.pinned = frozenset({audios[0].sha256})
    for audio in audios:
        assert isinstance(cache.fetch(audio), Path)
    assert [cache.find(audio) is not None for audio in audios] == [True, True, False, False, True]


def test_halves_that_nobody_came_back_for_make_room_too(recordings: Recordings, tmp_path: Path) -> None:
    cache, audio = AudioCache(tmp_path / "cache", limit=2500), recordings.offer("a", os.urandom(1000))
    half = tmp_path / "cache" / f"{'f' * 64}.part"
    half.write_bytes(bytes(2000))
    os.utime(half, (1, 1))
    cache.fetch(audio)
    assert not half.exists()
    assert cache.find(audio) is not None

"""Whatever happens on the way, nobody hears the same thing twice, and nothing after its stop."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speakerlab import (
    GRAVE,
    KEY,
    MINUTE,
    NOON,
    SILENCE_SHA,
    Bench,
    a_chunk,
    a_play,
    a_prefetch,
    a_relay,
    a_shout,
    a_stop,
    an_audio,
    some_settings,
    to_device,
)

from hub.speakers.device.actions import Action, Examine, Feed, StartAnew
from hub.speakers.envelope import seal
from hub.speakers.protocol import (
    WAKES,
    Command,
    Configure,
    Ping,
    Play,
    Priority,
    QuietTime,
    Reached,
    Records,
    Restart,
    SelfTest,
    SetVolume,
    Severity,
)

pytestmark = pytest.mark.slow

QUIET_FROM = 12 * 60 + 4
SETTINGS = some_settings(quiet=(QuietTime(start=QUIET_FROM, end=13 * 60),), lead_in_ms=1500, pack={"fire": an_audio()})
GIVEN: list[dict[str, Any]] = [
    {"pri": Priority.ROUTINE},
    GRAVE | {"pack": "fire"},
    {"pri": Priority.ROUTINE, "repeat": 3, "gap_ms": 20_000},
    {"pri": Priority.EMERGENCY, "severity": Severity.YELLOW, "by": "李芳", "repeat": 2},
    {"pri": Priority.RELAY, "start_at": NOON + MINUTE},
    {"mode": "drill"},
]
PLAYS = [
    *(
        a_play(seq=seq, iat=NOON, exp=NOON + (2 + seq % 4) * MINUTE, **fields, audio=an_audio(sha256=f"{seq % 2:064}"))
        for seq, fields in enumerate(GIVEN)
    ),
    a_relay(seq=6, duration_ms=5 * MINUTE, fallback=an_audio()),
    a_relay(seq=7, duration_ms=2 * MINUTE),
    a_shout(seq=8),
    a_shout(seq=9, **GRAVE),
]
STOPS = [
    a_stop(ids=(PLAYS[0].id, PLAYS[6].id), seq=20),
    a_stop(broadcasts=(PLAYS[1].broadcast, PLAYS[2].broadcast, PLAYS[8].broadcast), seq=21),
    a_stop(all=True, seq=3),
]


def order(seq: int) -> dict[str, Any]:
    """What every other command carries."""
    named = {"id": str(UUID(int=seq)), "issuer": "hub", "seq": seq, "to": to_device("horn-7")}
    return named | {"iat": NOON, "nbf": NOON, "exp": NOON + 4 * MINUTE}


OTHERS: list[Command] = [
    Ping(**order(30)),
    SetVolume(**order(31), level=30),
    Restart(**order(32)),
    SelfTest(**order(33)),
    SelfTest(**order(34), sound=True),
    Records(**order(35), after=2),
    a_prefetch(seq=36),
    Configure(**order(37), settings=SETTINGS.model_copy(update={"version": 1, "drill": True})),
    Configure(**order(38), settings=SETTINGS.model_copy(update={"version": 2})),
    *(a_chunk(play, n, seq=39) for play in PLAYS[8:] for n in (0, 1)),
]

Step = Callable[[Bench], None]


def report(tell: Callable[[Bench], list[Action]]) -> Step:
    """The body reports something."""
    return lambda bench: bench.take(tell(bench))


def name_of(bench: Bench) -> str:
    return bench.core.memory.playing or PLAYS[0].id


def end(bench: Bench) -> None:
    """One pass ends, if one is on."""
    if bench.core.memory.playing is not None:
        bench.sound_ends()


def examined(bench: Bench) -> list[Action]:
    tests = bench.did(Examine)
    return bench.core.examined(tests[-1].command_id, len(tests) % 2 == 0, {}, bench.now) if tests else []


HAPPENINGS: list[Step] = [
    Bench.restart,
    end,
    lambda bench: bench.wait(20_000),
    lambda bench: bench.wait(-40_000),
    lambda bench: bench.sleep(25_000),
    report(lambda bench: bench.core.fetched(SILENCE_SHA, bench.now)),
    report(lambda bench: bench.core.fetch_failed(SILENCE_SHA, "fetch_failed", bench.now)),
    report(lambda bench: bench.core.lost(SILENCE_SHA, bench.now)),
    report(lambda bench: bench.core.connected(bench.now)),
    report(lambda bench: bench.core.stream_ready(name_of(bench), bench.now)),
    report(lambda bench: bench.core.shout_ready(PLAYS[8].id, bench.now)),
    report(lambda bench: bench.core.shout_ready(PLAYS[9].id, bench.now)),
    report(lambda bench: bench.core.sound_ended(name_of(bench), 300, "stream_lost", bench.now)),
    report(lambda bench: bench.core.sound_ended(name_of(bench), 300, "playback", bench.now)),
    report(lambda bench: bench.core.fault("mains_lost", len(bench.actions) % 2 == 0, None, bench.now)),
    report(examined),
]


def hearing(command: Command) -> Step:
    """It arrives."""
    return lambda bench: bench.hear(command)


steps = st.one_of(
    st.sampled_from([hearing(play) for play in PLAYS]),
    st.sampled_from([hearing(command) for command in [*STOPS, *OTHERS]]),
    st.sampled_from(HAPPENINGS),
)
stories = st.lists(steps, max_size=40)


def a_bench(**options: Any) -> Bench:
    return Bench(settings=SETTINGS, **options)


def is_grave(play: Play) -> bool:
    """Whether it may wake people."""
    return play.pri is Priority.EMERGENCY and play.severity in WAKES and bool(play.by)


@settings(max_examples=300, deadline=None)
@given(stories, st.booleans())
def test_in_any_order_with_any_loss_doubling_and_restart_each_sounds_at_most_once(
    story: list[Step], audio_at_once: bool
) -> None:
    bench = a_bench(audio_at_once=audio_at_once)
    for step in story:
        step(bench)
    sounded = Counter(sound.command.id for sound in bench.sounds)
    for play in PLAYS:
        said = bench.said(play)
        interrupted, breaks = said.count(Reached.INTERRUPTED), said.count(Reached.PROGRESS)
        assert said.count(Reached.STARTED) <= 1 + interrupted
        if play.stream is None:
            assert interrupted <= 2
            assert sounded[play.id] <= play.repeat + 1 + min(1, interrupted) + breaks
        finals = [each for each in bench.receipts_of(play) if each.is_final]
        assert sum(each.st is not Reached.EXPIRED for each in finals) <= 1
    assert len(bench.did(StartAnew)) <= 1


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=25), st.lists(steps, max_size=25), st.sampled_from(STOPS[:2]))
def test_after_its_stop_nothing_sounds(before: list[Step], after: list[Step], stop: Any) -> None:
    bench = a_bench()
    for step in before:
        step(bench)
    bench.hear(stop)
    meant = [play for play in PLAYS if play.id in stop.ids or play.broadcast in stop.broadcasts]
    so_far = [bench.sounded(play) for play in meant]
    fed = len(bench.did(Feed))
    assert bench.core.memory.playing not in {play.id for play in meant}
    for step in after:
        step(bench)
    assert [bench.sounded(play) for play in meant] == so_far
    assert not any(feed.command_id == meant[-1].id for feed in bench.did(Feed)[fed:])


@settings(max_examples=200, deadline=None)
@given(stories)
def test_in_quiet_hours_nothing_begins_but_a_grave_emergency_somebody_answers_for(story: list[Step]) -> None:
    bench = a_bench()
    for step in story:
        step(bench)
    for index, (sound, at) in enumerate(zip(bench.sounds, bench.sounded_at, strict=True)):
        before = bench.sounds[index - 1] if index else sound
        goes_on_otherwise = before.command == sound.command and before.used != sound.used
        assert not SETTINGS.is_quiet(max(NOON, at)) or goes_on_otherwise or is_grave(sound.command)


@settings(max_examples=200, deadline=None)
@given(stories)
def test_what_sounds_is_known_to_the_disk_before_it_sounds(story: list[Step]) -> None:
    bench = a_bench()
    for step in story:
        step(bench)
        if bench.core.memory.playing is not None:
            assert f'"playing":"{bench.core.memory.playing}"' in bench.persisted


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_stumble(message: bytes) -> None:
    bench = a_bench()
    bench.hear_bytes(message)
    assert bench.last().st is Reached.REFUSED


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([*PLAYS, *STOPS, *OTHERS]),
    st.text(max_size=12),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_nothing_signed_makes_it_stumble(command: Command, name: str, value: object) -> None:
    bench = a_bench()
    fields = json.loads(command.to_bytes())
    for field in (name, *fields):
        bench.hear_bytes(seal(json.dumps(fields | {field: value}).encode(), KEY))
    bench.hear_bytes(seal(json.dumps(value).encode(), KEY))
    bench.wait(1000)

"""Whatever happens on the way, nobody hears the same thing twice, and nothing after its stop."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speakerlab import MINUTE, NOON, Bench, a_play, a_stop

from hub.speakers.protocol import Play, Priority, Reached, Stop

pytestmark = pytest.mark.slow

PLAYS = [
    a_play(seq=seq, iat=NOON, exp=NOON + (1 + seq % 3) * MINUTE, pri=pri)
    for seq, pri in enumerate([Priority.ROUTINE, Priority.EMERGENCY, Priority.ROUTINE, Priority.SHOUT, Priority.RELAY])
]
STOPS = [a_stop(ids=(PLAYS[0].id,), seq=10), a_stop(broadcasts=(PLAYS[1].broadcast,), seq=11), a_stop(all=True, seq=3)]

deliveries = st.one_of(
    st.sampled_from(PLAYS),
    st.sampled_from(STOPS),
    st.sampled_from(["restart", "end", "wait", "fetch", "fail", "connect", "clock back"]),
)


def happen(bench: Bench, step: object) -> None:
    """One step of a story."""
    sha256 = PLAYS[0].audio.sha256
    if isinstance(step, Play | Stop):
        bench.hear(step)
    elif step == "restart":
        bench.restart()
    elif step == "end" and bench.core.memory.playing is not None:
        bench.sound_ends()
    elif step in {"wait", "clock back"}:
        bench.wait(20_000 if step == "wait" else -40_000)
    elif step in {"fetch", "fail"}:
        now = bench.now
        core = bench.core
        fetched = core.fetched(sha256, now) if step == "fetch" else core.fetch_failed(sha256, "fetch_failed", now)
        bench.take(fetched)
    elif step == "connect":
        bench.take(bench.core.connected(bench.now))


@settings(max_examples=300, deadline=None)
@given(st.lists(deliveries, max_size=40), st.booleans())
def test_in_any_order_with_any_loss_doubling_and_restart_each_sounds_at_most_once(
    story: list[object], audio_at_once: bool
) -> None:
    bench = Bench(audio_at_once=audio_at_once)
    for step in story:
        happen(bench, step)
    sounded = Counter(sound.command.id for sound in bench.sounds)
    for play in PLAYS:
        interrupted = bench.said(play).count(Reached.INTERRUPTED)
        assert sounded[play.id] <= 1 + min(1, interrupted)
        finals = [each for each in bench.receipts if each.id == play.id and each.is_final]
        assert sum(each.st is not Reached.EXPIRED for each in finals) <= 1


@settings(max_examples=200, deadline=None)
@given(st.lists(deliveries, max_size=25), st.lists(deliveries, max_size=25))
def test_after_its_stop_nothing_sounds(before: list[object], after: list[object]) -> None:
    bench = Bench()
    for step in before:
        happen(bench, step)
    bench.hear(STOPS[0])
    so_far = bench.sounded(PLAYS[0])
    assert bench.core.memory.playing != PLAYS[0].id
    for step in after:
        happen(bench, step)
    assert bench.sounded(PLAYS[0]) == so_far


@settings(max_examples=200, deadline=None)
@given(st.lists(deliveries, max_size=40))
def test_what_sounds_is_known_to_the_disk_before_it_sounds(story: list[object]) -> None:
    bench = Bench()
    for step in story:
        happen(bench, step)
        if bench.core.memory.playing is not None:
            assert f'"playing":"{bench.core.memory.playing}"' in bench.persisted


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_stumble(message: bytes) -> None:
    bench = Bench()
    bench.hear_bytes(message)
    assert bench.last().st is Reached.REFUSED

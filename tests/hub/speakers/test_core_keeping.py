"""A loudspeaker whose memory cannot be written: a grave emergency sounds, nothing else begins, nothing sounds twice."""

import random
from collections import Counter

import pytest
from speakerlab import GRAVE, MINUTE, NOON, Bench, a_play, a_prefetch, a_relay, a_stop, an_audio, an_order

from hub.speakers.device.actions import Examine, SendFault, Silence, StartAnew
from hub.speakers.protocol import FaultCode, Play, Priority, Reached, Restart, SelfTest, Severity


@pytest.fixture
def bench() -> Bench:
    return Bench()


def heal(bench: Bench) -> None:
    """The disk takes something again; a body tries at every turn."""
    bench.disk_fails = False
    bench.take([])


def refusals(bench: Bench, play: Play) -> list[tuple[Reached, str | None]]:
    return [(receipt.st, receipt.reason) for receipt in bench.receipts_of(play)]


def test_a_routine_play_that_cannot_be_written_is_refused_and_a_fault_is_said(bench: Bench) -> None:
    bench.disk_fails = True
    play = a_play()
    bench.hear(play)
    assert bench.sounds == []
    assert refusals(bench, play) == [(Reached.REFUSED, "storage_low")]
    assert [(fault.report.code, fault.report.on) for fault in bench.did(SendFault)] == [("storage_low", True)]
    bench.hear(play)
    assert bench.last().st is Reached.DUPLICATE


@pytest.mark.parametrize("severity", [Severity.RED, Severity.ORANGE])
def test_a_grave_emergency_sounds_all_the_same_and_once(bench: Bench, severity: Severity) -> None:
    bench.disk_fails = True
    play = a_play(**GRAVE | {"severity": severity})
    bench.hear(play, play)
    bench.sound_ends()
    bench.hear(play)
    bench.wait(MINUTE)
    assert bench.sounded(play) == 1
    assert bench.said(play)[-2:] == [Reached.FINISHED, Reached.DUPLICATE]
    assert FaultCode.STORAGE_LOW in bench.core.memory.faults


@pytest.mark.parametrize(
    "given",
    [{"severity": Severity.YELLOW}, {"severity": None}, {"mode": "drill"}, {"pri": Priority.SHOUT}],
    ids=["yellow", "no colour", "drill", "less urgent"],
)
def test_what_is_less_than_a_grave_emergency_is_refused(given: dict[str, object]) -> None:
    bench = Bench()
    bench.disk_fails = True
    play = a_play(**GRAVE | given)
    bench.hear(play)
    assert bench.sounds == []
    assert bench.said(play) == [Reached.REFUSED]


def test_what_waits_on_the_flash_goes_on_waiting_and_is_refused_at_its_time(bench: Bench) -> None:
    soon, late = a_play(start_at=NOON + MINUTE), a_play(seq=2, start_at=NOON + 5 * MINUTE)
    bench.hear(soon, late)
    bench.disk_fails = True
    bench.hear(a_prefetch(seq=3))
    assert Reached.REFUSED not in bench.said(soon)
    bench.wait(MINUTE)
    assert bench.last().id == soon.id
    assert (bench.last().st, bench.last().reason) == (Reached.REFUSED, "storage_low")
    heal(bench)
    bench.wait(4 * MINUTE)
    assert bench.sounded(late) == 1
    bench.restart()
    bench.hear(soon, late)
    assert (bench.sounded(soon), bench.sounded(late)) == (0, 1)


def test_what_the_flash_knows_to_be_sounding_goes_on(bench: Bench) -> None:
    play = a_play(repeat=3)
    bench.hear(play)
    bench.disk_fails = True
    for _ in range(3):
        bench.sound_ends()
    assert bench.sounded(play) == 3
    assert bench.said(play)[-1] is Reached.FINISHED
    bench.restart()
    bench.hear(play)
    assert bench.sounded(play) == 3
    assert refusals(bench, play)[-2:] == [(Reached.FAILED, "power_lost"), (Reached.DUPLICATE, None)]


def test_what_a_refused_play_would_have_interrupted_sounds_on(bench: Bench) -> None:
    relay, play = a_relay(), a_play(seq=2)
    bench.hear(relay)
    bench.take(bench.core.stream_ready(relay.id, bench.now))
    bench.disk_fails = True
    bench.hear(play)
    assert bench.said(play) == [Reached.REFUSED]
    assert bench.core.memory.playing == relay.id
    assert bench.sounds[-1].command == relay


def test_what_was_interrupted_and_written_as_waiting_does_not_come_back(bench: Bench) -> None:
    play, alarm = a_play(), a_play(seq=2, **GRAVE)
    bench.hear(play)
    bench.wait(1000)
    bench.hear(alarm)
    bench.disk_fails = True
    bench.sound_ends()
    assert bench.sounded(play) == 1
    assert refusals(bench, play)[-1] == (Reached.FAILED, "storage_low")


def test_receipts_that_were_taken_back_leave_no_gap(bench: Bench) -> None:
    bench.disk_fails = True
    bench.hear(a_play(), a_play(seq=2, **GRAVE), a_play(seq=3))
    bench.sound_ends()
    heal(bench)
    bench.hear(a_play(seq=4))
    numbers = [receipt.n for receipt in bench.receipts]
    assert numbers == list(range(1, len(numbers) + 1))
    assert bench.core.memory.receipts == numbers[-1]


def test_a_stop_is_obeyed_also_then(bench: Bench) -> None:
    bench.disk_fails = True
    play = a_play(**GRAVE)
    bench.hear(play, a_stop(broadcasts=(play.broadcast,)), play)
    assert bench.silences == [play.id]
    assert bench.said(play)[-2:] == [Reached.STOPPED, Reached.DUPLICATE]


def test_when_it_can_be_written_again_all_is_as_before_and_the_fault_goes(bench: Bench) -> None:
    bench.disk_fails = True
    bench.hear(a_play())
    assert bench.core.beat(bench.now, 10**9).faults == ("storage_low",)
    bench.wait(1)
    assert FaultCode.STORAGE_LOW in bench.core.memory.faults, "free space alone does not make it well"
    heal(bench)
    play = a_play(seq=2)
    bench.hear(play)
    assert bench.sounded(play) == 1
    bench.core.beat(bench.now, 10**9)
    bench.wait(1)
    assert [fault.report.on for fault in bench.did(SendFault)] == [True, False]


def test_a_restart_would_forget_what_has_sounded_and_is_refused(bench: Bench) -> None:
    bench.disk_fails = True
    first, second = Restart(**an_order()), Restart(**an_order(seq=6, id=a_play().id) | {})
    bench.hear(first, second)
    assert bench.did(StartAnew) == []
    for restart in (first, second):
        assert [(each.st, each.reason) for each in bench.receipts_of(restart)] == [(Reached.REFUSED, "storage_low")]


def test_a_restart_that_is_written_waits_until_the_memory_is(bench: Bench) -> None:
    play, restart = a_play(), Restart(**an_order())
    bench.hear(play, restart)
    bench.disk_fails = True
    bench.sound_ends()
    assert bench.did(StartAnew) == []
    heal(bench)
    bench.wait(MINUTE)
    assert len(bench.did(StartAnew)) == 1


def test_a_self_test_is_made_without_its_tone(bench: Bench) -> None:
    bench.disk_fails = True
    bench.hear(SelfTest(**an_order(), sound=True), SelfTest(**an_order(seq=6, id=a_play().id), sound=True))
    assert [each.sound for each in bench.did(Examine)] == [False]
    assert bench.did(Silence) == []


def a_story(seed: int) -> Counter[str]:
    """How often each play began to sound while disk and power came and went."""
    chance = random.Random(seed)
    bench, plays = Bench(audio_at_once=chance.random() < 0.7), [a_play()]
    bench.hear(*plays)
    for step in range(2, 40):
        match chance.choice(("play", "play", "again", "disk", "power", "fetch", "time", "time")):
            case "play":
                start = chance.choice((None, bench.now + chance.randint(0, 20_000)))
                plays.append(a_play(iat=bench.now, seq=step, start_at=start, audio=an_audio(duration_ms=3000)))
                bench.hear(plays[-1])
            case "again":
                bench.hear(chance.choice(plays))
            case "disk":
                bench.disk_fails = not bench.disk_fails
                bench.take([])
            case "power":
                bench.restart()
            case "fetch":
                bench.take(bench.core.fetched(an_audio().sha256, bench.now))
            case _:
                let_sound(bench, chance.randint(1, 5000))
    return Counter(sound.command.id for sound in bench.sounds)


def let_sound(bench: Bench, ms: int) -> None:
    bench.wait(ms)
    if bench.core.memory.playing:
        bench.sound_ends()


def test_no_routine_play_ever_sounds_twice_whatever_disk_and_power_do() -> None:
    stories = [a_story(seed) for seed in range(25)]
    assert {times for story in stories for times in story.values()} == {1}
    assert sum(map(len, stories)) > 3 * len(stories), "too little has sounded to prove anything"

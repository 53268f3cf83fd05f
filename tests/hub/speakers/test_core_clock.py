"""Many loudspeakers, one moment; and a day's sheet that sounds with the line down."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from speakerlab import DAY, KEY, MINUTE, NOON, Bench, a_play, a_stop, some_settings, to_device

from hub.speakers.device.actions import Action, Fetch, SendBeat, Sound
from hub.speakers.device.core import SpeakerCore
from hub.speakers.device.memory import Memory
from hub.speakers.protocol import Play, Reached, Settings, TimeAnswer, seal_command

HOUR = 60 * MINUTE


@dataclass
class Horn:
    """A core with a clock of its own, which is wrong and drifts, on a line with a delay each way."""

    ahead_ms: int
    drift_ppm: int
    there_ms: int
    back_ms: int
    settings: Settings

    def __post_init__(self) -> None:
        self.core = SpeakerCore("horn-7", self.settings, Memory())
        self.pending: list[tuple[int, bytes]] = []
        self.began: int | None = None
        self.lead_in = 0
        self.hub = NOON

    def local(self, hub: int) -> int:
        """What its own clock shows."""
        return hub + self.ahead_ms + (hub - NOON) * self.drift_ppm // 1_000_000

    def hear(self, message: bytes) -> None:
        self.take(self.core.receive(message, self.local(self.hub)))

    def live(self, until: int) -> None:
        """Go through simulated time: ticks when asked for, answers when they arrive."""
        while self.hub < until:
            arrivals = [at for at, _ in self.pending]
            wake = self.core.next_wake(self.local(self.hub))
            self.hub = min(until, self.when(wake), *arrivals)
            due = [message for at, message in self.pending if at <= self.hub]
            self.pending = [(at, message) for at, message in self.pending if at > self.hub]
            for message in due:
                self.hear(message)
            self.take(self.core.tick(self.local(self.hub)))

    def when(self, local: int) -> int:
        """The hub's time at which its clock shows that."""
        hub = self.hub + 1
        step = local - self.local(hub)
        while self.local(hub) < local:
            hub += max(1, step - abs(step) // 1000)
            step = local - self.local(hub)
        return hub

    def take(self, actions: list[Action]) -> None:
        now = self.local(self.hub)
        for action in actions:
            match action:
                case SendBeat():
                    beat = self.core.beat(now, 10**9)
                    heard_at = self.hub + self.there_ms
                    self.pending.append((heard_at + self.back_ms, the_time(heard_at, beat.nonce, beat.ts - heard_at)))
                case Fetch(audio):
                    self.take(self.core.fetched(audio.sha256, now))
                case Sound():
                    self.began, self.lead_in = self.hub, action.lead_in_ms


def the_time(hub: int, nonce: str, offset_ms: int) -> bytes:
    """The hub's answer to a heartbeat."""
    fields: dict[str, Any] = {
        "id": str(uuid4()),
        "issuer": "hub",
        "iat": hub,
        "nbf": hub,
        "exp": hub + MINUTE,
        "seq": 1,
        "to": to_device("horn-7"),
    }
    return seal_command(TimeAnswer(**fields, nonce=nonce, offset_ms=offset_ms), KEY)


@pytest.mark.parametrize("lead_in_ms", [0, 1500])
def test_devices_with_wrong_and_drifting_clocks_begin_within_20_ms_of_the_hubs_time(lead_in_ms: int) -> None:
    settings = some_settings(lead_in_ms=lead_in_ms, beat_s=60)
    horns = [
        Horn(ahead, drift, there, back, settings)
        for ahead, drift, there, back in [
            (0, 0, 1, 1),
            (2 * HOUR, 100, 30, 5),
            (-2 * HOUR, -100, 5, 30),
            (-90_000, 60, 200, 190),
            (4321, -40, 20, 40),
        ]
    ]
    start = NOON + 10 * MINUTE + 137
    play = a_play(start_at=start, iat=NOON + 5 * MINUTE, exp=NOON + HOUR)
    for horn in horns:
        horn.take(horn.core.boot(horn.local(NOON)))
        horn.take(horn.core.connected(horn.local(NOON)))
        horn.live(NOON + 5 * MINUTE)
        horn.hear(seal_command(play, KEY))
        horn.live(NOON + 11 * MINUTE)
    first_words = [horn.began + horn.lead_in for horn in horns if horn.began is not None]
    assert len(first_words) == len(horns)
    assert max(abs(word - start) for word in first_words) <= 20
    assert all(lead_in_ms - 2 <= horn.lead_in <= lead_in_ms for horn in horns)


def a_sheet() -> list[Play]:
    """Three plays for tomorrow: at noon, at one and at two."""
    return [
        a_play(seq=seq, start_at=NOON + DAY + seq * HOUR, exp=NOON + DAY + seq * HOUR + 10 * MINUTE) for seq in range(3)
    ]


def test_the_sheet_sounds_by_itself_with_the_line_down_and_after_a_power_cut() -> None:
    bench, sheet = Bench(), a_sheet()
    bench.take(bench.core.connected(bench.now))
    bench.hear(*sheet)
    bench.core.disconnected()
    bench.sleep(HOUR)
    bench.restart()
    for play in sheet:
        assert play.start_at is not None
        bench.sleep(play.start_at - bench.now)
        assert bench.now == play.start_at
        assert bench.sounded(play) == 1
        bench.sound_ends()
    assert bench.core.memory.recent == [(play.id, Reached.FINISHED) for play in sheet]
    assert all(bench.said(play)[-2:] == [Reached.STARTED, Reached.FINISHED] for play in sheet)
    bench.hear(*sheet)
    assert len(bench.sounds) == 3


def test_a_stop_takes_plays_off_the_sheet() -> None:
    bench, sheet = Bench(), a_sheet()
    bench.hear(*sheet)
    bench.hear(a_stop(broadcasts=(sheet[1].broadcast,)))
    bench.restart()
    bench.sleep(DAY)
    bench.sound_ends()
    bench.sleep(3 * HOUR)
    assert [bench.sounded(play) for play in sheet] == [1, 0, 1]


def test_a_full_sheet_leaves_room_for_an_emergency() -> None:
    bench = Bench()
    bench.hear(*(a_play(seq=seq, start_at=NOON + DAY, exp=NOON + DAY + HOUR) for seq in range(1, 70)))
    assert bench.last().reason == "busy"
    emergency = a_play(seq=99, pri=3)
    bench.hear(emergency)
    assert bench.sounded(emergency) == 1


def test_emergencies_have_a_limit_too() -> None:
    bench = Bench()
    bench.hear(*(a_play(seq=seq, pri=3) for seq in range(1, 18)))
    assert bench.last().reason == "busy"


def test_what_waits_on_the_sheet_is_refused_if_its_time_became_quiet() -> None:
    bench, sheet = Bench(), a_sheet()
    bench.hear(*sheet)
    bench.core.memory.settings = some_settings(version=1, quiet=({"start": 0, "end": 1440},))
    bench.sleep(DAY + 3 * HOUR)
    assert all(bench.said(play)[-1] is Reached.REFUSED for play in sheet)
    assert bench.sounds == []

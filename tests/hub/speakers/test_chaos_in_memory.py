"""Stories in which everything goes wrong: each id sounds once, no emergency is lost, stops win, the ledger is true."""

from collections.abc import Callable

import pytest
from chaosground import BRIDGE, HILL, TOWN, Luck
from chaosworld import Released, World

from broadcasts.loudspeaker.states import FINAL, PlayState
from hub.speakers.protocol import ENDED, Priority

ROUNDS = 12
QUICK, STORIES = 9, 50
"""108 rounds in the quick run, 600 in the whole one."""
HEAL_S = 200.0
"""The longest pause between two repetitions of a command (120 s), the longest pause between fetches, and some."""
MOST_RELEASES, MOST_STOPS = 5, 3
"""A heartbeat repeats eight states."""
ASKING_S = 80
"""Two heartbeats that show what is missing, the question, a second one, and the answer."""


def test_stories(seed: int) -> None:
    world = World(seed)
    chance = world.luck.chance
    _good_times(world.luck)
    everybody_up(world)
    world.pass_time(2)
    for _ in range(ROUNDS):
        _bad_times(world.luck)
        chance.choice(STEPS)(world)
        world.pass_time(chance.uniform(0.5, 10))
    _good_times(world.luck)
    everybody_up(world)
    healing_since = world.now
    while not world.settled() and (world.now - healing_since).total_seconds() < HEAL_S:
        world.pass_time(8, step_s=4)
    world.pass_time(ASKING_S, step_s=4)
    for released in world.released:
        check(world, released, (released.expires_at - healing_since).total_seconds() > HEAL_S - 20)


def check(world: World, released: Released, had_time: bool) -> None:
    states = world.states(released.id)
    assert set(states) == set(released.meant)
    for name, state in states.items():
        sounds, horn = world.sounds(released.id, name), world.horns[name]
        at_most = 1 + min(1, world.interruptions(released.id, name))
        assert all(times <= at_most for times in sounds.values()), f"{name} sounded it too often: {sounds}"
        if released.priority is Priority.EMERGENCY and had_time and not released.stopped:
            cut_off = state is PlayState.FAILED and world.delivery(released.id, name).reason == "power_lost"
            assert sounds or (cut_off and horn.cuts), f"{name} missed an emergency: {state}"
        if released.stopped:
            assert horn.sounding is None or horn.sounding[0] != str(world.delivery(released.id, name).command_id)
        assert horn.core is not None
        seen = horn.core.memory.seen.get(str(world.delivery(released.id, name).command_id))
        if released.stopped and had_time and (seen is None or seen.state not in ENDED):
            assert str(released.id) in horn.core.memory.stopped, f"nobody told {name} of the stop: {state}"
        if had_time:
            assert state in FINAL, f"{name} never came to an end with it: {state}"
        if seen is not None and had_time:
            assert state.value == seen.state.value, f"the hub says {state}, {name} says {seen.state}"
    assert {each.horn for each in world.heard if each.broadcast == str(released.id)} <= released.meant


def everybody_up(world: World) -> None:
    if not world.line_up:
        hubs_line_breaks_or_heals(world)
    world.start_hub()
    for horn in world.horns.values():
        horn.switch_on()
        horn.connect()


def _good_times(luck: Luck) -> None:
    luck.loss = luck.doubling = luck.hub_death = luck.power_cut = luck.fetch_failure = 0.0
    luck.longest_s = 0.3


def _bad_times(luck: Luck) -> None:
    luck.loss, luck.doubling, luck.fetch_failure = 0.2, 0.2, 0.2
    luck.hub_death, luck.power_cut = 0.04, 0.01
    luck.longest_s = luck.chance.choice((0.3, 3.0, 12.0))


def emergency(world: World) -> None:
    if len(world.released) < MOST_RELEASES:
        region = world.luck.chance.choice((BRIDGE, HILL, TOWN))
        world.release(region, Priority.EMERGENCY, seconds=world.luck.chance.uniform(2, 12), valid_s=900)


def routine(world: World) -> None:
    if len(world.released) < MOST_RELEASES:
        valid_s = world.luck.chance.choice((20, 900))
        region = world.luck.chance.choice((BRIDGE, TOWN))
        world.release(region, Priority.ROUTINE, seconds=world.luck.chance.uniform(5, 40), valid_s=valid_s)


def stop_one(world: World) -> None:
    open_ = [each for each in world.released if not each.stopped]
    if open_ and len(world.released) - len(open_) < MOST_STOPS:
        world.stop(world.luck.chance.choice(open_))


def books_are_closed(world: World) -> None:
    world.pass_time(world.luck.chance.choice((1, 40)), step_s=2)
    world.close_books()


def hub_dies_or_comes(world: World) -> None:
    world.start_hub() if not world.hub_up else world.kill_hub()


def horn_loses_or_gets_power(world: World) -> None:
    horn = world.luck.chance.choice(list(world.horns.values()))
    if horn.core is not None:
        horn.power_cut()
    else:
        horn.switch_on()
        horn.connect()


def line_breaks_or_heals(world: World) -> None:
    horn = world.luck.chance.choice(list(world.horns.values()))
    horn.hang_up() if horn.connected else horn.connect()


def hubs_line_breaks_or_heals(world: World) -> None:
    world.line_up = not world.line_up
    if world.line_up:
        world.sender.line_is_new()


STEPS: list[Callable[[World], None]] = [
    emergency, emergency, routine, stop_one, stop_one, books_are_closed, hub_dies_or_comes, horn_loses_or_gets_power,
    line_breaks_or_heals, hubs_line_breaks_or_heals, everybody_up, everybody_up,
]  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        rest = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(QUICK, STORIES)]
        metafunc.parametrize("seed", [*range(QUICK), *rest])


def test_a_stop_that_reached_who_never_had_the_play_is_not_repeated_for_ever() -> None:
    world = World(1)
    horn = world.horns["hill-1"]
    everybody_up(world)
    world.pass_time(2)
    world.luck.loss = 1.0
    world.release(HILL, Priority.EMERGENCY, seconds=3, valid_s=900)
    world.pass_time(2)
    world.luck.loss = 0.0
    world.stop(world.released[0])
    world.pass_time(20)
    assert world.delivery(world.released[0].id, "hill-1").state is PlayState.STOPPED
    said = len(horn.journal)
    world.pass_time(60)
    assert len(horn.journal) == said, "the hub goes on telling it to stop"
    assert world.heard == []

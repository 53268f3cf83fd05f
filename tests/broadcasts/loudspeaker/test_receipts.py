"""What loudspeakers report: stored once, moved forward once, in any order, by several hubs, on both databases."""

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from builders import a_county
from conftest import NOON
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, insert, select, update
from uuid6 import uuid7

from broadcasts.loudspeaker import receipts
from broadcasts.loudspeaker.models import PlayReceipt, SpeakerDelivery
from broadcasts.loudspeaker.receipts import Report
from broadcasts.loudspeaker.states import PlayState
from hub.core.db import Base, Sessions, make_engine
from hub.speakers.protocol import Beat, Doing, Reached, Receipt, Used

HORN = "s1001-1"
TS = round(NOON.timestamp() * 1000)
BOTH = [pytest.param("sqlite", id="sqlite"), pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def tables(request: pytest.FixtureRequest) -> Sessions:
    """The small county in an empty database."""
    name = "engine" if request.param == "sqlite" else "postgres_engine"
    engine: Engine = request.getfixturevalue(name)
    Base.metadata.create_all(engine)
    sessions = Sessions(engine)
    with sessions.begin() as session:
        a_county(session)
    return sessions


def ordered(tables: Sessions, *speakers: str, state: PlayState = PlayState.SENT) -> UUID:
    """One command to some loudspeakers."""
    command = uuid7()
    row: dict[str, Any] = {"broadcast_id": command, "region_path": "/", "command_id": command, "state": state}
    with tables.begin() as session:
        session.execute(
            insert(SpeakerDelivery),
            [row | {"speaker_id": name, "reason": "", "changed_at": NOON} for name in speakers or (HORN,)],
        )
    return command


def said(command: UUID, n: int, state: Reached, **given: Any) -> Receipt:
    fields: dict[str, Any] = {"id": str(command), "dev": HORN, "n": n, "st": state, "ts": TS + n}
    return Receipt(**(fields | given))


def take(tables: Sessions, found: Sequence[Receipt], now: datetime = NOON) -> None:
    with tables.begin() as session:
        reports = [report for receipt in found if (report := receipts.from_receipt(receipt)) is not None]
        receipts.record(session, reports, now=now)


def delivery(tables: Sessions, command: UUID, speaker: str = HORN) -> SpeakerDelivery:
    with tables.read() as session:
        return session.get_one(SpeakerDelivery, (command, speaker))


def stored(tables: Sessions) -> int:
    with tables.read() as session:
        return session.scalar(select(func.count()).select_from(PlayReceipt)) or 0


def whole_life(command: UUID) -> list[Receipt]:
    return [
        said(command, 1, Reached.RECEIVED),
        said(command, 2, Reached.FETCHED),
        said(command, 3, Reached.STARTED, volume=70, used=Used.STREAM),
        said(command, 4, Reached.PROGRESS, reason="stream_lost", used=Used.AUDIO, played_ms=4000),
        said(command, 5, Reached.INTERRUPTED, reason="more_urgent"),
        said(command, 6, Reached.STARTED, volume=60),
        said(command, 7, Reached.FINISHED, played_ms=61_000, volume=60, used=Used.AUDIO),
    ]


def test_a_whole_life_leaves_every_moment_and_the_end(tables: Sessions) -> None:
    command = ordered(tables)
    take(tables, whole_life(command))
    found = delivery(tables, command)
    assert (found.state, found.reason, found.played_ms) == (PlayState.FINISHED, "", 61_000)
    assert (found.volume, found.used) == (60, "audio")
    moments = [found.received_at, found.fetched_at, found.started_at, found.ended_at]
    assert moments == [NOON + timedelta(milliseconds=n) for n in (1, 2, 3, 7)]
    assert stored(tables) == 7


def test_progress_changes_no_state_but_says_what_happens(tables: Sessions) -> None:
    command = ordered(tables)
    take(tables, whole_life(command)[:3])
    take(tables, whole_life(command)[3:4], now=NOON + timedelta(seconds=5))
    found = delivery(tables, command)
    assert (found.state, found.reason, found.used, found.played_ms) == (PlayState.STARTED, "stream_lost", "audio", 4000)
    assert found.changed_at == NOON + timedelta(seconds=5)


def test_progress_after_the_end_changes_nothing(tables: Sessions) -> None:
    command = ordered(tables)
    take(tables, [said(command, 2, Reached.FAILED, reason="no_audio"), said(command, 1, Reached.PROGRESS, reason="x")])
    take(tables, [said(command, 1, Reached.PROGRESS, reason="x", used=Used.TONE)])
    found = delivery(tables, command)
    assert (found.state, found.reason, found.used) == (PlayState.FAILED, "no_audio", "")


@pytest.mark.parametrize("reason", ["busy", "not_yet"])
def test_a_refusal_that_may_pass_leaves_the_delivery_open(tables: Sessions, reason: str) -> None:
    command = ordered(tables)
    take(tables, [said(command, 1, Reached.REFUSED, reason=reason)])
    found = delivery(tables, command)
    assert (found.state, found.reason) == (PlayState.SENT, reason)
    take(tables, [said(command, 2, Reached.REFUSED, reason="replayed")])
    assert delivery(tables, command).state is PlayState.REFUSED


def test_a_command_that_is_no_play_is_stored_too(tables: Sessions) -> None:
    take(tables, [said(uuid4(), 1, Reached.FINISHED), said(uuid4(), 2, Reached.DUPLICATE)])
    assert stored(tables) == 2


def test_who_is_not_registered_leaves_nothing(tables: Sessions) -> None:
    take(tables, [said(uuid4(), 1, Reached.FINISHED, dev=dev) for dev in ("nobody", "x" * 40)])
    assert stored(tables) == 0


def test_absurd_letters_and_numbers_are_stored_as_far_as_they_go(tables: Sessions) -> None:
    command = ordered(tables)
    wild = said(command, 2**53 - 1, Reached.FAILED, ts=2**53 - 1, reason="a\x00b" + "长" * 100, played_ms=10**30)
    take(tables, [wild, said(command, 0, Reached.RECEIVED, ts=0, offset_ms=-(2**53) + 1)])
    found = delivery(tables, command)
    assert (found.reason, found.played_ms) == ("ab" + "长" * 58, 2**31 - 1)


def test_a_heartbeat_heals_what_was_lost(tables: Sessions) -> None:
    command = ordered(tables)
    take(tables, [said(command, 3, Reached.STARTED)])
    heal(tables, command, Reached.INTERRUPTED, n=4)
    assert delivery(tables, command).state is PlayState.INTERRUPTED
    take(tables, [said(command, 5, Reached.STARTED)])
    heal(tables, command, Reached.INTERRUPTED, n=4)
    assert delivery(tables, command).state is PlayState.STARTED, "an old heartbeat knows less than a newer receipt"
    heal(tables, command, Reached.FINISHED, n=6)
    assert delivery(tables, command).state is PlayState.FINISHED


def test_what_a_heartbeat_said_without_a_reason_gets_the_receipts(tables: Sessions) -> None:
    command = ordered(tables)
    heal(tables, command, Reached.FAILED, n=4)
    assert (delivery(tables, command).state, delivery(tables, command).reason) == (PlayState.FAILED, "")
    take(tables, [said(command, 4, Reached.FAILED, reason="power_lost")])
    assert delivery(tables, command).reason == "power_lost"
    take(tables, [said(command, 5, Reached.FAILED, reason="stuck")])
    assert delivery(tables, command).reason == "power_lost", "the first reason stays"


@pytest.mark.parametrize(
    ("presumed", "reason"),
    [(PlayState.STOPPED, "called_off"), (PlayState.STOPPED, "stopped_before"), (PlayState.FAILED, "no_receipt")],
)
def test_an_end_the_hub_presumed_gives_way_to_the_loudspeakers_own_word(
    tables: Sessions, presumed: PlayState, reason: str
) -> None:
    command, told = ordered(tables), ordered(tables)
    with tables.begin() as session:
        for each, why in ((command, reason), (told, "volume_zero")):
            session.execute(
                update(SpeakerDelivery)
                .where(SpeakerDelivery.command_id == each)
                .values(state=presumed, reason=why, ended_at=NOON)
            )
    for each, first in ((command, 1), (told, 11)):
        take(tables, [said(each, first, Reached.STARTED), said(each, first + 1, Reached.FAILED, reason="power_lost")])
    found = delivery(tables, command)
    assert (found.state, found.reason) == (PlayState.FAILED, "power_lost")
    assert found.started_at is not None
    assert (delivery(tables, told).state, delivery(tables, told).reason) == (presumed, "volume_zero")
    heal(tables, command, Reached.FAILED, 30)
    assert delivery(tables, command).reason == "power_lost", "a heartbeat without a reason takes none away"


def heal(tables: Sessions, command: UUID, state: Reached, n: int) -> None:
    beat = Beat(
        dev=HORN,
        st=Doing.IDLE,
        now=None,
        last=((str(command), state), (str(uuid4()), Reached.FINISHED)),
        seq=1,
        ts=TS,
        free=1,
        vol=80,
        ver="1",
        cfg=1,
        nonce="0" * 8,
        n=n,
    )
    with tables.begin() as session:
        receipts.record(session, receipts.from_beat(beat), now=NOON)


def test_thousands_at_once_each_reach_their_own(tables: Sessions) -> None:
    names = ["s1001-1", "s1001-2", "s1002-1", "s1002-2"]
    commands = [ordered(tables, *names) for _ in range(300)]
    found = [
        said(command, n, Reached.RECEIVED, dev=name) for n, command in enumerate(commands) for name in names[: n % 5]
    ]
    take(tables, found + found)
    take(tables, found)
    assert stored(tables) == len(found)
    with tables.read() as session:
        reached = select(func.count()).where(SpeakerDelivery.state == PlayState.RECEIVED)
        assert session.scalar(reached) == len(found)


def facts(found: SpeakerDelivery) -> tuple[object, ...]:
    moments = (found.received_at, found.fetched_at, found.started_at, found.ended_at)
    return (found.state, found.reason, found.played_ms, found.volume, found.used, *moments)


LIFE = st.lists(st.integers(0, 6), min_size=1, max_size=20)


@given(order=st.permutations(range(7)), repeats=LIFE, cut=st.integers(0, 7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_any_repetition_and_any_batches_end_the_same(
    lasting: Sessions, order: list[int], repeats: list[int], cut: int
) -> None:
    plain, shuffled = ordered(lasting), ordered(lasting)
    take(lasting, whole_life(plain))
    life = whole_life(shuffled)
    take(lasting, [life[n] for n in order[:cut]])
    take(lasting, [life[n] for n in repeats if n in order[:cut]])
    take(lasting, [life[n] for n in order[cut:] + repeats])
    # When it first started depends on which start was heard of first; everything else does not.
    first, second = delivery(lasting, plain), delivery(lasting, shuffled)
    first.started_at = second.started_at = None
    assert facts(first) == facts(second)


@pytest.fixture
def lasting(tmp_path: Any) -> Iterator[Sessions]:
    """One database for all examples of a property."""
    engine = make_engine(f"sqlite:///{tmp_path / 'lasting.db'}")
    Base.metadata.create_all(engine)
    sessions = Sessions(engine)
    with sessions.begin() as session:
        a_county(session)
    yield sessions
    engine.dispose()


@pytest.mark.parametrize("upto", range(1, 8))
def test_open_states_end_the_same_in_any_order_too(tables: Sessions, upto: int) -> None:
    forward, backward = ordered(tables), ordered(tables)
    take(tables, whole_life(forward)[:upto])
    for receipt in reversed(whole_life(backward)[:upto]):
        take(tables, [receipt])
    assert delivery(tables, forward).state is delivery(tables, backward).state


def test_several_hubs_at_once_store_everything_once(tables: Sessions) -> None:
    names = ["s1001-1", "s1001-2", "s1002-1", "s1002-2"]
    commands = [ordered(tables, *names) for _ in range(20)]
    barrier, failed = threading.Barrier(4), []

    def one_hub(shift: int) -> None:
        barrier.wait()
        for command in commands[shift:] + commands[:shift]:
            try:
                take(tables, [receipt.model_copy(update={"dev": n}) for n in names for receipt in whole_life(command)])
            except Exception as error:  # noqa: BLE001 - shown below
                failed.append(error)

    threads = [threading.Thread(target=one_hub, args=(5 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert {delivery(tables, command, name).state for command in commands for name in names} == {PlayState.FINISHED}


def test_a_report_made_by_hand_needs_no_number(tables: Sessions) -> None:
    command = ordered(tables)
    with tables.begin() as session:
        receipts.record(session, [Report(HORN, command, PlayState.STARTED, NOON)], now=NOON)
    assert delivery(tables, command).state is PlayState.STARTED
    assert stored(tables) == 0

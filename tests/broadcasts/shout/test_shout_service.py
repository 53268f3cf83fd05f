"""The rules of live shouts: by day, near the evening, by night; one voice in one place; what chunks look like."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from builders import BRIDGE, HILL, NORTH, the_actor
from conftest import SetClock
from fakes import FakeWire
from shoutlab import unpacked
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.feature import rules_of
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.models import PlayOrder
from broadcasts.shout import service
from broadcasts.shout.models import Ended, ShoutState
from broadcasts.shout.packing import MOST_BYTES
from broadcasts.shout.service import CHUNKS, Started, Urgency, Wish
from broadcasts.shout.voice import Voice
from hub.audit.models import AuditEntry
from hub.core.errors import BadInput, NotAllowed, Problems, WrongState
from hub.core.runtime import Runtime
from hub.speakers import registry
from hub.speakers.envelope import MAX_MESSAGE, KeyRing, SigningKey
from hub.speakers.protocol import Chunk, Priority, ToDevice, ToRegion, read_command
from hub.speakers.topics import Kind as Topic
from hub.speakers.topics import device_topic, region_command

KEY = SigningKey.generate("h1")
NIGHT, EVENING = timedelta(hours=12), timedelta(hours=10, minutes=59)
"""22:00 in the village, and a minute before quiet hours begin."""
GRAVE = Urgency("red", "河水漫过河堤了")


@pytest.fixture
def rules(runtime: Runtime) -> Rules:
    return rules_of(runtime)


@pytest.fixture
def tables(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


def begin(
    session: Session, rules: Rules, clock: SetClock, login: str, *regions: str, urgency: Urgency = service.BY_DAY
) -> Started:
    wish = Wish(str(uuid4()), Audience(regions or (BRIDGE,)), "喊话", urgency)
    return service.begin(session, the_actor(session, login), wish, rules=rules, now=clock.now)


def test_by_day_a_secretary_just_speaks(tables: Session, rules: Rules, clock: SetClock) -> None:
    started = begin(tables, rules, clock, "secretary")
    assert (started.length_ms, started.speakers, started.shout.state) == (180_000, 2, ShoutState.LIVE)
    order = tables.get_one(PlayOrder, started.shout.broadcast_id)
    assert (order.shout, order.priority, order.length_ms, order.severity) == (True, Priority.SHOUT, 180_000, "")
    deeds = tables.scalars(select(AuditEntry.deed).order_by(AuditEntry.id.desc()).limit(1)).all()
    assert deeds == ["shout.start"]


def test_the_numbers_of_its_chunks_are_nobody_elses(tables: Session, rules: Rules, clock: SetClock) -> None:
    started = begin(tables, rules, clock, "secretary")
    assert registry.next_value(tables, registry.COMMANDS) >= started.first_seq + CHUNKS


def test_a_minute_before_quiet_hours_one_may_speak_for_less_than_a_minute(
    tables: Session, rules: Rules, clock: SetClock
) -> None:
    clock.now += EVENING
    assert 0 < begin(tables, rules, clock, "secretary").length_ms <= 60_000
    assert service.room_ms(rules, clock.now + timedelta(seconds=55)) == 0


def test_by_night_a_secretary_is_told_when(tables: Session, rules: Rules, clock: SetClock) -> None:
    clock.now += NIGHT
    with pytest.raises(WrongState) as refused:
        begin(tables, rules, clock, "secretary", urgency=GRAVE)
    assert (refused.value.code, refused.value.params["free"]) == ("shout_quiet_hours", "06:30")


def test_by_night_a_duty_officer_gives_colour_and_reason(tables: Session, rules: Rules, clock: SetClock) -> None:
    clock.now += NIGHT
    with pytest.raises(Problems) as refused:
        begin(tables, rules, clock, "duty", urgency=Urgency("blue", "漫堤"))
    assert [p.code for p in refused.value.problems] == ["shout_colour_missing", "shout_reason_short"]
    started = begin(tables, rules, clock, "duty", urgency=GRAVE)
    order = tables.get_one(PlayOrder, started.shout.broadcast_id)
    broadcast = tables.get_one(Broadcast, started.shout.broadcast_id)
    assert (order.priority, order.severity, order.by_name) == (Priority.EMERGENCY, "red", "北镇值班员")
    assert (broadcast.kind, broadcast.text, broadcast.volume) == (Kind.EMERGENCY, GRAVE.reason, 100)
    entry = tables.scalars(select(AuditEntry).where(AuditEntry.deed == "shout.start")).one()
    assert entry.details["reason"] == GRAVE.reason


@pytest.mark.parametrize(("login", "region"), [("clerk", BRIDGE), ("county", BRIDGE), ("secretary", HILL)])
def test_nobody_else_begins_to_speak(tables: Session, rules: Rules, clock: SetClock, login: str, region: str) -> None:
    with pytest.raises(NotAllowed):
        begin(tables, rules, clock, login, region)
    assert tables.scalars(select(Broadcast)).all() == []


def test_one_village_hears_one_voice_at_a_time(tables: Session, rules: Rules, clock: SetClock) -> None:
    started = begin(tables, rules, clock, "secretary")
    for regions in ((BRIDGE,), (NORTH,)):
        with pytest.raises(WrongState) as refused:
            begin(tables, rules, clock, "approver", *regions)
        assert (refused.value.code, refused.value.params) == ("shout_taken", {"who": "桥村村支书"})
    begin(tables, rules, clock, "approver", HILL)
    service.finish(tables, started.shout.id, Ended.RELEASED, None, now=clock.now)
    begin(tables, rules, clock, "secretary")


def test_a_place_without_loudspeakers_is_refused(tables: Session, rules: Rules, clock: SetClock) -> None:
    for speaker in ("s1001-1", "s1001-2"):
        found = registry.get(tables, the_actor(tables, "county"), speaker)
        found.region_path = found.region_path.replace(BRIDGE, HILL)
    tables.flush()
    with pytest.raises(BadInput) as refused:
        begin(tables, rules, clock, "secretary")
    assert refused.value.code == "shout_reaches_nobody"


def test_whoever_comes_back_after_it_is_told_nothing(tables: Session, rules: Rules, clock: SetClock) -> None:
    started = begin(tables, rules, clock, "secretary")
    clock.now += timedelta(seconds=20)
    service.finish(tables, started.shout.id, Ended.RELEASED, orders.Sound("ab" * 32, 18_000, 900), now=clock.now)
    order = tables.get_one(PlayOrder, started.shout.broadcast_id, populate_existing=True)
    broadcast = tables.get_one(Broadcast, started.shout.broadcast_id)
    assert (order.expires_at, broadcast.expires_at) == (clock.now, clock.now)
    assert (broadcast.audio_sha256, broadcast.audio_ms) == ("ab" * 32, 18_000)
    service.finish(tables, started.shout.id, Ended.LOST, None, now=clock.now)
    assert started.shout.ended == Ended.RELEASED, "it ends once"


# ---- chunks


class Line(FakeWire):
    """Also keeps how each message was to be carried."""

    def __init__(self, *, up: bool = True) -> None:
        super().__init__(up=up)
        self.qos: list[int] = []

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        self.qos.append(qos)
        return super().publish(topic, payload, qos=qos, retain=retain)


def chunks(wire: Line) -> list[tuple[str, Chunk, int]]:
    found = []
    for topic, payload in wire.published:
        read = read_command(payload, KeyRing.of({"h1": KEY.public()}))
        assert isinstance(read, Chunk)
        found.append((topic, read, len(payload)))
    return found


def test_a_chunk_is_signed_numbered_small_and_short_lived(clock: SetClock) -> None:
    wire = Line()
    play = str(uuid4())
    targets = [{"id": play, "seq": 5, "region": BRIDGE, "upto": 40, "not": ["s1001-2"]}]
    voice = Voice(wire, lambda: KEY, targets, first_seq=100, clock=clock)
    noise = np.random.default_rng(1).bytes(MOST_BYTES)
    voice.say(noise)
    voice.say(b"", last=True)
    (topic, first, size), (_, second, _) = chunks(wire)
    assert topic == region_command(BRIDGE)
    assert first.to == ToRegion(region=BRIDGE, upto=40, excluded=("s1001-2",))
    assert (first.play, first.n, first.seq, first.last) == (play, 0, 100, False)
    assert (second.n, second.seq, second.last, second.data) == (1, 101, True, "")
    assert base64.b64decode(first.data) == noise
    assert size < MAX_MESSAGE * 0.8
    assert first.exp - first.iat == 30_000
    assert wire.qos == [0, 0], "a chunk that is lost is not worth repeating"


def test_chosen_loudspeakers_hear_it_on_their_own_topics(clock: SetClock) -> None:
    wire = Line()
    targets = [{"id": str(uuid4()), "seq": 5, "devices": ["s1001-1", "s1002-1"]}]
    Voice(wire, lambda: KEY, targets, first_seq=1, clock=clock).say(b"\x00\x01x")
    assert [(t, c.to) for t, c, _ in chunks(wire)] == [
        (device_topic(d, Topic.COMMAND), ToDevice(device=d)) for d in ("s1001-1", "s1002-1")
    ]
    assert unpacked(base64.b64decode(chunks(wire)[0][1].data)) == [b"x"]


def test_a_broker_that_is_away_is_counted_and_does_not_end_the_shout(clock: SetClock) -> None:
    wire = Line(up=False)
    voice = Voice(
        wire, lambda: KEY, [{"id": str(uuid4()), "seq": 1, "region": BRIDGE, "upto": 1}], first_seq=1, clock=clock
    )
    voice.say(b"")
    assert voice.unsent == 1

"""A broker in wrong hands: it has every topic and every message, and still no loudspeaker speaks for it."""

import base64
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from brokerlab import External
from countylab import BRIDGE, HILL, HOMES, STOLEN, TOWN, County, a_county, sounds_of
from roguelab import Rogue, a_rogue
from speakerlab import a_play, soon
from uuid6 import uuid7

from broadcasts.loudspeaker.states import PlayState
from hub.speakers.broker.accounts import BrokerAccount, hash_password
from hub.speakers.envelope import SigningKey
from hub.speakers.models import Speaker
from hub.speakers.protocol import Audio, Play, Priority, ToDevice, ToRegion, seal_command
from hub.speakers.topics import Kind, device_topic, region_command

pytestmark = pytest.mark.slow
EVIL, EVIL_SECRET = "evil", "it-has-got-the-hubs-rights"
GARBAGE = 500


@dataclass
class Taken:
    """A county whose broker is in wrong hands."""

    county: County
    evil: Rogue

    def a_play(self, to: ToDevice | ToRegion, *, valid_s: float = 120, seconds: float = 0.4) -> Play:
        """A command the hub could have sent, with a recording that can be fetched."""
        sound = self.county.sound(seconds)
        now = round(self.county.runtime.now().timestamp() * 1000)
        url = f"http://127.0.0.1:{self.county.recordings.port}/a/{sound.sha256}.mp3"
        audio = Audio(sha256=sound.sha256, url=url, size=sound.bytes, duration_ms=sound.ms, codec="mp3")
        return a_play(
            id=str(uuid7()),
            iat=now,
            exp=now + int(valid_s * 1000),
            seq=now,
            to=to,
            pri=Priority.EMERGENCY,
            severity="red",
            by="值班员",
            audio=audio,
        )

    def by_hub(self, play: Play) -> bytes:
        """Sealed with the hub's own key."""
        return seal_command(play, self.county.station.key)

    def sounds(self, play: Play) -> dict[str, int]:
        """On whom it sounded, and how often."""
        found = {name: len(sounds_of(self.county.folder / name, UUID(play.id))) for name in HOMES}
        return {name: times for name, times in found.items() if times}

    def say_everywhere(self, message: bytes) -> None:
        """On every topic that any loudspeaker hears."""
        for topic in (region_command(BRIDGE), region_command(TOWN), *(device_topic(n, Kind.COMMAND) for n in HOMES)):
            self.evil.say(topic, message)

    def bad(self, name: str) -> int:
        """How many messages a loudspeaker could not believe, as the hub's tables say."""
        with self.county.runtime.sessions.read() as session:
            return session.get_one(Speaker, name).bad_messages

    def refusals(self, name: str) -> set[str]:
        """The reasons for which it refused what it could not believe, by the receipts it sent."""
        said = [json.loads(data) for topic, data in self.evil.heard if topic == device_topic(name, Kind.RECEIPT)]
        return {each["reason"] for each in said if each["id"] is None and each["st"] == "refused"}


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    folder = tmp_path_factory.mktemp("taken")
    account = BrokerAccount(EVIL, hash_password(EVIL_SECRET), is_hub=True)
    hosting = External(folder / "broker", extra=[account])
    with a_county(folder, hosting) as county:
        assert county.everyone_online()
        with a_rogue(("127.0.0.1", hosting.port), EVIL, EVIL_SECRET) as evil:
            assert evil.let_in.wait(30)
            evil.listen("cx/1/#")
            yield Taken(county, evil)


def test_a_captured_command_played_again_sounds_never_again(taken: Taken) -> None:
    county = taken.county
    broadcast = county.release(BRIDGE, valid_s=6)
    assert soon(lambda: county.all_are(broadcast, PlayState.FINISHED)), county.states(broadcast)
    captured = [data for topic, data in taken.evil.heard if topic == region_command(BRIDGE)][-1]
    for _ in range(3):
        taken.say_everywhere(captured)
    time.sleep(max(0.0, 6 - (time.time() - stamp_of(captured))))
    taken.say_everywhere(captured)  # now it has run out as well
    time.sleep(0.7)
    assert {name: len(found) for name, found in county.sounded(broadcast).items()} == dict.fromkeys(
        ("bridge-1", "bridge-2", "bridge-3"), 1
    )


def test_a_command_held_back_until_it_has_run_out_is_not_played_late(taken: Taken) -> None:
    play = taken.a_play(ToRegion(region=TOWN, upto=1000), valid_s=1)
    message = taken.by_hub(play)
    time.sleep(1.2)
    taken.say_everywhere(message)
    assert soon(lambda: all("expired" in said_of(taken, play, name) for name in HOMES))
    assert taken.sounds(play) == {}


def said_of(taken: Taken, play: Play, name: str) -> set[str]:
    """The states one loudspeaker has reported of a command."""
    said = [json.loads(data) for topic, data in taken.evil.heard if topic == device_topic(name, Kind.RECEIPT)]
    return {each["st"] for each in said if each["id"] == play.id}


def stamp_of(message: bytes) -> float:
    """When a command was issued, in seconds."""
    return float(json.loads(base64.b64decode(json.loads(message)["p"]))["iat"]) / 1000


def test_no_altered_byte_gets_through_and_every_one_is_counted(taken: Taken) -> None:
    play = taken.a_play(ToRegion(region=BRIDGE, upto=1000))
    honest = taken.by_hub(play)
    before = taken.bad("bridge-1")
    altered = [each for each in each_byte_altered(honest) if meaning(each) != meaning(honest)]
    assert len(altered) > len(honest) * 0.95
    for message in altered:
        taken.evil.paho.publish(region_command(BRIDGE), message, 1)
    assert soon(lambda: taken.bad("bridge-1") >= before + len(altered), 20), "each is counted in the heartbeat"
    assert taken.sounds(play) == {}
    assert {"malformed", "bad_signature"} <= taken.refusals("bridge-1")
    taken.evil.say(region_command(BRIDGE), honest)
    assert soon(lambda: len(taken.sounds(play)) == 3), "and unaltered it would have sounded"


def test_a_command_for_one_does_not_sound_on_another(taken: Taken) -> None:
    play = taken.a_play(ToDevice(device="bridge-1"))
    message = taken.by_hub(play)
    for name in ("bridge-2", "bridge-3", "hill-1", "hill-2"):
        taken.evil.say(device_topic(name, Kind.COMMAND), message)
    taken.evil.say(region_command(HILL), message)
    village = taken.a_play(ToRegion(region=HILL, upto=1000))
    taken.evil.say(region_command(BRIDGE), taken.by_hub(village))
    time.sleep(1)
    assert (taken.sounds(play), taken.sounds(village)) == ({}, {})
    taken.evil.say(device_topic("bridge-1", Kind.COMMAND), message)
    assert soon(lambda: taken.sounds(play) == {"bridge-1": 1}), "and in its own place it would have"


def test_who_was_enrolled_later_is_not_meant_by_an_older_command(taken: Taken) -> None:
    play = taken.a_play(ToRegion(region=TOWN, upto=1))
    taken.say_everywhere(taken.by_hub(play))
    assert soon(lambda: taken.sounds(play) == {"bridge-1": 1})
    time.sleep(0.5)
    assert taken.sounds(play) == {"bridge-1": 1}


def test_a_key_that_is_not_the_hubs_never_makes_a_sound(taken: Taken) -> None:
    kid = taken.county.station.key.kid
    plays = []
    for key in (SigningKey.generate("h9"), SigningKey.generate(kid)):
        play = taken.a_play(ToRegion(region=TOWN, upto=1000))
        plays.append(play)
        taken.say_everywhere(seal_command(play, key))
    assert soon(lambda: {"unknown_key", "bad_signature"} <= taken.refusals("hill-1"))
    assert [taken.sounds(play) for play in plays] == [{}, {}]


def test_a_stolen_account_cannot_even_repeat_what_it_heard(taken: Taken) -> None:
    county = taken.county
    broadcast = county.release(HILL)
    assert soon(lambda: county.all_are(broadcast, PlayState.FINISHED)), county.states(broadcast)
    captured = [data for topic, data in taken.evil.heard if topic == region_command(HILL)][-1]
    with a_rogue(county.hosting.addresses(county.station)[0], STOLEN, county.secrets[STOLEN]) as thief:
        assert thief.let_in.wait(30)
        taken.evil.heard.clear()
        thief.say(region_command(HILL), captured)
        thief.say(device_topic("hill-1", Kind.COMMAND), captured)
        time.sleep(1)
    assert captured not in [data for _, data in taken.evil.heard]


def test_any_bytes_on_any_topic_stop_neither_hub_nor_loudspeaker(
    taken: Taken, caplog: pytest.LogCaptureFixture
) -> None:
    county, chance = taken.county, random.Random(2026)
    broadcast = county.release(TOWN, seconds=4)
    assert soon(lambda: county.all_are(broadcast, PlayState.STARTED)), county.states(broadcast)
    for _ in range(GARBAGE):
        topic, payload = chance.choice(topics(chance)), garbage(chance)
        taken.evil.paho.publish(topic, payload, chance.choice((0, 1)))
    assert soon(lambda: county.all_are(broadcast, PlayState.FINISHED), 20), county.states(broadcast)
    assert county.station.link is not None
    assert county.station.link.healthy()
    again = county.release(TOWN)
    assert soon(lambda: county.all_are(again, PlayState.FINISHED)), county.states(again)
    assert county.everyone_online()
    broken = [record.message for record in caplog.records if record.exc_info]
    assert broken == [], "no garbage may cost an exception that nobody expected"


def topics(chance: random.Random) -> list[str]:
    name = chance.choice([*HOMES, STOLEN, "nobody-9", "x" * 40])
    return [
        *(f"cx/1/dev/{name}/{kind}" for kind in (*Kind, "other", "")),
        region_command(chance.choice((BRIDGE, HILL, TOWN))),
        "cx/1/region/1/cmd",
        "cx/1/dev/村口/ack",
        "cx/1",
        "cx/1/dev/a/b/c/d",
    ]


def garbage(chance: random.Random) -> bytes:
    """Bytes, almost-right JSON, and what has broken parsers before."""
    moment = 1_795_406_400_000
    likely: list[object] = [
        {"dev": "bridge-1", "up": chance.choice([True, 1, "yes", None, {}]), "ts": 2**70},
        {"dev": "hill-1", "st": "idle", "now": "x", "last": [["a", "b"]] * 9, "seq": -5, "ts": -1},
        {"id": None, "dev": "bridge-2", "n": 2**63, "st": "refused", "ts": moment, "reason": "\x00" * 100},
        {"id": str(uuid7()), "dev": "hill-2", "n": 5, "st": "finished", "ts": 2**53 - 1, "reason": "r" * 300},
        {"v": 1, "alg": "ed25519", "kid": "h1", "p": "=", "sig": "??"},
        {"v": 1, "alg": "ed25519", "kid": "h1\n", "p": "e30=", "sig": base64.b64encode(bytes(64)).decode()},
        {"dev": "bridge-1", "code": "\ud800", "on": True, "ts": moment},
    ]
    others = [
        chance.randbytes(chance.randint(0, 3000)),
        b"[" * 15_000,
        b'{"dev":' * 2000,
        b'{"n":1e999,"dev":NaN}',
        b"\xff\xfe{}",
        b'"' + b"\\u0000" * 500 + b'"',
        b"9" * 10_000,
    ]
    text = json.dumps(chance.choice(likely)).encode("ascii")
    return chance.choice([*others, text, text, text[: chance.randint(0, len(text))]])


def each_byte_altered(message: bytes) -> Iterator[bytes]:
    for place, byte in enumerate(message):
        yield message[:place] + bytes([byte ^ (1 << place % 7)]) + message[place + 1 :]


def meaning(message: bytes) -> object:
    """What is signed, and by whom: base64 may be written in more than one way."""
    try:
        fields = json.loads(message)
        return [fields[name] for name in ("v", "alg", "kid")] + [base64.b64decode(fields[n]) for n in ("p", "sig")]
    except (ValueError, KeyError, TypeError):
        return message

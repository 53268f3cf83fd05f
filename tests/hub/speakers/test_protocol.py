"""What goes over the wire: strict in, stable out."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import speakervectors
from hypothesis import given
from hypothesis import strategies as st
from speakerlab import KEY, NOON, VILLAGE, a_play, a_stop

from hub.speakers.envelope import MAX_MESSAGE, KeyRing, Opened, Refused, SigningKey, open_envelope, seal
from hub.speakers.protocol import (
    FIELD_NUMBERS,
    Audio,
    Beat,
    Command,
    Doing,
    FaultCode,
    FaultReport,
    LoudTime,
    Play,
    Presence,
    QuietTime,
    Reached,
    Receipt,
    Settings,
    Severity,
    Shout,
    Stream,
    ToRegion,
    Used,
    Wire,
    read_answer,
    read_command,
    seal_command,
)
from hub.speakers.topics import Kind, device_topic, read_device_topic, region_command

RING = KeyRing.of({"h1": KEY.public()})
VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))
PAGE = (Path(__file__).parents[3] / "docs" / "speaker-protocol.md").read_text(encoding="utf-8")


@given(st.binary(max_size=2000))
def test_what_is_sealed_opens_unchanged(payload: bytes) -> None:
    assert open_envelope(seal(payload, KEY), RING) == Opened("h1", payload)


@given(st.integers(0, 400), st.integers(1, 255))
def test_no_single_wrong_byte_of_payload_or_signature_passes(position: int, change: int) -> None:
    message = bytearray(seal_command(a_play(), KEY))
    index = position % len(message)
    before = read_command(bytes(message), RING)
    message[index] ^= change
    after = read_command(bytes(message), RING)
    assert isinstance(after, Refused) or after == before


def test_a_key_name_cannot_be_exchanged() -> None:
    ring = KeyRing.of({"h1": KEY.public(), "h2": KEY.public()})
    wrapped = json.loads(seal(b"x", KEY)) | {"kid": "h2"}
    refused = open_envelope(json.dumps(wrapped).encode(), ring)
    assert isinstance(refused, Refused)
    assert refused.reason == "bad_signature"


def test_too_much_cannot_be_sealed() -> None:
    names = tuple(f"device-with-a-long-name-{number:06}" for number in range(500))
    with pytest.raises(ValueError, match=str(MAX_MESSAGE)):
        seal_command(a_play(to=ToRegion(region=VILLAGE, upto=9, excluded=names)), KEY)


def test_three_hundred_exclusions_fit() -> None:
    names = tuple(f"horn-{number:06}" for number in range(300))
    play = a_play(to=ToRegion(region=VILLAGE, upto=9, excluded=names))
    assert read_command(seal_command(play, KEY), RING) == play


def test_a_signing_key_survives_its_file_and_hides_in_logs() -> None:
    key = SigningKey.generate("h9")
    assert SigningKey.from_secret("h9", key.secret()).public() == key.public()
    assert key.secret() not in repr(key)
    with pytest.raises(ValueError, match="h9"):
        SigningKey.from_secret("h9", "AAAA")


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["name"])
def test_the_vectors_open_as_they_say(vector: dict[str, Any]) -> None:
    ring = KeyRing.of(VECTORS["keys"])
    message = vector["message"].encode()
    if "refused" in vector:
        refused = read_command(message, ring)
        assert isinstance(refused, Refused)
        assert refused.reason == vector["refused"]
        return
    opened = open_envelope(message, ring)
    assert isinstance(opened, Opened)
    assert opened.payload == vector["payload"].encode()
    command = read_command(message, ring)
    assert not isinstance(command, Refused)
    assert command.op == vector["op"]
    key = SigningKey.from_secret(VECTORS["signing"]["kid"], VECTORS["signing"]["secret"])
    assert seal_command(command, key) == message


@pytest.mark.parametrize("vector", VECTORS["answers"], ids=lambda vector: vector["name"])
def test_the_answers_of_the_vectors_are_understood(vector: dict[str, Any]) -> None:
    kinds: dict[str, type[Wire]] = {"receipt": Receipt, "beat": Beat, "presence": Presence, "fault": FaultReport}
    kind = kinds[vector["kind"]]
    answer = read_answer(kind, vector["message"].encode())
    assert not isinstance(answer, Refused)
    assert answer.to_bytes().decode() == vector["message"]


def test_the_vectors_are_those_that_are_made() -> None:
    assert speakervectors.vectors() == VECTORS


def test_the_vectors_have_every_kind_of_command_and_every_thing_that_can_sound() -> None:
    made = speakervectors.commands().values()
    assert {type(command) for command in made} == set(get_args(Command))
    plays = [command for command in made if isinstance(command, Play)]
    assert all(any(getattr(play, sound) for play in plays) for sound in ("audio", "stream", "shout"))


def test_the_page_shows_the_bytes_of_the_vectors() -> None:
    for text in (VECTORS["messages"][0]["message"], VECTORS["keys"]["h1"], VECTORS["signing"]["secret"]):
        assert text in PAGE
    for vector in VECTORS["messages"]:
        assert vector.get("payload", "") in PAGE
    for vector in VECTORS["answers"]:
        assert vector["message"] in PAGE


@pytest.mark.parametrize(
    "model",
    [*get_args(Command), Audio, Stream, Shout, Settings, Receipt, Beat, FaultReport, LoudTime],
    ids=lambda model: model.__name__,
)
def test_the_page_describes_every_field(model: type[Wire]) -> None:
    for name, field in model.model_fields.items():
        assert f"`{field.alias or name}`" in PAGE


def test_the_page_names_every_topic_reason_state_and_code() -> None:
    for kind in Kind:
        assert f"cx/1/dev/<id>/{kind}" in PAGE
    for reason in [
        "malformed", "unknown_key", "bad_signature", "not_yet", "replayed", "quiet_hours", "wrong_mode", "busy",
        "fetch_failed", "bad_audio", "http_404", "playback", "stream_lost", "stuck", "interrupted", "power_lost",
        "self_test", "stopped_before",
    ]:  # fmt: skip
        assert f"`{reason}`" in PAGE
    for code in [*Reached, *Used, *Doing, *Severity]:
        assert f"`{code}`" in PAGE
    for fault in FaultCode:
        assert f"| `{fault}` | {FIELD_NUMBERS.get(fault, '')}".rstrip() in PAGE


@pytest.mark.parametrize("sounds", [{"audio": None}, {"shout": Shout(duration_ms=1)}])
def test_a_play_has_exactly_one_thing_to_sound(sounds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="only one of them"):
        a_play(**sounds)


def test_a_stop_must_say_what_it_stops() -> None:
    for given_fields in ({}, {"all": True, "ids": ("0" * 8 + "-0000-0000-0000-" + "0" * 12,)}):
        with pytest.raises(ValueError, match="a stop names"):
            a_stop(**given_fields)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pri", 4), ("pri", True), ("volume", 101), ("volume", "50"), ("mode", "test"), ("exp", NOON),
        ("seq", -1), ("id", "ABC"), ("broadcast", ""), ("issuer", "a b"), ("v", 2),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused_by_name(field: str, value: object) -> None:
    payload = json.loads(a_play().to_bytes()) | {field: value}
    refused = read_command(seal(json.dumps(payload).encode(), KEY), RING)
    assert isinstance(refused, Refused)
    assert refused.reason == "malformed"
    assert field in refused.detail


def test_unknown_fields_are_passed_over() -> None:
    play = a_play()
    payload = json.loads(play.to_bytes()) | {"colour": "later versions may add this"}
    assert read_command(seal(json.dumps(payload).encode(), KEY), RING) == play


def test_a_url_that_is_no_web_address_is_refused() -> None:
    payload = json.loads(a_play().to_bytes())
    payload["audio"]["url"] = "file:///etc/passwd"
    assert isinstance(read_command(seal(json.dumps(payload).encode(), KEY), RING), Refused)


@given(st.integers(0, 1440), st.integers(0, 1440), st.integers(0, 1439))
def test_quiet_time_and_its_opposite_share_the_day(start: int, end: int, minute: int) -> None:
    if start != end and {start, end} != {0, 1440}:
        inside = QuietTime(start=start, end=end).holds(minute)
        assert inside != QuietTime(start=end, end=start).holds(minute)


def test_quiet_hours_follow_the_local_clock() -> None:
    settings = Settings(
        version=1, number=1, regions=(VILLAGE,), keys={"h1": KEY.public()}, quiet=(QuietTime(start=720, end=721),)
    )
    assert settings.is_quiet(NOON)
    assert not settings.is_quiet(NOON + 60_000)


def test_settings_without_a_usable_key_are_refused() -> None:
    with pytest.raises(ValueError, match="h1"):
        Settings(version=1, number=1, regions=(VILLAGE,), keys={"h1": "AAAA"})


def test_topics_are_read_back_and_strangers_are_not() -> None:
    assert read_device_topic(device_topic("horn-7", Kind.RECEIPT)) == ("horn-7", Kind.RECEIPT)
    for topic in ["", "cx/1/dev/horn-7", "cx/2/dev/horn-7/ack", "cx/1/dev/horn-7/other", "cx/1/dev/A/ack",
                  "cx/1/dev/horn-7/ack/x", "cx/1/region/990101000000/cmd"]:  # fmt: skip
        assert read_device_topic(topic) is None
    with pytest.raises(ValueError, match="12 digits"):
        region_command("#")
    with pytest.raises(ValueError, match="device name"):
        device_topic("a/b", Kind.COMMAND)


@given(st.binary(max_size=300))
def test_no_bytes_from_a_device_make_the_hub_stumble(message: bytes) -> None:
    kinds: list[type[Wire]] = [Receipt, Beat, Presence, FaultReport]
    assert all(isinstance(read_answer(kind, message), Wire | Refused) for kind in kinds)

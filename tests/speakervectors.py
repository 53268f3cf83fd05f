"""Makes tests/hub/speakers/vectors.json: `python tests/speakervectors.py` after the protocol has grown."""

import base64
import json
from pathlib import Path
from typing import Any, Final

from hub.speakers.answers import Beat, FaultReport, Presence, Receipt
from hub.speakers.commands import (
    Audio,
    Chunk,
    Command,
    Configure,
    LoudTime,
    Ping,
    Play,
    Prefetch,
    QuietTime,
    Records,
    Restart,
    SelfTest,
    Settings,
    SetVolume,
    Shout,
    Stop,
    Stream,
    TimeAnswer,
    ToDevice,
    ToRegion,
)
from hub.speakers.envelope import SigningKey, seal
from hub.speakers.protocol import seal_command
from hub.speakers.wire import Doing, Priority, Reached, Severity, Used, Wire

TARGET: Final = Path(__file__).parent / "hub" / "speakers" / "vectors.json"
SECRET: Final = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
KEY: Final = SigningKey.from_secret("h1", SECRET)
NOON: Final = 1_795_406_400_000
MINUTE: Final = 60_000
NONCE: Final = "8f1d2c3b4a596877"
SEQ: Final = 41
VILLAGES: Final = ToRegion(region="990101001000", upto=120, excluded=("horn-0019",))
HORN: Final = ToDevice(device="horn-0007")
WORDS: Final = Audio(
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    url="http://hub.example:8080/a/9f86d081884c7d65.mp3",
    size=96_256,
    duration_ms=23_900,
    codec="mp3",
)
FLOOD: Final = Audio(
    sha256="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    url="http://hub.example:8080/a/2c26b46b68ffc68f.opus",
    size=41_210,
    duration_ms=18_400,
    codec="opus",
)
SETTINGS: Final = Settings(
    version=3,
    number=7,
    regions=("990101000000", "990101001000", "990101001001"),
    keys={"h1": KEY.public()},
    volume_cap=85,
    quiet=(QuietTime(start=1260, end=390), QuietTime(start=750, end=840)),
    loudness=(LoudTime(start=1080, end=1260, cap=60),),
    lead_in_ms=1200,
    pack={"flood": FLOOD},
)


def name(number: int) -> str:
    """An id for the examples."""
    return f"01990f3e-8f00-7000-8000-{number:012x}"


def stamped(number: int, to: ToDevice | ToRegion, life_ms: int = 10 * MINUTE) -> dict[str, Any]:
    """What every command carries."""
    times = {"iat": NOON, "nbf": NOON, "exp": NOON + life_ms}
    return {"id": name(number), "issuer": "hub", "seq": SEQ + number, "to": to} | times


def commands() -> dict[str, Command]:
    """One command of each kind, and of play one for each thing that can sound."""
    live: dict[str, Any] = {"mode": "live", "broadcast": name(100)}
    return {
        "play": Play(**stamped(0, VILLAGES), **live, pri=Priority.ROUTINE, audio=WORDS),
        "play-emergency": Play(
            **stamped(1, VILLAGES, 60 * MINUTE),
            **live,
            pri=Priority.EMERGENCY,
            audio=WORDS,
            volume=100,
            repeat=3,
            gap_ms=5000,
            severity=Severity.RED,
            by="王建国",
            pack="flood",
            text="山洪红色预警。请马上往高处走。",
        ),
        "play-sheet": Play(
            **stamped(2, VILLAGES, 25 * 60 * MINUTE),
            **live,
            pri=Priority.ROUTINE,
            audio=WORDS,
            start_at=NOON + 24 * 60 * MINUTE,
            fetch_within_ms=60 * MINUTE,
        ),
        "play-stream": Play(
            **stamped(3, VILLAGES),
            **live,
            pri=Priority.RELAY,
            stream=Stream(url="http://radio.example/county.mp3", duration_ms=30 * MINUTE, fallback=WORDS),
        ),
        "play-shout": Play(**stamped(4, VILLAGES), **live, pri=Priority.SHOUT, shout=Shout(duration_ms=3 * MINUTE)),
        "chunk": Chunk(
            **stamped(5, VILLAGES, MINUTE // 2), play=name(4), n=0, data=base64.b64encode(b"\0\3\xf8\xff\xfe").decode()
        ),
        "stop": Stop(**stamped(6, VILLAGES), broadcasts=(name(100),)),
        "stop-all": Stop(**stamped(7, ToRegion(region="990101000000", upto=120)), all=True),
        "volume": SetVolume(**stamped(8, HORN), level=70),
        "ping": Ping(**stamped(9, HORN)),
        "prefetch": Prefetch(**stamped(10, VILLAGES, 60 * MINUTE), audio=WORDS, within_ms=20 * MINUTE),
        "restart": Restart(**stamped(11, HORN)),
        "test": SelfTest(**stamped(12, HORN), sound=True),
        "records": Records(**stamped(13, HORN), after=290),
        "config": Configure(**stamped(14, HORN), settings=SETTINGS),
        "time": TimeAnswer(**stamped(15, HORN), nonce=NONCE, offset_ms=-340),
    }


def wrong(made: dict[str, Command]) -> dict[str, tuple[str, bytes]]:
    """What must be refused, and for which reason."""
    play, stop = made["play"], made["stop"]
    good = json.loads(seal_command(play, KEY))
    other = seal_command(made["ping"], KEY)
    return {
        "wrong-signature": ("bad_signature", dumped(good | {"sig": json.loads(other)["sig"]})),
        "unknown-key": ("unknown_key", seal(play.to_bytes(), SigningKey.from_secret("h2", SECRET))),
        "other-algorithm": ("malformed", dumped(good | {"alg": "none"})),
        "stop-of-nothing": ("malformed", sealed(stop, {"broadcasts": []})),
        "play-of-nothing": ("malformed", sealed(play, {"audio": None})),
        "play-of-two": ("malformed", sealed(play, {"shout": {"codec": "opus", "duration_ms": 1000}})),
        "unknown-op": ("malformed", sealed(made["ping"], {"op": "dance"})),
    }


def answers() -> dict[str, tuple[str, Wire]]:
    """What a device says."""
    said: dict[str, Any] = {"id": name(0), "dev": "horn-0007", "ts": NOON + 25_120, "offset_ms": 12}
    beat = Beat(
        dev="horn-0007",
        st=Doing.IDLE,
        now=None,
        last=((name(0), Reached.FINISHED),),
        seq=SEQ,
        ts=NOON + MINUTE,
        free=7_340_032_000,
        vol=70,
        ver="acme-2.1",
        cfg=3,
        nonce=NONCE,
        bad=1,
        n=314,
        up_s=86_400,
        amp="on",
        mains=False,
        battery=64,
        temp=31,
        signal=-79,
        pack=1,
        faults=("mains_lost",),
    )
    return {
        "started": ("receipt", Receipt(**said, n=310, st=Reached.STARTED, volume=85, used=Used.AUDIO)),
        "finished": (
            "receipt",
            Receipt(**said, n=311, st=Reached.FINISHED, played_ms=23_900, volume=85, used=Used.AUDIO),
        ),
        "duplicate": ("receipt", Receipt(**said, n=312, st=Reached.DUPLICATE, reached=Reached.FINISHED)),
        "progress": (
            "receipt",
            Receipt(**said | {"id": name(1)}, n=313, st=Reached.PROGRESS, played_ms=18_400, used=Used.PACK, round=1),
        ),
        "tested": (
            "receipt",
            Receipt(
                **said | {"id": name(12)},
                n=314,
                st=Reached.FAILED,
                reason="self_test",
                report={"storage": "ok", "amp": "fault"},
            ),
        ),
        "refused": (
            "receipt",
            Receipt(**said | {"id": None}, n=314, st=Reached.REFUSED, reason="bad_signature"),
        ),
        "beat": ("beat", beat),
        "fault": (
            "fault",
            FaultReport(dev="horn-0007", code="mains_lost", on=True, ts=NOON + 5000, detail="battery 64 %"),
        ),
        "online": ("presence", Presence(dev="horn-0007", up=True, ts=NOON)),
        "last-will": ("presence", Presence(dev="horn-0007", up=False)),
    }


def sealed(command: Command, changes: dict[str, Any]) -> bytes:
    """The command, signed with fields it may not have."""
    return seal(dumped(json.loads(command.to_bytes()) | changes), KEY)


def dumped(fields: dict[str, Any]) -> bytes:
    """JSON as the hub writes it."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def vectors() -> dict[str, Any]:
    """The whole file."""
    made = commands()
    good = [
        {
            "name": label,
            "op": command.op,
            "payload": command.to_bytes().decode(),
            "message": seal_command(command, KEY).decode(),
        }
        for label, command in made.items()
    ]
    bad = [
        {"name": label, "refused": reason, "message": message.decode()}
        for label, (reason, message) in wrong(made).items()
    ]
    return {
        "about": "Test vectors of the loudspeaker protocol, version 1. The signing key is public: never use it.",
        "signing": {"kid": "h1", "secret": SECRET},
        "keys": {"h1": KEY.public()},
        "messages": [*good, *bad],
        "answers": [
            {"name": label, "kind": kind, "message": answer.to_bytes().decode()}
            for label, (kind, answer) in answers().items()
        ],
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(vectors(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

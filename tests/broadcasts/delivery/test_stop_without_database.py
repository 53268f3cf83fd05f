"""`cunxiang stop` with the database away, held or missing: loudspeakers fall silent, or it says what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from speakerlab import COUNTY, TOWNSHIP, VILLAGE, Village, a_play, a_village, recordings_served, soon

import cunxiang
from broadcasts.delivery import commands
from hub.app import open_runtime
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.config import load
from hub.core.secrets import load_or_create
from hub.regions import service as regions
from hub.speakers import last_resort
from hub.speakers.device.client import ReferenceSpeaker, SpeakerSettings, now_ms
from hub.speakers.envelope import SigningKey
from hub.speakers.keys import key_of
from hub.speakers.protocol import Play, Reached, ToRegion, seal_command
from hub.speakers.settings import MqttSettings
from hub.speakers.topics import region_command

CLOSED = "postgresql+psycopg://nobody@127.0.0.1:1/hub"


def configured(folder: Path, village: Village | None, database: str) -> Path:
    port = village.broker.port if village else 1
    secret = village.hub_secret if village else "x"
    path = folder / "config.toml"
    path.write_text(
        f'[hub]\ndata_dir = "{folder / "var"}"\n[database]\nurl = "{database}"\n'
        f'[mqtt]\nengine = "external"\nhost = "127.0.0.1"\nport = {port}\nusername = "hub-2"\npassword = "{secret}"\n',
        encoding="utf-8",
    )
    return path


def stop(config: Path, region: str = VILLAGE) -> Result:
    return CliRunner().invoke(cunxiang.main, ["--config", str(config), "stop", "--region", region, "--yes"])


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a database as another program does in the middle of its work."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@pytest.mark.slow
def test_loudspeakers_fall_silent_without_the_database_and_sound_again_what_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "WITHIN_S", 1.5)
    kept = load_or_create(tmp_path / "var", "production")
    key = key_of(kept.signing.active, kept.signing.active_seed)
    database = f"sqlite:///{tmp_path / 'hub.db'}"
    with (
        recordings_served(tmp_path) as recordings,
        a_village("auto", tmp_path / "village", ["horn-1"]) as village,
        a_loudspeaker(village, key),
    ):
        audio = recordings.tone("long.mp3", 60)
        seq = iter(range(1, 99))

        def plays() -> Play:
            play = a_play(iat=now_ms(), seq=next(seq), audio=audio, to=ToRegion(region=VILLAGE, upto=9))
            assert village.link.publish(region_command(VILLAGE), seal_command(play, key))
            assert soon(lambda: Reached.STARTED in village.states(play)), "what was told after a stop sounds as ever"
            return play

        def silenced(url: str, *, because: str) -> None:
            play = plays()
            done = stop(configured(tmp_path, village, url))
            assert done.exit_code == 0, done.output
            assert because in done.output
            assert "数据库好了再运行一次" in done.output
            assert soon(lambda: Reached.STOPPED in village.states(play))

        silenced(CLOSED, because="数据库连不上")
        silenced(database, because="没有数据库文件")
        assert not (tmp_path / "hub.db").exists(), "an empty database is not made on the way"
        hub = open_runtime(load(configured(tmp_path, village, database), sections(cunxiang.FEATURES)))
        with hub.sessions.begin() as session:
            for code in (COUNTY, TOWNSHIP, VILLAGE):
                regions.add_region(session, SYSTEM, code=code, name="x", now=hub.now())
        hub.sessions.engine.dispose()
        with held(tmp_path / "hub.db"):
            silenced(database, because="数据库被别的程序占着")
        plays()


@contextmanager
def a_loudspeaker(village: Village, key: SigningKey) -> Iterator[ReferenceSpeaker]:
    device = village.device("horn-1").model_copy(update={"hub_keys": {key.kid: key.public()}})
    speaker = ReferenceSpeaker(SpeakerSettings(device, sink="file"))
    speaker.start()
    try:
        assert soon(lambda: village.is_up("horn-1"))
        yield speaker
    finally:
        speaker.stop()


@pytest.mark.parametrize("known", [True, False])
def test_what_cannot_be_sent_says_what_to_do_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    monkeypatch.setattr(last_resort, "WITHIN_S", 0.3)
    if known:
        load_or_create(tmp_path / "var", "production")
    done = stop(configured(tmp_path, None, CLOSED))
    assert done.exit_code == 2
    if known:
        assert "没有送出去，喇叭还会响。马上打电话到村里" in done.output
        assert "127.0.0.1:1: no broker answers" in done.output
    else:
        assert "Go to the machine the hub runs on" in done.output
        assert not (tmp_path / "var" / "secrets.toml").exists()


def test_a_region_that_is_none_is_refused_before_anything_is_tried(tmp_path: Path) -> None:
    done = stop(configured(tmp_path, None, CLOSED), region="12")
    assert done.exit_code == 2
    assert "数据库" not in done.output


def test_the_console_comes_by_a_name_of_its_own_first_and_to_every_broker(tmp_path: Path) -> None:
    kept = load_or_create(tmp_path, "production")
    own = list(last_resort.brokers(MqttSettings(engine="mosquitto", host="0.0.0.0", port=1999), kept))  # noqa: S104
    assert [[(a.host, a.port, a.username) for a in names] for names in own] == [
        [("127.0.0.1", 1999, "hub-console"), ("127.0.0.1", 1999, "hub")]
    ]
    shards = MqttSettings(engine="external", hosts=("a:1", "b:2"), shards=("990101001000=c:3",), username="me")
    found = list(last_resort.brokers(shards, kept))
    assert [(names[0].host, names[0].others) for names in found] == [("a", (("b", 2),)), ("c", ())]
    assert [[a.username for a in names] for names in found] == [["hub-console", "me"]] * 2

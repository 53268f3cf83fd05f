"""Accounts for brokers that are not ours: right, complete, private, and no password in them."""

import json
import re
import stat
from pathlib import Path

import bcrypt
import pytest
from click.testing import CliRunner
from speakerlab import COUNTY, KEY, TOWNSHIP, VILLAGE

import cunxiang
from hub.app import open_runtime
from hub.commands.frame import sections
from hub.commands.top import command_line
from hub.core.actor import SYSTEM
from hub.core.config import load
from hub.regions import service as regions
from hub.speakers import registry
from hub.speakers.broker import export
from hub.speakers.broker.accounts import BrokerAccount, check_password, hash_password
from hub.speakers.device.device_file import DeviceFile

pytestmark = pytest.mark.slow

SECRET = "the secret of horn one"
HUB = BrokerAccount("hub", hash_password("the hub's"), is_hub=True)
HORN = BrokerAccount("horn-1", hash_password(SECRET), regions=(COUNTY, TOWNSHIP, VILLAGE))


def users(folder: Path) -> dict[str, dict[str, object]]:
    text = (folder / "users.conf").read_text()
    found = [json.loads(line) for line in text.splitlines() if line.strip().startswith("{")]
    return {each["user"]: each for each in found}


def test_a_nats_user_may_do_exactly_what_an_mqtt_account_may() -> None:
    user = export.nats_user(HORN, "$2b$hash")
    assert user["allowed_connection_types"] == ["MQTT"]
    assert user["permissions"] == {
        "publish": {"allow": [f"cx.1.dev.horn-1.{kind}" for kind in ("ack", "fault", "hb", "state")]},
        "subscribe": {
            "allow": [
                *(f"cx.1.dev.horn-1.{kind}" for kind in ("cfg", "cmd", "time")),
                *(f"cx.1.region.{code}.cmd" for code in (COUNTY, TOWNSHIP, VILLAGE)),
                "$MQTT.sub.>",
            ]
        },
    }


def test_a_nats_user_has_the_devices_password_as_a_hash(tmp_path: Path) -> None:
    assert export.export_nats(tmp_path, [HUB, HORN], {"horn-1": SECRET, "hub": "the hub's"}) == []
    found = users(tmp_path)
    assert set(found) == {"hub", "horn-1"}
    assert bcrypt.checkpw(SECRET.encode(), str(found["horn-1"]["password"]).encode())
    assert SECRET not in (tmp_path / "users.conf").read_text()
    assert stat.S_IMODE((tmp_path / "users.conf").stat().st_mode) == 0o600


def test_a_wrong_or_unknown_password_leaves_the_device_out_and_says_so(tmp_path: Path) -> None:
    assert export.export_nats(tmp_path, [HORN], {}) == ["horn-1"]
    assert export.export_nats(tmp_path, [HORN], {"horn-1": "the password before this one"}) == ["horn-1"]
    assert users(tmp_path) == {}


def test_a_device_file_is_needed_once_until_the_password_changes(tmp_path: Path) -> None:
    export.export_nats(tmp_path, [HORN], {"horn-1": SECRET})
    before = users(tmp_path)["horn-1"]["password"]
    assert export.export_nats(tmp_path, [HORN], {}) == []
    assert users(tmp_path)["horn-1"]["password"] == before
    changed = BrokerAccount("horn-1", hash_password("another"), regions=HORN.regions)
    assert export.export_nats(tmp_path, [changed], {}) == ["horn-1"]


def test_without_bcrypt_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "bcrypt", None)
    with pytest.raises(export.CannotExport, match="pip install"):
        export.export_nats(tmp_path, [HORN], {})


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A configuration with an external broker and one enrolled loudspeaker, whose device file lies beside it."""
    path = tmp_path / "config.toml"
    path.write_text(
        f'[hub]\ndata_dir = "{tmp_path / "var"}"\n[mqtt]\nengine = "external"\npassword = "a-password-of-the-hub"\n'
    )
    runtime = open_runtime(load(path, sections(cunxiang.FEATURES), environ={}))
    with runtime.sessions.begin() as session:
        for code in (COUNTY, TOWNSHIP, VILLAGE):
            regions.add_region(session, SYSTEM, code=code, name="地方", now=runtime.now())
        enrolled = registry.enrol(
            session, SYSTEM, speaker_id="horn-1", name="村口", region_code=VILLAGE, now=runtime.now()
        )
        number = enrolled.speaker.number
    runtime.sessions.engine.dispose()
    DeviceFile(
        id="horn-1",
        number=number,
        secret=enrolled.secret,
        broker_host="127.0.0.1",
        broker_port=1883,
        regions=(COUNTY, TOWNSHIP, VILLAGE),
        hub_keys={"h1": KEY.public()},
    ).save(tmp_path / "horn-1.toml")
    return path


def run(config: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command_line(cunxiang.FEATURES), ["--config", str(config), *arguments])
    return result.exit_code, result.output


def test_the_command_writes_mosquittos_files(configured: Path, tmp_path: Path) -> None:
    code, said = run(configured, "broker", "export", "--format", "mosquitto", "--out", str(tmp_path / "out"))
    assert (code, "3 accounts" in said) == (0, True), said
    lines = dict(line.split(":", 1) for line in (tmp_path / "out" / "passwords").read_text().splitlines())
    assert all(check_password("a-password-of-the-hub", lines[name]) for name in ("hub", "hub-console"))
    assert check_password(DeviceFile.load(tmp_path / "horn-1.toml").secret, lines["horn-1"])
    assert f"user horn-1\ntopic read cx/1/region/{COUNTY}/cmd" in (tmp_path / "out" / "acl").read_text()


def test_the_command_writes_natss_users_from_the_device_files(configured: Path, tmp_path: Path) -> None:
    arguments = ("broker", "export", "--format", "nats", "--out", str(tmp_path / "out"))
    code, said = run(configured, *arguments)
    assert code == 1
    assert re.search("needed: horn-1", said)
    code, said = run(configured, *arguments, "--device", str(tmp_path / "horn-1.toml"))
    assert (code, "3 accounts" in said) == (0, True), said
    assert set(users(tmp_path / "out")) == {"hub", "hub-console", "horn-1"}
    assert run(configured, *arguments)[0] == 0, "the second time it knows"


def test_the_command_wants_the_hubs_password_first(configured: Path, tmp_path: Path) -> None:
    configured.write_text(configured.read_text().replace("password =", "#password ="))
    code, said = run(configured, "broker", "export", "--format", "mosquitto", "--out", str(tmp_path / "out"))
    assert code == 1
    assert "CUNXIANG_MQTT_PASSWORD" in said

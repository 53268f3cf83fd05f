"""The configuration of text messages, and the gateway it names."""

from pathlib import Path

import pytest
from smslab import lab_context, lab_settings

from broadcasts.sms.gateway import GatewayContext, GatewayError
from broadcasts.sms.gateways.finding import find_gateways, names
from broadcasts.sms.gateways.sections import SECTIONS, TwilioSettings
from broadcasts.sms.settings import SmsSettings
from hub.core.config import ConfigError, Section, load
from hub.core.db import Sessions


def test_every_key_says_what_it_is_for() -> None:
    assert all(field.description for field in SmsSettings.model_fields.values())


def test_the_defaults_are_a_working_configuration() -> None:
    assert SmsSettings.model_validate({}).ranks == ((("local", 1),),)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"signature": "【镇】"}, "brackets"),
        ({"window_from": "22:00"}, "before"),
        ({"lease_s": 10}, "lease_s"),
        ({"hooks_from": ["127.0.0.1"]}, "kannel=127.0.0.1"),
        ({"hooks_from": ["mas=example.com"]}, "example.com"),
        ({"gateways": ["kannel:0"]}, "'kannel:0' must be a name"),
        ({"gateways": ["kannel", "local kannel"]}, "names kannel twice"),
        ({"gateways": []}, "at least one"),
        ({"gateway": "local"}, "Did you mean 'gateways'?"),
        ({"fen_per_part": -1}, "price of one part"),
        ({"signiture": "镇"}, "Did you mean 'signature'?"),
        ({"window_from": "morning"}, "routine messages"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(tmp_path: Path, table: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match="sms") as caught:
        load(None, [SmsSettings], environ={"CUNXIANG_CONFIG": str(_empty(tmp_path))}, overrides={"sms": table})
    assert says in str(caught.value)


def test_the_token_is_not_shown() -> None:
    settings = TwilioSettings.model_validate({"auth_token": "very secret"})
    assert "very secret" not in repr(settings) + str(settings)


def test_a_gateway_of_a_third_party_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sms_sessions: Sessions
) -> None:
    info = tmp_path / "carrier_pigeon-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: carrier-pigeon\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cunxiang.sms_gateways]\npigeon = carrier_pigeon:open_gateway\n")
    (tmp_path / "carrier_pigeon.py").write_text(
        "class Pigeon:\n    name = 'pigeon'\n\n\ndef open_gateway(context):\n    return Pigeon()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "pigeon" in names()
    assert find_gateways(_context("pigeon", sms_sessions), str)["pigeon"].name == "pigeon"
    with pytest.raises(GatewayError, match="Did you mean 'pigeon'"):
        find_gateways(_context("pidgeon", sms_sessions), str)


@pytest.mark.parametrize("kind", SECTIONS, ids=lambda kind: str(kind.table))
def test_a_provider_without_its_settings_says_which_are_missing(kind: type[Section], sms_sessions: Sessions) -> None:
    with pytest.raises(GatewayError, match=rf"^\[{kind.table}\] \w+.*: needed because"):
        find_gateways(_context(kind.table, sms_sessions), str)


def test_order_and_weight_are_read() -> None:
    ranks = lab_settings(gateways=["aliyun:7 tencent:3", "kannel"]).ranks
    assert ranks == ((("aliyun", 7), ("tencent", 3)), (("kannel", 1),))
    assert lab_settings(gateways="aliyun:7 tencent:3, kannel").ranks == ranks


@pytest.mark.parametrize(
    ("name", "address", "may"),
    [
        ("kannel", "127.0.0.1", True),
        ("kannel", "::ffff:127.0.0.1", True),
        ("kannel", "192.0.2.9", False),
        ("mas", "192.0.2.9", True),
        ("mas", "198.51.100.7", True),
        ("mas", "198.51.100.8", False),
        ("mas", "", False),
        ("aliyun", "198.51.100.8", True),
    ],
)
def test_from_where_a_gateway_may_report(name: str, address: str, may: bool) -> None:
    settings = lab_settings(hooks_from=["kannel=127.0.0.1", "mas=192.0.2.0/24 198.51.100.7"])
    assert settings.may_report(name, address) is may


def _context(gateways: str, sessions: Sessions) -> GatewayContext:
    return lab_context(sessions, lab_settings(gateways=gateways))


def _empty(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("")
    return path

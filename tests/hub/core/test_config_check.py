"""`cunxiang config check` over what people write wrong: named by its key, with what to do, nothing touched."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import cunxiang
from hub.core.secrets import load_or_create

WRONG = {
    # what is written -> which key is named
    "[hub]\nprot = 1": "[hub] prot",
    "[hubb]\nport = 1": "[hubb]",
    "hub = 1": "'hub'",
    "[hub": "not valid TOML",
    "[hub]\nport = 99999": "[hub] port",
    '[hub]\nhost = "no such host!"': "[hub] host",
    '[hub]\ntime_zone = "Beijing"': "[hub] time_zone",
    '[hub]\nmode = "prod"': "[hub] mode",
    '[hub]\nthreads = "many"': "[hub] threads",
    "[hub]\ntrusted_proxies = -1": "[hub] trusted_proxies",
    '[hub]\ndata_dir = "HERE/a-file"': "[hub] data_dir",
    '[hub]\ndata_dir = "HERE/a-file/var"': "[hub] data_dir",
    '[hub]\ndata_dir = "HERE/of-a-demo"': "made by a demo",
    '[hub]\npublic_url = "hub.example"': "[hub] public_url",
    '[hub]\npublic_url = "ftp://hub.example"': "[hub] public_url",
    '[hub]\npublic_url = "https://hub.example/cunxiang"': "[hub] public_url",
    '[database]\nurl = "nonsense"': "[database] url",
    '[database]\nurl = "mysql://u:secret0Q@h/d"': "[database] url",
    '[database]\nurl = "postgres://u:secret0Q@h/d"': "postgresql+psycopg://",
    '[database]\nurl = "postgresql://u:secret0Q@h/d"': "postgresql+psycopg://",
    '[mqtt]\ntls_cert = "x"': "tls_cert and tls_key",
    '[mqtt]\ntls_cert = "HERE/none.pem"\ntls_key = "HERE/none.key"': "[mqtt] tls_cert",
    '[mqtt]\nca_file = "HERE/a-file"': "[mqtt] ca_file",
    '[mqtt]\nengine = "external"\nhosts = ["h"]': "[mqtt] hosts",
    '[mqtt]\nengine = "external"\nhost = "h"': "[mqtt] password",
    '[mqtt]\nshards = ["990102000000=h:1"]': "external",
    '[sms]\ngateways = ["aliyn"]': "aliyn",
    '[sms]\ngateways = ["aliyun"]': "[aliyun] access_key_id",
    '[sms]\ngateways = ["local", "local"]': "[sms] gateways",
    '[sms]\nwindow_from = "21:00"\nwindow_until = "08:00"': "window_from",
    '[sms]\nsignature = "【村】"': "[sms] signature",
    '[sms]\ngateways = ["kannel"]\n[kannel]\nurl = "127.0.0.1:13013"': "[kannel] url",
    "[twilio]\nauth_token = 5": "[twilio] auth_token",
    '[speech]\nengines = ["siri"]': "siri",
    '[broadcast]\nquiet_hours = ["9pm-6am"]': "[broadcast] quiet_hours",
    '[broadcast]\nquiet_hours = ["20:00-08:00", "08:00-20:00"]': "[broadcast] quiet_hours",
    '[work]\nengine = "celery"': "[work] broker_url",
    "[watch]\ndisk_low_mb = 100\ndisk_full_mb = 500": "disk_full_mb",
    "[watch]\nmetrics_token = [1]": "[watch] metrics_token",
    '[speakers]\nself_test_at = "3am"': "[speakers] self_test_at",
    '[audit]\nanchor_file = "HERE/a-file/marks"': "[audit] anchor_file",
}


def check(folder: Path, text: str) -> Result:
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return CliRunner().invoke(cunxiang.main, ["--config", str(folder / "config.toml"), "config", "check"])


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "a-file").write_text("x", encoding="utf-8")
    demo = tmp_path / "of-a-demo"
    made = check(tmp_path, f'[hub]\ndata_dir = "{demo}"\nmode = "demo"')
    assert made.exit_code == 0, made.output
    assert not demo.exists(), "a check makes nothing"
    load_or_create(demo, "demo")
    return tmp_path


def test_whatever_is_wrong_is_named_with_what_to_do(here: Path) -> None:
    before = sorted(here.rglob("*"))
    passed = {}
    for text, named in WRONG.items():
        answer = check(here, text.replace("HERE", str(here)) + "\n")
        if answer.exit_code != 2 or named not in answer.output or "Traceback" in answer.output:
            passed[text] = answer.output
        assert "secret0Q" not in answer.output
    assert passed == {}
    assert sorted(here.rglob("*")) == sorted({*before, here / "config.toml"})


def test_a_folder_of_somebody_else_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.commands.trying.os.access", lambda path, _: Path(path) != here)
    answer = check(here, f'[hub]\ndata_dir = "{here}/var"')
    assert answer.exit_code == 2
    assert "may not write" in answer.output


def test_the_example_is_right(here: Path) -> None:
    example = Path(__file__).resolve().parents[3] / "config.example.toml"
    answer = check(here, example.read_text(encoding="utf-8"))
    assert answer.exit_code == 0, answer.output
    assert "all is well" in answer.output

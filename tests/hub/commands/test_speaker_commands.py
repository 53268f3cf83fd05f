"""`cunxiang speaker | keys | tls`: what a person types, and what it does to a hub's files and tables."""

from pathlib import Path

import pytest
from builders import BRIDGE, HILL
from click.testing import CliRunner, Result

import cunxiang
from hub.commands.top import command_line
from hub.core.runtime import Runtime
from hub.core.secrets import read_signing
from hub.core.typed import new_code, read_code, shown
from hub.speakers.joining.codes import claim_id
from hub.speakers.joining.device import CannotJoin, code_for
from hub.speakers.joining.models import Claim, ClaimState
from hub.speakers.models import Speaker, SpeakerState


@pytest.fixture
def config(runtime: Runtime, tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(f'[hub]\ndata_dir = "{runtime.config.data_dir}"\n', encoding="utf-8")
    return path


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command_line(cunxiang.FEATURES), ["--config", str(config), *arguments])


def speaker(runtime: Runtime, name: str) -> Speaker:
    with runtime.sessions.read() as session:
        return session.get_one(Speaker, name)


def test_codes_are_printed_once_and_known_by_their_claims_alone(config: Path, runtime: Runtime) -> None:
    result = run(config, "speaker", "code", "--name", "村口", "--region", BRIDGE, "--count", "2")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert [line[2] for line in lines] == ["村口1", "村口2"]
    for typed, name, _ in lines:
        code = read_code(typed)
        assert code is not None
        with runtime.sessions.read() as session:
            claim = session.get_one(Claim, claim_id(code))
        assert (claim.state, claim.speaker_id) == (ClaimState.OFFERED, name)
        assert f"user {name}\n" in (runtime.config.data_dir / "broker" / "acl").read_text("utf-8")


def test_a_wrong_code_is_answered_with_a_sentence(config: Path) -> None:
    result = run(config, "speaker", "claim", shown(new_code()), "--name", "村口", "--region", BRIDGE)
    assert result.exit_code == 2
    assert "No loudspeaker waits under this code" in result.output


def test_moving_and_retiring(config: Path, runtime: Runtime) -> None:
    assert run(config, "speaker", "move", "s1001-1", "--region", HILL).exit_code == 0
    assert speaker(runtime, "s1001-1").region_code == HILL
    assert run(config, "speaker", "retire", "s1001-1", "--reason", "烧了").exit_code == 0
    assert speaker(runtime, "s1001-1").state is SpeakerState.RETIRED
    again = run(config, "speaker", "retire", "s1001-1")
    assert (again.exit_code, "out of service already" in again.output) == (2, True)


def test_an_enrolled_one_gets_every_key_of_the_hub(config: Path, runtime: Runtime, tmp_path: Path) -> None:
    run(config, "keys", "new")
    out = tmp_path / "new-1.toml"
    result = run(config, "speaker", "enrol", "new-1", "--name", "村口", "--region", BRIDGE, "--out", str(out))
    assert result.exit_code == 0, result.output
    text = out.read_text("utf-8")
    assert "h1 = " in text
    assert "h2 = " in text


def test_keys_from_new_to_dropped(config: Path, runtime: Runtime) -> None:
    data_dir = runtime.config.data_dir
    with runtime.sessions.begin() as session:
        for name in ("s1001-1", "s1001-2", "s1002-1", "s1002-2", "s2001-1", "s2001-2"):
            horn = session.get_one(Speaker, name)
            horn.keys_taken, horn.seen_at = ["h1"], None
    assert "keys use h2" in run(config, "keys", "new").output
    with runtime.sessions.begin() as session:
        session.get_one(Speaker, "s1001-1").seen_at = runtime.now().replace(year=2099)
    refused = run(config, "keys", "use", "h2")
    assert (refused.exit_code, "s1001-1" in refused.output) == (2, True)
    assert read_signing(data_dir).active == "h1"
    assert "1 lack it: s1001-1; 5 silent" in run(config, "keys", "list").output
    assert run(config, "keys", "use", "h2", "--anyway").exit_code == 0
    assert "kept until" in run(config, "keys", "drop", "h1", "--anyway").output
    signing = read_signing(data_dir)
    assert (signing.active, set(signing.keys), set(signing.archive)) == ("h2", {"h2"}, {"h1"})


def test_no_command_ever_prints_a_private_key(config: Path, runtime: Runtime) -> None:
    outputs = [run(config, *words.split()).output for words in ("keys new", "keys list", "keys revoke h1", "keys list")]
    text = (runtime.config.data_dir / "secrets.toml").read_text("utf-8")
    secrets = [line.split('"')[1] for line in text.splitlines() if line.count('"') == 2]
    long = [secret for secret in secrets if len(secret) > 12]
    assert len(long) >= 5
    assert not any(secret in output for secret in long for output in outputs)


def test_certificates_are_made_where_they_are_wanted(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "tls"
    made = run(config, "tls", "make", "--host", "broker.example", "--out", str(out))
    assert made.exit_code == 0
    assert 'public_host = "broker.example"' in made.output
    assert {path.name for path in out.iterdir()} == {"ca.pem", "ca.key", "server.pem", "server.key"}
    again = run(config, "tls", "make", "--host", "broker.example", "--out", str(out))
    assert (again.exit_code, "--renew" in again.output) == (2, True)
    configured = config.read_text("utf-8") + made.output[made.output.index("  [mqtt]") : made.output.index("\n\nNew")]
    config.write_text(configured, encoding="utf-8")
    assert run(config, "config", "check").exit_code == 0, "what it prints can be pasted"


def test_half_a_certificate_is_refused_with_a_sentence(config: Path) -> None:
    config.write_text(config.read_text("utf-8") + '[mqtt]\ntls_cert = "x.pem"\n', encoding="utf-8")
    result = run(config, "config", "check")
    assert (result.exit_code, "tls_key belong together" in result.output) == (2, True)


def test_a_device_keeps_the_code_it_made(tmp_path: Path) -> None:
    path = tmp_path / "d" / "speaker.code"
    code = code_for(path, None)
    assert code_for(path, None) == code
    assert path.stat().st_mode & 0o777 == 0o600
    assert code_for(path, "0123-4567-89ab-cdef") == "0123456789ABCDEF"
    with pytest.raises(CannotJoin, match="16 letters"):
        code_for(path, "nonsense")

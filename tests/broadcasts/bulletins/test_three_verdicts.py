"""Every real document gets three verdicts from a hub that none of them is meant for, and the command says the same."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from builders import a_county
from caplab import NORTH, area, document, geocode, hand_in, info
from click.testing import CliRunner
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import cunxiang
from broadcasts.bulletins.models import Bulletin, Envelope
from broadcasts.cap import values
from hub.core.clock import utc_now
from hub.core.runtime import Runtime

FOLDER = Path(os.environ.get("CUNXIANG_CAP", Path(__file__).resolve().parents[4] / "shared" / "cap")) / "documents"
LATER, YESTERDAY = values.written(utc_now() + timedelta(hours=3)), values.written(utc_now() - timedelta(hours=3))
"""The command asks the real clock."""
VERDICTS = {"valid", "invalid", "skipped"}


@pytest.mark.skipif(not FOLDER.exists(), reason="the documents of public agencies are not here (CUNXIANG_CAP)")
def test_each_document_of_a_public_agency_gets_three_verdicts_and_puts_nothing_before_anybody(session: Session) -> None:
    a_county(session)
    third = []
    for file in sorted(FOLDER.iterdir()):
        received = hand_in(session, file.read_bytes())
        assert set(received.verdicts) == {"schema", "prose", "policy"}, file
        assert set(received.verdicts.values()) <= VERDICTS
        sound = received.verdicts["schema"] == received.verdicts["prose"] == "valid"
        assert (received.verdicts["policy"] != "skipped") == sound, file
        assert received.refused or not received.bulletins or received.bulletins[0].state.value == "noted", file
        third.append(received.verdicts["policy"])
    assert third.count("invalid") > 3, "they mean other countries"
    assert session.scalar(select(func.count()).select_from(Bulletin).where(Bulletin.state == "proposed")) == 0


@pytest.fixture
def hub(runtime: Runtime, app: object, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setenv("CUNXIANG_HUB_DATA_DIR", str(runtime.config.data_dir))
    monkeypatch.delenv("CUNXIANG_CAP", raising=False)  # the hub takes it for a setting
    monkeypatch.chdir(runtime.config.data_dir)
    return runtime


def test_the_command_says_what_a_document_would_be_told_and_keeps_nothing(hub: Runtime, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.xml", tmp_path / "bad.xml"
    good.write_bytes(document(info(area(geocode(NORTH)), expires=LATER), sent=YESTERDAY))
    bad.write_bytes(document(msgType="Cancel"))
    answer = CliRunner().invoke(cunxiang.main, ["warnings", "check", str(good), str(bad)])
    assert answer.exit_code == 1, answer.output
    assert "good.xml: schema valid, prose valid, policy valid" in answer.output
    assert "bad.xml: schema valid, prose invalid, policy skipped" in answer.output
    assert "[prose] cap_references_missing /alert/msgType line" in answer.output
    with hub.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(Envelope)) == 0
    assert CliRunner().invoke(cunxiang.main, ["warnings", "check", str(good)]).exit_code == 0
    nowhere = CliRunner().invoke(cunxiang.main, ["warnings", "check", "--region", "990109000000", str(good)])
    assert nowhere.exit_code == 2

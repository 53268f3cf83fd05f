"""Accounts at the broker."""

from pathlib import Path

import pytest
from speakerlab import COUNTY, VILLAGE

from hub.speakers.broker.accounts import (
    BrokerAccount,
    check_password,
    hash_password,
    new_secret,
    read_accounts,
    rights_text,
    write_accounts,
)
from hub.speakers.broker.doorkeepers import Guard

HASH = hash_password("right")


def test_a_password_is_known_by_its_hash_alone() -> None:
    assert check_password("right", HASH)
    assert not check_password("wrong", HASH)
    assert hash_password("right") != HASH
    for damaged in ("", "$7$", "$6$101$AAAA$AAAA", "$7$x$AAAA$AAAA", "$7$101$*$*"):
        assert not check_password("right", damaged)


def test_secrets_differ_and_are_long() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert len(new_secret()) >= 22


def test_accounts_come_back_as_written_for_their_owner_alone(tmp_path: Path) -> None:
    accounts = [BrokerAccount("hub", HASH, is_hub=True), BrokerAccount("horn-1", HASH, regions=(COUNTY, VILLAGE))]
    write_accounts(tmp_path / "broker", accounts)
    assert read_accounts(tmp_path / "broker") == accounts
    for file in (tmp_path / "broker").iterdir():
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "hashed", "regions"),
    [("a b", HASH, ()), ("A", HASH, ()), ("a/#", HASH, ()), ("a", "plain", ()), ("a", HASH, ("#",))],
)
def test_what_would_open_doors_is_no_account(name: str, hashed: str, regions: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="account"):
        BrokerAccount(name, hashed, regions=regions)


def test_one_name_is_one_account(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="same name"):
        write_accounts(tmp_path, [BrokerAccount("a", HASH), BrokerAccount("a", HASH)])


def test_mosquitto_is_told_the_same_rights() -> None:
    text = rights_text([BrokerAccount("hub", HASH, is_hub=True), BrokerAccount("horn-1", HASH, regions=(VILLAGE,))])
    assert "pattern read cx/1/dev/%u/cmd" in text
    assert "pattern write cx/1/dev/%u/ack" in text
    assert "user hub\ntopic readwrite cx/1/#" in text
    assert f"user horn-1\ntopic read cx/1/region/{VILLAGE}/cmd" in text


def test_the_guard_lets_nobody_in_without_the_right_word(tmp_path: Path) -> None:
    write_accounts(tmp_path, [BrokerAccount("horn-1", HASH)])
    guard = Guard(tmp_path)
    assert guard.admits("horn-1", "right", None)
    for name, word in [(None, None), ("", ""), ("horn-1", None), ("horn-1", "wrong"), ("horn-2", "right")]:
        assert not guard.admits(name, word, None)


def test_the_guard_reads_a_last_will_before_it_lets_in(tmp_path: Path) -> None:
    write_accounts(tmp_path, [BrokerAccount("horn-1", HASH)])
    guard = Guard(tmp_path)
    assert guard.admits("horn-1", "right", "cx/1/dev/horn-1/state")
    assert not guard.admits("horn-1", "right", "cx/1/dev/horn-2/state")


def test_the_guard_keeps_everyone_to_their_topics(tmp_path: Path) -> None:
    write_accounts(
        tmp_path, [BrokerAccount("hub", HASH, is_hub=True), BrokerAccount("horn-1", HASH, regions=(VILLAGE,))]
    )
    guard = Guard(tmp_path)
    assert guard.may_hear("horn-1", f"cx/1/region/{VILLAGE}/cmd")
    assert guard.may_say("horn-1", "cx/1/dev/horn-1/ack")
    for topic in ["#", "cx/1/#", "cx/1/dev/+/cmd", "cx/1/dev/horn-2/cmd", f"cx/1/region/{COUNTY}/cmd",
                  "cx/1/dev/horn-1/ack"]:  # fmt: skip
        assert not guard.may_hear("horn-1", topic)
    for topic in ["cx/1/dev/horn-1/cmd", "cx/1/dev/horn-2/ack", f"cx/1/region/{VILLAGE}/cmd"]:
        assert not guard.may_say("horn-1", topic)
    assert guard.may_hear("hub", "cx/1/dev/+/ack")
    assert not guard.may_hear("hub", "$SYS/#")
    assert not guard.may_hear(None, "cx/1/dev/horn-1/cmd")


def test_the_guard_names_who_lost_the_account_and_survives_a_damaged_file(tmp_path: Path) -> None:
    one, two = BrokerAccount("horn-1", HASH), BrokerAccount("horn-2", HASH)
    write_accounts(tmp_path, [one, two])
    guard = Guard(tmp_path)
    assert guard.refresh() == set()
    write_accounts(tmp_path, [BrokerAccount("horn-1", hash_password("new"))])
    assert guard.refresh() == {"horn-1", "horn-2"}
    (tmp_path / "accounts.json").write_text('[{"username": 1}]')
    assert guard.refresh() == set()
    assert guard.admits("horn-1", "new", None)

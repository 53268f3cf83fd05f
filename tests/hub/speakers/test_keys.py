"""Changing the key of the hub: nobody is left behind by mistake, and nothing is lost half way."""

import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import NOON
from sqlalchemy import update
from sqlalchemy.orm import Session

from hub.core.errors import NotFound, WrongState
from hub.core.runtime import Runtime
from hub.core.secrets import FILE_NAME, SecretsError, change_signing, load_or_create, read_signing
from hub.speakers import keys
from hub.speakers.keys import KeyBook, known_to
from hub.speakers.models import Speaker, SpeakerState

LATER = NOON + timedelta(days=1)
OLD_FILE = """origin = "production"
session_key = "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M="
phone_key = "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA="
phone_index_key = "aWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWk="
signing_seed = "Z2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2c="
broker_password = "0123456789abcdef"
"""


@pytest.fixture
def county(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        session.execute(update(Speaker).values(seen_at=LATER, keys_taken=["h1"]))
        yield session


@pytest.fixture
def data_dir(runtime: Runtime) -> Path:
    return runtime.config.data_dir


@pytest.fixture
def with_two(data_dir: Path) -> Path:
    keys.new(data_dir, seed=b"2" * 32, now=LATER)
    return data_dir


def take(session: Session, *names: str, but: str = "") -> None:
    session.execute(update(Speaker).where(Speaker.id != but).values(keys_taken=sorted(names)))


def test_a_secrets_file_from_before_becomes_one_with_several_keys(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(OLD_FILE, encoding="utf-8")
    path.chmod(0o600)
    before = load_or_create(tmp_path, "production")
    assert (before.signing.active, before.signing_seed) == ("h1", b"g" * 32)
    keys.new(tmp_path, seed=b"n" * 32, now=NOON)
    after = load_or_create(tmp_path, "production")
    assert dict(after.signing.keys) == {"h1": b"g" * 32, "h2": b"n" * 32}
    assert (after.signing.active, after.session_key, after.broker_password) == ("h1", b"s" * 32, "0123456789abcdef")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_two_commands_at_once_do_not_overwrite_each_other(data_dir: Path) -> None:
    lock = (data_dir / FILE_NAME).with_suffix(".lock")
    lock.touch()
    with pytest.raises(SecretsError, match="Another command"):
        keys.new(data_dir, seed=b"2" * 32, now=NOON)
    os.utime(lock, (1, 1))
    assert set(keys.new(data_dir, seed=b"2" * 32, now=NOON).keys) == {"h1", "h2"}, "its owner was killed long ago"


def test_a_change_that_fails_leaves_the_file_as_it_was(data_dir: Path) -> None:
    before = (data_dir / FILE_NAME).read_bytes()
    with pytest.raises(SecretsError):
        change_signing(data_dir, lambda signing: type(signing)("h9", signing.keys))
    assert (data_dir / FILE_NAME).read_bytes() == before
    assert keys.new(data_dir, seed=b"2" * 32, now=NOON).active == "h1", "and the lock is gone"


def test_a_key_signs_only_when_everybody_in_touch_has_taken_it(county: Session, with_two: Path) -> None:
    take(county, "h1", "h2", but="s1002-1")
    with pytest.raises(WrongState, match=r"key_not_taken count=1 speakers=s1002-1"):
        keys.use(county, with_two, "h2", now=LATER)
    assert read_signing(with_two).active == "h1"
    take(county, "h1", "h2")
    assert keys.use(county, with_two, "h2", now=LATER).active == "h2"


def test_who_has_been_silent_for_a_month_does_not_hold_it_up(county: Session, with_two: Path) -> None:
    take(county, "h1", "h2", but="s1002-1")
    county.execute(update(Speaker).where(Speaker.id == "s1002-1").values(seen_at=LATER - timedelta(days=31)))
    assert keys.use(county, with_two, "h2", now=LATER).active == "h2"
    assert set(keys.drop(county, with_two, "h1", now=LATER).archive) == {"h1"}, "or it could never be told"


def test_retired_ones_need_no_key(county: Session, with_two: Path) -> None:
    take(county, "h1", "h2", but="s1002-1")
    county.execute(update(Speaker).where(Speaker.id == "s1002-1").values(state=SpeakerState.RETIRED))
    keys.use(county, with_two, "h2", now=LATER)
    assert keys.drop(county, with_two, "h1", now=LATER).archive == {}


def test_the_key_that_signs_cannot_be_dropped(county: Session, with_two: Path) -> None:
    with pytest.raises(WrongState, match="key_in_use"):
        keys.drop(county, with_two, "h1", now=LATER)


def test_dropping_waits_for_those_who_would_be_left_without_any(county: Session, with_two: Path) -> None:
    take(county, "h1", "h2", but="s1002-1")
    keys.use(county, with_two, "h2", now=LATER, anyway=True)
    with pytest.raises(WrongState, match="key_not_taken"):
        keys.drop(county, with_two, "h1", now=LATER)
    assert set(keys.drop(county, with_two, "h1", now=LATER, anyway=True).archive) == {"h1"}


def test_in_an_emergency_another_known_key_signs_at_once(county: Session, with_two: Path) -> None:
    take(county, "h1", "h2")
    signing = keys.revoke(county, with_two, "h1")
    assert (signing.active, set(signing.keys), signing.archive) == ("h2", {"h2"}, {})
    with pytest.raises(WrongState, match="last_key"):
        keys.revoke(county, with_two, "h2")


def test_names_are_never_used_twice(county: Session, with_two: Path) -> None:
    take(county, "h1", "h2")
    keys.revoke(county, with_two, "h2")
    assert set(keys.new(with_two, seed=b"3" * 32, now=LATER).keys) == {"h1", "h3"}


def test_there_is_an_end_to_keys(data_dir: Path) -> None:
    for number in range(2, keys.MOST + 1):
        keys.new(data_dir, seed=bytes([number]) * 32, now=LATER)
    with pytest.raises(WrongState, match="too_many_keys"):
        keys.new(data_dir, seed=b"x" * 32, now=LATER)


@pytest.mark.parametrize("verb", [keys.use, keys.drop])
def test_an_unknown_key_is_said_to_be_unknown(county: Session, data_dir: Path, verb: object) -> None:
    with pytest.raises(NotFound, match="key_unknown kid=h7"):
        verb(county, data_dir, "h7", now=LATER)  # type: ignore[operator]


def test_one_that_has_said_nothing_knows_the_keys_of_its_device_file(county: Session, with_two: Path) -> None:
    signing = read_signing(with_two)
    old = Speaker(enrolled_at=NOON, keys_taken=[])
    new = Speaker(enrolled_at=LATER + timedelta(minutes=2), keys_taken=[])
    assert known_to(old, signing) == {"h1"}
    assert known_to(new, signing) == {"h1", "h2"}


def test_a_label_in_a_drawer_keeps_its_key_alive(county: Session, with_two: Path) -> None:
    take(county, "h1", "h2")
    county.execute(
        update(Speaker)
        .where(Speaker.id == "s1002-1")
        .values(state=SpeakerState.EXPECTED, keys_taken=[], enrolled_at=NOON, seen_at=None)
    )
    keys.use(county, with_two, "h2", now=LATER)
    assert set(keys.drop(county, with_two, "h1", now=LATER).archive) == {"h1"}


def test_a_running_hub_takes_a_change_over(runtime: Runtime, data_dir: Path) -> None:
    book = KeyBook(data_dir, runtime.secrets.signing)
    assert book.refresh() is False
    keys.new(data_dir, seed=b"2" * 32, now=LATER)
    assert set(book.accepted()) == {"h1"}
    assert book.refresh() is True
    assert set(book.accepted()) == {"h1", "h2"}
    assert book.active.kid == "h1"


def test_the_overview_names_who_lacks_a_key(county: Session, with_two: Path) -> None:
    take(county, "h1", "h2", but="s1002-1")
    first, second = keys.overview(county, read_signing(with_two), now=LATER)
    assert (first.kid, first.active, first.lacking) == ("h1", True, ())
    assert [(each.id, each.in_touch) for each in second.lacking] == [("s1002-1", True)]
    assert second.made_at == LATER

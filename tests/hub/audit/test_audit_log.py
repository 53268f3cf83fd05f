"""The log: chained, append-only, seen by region, in plain words."""

import re
from collections.abc import Iterator
from pathlib import Path

import builders
import pytest
from builders import BRIDGE, COUNTY, FERRY, NORTH
from conftest import NOON
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.accounts.roles import Role
from hub.audit import log
from hub.audit.chain import prove
from hub.audit.describing import codes_of, describe, words
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions.tree import path_of

ROOT = Path(__file__).resolve().parents[3]
DEED = re.compile(r"(?:log\.)?_?record\(\s*session,\s*\w+,\s*\"([a-z_]+\.[a-z_]+)\"")


@pytest.fixture
def county(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


def note(session: Session, place: str = BRIDGE, **details: object) -> AuditEntry:
    return log.record(session, SYSTEM, "speaker.volume", "speaker:s1001-1", path_of(place), NOON, **details)


def line(entry: AuditEntry, language: str = "zh") -> str:
    shown = describe(entry, {COUNTY: "试县", NORTH: "北镇", BRIDGE: "桥村"}, language)
    return f"{shown}"


def test_each_entry_is_chained_to_the_one_before(county: Session) -> None:
    first, second = note(county), note(county)
    assert second.previous_hash == first.hash
    assert prove(county).fault is None


def test_people_see_the_log_of_their_own_region_only(county: Session) -> None:
    here, there = note(county, BRIDGE), note(county, FERRY)
    north = {entry.id for entry in log.latest(county, builders.the_actor(county, "approver"))}
    assert here.id in north
    assert there.id not in north
    assert log.latest(county, builders.the_actor(county, "clerk")) == [], "clerks see no log"


def test_the_log_pages_without_gap_or_repetition(county: Session) -> None:
    made = [note(county).id for _ in range(7)]
    actor = builders.an_actor(Role.COUNTY_ADMIN, COUNTY)
    seen: list[int] = []
    while len(seen) < len(made):
        page = log.latest(county, actor, before=seen[-1] if seen else None, limit=3)
        seen += [entry.id for entry in page]
    assert seen[: len(made)] == made[::-1]


def test_a_change_reads_before_and_after(county: Session) -> None:
    shown = describe(note(county, before=80, after=60), {}, "zh")
    assert (shown.deed, shown.before, shown.after, shown.details) == ("调了音量", "80", "60", ())


def test_roles_and_places_are_named(county: Session) -> None:
    entry = note(county, roles=[f"clerk@{path_of(NORTH)}"], moved_from=path_of(BRIDGE), active=False)
    assert codes_of([entry]) == {COUNTY, NORTH, BRIDGE}
    shown = line(entry)
    assert "广播员" in shown
    assert "北镇 桥村" in shown
    assert "('启用', '否')" in shown
    assert "990101" not in shown


def test_random_numbers_are_not_shown(county: Session) -> None:
    entry = county.scalars(select(AuditEntry).where(AuditEntry.deed == "speaker.enrol")).first()
    assert entry is not None
    random = log.record(
        county, SYSTEM, "resident.add", "resident:0192b7c1-0000-7000-8000-000000000001", path_of(BRIDGE), NOON
    )
    assert describe(random, {}, "zh").subject == "居民"
    assert describe(entry, {}, "en").subject.startswith("loudspeaker ")


def test_every_deed_in_the_program_has_words_in_both_languages() -> None:
    deeds = {
        deed
        for room in ("hub", "broadcasts", "schedules")
        for path in (ROOT / room).rglob("*.py")
        for deed in DEED.findall(path.read_text(encoding="utf-8"))
    }
    assert len(deeds) > 20
    assert deeds - words()["deed"].keys() == set()
    assert all(
        sentence.get(language)
        for section in words().values()
        for sentence in section.values()
        for language in ("zh", "en")
    )

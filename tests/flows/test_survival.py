"""A hub that is killed: nothing sounds twice, nothing approved is forgotten, the record tells the truth."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flows_support import RunningDemo
from sqlalchemy import select

import cunxiang
from broadcasts.announcements import service as announcements
from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import When
from broadcasts.audience.selection import Audience
from broadcasts.feature import open_studio, rules_of
from broadcasts.kinds import Theme
from broadcasts.loudspeaker.orders import Sound
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.app import open_runtime
from hub.commands.frame import sections
from hub.commands.serving import demo_settings
from hub.core.actor import Actor
from hub.core.config import load
from hub.core.runtime import Runtime
from schedules import timetable

pytestmark = pytest.mark.slow
COUNTY = "990101000000"
TITLE = "打疫苗"
OURS = "FROM speaker_delivery d JOIN broadcast b ON b.id = d.broadcast_id WHERE b.title = ?"
"""Not what the demo brings of something that was said yesterday."""
TEXT = "各位村民请注意，明天上午8:30在村委会打疫苗，请带上身份证和接种本。"


def inside(folder: Path) -> Runtime:
    """Open the same database the hub runs on."""
    overrides = demo_settings("127.0.0.1", 0, folder, datetime.now(UTC))
    return open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))


def person(runtime: Runtime, login: str) -> Actor:
    with runtime.sessions.read() as session:
        account = session.scalars(select(Account).where(Account.login == login)).one()
        return actor_for(session, account, origin="test")


def approve(runtime: Runtime, *, when: When = When.NOW, at: datetime | None = None) -> None:
    """Write, render, submit and approve an announcement for the whole county."""
    studio, rules = open_studio(runtime), rules_of(runtime)
    rendering = studio.render(studio.announcement(TEXT, theme=Theme.NOTICE, speed="normal", repeats=1))
    sound = Sound(rendering.sha256, rendering.duration_ms, rendering.bytes)
    editor, chief, now = person(runtime, "editor"), person(runtime, "chief"), runtime.now()
    draft = Draft(
        title=TITLE,
        text=TEXT,
        sms_text="",
        theme=Theme.NOTICE,
        audience=Audience((COUNTY,)),
        repeats=1,
        when=when,
        at=at,
    )
    with runtime.sessions.begin() as session:
        notice = announcements.create(session, editor, draft, now=now)
        spoken = Spoken(sound, rendering.engine, rendering.spoken)
        announcements.submit(session, editor, notice.id, spoken, rules=rules, now=now)
        announcements.approve(session, chief, notice.id, rules=rules, timetable=timetable.doors(runtime.zone), now=now)


def states(demo: RunningDemo) -> dict[str, int]:
    rows = demo.ask("SELECT d.state, count(*) " + OURS + " GROUP BY d.state", TITLE)
    return {str(state): int(str(number)) for state, number in rows}


def finals(demo: RunningDemo) -> int:
    return sum(n for s, n in states(demo).items() if s in ("finished", "failed", "stopped", "refused", "expired"))


def twice(demo: RunningDemo) -> list[tuple[object, ...]]:
    """Return devices that began a command more often than it was interrupted plus once, or finished it twice."""
    return demo.ask(
        "SELECT speaker_id, command_id FROM play_receipt GROUP BY speaker_id, command_id "
        "HAVING sum(state = 'started') > sum(state = 'interrupted') + 1 OR sum(state = 'finished') > 1"
    )


def test_killed_while_loudspeakers_play_nothing_is_played_twice_and_the_record_is_true(demo: RunningDemo) -> None:
    demo.start()
    demo.wait(lambda: demo.online() == 120)
    runtime = inside(demo.folder)
    approve(runtime)
    demo.wait(lambda: states(demo).get("started", 0) > 60)
    demo.kill()

    assert demo.start(within_s=60) < 40, "alone 2.4 s; with eleven programs on two cores it took 15"
    demo.wait(lambda: demo.online() == 120)
    demo.wait(lambda: finals(demo) == 120, within_s=90)
    assert twice(demo) == []
    found = states(demo)
    # The simulated devices died with the hub in the middle of a sentence: they say so and do not begin again.
    assert found.get("finished", 0) + found.get("failed", 0) == 120, found
    reasons = demo.ask("SELECT DISTINCT d.reason " + OURS + " AND d.state = 'failed'", TITLE)
    assert all(reason for (reason,) in reasons)
    runtime.sessions.engine.dispose()


def test_killed_before_its_minute_a_programme_still_goes_out_once(demo: RunningDemo) -> None:
    demo.start()
    demo.wait(lambda: demo.online() == 120)
    runtime = inside(demo.folder)
    due = runtime.now() + timedelta(seconds=32)
    approve(runtime, when=When.ONCE, at=due)
    demo.kill()
    demo.start()
    demo.wait(lambda: states(demo).get("finished", 0) == 120, within_s=120)
    assert demo.ask("SELECT count(*), count(DISTINCT broadcast_id) FROM occurrence WHERE state = 'fired'") == [(1, 1)]
    assert twice(demo) == []
    runtime.sessions.engine.dispose()


def test_told_to_stop_it_ends_in_order_and_a_second_start_is_quick(demo: RunningDemo) -> None:
    demo.start()
    assert demo.stop() == 0
    assert demo.start() < 40, "alone 2.4 s; with eleven programs on two cores it took 15"
    assert demo.ask("SELECT count(*) FROM resident") == [(5000,)]
    assert demo.stop() == 0
    assert "Traceback" not in demo.log.read_text(encoding="utf-8")

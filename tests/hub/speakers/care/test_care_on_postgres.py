"""The queries of this room on PostgreSQL: alarms, lines, the night's round, the list, the summary, the ledger."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import builders
import pytest
from builders import HILL, an_actor
from carelab import many
from conftest import NOON
from sqlalchemy import Engine

from hub.core.db import Base, Sessions
from hub.speakers import listing, volume
from hub.speakers.care import alarms, attention, geography, keeping, patrol, repairs
from hub.speakers.care.digest import digest
from hub.speakers.forms import Filter
from hub.speakers.ledger import export
from hub.speakers.models import Speaker

pytestmark = pytest.mark.postgres
ZONE = ZoneInfo("Asia/Shanghai")


def test_everything_this_room_asks_is_answered_there_too(postgres_engine: Engine) -> None:
    Base.metadata.create_all(postgres_engine)
    sessions = Sessions(postgres_engine)
    clerk, grace = an_actor(), timedelta(minutes=15)
    with sessions.begin() as session:
        builders.a_county(session)
        for one in many(session, 6, now=NOON, region=HILL):
            speaker = session.get_one(Speaker, one)
            speaker.online, speaker.online_since = False, NOON - timedelta(hours=1)
        session.get_one(Speaker, "s1001-1").clock_offset_ms = 9000
    with sessions.begin() as session:
        alarms.apply(session, alarms.survey(session, now=NOON, grace=grace, heard=lambda _: True), now=NOON)
    with sessions.begin() as session:
        [line, *_] = [line for line in attention.lines(session, clerk, now=NOON) if line.many]
        assert line.count == 6
        attention.snooze(session, clerk, line.ids, 3, now=NOON, zone=ZONE)
        assert patrol.want_all(session, NOON, now=NOON) == 12
        assert patrol.want(session, clerk, region=HILL, now=NOON + timedelta(hours=1)) == 8
        repairs.open_repair(session, clerk, "s1001-1", "坏了", now=NOON)
        assert volume.change_many(session, clerk, ["s1001-1", "s1001-2"], 30, now=NOON) == 2
        session.get_one(Speaker, "s1001-1").online = True
    later = NOON + timedelta(hours=1)
    with sessions.begin() as session:
        session.get_one(Speaker, "m00000").online = True
        alarms.apply(session, alarms.survey(session, now=later, grace=grace, heard=lambda _: True), now=later)
        keeping.tidy(session, now=NOON + timedelta(days=500), days=400)
    with sessions.read() as session:
        page = listing.page(session, clerk, Filter(query="杆"))
        assert (page.matching, page.numbers[listing.Show.OFFLINE], len(page.rows)) == (6, 5, 6)
        assert listing.page(session, clerk, Filter(show="repair")).matching == 1
        [north] = digest(session, clerk, now=later, zone=ZONE, at="08:00").townships
        assert (north.total, north.offline, north.repairs, north.faulty) == (10, 5, 1, 1)
        assert len(export.rows(session, clerk, path=None, now=later, zone=ZONE)) == 10
        assert geography.picture(session, clerk, path=None).unplaced == 10

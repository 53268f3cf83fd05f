"""Reports against an independent recount by plain SQL, their pages, and who may see them."""

import os
import random
import re
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from io import BytesIO
from uuid import UUID, uuid4

import pytest
from builders import BRIDGE, COUNTY, FERRY, HILL, NORTH, SOUTH, a_draft, the_actor
from conftest import BOTH_DATABASES, NOON
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from broadcasts.alerts.models import Alert, AlertState
from broadcasts.alerts.plans.models import Plan
from broadcasts.announcements import service as announcements
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import Announcement, When
from broadcasts.announcements.timing import Timetable
from broadcasts.approvals.lifecycle import State
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.quiet import QuietHours
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour, Mode, Theme
from broadcasts.loudspeaker.intake import Intake
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.orders import Sound
from broadcasts.loudspeaker.states import PlayState
from broadcasts.reports import gaps, service
from broadcasts.reports.counted import Figures
from broadcasts.reports.forms import SHARES
from broadcasts.reports.periods import Period, Span
from broadcasts.reports.rolling import roll_up
from broadcasts.reports.scoring import DEFAULTS, Metric, Rule
from hub.core.errors import NotAllowed, NotFound
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.residents.models import Resident
from hub.speakers.care.alarms import OFFLINE
from hub.speakers.care.models import SpeakerAlarm
from hub.speakers.models import Speaker
from hub.speakers.protocol import Reached, Receipt, Records

SignIn = Callable[[str], FlaskClient]
NOVEMBER = Period.around(Span.MONTH, date(2026, 11, 23))
EVENING = NOON + timedelta(hours=8)
LATER = datetime(2026, 12, 5, tzinfo=NOON.tzinfo)
VILLAGES = {BRIDGE: ("s1001-1", "s1001-2"), HILL: ("s1002-1", "s1002-2"), FERRY: ("s2001-1", "s2001-2")}


def a_month(session: Session, seed: int = 7, count: int = 60) -> None:
    """Make a month of broadcasts with every outcome, some at night, one drill, one outside the month."""
    chance = random.Random(seed)
    for number in range(count):
        kind = chance.choice([Kind.ROUTINE, Kind.ROUTINE, Kind.EMERGENCY, Kind.SHOUT])
        kind = Kind.DRILL if number == 0 else kind
        at = NOON.replace(day=1 + number % 28, hour=chance.randrange(24), minute=chance.randrange(60))
        at = at - timedelta(days=60) if number == 1 else at
        announcement = an_announcement(session, chance, at) if kind is Kind.ROUTINE else None
        broadcast = a_broadcast(session, kind, at, announcement)
        for village, speakers in VILLAGES.items():
            if chance.random() < 0.8:
                for speaker_id in speakers:
                    a_delivery(session, chance, broadcast, village, speaker_id, at)
    session.flush()


def an_announcement(session: Session, chance: random.Random, at: datetime) -> UUID:
    row = Announcement(
        id=uuid4(),
        title="提醒",
        theme=chance.choice(list(Theme)),
        home_path=path_of(NORTH),
        written_by=uuid4(),
        written_by_name="云",
        written_at=at,
        changed_at=at,
        submitted_by=uuid4(),
        submitted_by_name="云",
        submitted_at=at - timedelta(minutes=chance.randrange(1, 200)),
        approved_by=uuid4(),
        approved_by_name="山",
        approved_at=at,
        state=State.APPROVED,
    )
    session.add(row)
    session.flush()
    return row.id


def a_broadcast(session: Session, kind: Kind, at: datetime, announcement: UUID | None) -> Broadcast:
    row = Broadcast(
        source=f"test:{uuid4()}",
        announcement_id=announcement,
        kind=kind,
        title="提醒",
        text="当心。",
        sms_text="",
        audience={"regions": [COUNTY]},
        home_path=path_of(COUNTY),
        released_at=at,
        starts_at=at,
        expires_at=at + timedelta(hours=1),
        released_by=None,
        released_by_name="山",
        state=BroadcastState.DONE,
        done_at=at + timedelta(hours=1),
    )
    session.add(row)
    session.flush()
    return row


def a_delivery(
    session: Session, chance: random.Random, broadcast: Broadcast, village: str, speaker_id: str, at: datetime
) -> None:
    state = chance.choice([PlayState.FINISHED, PlayState.FINISHED, PlayState.FAILED, PlayState.SENT, PlayState.STOPPED])
    heard = state in (PlayState.FINISHED, PlayState.STOPPED)
    session.add(
        SpeakerDelivery(
            broadcast_id=broadcast.id,
            speaker_id=speaker_id,
            region_path=path_of(village),
            command_id=uuid4(),
            state=state,
            received_at=at if state is not PlayState.SENT else None,
            started_at=at + timedelta(seconds=2) if heard else None,
            played_ms=chance.randrange(1000, 90_000) if heard else None,
            changed_at=at,
        )
    )


def the_report(session: Session, runtime: Runtime, login: str = "county", place: str = COUNTY) -> service.Report:
    quiet = QuietHours.of(["21:00-06:30"], runtime.zone)
    return service.report(
        session, the_actor(session, login), place, NOVEMBER, zone=runtime.zone, quiet=quiet, now=LATER
    )  # fmt: skip


RECOUNT = """
SELECT count(*), sum(d.state = 'finished'), sum(d.received_at IS NOT NULL), coalesce(sum(d.played_ms), 0)
FROM speaker_delivery d JOIN broadcast b ON b.id = d.broadcast_id
WHERE b.released_at >= '2026-10-31 16:00:00' AND b.released_at < '2026-11-30 16:00:00' AND b.kind <> 'drill'
AND d.region_path LIKE :path
"""
HEARD = """
SELECT count(*), sum(kind = 'emergency'),
  sum(kind <> 'emergency' AND (local_time >= '21:00' OR local_time < '06:30'))
FROM (SELECT b.kind AS kind, strftime('%H:%M', min(d.started_at), '+8 hours') AS local_time
  FROM speaker_delivery d JOIN broadcast b ON b.id = d.broadcast_id
  WHERE b.released_at >= '2026-10-31 16:00:00' AND b.released_at < '2026-11-30 16:00:00' AND b.kind <> 'drill'
  AND d.region_path LIKE :path AND d.started_at IS NOT NULL GROUP BY b.id, d.region_path)
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("added_up", ["nothing", "half", "all"])
def test_every_figure_equals_a_recount_by_plain_sql(runtime: Runtime, seed: int, added_up: str) -> None:
    with runtime.sessions.begin() as session:
        a_month(session, seed)
        before = figures_of(the_report(session, runtime))
    if added_up != "nothing":
        assert roll_up(runtime.sessions, runtime.zone, now=LATER, at_most=25 if added_up == "half" else 1000) >= 25
    with runtime.sessions.begin() as session:
        found = the_report(session, runtime)
        for line in [*found.lines, found.place]:
            figures = line.figures
            path = {"path": f"{line.path}%"}
            counted = session.execute(text(RECOUNT), path).one()
            assert tuple(counted) == (figures.meant, figures.finished, figures.answered, figures.played_ms), line.name
            heard = session.execute(text(HEARD), path).one()
            assert tuple(heard) == (figures.items, figures.emergencies, figures.quiet), line.name
        assert sum(count for _, count in found.by_part) == found.place.figures.items
        assert found.place.figures.meant == sum(line.figures.meant for line in found.lines)
        assert figures_of(found) == before, "what was added up says the same in every figure"


def figures_of(report: service.Report) -> list[tuple[str, Figures]]:
    return sorted((line.code, line.figures) for line in [*report.lines, report.place])


@BOTH_DATABASES
def test_what_a_loudspeaker_says_late_is_counted_although_it_was_added_up(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        a_month(session)
    assert roll_up(runtime.sessions, runtime.zone, now=LATER) > 30
    assert roll_up(runtime.sessions, runtime.zone, now=LATER) == 0
    with runtime.sessions.begin() as session:
        before = the_report(session, runtime).place.figures
        counted = select(Broadcast.id).where(
            Broadcast.kind != Kind.DRILL, Broadcast.released_at > NOVEMBER.bounds(runtime.zone)[0]
        )
        silent = select(SpeakerDelivery).where(
            SpeakerDelivery.state == PlayState.SENT, SpeakerDelivery.broadcast_id.in_(counted)
        )
        owing = session.scalars(silent.limit(1)).one()
    said = Receipt(
        dev=owing.speaker_id,
        n=1,
        ts=int(LATER.timestamp() * 1000),
        id=str(owing.command_id),
        st=Reached.FINISHED,
        played_ms=4321,
    )
    station = Intake(runtime.sessions, Silent(), lambda: LATER)
    station.take_receipts([said])
    for _ in range(2):
        with runtime.sessions.begin() as session:
            after = the_report(session, runtime).place.figures
        assert after.finished == before.finished + 1
        assert after.played_ms == before.played_ms + 4321
        roll_up(runtime.sessions, runtime.zone, now=LATER)


class Silent:
    """Nobody is asked for anything."""

    def send(self, kind: type[Records], speaker_id: str, seq: int, *, after: int) -> str | None:
        raise AssertionError("nothing is missing")


@BOTH_DATABASES
def test_time_offline_is_counted_as_far_as_it_lies_in_the_period(runtime: Runtime) -> None:
    start, end = NOVEMBER.bounds(runtime.zone)
    whole = (end - start).total_seconds()
    spans = {
        "s1001-1": (start - timedelta(days=5), start + timedelta(days=3)),
        "s1001-2": (end - timedelta(days=6), None),
        "s1002-1": (start - timedelta(days=1), end + timedelta(days=1)),
    }
    with runtime.sessions.begin() as session:
        for speaker_id, (since, ended_at) in spans.items():
            place = session.get_one(Speaker, speaker_id).region_path
            alarm = SpeakerAlarm(speaker_id=speaker_id, region_path=place, code=OFFLINE, since=since, ended_at=ended_at)
            session.add(alarm)
        session.add(
            SpeakerAlarm(speaker_id="s1002-2", region_path=path_of(HILL), code="amp", since=start, ended_at=None)
        )
        session.flush()
        north, south = sorted(the_report(session, runtime).lines, key=lambda line: line.code)
    lost = 3 * 86_400 + 6 * 86_400 + whole
    assert north.values[Metric.ONLINE] == pytest.approx(1 - lost / (4 * whole))
    assert north.values[Metric.POWERED] == pytest.approx(3 / 4)
    assert north.values[Metric.FAULTY] == pytest.approx(1 / 4)
    assert south.values[Metric.ONLINE] == 1.0


def test_the_best_stands_first_and_who_was_not_measured_last(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        a_month(session)
        for speaker_id in VILLAGES[FERRY]:
            session.delete(session.get_one(Speaker, speaker_id))
        session.query(SpeakerDelivery).filter(SpeakerDelivery.region_path == path_of(FERRY)).delete()
        lines = the_report(session, runtime).lines
    assert [(line.code, line.rank) for line in lines] == [(NORTH, 1), (SOUTH, 0)]
    assert lines[1].points is None


def test_a_stranger_gets_nothing(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        with pytest.raises(NotFound):
            the_report(session, runtime, "stranger", NORTH)
        with pytest.raises(NotFound):
            gaps.coverage(session, the_actor(session, "stranger"), NORTH)
        with pytest.raises(NotAllowed):
            service.set_rules(session, the_actor(session, "clerk"), list(DEFAULTS), now=NOON)


def test_rules_are_settled_for_the_county_and_noted(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("county")
    form = {
        f"{part}-{rule.metric.value}": str(value)
        for rule in DEFAULTS
        for factor in [100 if rule.metric in SHARES else 1]
        for part, value in (("weight", rule.weight), ("good", rule.good * factor), ("bad", rule.bad * factor))
    }
    refused = client.post("/coverage/rules", data={**form, "weight-online": "150", "good-played": "60.0"})
    assert refused.status_code == 422
    assert "满分线和零分线不能一样" in refused.text, refused.text
    assert client.post("/coverage/rules", data={**form, "weight-online": "40"}).status_code == 302
    with runtime.sessions.read() as session:
        assert service.rules_of(session)[0] == Rule(Metric.ONLINE, 40, 0.95, 0.7)
    assert "25 / 0.95 / 0.7 / 0.8 → <b>40 / 0.95 / 0.7</b>" in client.get("/audit").text


@BOTH_DATABASES
def test_pages_ledger_and_sheets_show_the_same_counts(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        a_month(session)
        north = next(line for line in the_report(session, runtime).lines if line.code == NORTH)
    asked = f"span=month&day=2026-11-23&region={NORTH}"
    client = sign_in("clerk")
    page = client.get(f"/coverage?{asked}").text
    assert f"{north.values[Metric.PLAYED] * 100:.1f}%" in page  # type: ignore[operator]
    assert north.figures.minutes is not None
    assert f"{round(north.figures.minutes, 1)} 分钟" in page, "how long a loudspeaker sounded on average"
    assert page.count('<a class="card stat" href="/coverage/ledger?') == 5, (
        "figures lead to what they were counted from"
    )
    ledger = client.get(f"/coverage/ledger?{asked}").text
    assert ledger.count("/broadcasts/") >= 30
    assert "一共响了" in ledger
    sheet = load_workbook(BytesIO(client.get(f"/coverage/ledger.xlsx?{asked}").data)).worksheets[0]
    rows = list(sheet.iter_rows(values_only=True))
    columns = {str(name): number for number, name in enumerate(rows[0])}
    assert sum(int(str(row[columns["应播"]])) for row in rows[1:]) == north.figures.meant
    assert sum(int(str(row[columns["实播"]])) for row in rows[1:]) == north.figures.finished
    report = load_workbook(BytesIO(client.get(f"/coverage.xlsx?{asked}").data)).worksheets[0]
    assert [cell.value for cell in report["B"]] == ["地方", *(sorted_names(client, asked)), "北镇"]
    assert sign_in("stranger").get(f"/coverage?{asked}").status_code == 404


def sorted_names(client: FlaskClient, asked: str) -> list[str]:
    page = client.get(f"/coverage?{asked}").text
    return sorted(("桥村", "岭村"), key=lambda name: page.index(f"<b>{name}</b>"))


def test_villages_nobody_reaches_are_named(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        for speaker_id in VILLAGES[HILL]:
            session.get_one(Speaker, speaker_id).online = False
        session.add(Resident(region_code=BRIDGE, region_path=path_of(BRIDGE), name="禾", created_at=NOON))
    page = sign_in("clerk").get("/coverage/gaps").text
    assert page.index("岭村") < page.index("桥村"), "no sound at all is worse"
    assert "2 只全不在线" in page
    assert "1 人，全村 1 人" in page
    assert "渡村" not in page
    clerk = sign_in("clerk")
    named = clerk.get(f"/residents?region={BRIDGE}&mobile=none").text
    assert "禾" in named
    file = clerk.post("/residents/export", data={"region": BRIDGE, "mobile": "none", "reason": "补手机号码"})
    assert [line.split(",")[0] for line in file.text.splitlines()[1:]] == ["禾"]
    assert f'/residents?region={BRIDGE}&amp;mobile=none"' in page
    assert "mobile=none" not in sign_in("viewer").get("/coverage/gaps").text, (
        "who may not see residents is not led there"
    )


@pytest.mark.slow
def test_a_month_of_many_receipts_is_counted_fast(runtime: Runtime) -> None:
    count = 1_000_000 if os.environ.get("CUNXIANG_LONG") == "1" else 100_000
    with runtime.sessions.begin() as session:
        broadcasts = [a_broadcast(session, Kind.ROUTINE, NOON - timedelta(hours=n), None).id for n in range(100)]
        row = {"region_path": path_of(BRIDGE), "state": PlayState.FINISHED, "played_ms": 1000, "changed_at": NOON}
        row |= {"received_at": NOON, "started_at": NOON}
        session.execute(
            insert(SpeakerDelivery),
            [
                row | {"broadcast_id": broadcasts[n % 100], "speaker_id": f"x{n // 100}", "command_id": broadcasts[0]}
                for n in range(count)
            ],
        )
    costs = []
    for _ in range(3):  # the process tidies up its memory now and then
        with runtime.sessions.read() as session:
            began = time.process_time()
            found = the_report(session, runtime, place=NORTH)
            costs.append(time.process_time() - began)
        assert found.place.figures.meant == count
    assert min(costs) < 2.0 * max(count / 1_000_000, 0.25), costs


@BOTH_DATABASES
def test_the_ledger_of_approvals_names_everybody_who_looked_and_leads_to_the_receipts(
    sign_in: SignIn, runtime: Runtime
) -> None:
    rules = runtime.get(Rules)
    with runtime.sessions.begin() as session:
        clerk, approver = the_actor(session, "clerk"), the_actor(session, "approver")
        draft = a_draft(title="停水通知", when=When.ONCE, at=EVENING)
        notice = announcements.create(session, clerk, draft, now=NOON)
        spoken = Spoken(Sound("ab" * 32, 30_000, 90_000), engine="tone", spoken="")
        announcements.submit(session, clerk, notice.id, spoken, rules=rules, now=NOON)
        announcements.give_back(session, approver, notice.id, "写明几点来水", now=NOON)
        rewritten = a_draft(title="停水通知", text="明天停水到晚上六点。", speed="slow")
        announcements.save(session, clerk, notice.id, rewritten, now=NOON)
        announcements.submit(session, clerk, notice.id, spoken, rules=rules, now=NOON)
        timetable = runtime.get(Timetable)
        sent = announcements.approve(session, approver, notice.id, rules=rules, timetable=timetable, now=NOON)
        assert sent is not None
        sent_id, notice_id = sent.id, notice.id
        plan_id = session.scalars(select(Plan.id)).first()
    asked = f"span=month&day=2026-11-23&region={NORTH}"
    page = sign_in("clerk").get(f"/coverage/approvals?{asked}").text
    assert "“写明几点来水”" in page
    assert f"/broadcasts/{sent_id}" in page
    assert "第 2 次提交" in page
    versions = sign_in("clerk").get(f"/reviews/{notice_id}").text
    for was, became in (("正常", "慢"), ("播一次", "马上播"), ("11月23日 18:00", "空")):
        assert re.search(f"<(del>{was}</del> <)?ins>{became}</ins>", versions), f"{became}: in words, not as it is kept"
    plan_page = sign_in("county").get(f"/reviews/{plan_id}").text
    assert "〔地名〕" in plan_page
    assert "{place}" not in plan_page
    file = sign_in("county").get(f"/coverage/approvals.xlsx?{asked}")
    rows = list(load_workbook(BytesIO(file.data)).worksheets[0].iter_rows(values_only=True))
    columns = {str(name): number for number, name in enumerate(rows[0])}
    mine = [row for row in rows[1:] if row[columns["标题"]] == "停水通知"]
    assert [row[columns["结果"]] for row in mine] == ["退回", "通过"]
    assert mine[1][columns["终审"]] == "北镇副镇长", "a single reviewer has the last word"
    assert mine[1][columns["播发记录号"]] == str(sent_id)
    assert sign_in("stranger").get(f"/coverage/approvals?{asked}").status_code == 404
    assert "停水通知" not in sign_in("stranger").get("/coverage/approvals?span=month&day=2026-11-23").text


@BOTH_DATABASES
def test_the_report_shows_drills_with_their_points_and_which_themes_a_village_never_heard(
    sign_in: SignIn, runtime: Runtime
) -> None:
    with runtime.sessions.begin() as session:
        a_month(session)
        duty = the_actor(session, "duty")
        drill = Alert(
            form_key="d1", hazard="flood", colour=Colour.RED, title="山洪演练", text="演练。", sms_text="",
            audience={"regions": [NORTH]}, home_path=path_of(NORTH), speakers_confirmed=1, state=AlertState.FIRED,
            armed_at=NOON, fires_at=NOON, fired_at=NOON, expires_at=LATER, armed_by=duty.id,
            armed_by_name="值班员小云", broadcast_id=uuid4(), mode=Mode.DRILL, opened_at=NOON - timedelta(seconds=20),
        )  # fmt: skip
        session.add(drill)
        session.flush()
        north = next(line for line in the_report(session, runtime).lines if line.code == NORTH)
    page = sign_in("county").get(f"/coverage?span=month&day=2026-11-23&region={COUNTY}").text
    assert "山洪演练" in page
    assert "值班员小云" in page
    sheet = load_workbook(BytesIO(sign_in("county").get("/coverage.xlsx?span=month&day=2026-11-23").data)).worksheets[0]
    rows = {str(row[1]): row for row in sheet.iter_rows(values_only=True)}
    column = list(rows["地方"]).index("反诈")
    assert rows["北镇"][column] == north.figures.themes.get(Theme.FRAUD, 0)
    assert "山洪演练" not in sign_in("stranger").get("/coverage?span=month&day=2026-11-23").text
    quiet_month = sign_in("county").get(f"/coverage?span=month&day=2026-08-01&region={COUNTY}").text
    assert "没播过" in quiet_month
    assert "山洪演练" not in quiet_month

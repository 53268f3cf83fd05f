"""The pages of programme sheets: written without JS, looked through, agreed to, printed, exported."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
from apilab import program
from builders import BRIDGE, HILL, NORTH
from conftest import NOON, SetClock
from deliverylab import B1, B2, Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sheetlab import RELAY, Desk, an_approved
from sqlalchemy import select

from broadcasts.announcements.models import When
from broadcasts.audience.selection import Audience
from hub.core.runtime import Runtime
from schedules.models import Occurrence, Sheet, Slot, SlotKind
from schedules.sheets.drafting import SlotDraft
from schedules.special_days import service as special_days

SignIn = Callable[[str], FlaskClient]
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def desk(app: object, runtime: Runtime) -> Desk:
    return Desk(runtime)


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def seen_hash(html: str) -> str:
    found = re.search(r'name="seen_hash" value="(\w+)"', html)
    assert found
    return found[1]


def begun(clerk: FlaskClient) -> str:
    answer = clerk.post("/sheets", data={"title": "北镇日常", "region": NORTH})
    assert answer.status_code == 302, answer.text
    return answer.location


def test_a_sheet_is_written_handed_in_and_agreed_to_by_forms_alone(
    desk: Desk, sign_in: SignIn, runtime: Runtime
) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    where = begun(clerk)
    assert clerk.get(f"{where}/slots/new?kind=relay").status_code == 200
    answer = clerk.post(
        f"{where}/slots",
        data={
            "kind": "relay", "title": "中央台新闻", "relay_url": "https://radio.example/a.mp3", "at": "06:30",
            "minutes": "30", "rhythm": "weeks", "weekdays": ["1", "3"], "every": "2", "late_minutes": "15",
            "apart": "2026-12-07~2026-12-09、2026-12-21",
        },
    )  # fmt: skip
    assert answer.location == where, answer.text
    shown = text_of(clerk.get(where).text)
    assert "06:30 中央台新闻 转播，每 2 周的周一、周三，12月7日到12月9日，12月21日除外，30 分钟" in shown
    assert clerk.post(f"{where}/submit").status_code == 302
    assert "自己写的要别人审。" in clerk.get(where).text
    page = approver.get(where)
    assert approver.post(f"{where}/approve", data={"seen_hash": seen_hash(page.text)}).status_code == 302
    assert "正在用" in clerk.get("/sheets").text
    with runtime.sessions.read() as session:
        slot = session.scalars(select(Slot)).one()
    assert (slot.enabled, slot.days["weekdays"], slot.days["every"]) == (True, [1, 3], 2)


def test_a_slot_comes_back_to_its_form_as_it_was_typed(desk: Desk, sign_in: SignIn, runtime: Runtime) -> None:
    clerk = sign_in("clerk")
    where = begun(clerk)
    typed = {"kind": "silence", "title": "中考", "at": "09:00", "minutes": "90", "rhythm": "month_days",
             "month_days": "1、15、月底", "late_minutes": "15"}  # fmt: skip
    assert clerk.post(f"{where}/slots", data=typed).status_code == 302
    with runtime.sessions.read() as session:
        slot = session.scalars(select(Slot)).one()
    assert slot.days == {"month_days": [-1, 1, 15]}
    html = clerk.get(f"{where}/slots/{slot.id}").text
    assert 'value="1、15、月底"' in html
    assert clerk.post(f"{where}/slots/{slot.id}", data={**typed, "at": "10:00"}).status_code == 302
    with runtime.sessions.read() as session:
        assert session.scalars(select(Slot)).one().daily_at == "10:00"
    assert clerk.post(f"{where}/slots/{slot.id}/drop").status_code == 302
    with runtime.sessions.read() as session:
        assert session.scalars(select(Slot)).all() == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"at": ""}, "几点开始？写成 18:30 这样。"),
        ({"minutes": "很久"}, "占几分钟要写 1 到 120 的数。"),
        ({"rhythm": "weekdays"}, "还没有勾周几。"),
        ({"rhythm": "month_days", "month_days": "32"}, "“32”看不懂。写 1 到 31 的数，或者写“月底”。"),
        ({"rhythm": "dates", "dates": "下周"}, "日期"),
        ({"apart": "高考那几天"}, "“高考那几天”看不懂。"),
        ({"relay_url": "radio"}, "地址"),
    ],
)
def test_what_is_not_understood_is_said_and_nothing_typed_is_lost(
    desk: Desk, sign_in: SignIn, typed: dict[str, str], said: str
) -> None:
    clerk = sign_in("clerk")
    good = {"kind": "relay", "title": "留着的名字", "relay_url": "https://radio.example/a.mp3", "at": "06:30",
            "minutes": "30", "rhythm": "daily", "late_minutes": "15"}  # fmt: skip
    answer = clerk.post(f"{begun(clerk)}/slots", data={**good, **typed})
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="留着的名字"' in answer.text


def test_the_edit_page_offers_what_may_be_held(desk: Desk, sign_in: SignIn, runtime: Runtime) -> None:
    song = desk.recording()
    an_approved(runtime, desk.rules, title="防火", audience=Audience((BRIDGE,)), when=When.ONCE, at=NOON + timedelta(1))
    clerk = sign_in("clerk")
    where = begun(clerk)
    assert (
        f'<option value="{song.subject_id}">村歌 3:00</option>' in clerk.get(f"{where}/slots/new?kind=recording").text
    )
    assert ">防火 2:00</option>" in clerk.get(f"{where}/slots/new?kind=announcement").text
    assert clerk.get(f"{where}/slots/new?kind=nothing").status_code == 404


def test_the_page_says_what_next_week_would_bring(desk: Desk, sign_in: SignIn) -> None:
    desk.run(desk.recording(at="18:00"), region=BRIDGE)
    sheet_id = desk.draft(desk.recording(at="18:01"), RELAY, region=NORTH)
    html = sign_in("clerk").get(f"/sheets/{sheet_id}").text
    assert "超过 60 分钟的上限" not in html
    assert "照这张播一周：14 次" in html
    crowded = desk.draft(desk.recording(at="18:00"), desk.recording(at="18:02"), region=NORTH)
    html = text_of(sign_in("clerk").get(f"/sheets/{crowded}").text)
    assert "和“村歌”撞了，有 4 只喇叭要排队播。错开时间。" in html
    assert "18:05 空着，改过去" in html, "the nearest time that is free on every day"


def test_a_free_time_is_taken_with_one_press(desk: Desk, sign_in: SignIn, runtime: Runtime) -> None:
    sheet_id = desk.draft(desk.recording(at="18:00"), desk.recording(at="18:00", minutes=30), region=NORTH)
    clerk = sign_in("clerk")
    page = clerk.get(f"/sheets/{sheet_id}").text
    where = re.findall(rf'href="(/sheets/{sheet_id}/slots/[^"]+at=[^"]+)"', page)
    assert len(where) == 2, "either of the two may go"
    assert 'value="18:05"' in clerk.get(where[0]).text or 'value="17:55"' in clerk.get(where[0]).text


def test_strangers_and_lookers_get_nowhere(desk: Desk, sign_in: SignIn, runtime: Runtime) -> None:
    sheet_id = desk.draft(RELAY)
    for login, status in (("stranger", 404), ("viewer", 403)):
        person = sign_in(login)
        for verb in ("slots", "submit", "head", "next"):
            assert person.post(f"/sheets/{sheet_id}/{verb}").status_code in (status, 403), (login, verb)
        assert person.get(f"/sheets/{sheet_id}.ics").status_code == (404 if login == "stranger" else 200)
    assert sign_in("stranger").get(f"/sheets/{sheet_id}").status_code == 404
    assert sign_in("stranger").post(f"/sheets/{sheet_id}/withdraw").status_code == 404
    assert str(sheet_id) not in sign_in("stranger").get("/sheets").text
    with runtime.sessions.read() as session:
        assert session.get_one(Sheet, sheet_id).state.value == "draft"


# ---- the week


def test_the_week_shows_problems_in_red_what_waits_dashed_and_quiet_hours_hatched(
    desk: Desk, sign_in: SignIn, runtime: Runtime
) -> None:
    desk.run(desk.recording(at="18:00"), desk.recording(at="18:02"), RELAY)
    waiting = desk.draft(SlotDraft("晚间谈话", SlotKind.RELAY, "19:00", minutes=10, relay_url="line:fm"))
    desk.submit(waiting)
    html = sign_in("clerk").get("/timetable").text
    assert "14 处有问题" in text_of(html)
    assert 'href="#problem-1"' in html
    assert 'id="problem-1"' in html
    assert html.count('class="slot waiting') == 7 + 1, "one is the key below the table"
    assert html.count('class="quiet') == 7 * (1 + 3 + 2), "6:00, 12:30 to 14:00, 21:00 to 22:00"
    assert 'href="/compose?day=2026-11-26&amp;at=09:00&amp;when=once"' in html
    assert "19:00 晚间谈话" in text_of(html)


def test_another_week_and_one_place(desk: Desk, sign_in: SignIn) -> None:
    desk.run(RELAY, region=BRIDGE)
    clerk = sign_in("clerk")
    html = clerk.get("/timetable?week=2027-01-06").text
    assert "1月4日到1月10日" in html
    assert html.count("中央台新闻") == 14, "in the table and in the list of every day"
    assert "中央台新闻" not in clerk.get(f"/timetable?week=2027-01-06&place={HILL}").text
    assert "中央台新闻" in clerk.get(f"/timetable?week=2027-01-06&place={BRIDGE}").text


def test_what_really_began_late_is_shown(desk: Desk, sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    desk.run(desk.recording(), region=BRIDGE)
    clock.now = datetime(2026, 11, 23, 18, 0, tzinfo=ZONE)
    desk.fire(clock.now)
    clock.now += timedelta(seconds=2)
    Air(runtime, clock).play(desk.broadcasts()[0].id, [B1, B2])
    assert "晚 2.0 秒" in text_of(sign_in("clerk").get("/timetable").text)


# ---- trying out


def test_trying_out_names_what_stands_in_the_way(desk: Desk, sign_in: SignIn, runtime: Runtime) -> None:
    desk.run(
        SlotDraft("长的", SlotKind.RELAY, "07:00", minutes=100, relay_url="line:fm"),
        SlotDraft("午休", SlotKind.SILENCE, "11:30", minutes=30),
        SlotDraft("午间", SlotKind.RELAY, "11:40", minutes=5, relay_url="line:fm"),
    )
    html = text_of(sign_in("clerk").get("/timetable/rehearsal").text)
    assert "长的：桥村这天一共" in html
    assert "“午休”是上级的，这条让给它，不会响。" in html
    day = text_of(sign_in("clerk").get("/timetable/rehearsal?span=day").text)
    assert "往后 24 小时" in day
    assert "4 只喇叭" in day
    assert "长的" not in sign_in("stranger").get("/timetable/rehearsal").text


# ---- special days


def test_special_days_are_shown_added_and_dropped(desk: Desk, sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        special_days.fill(session, now=NOON)
    approver = sign_in("approver")
    assert "国庆节" in approver.get("/special-days").text
    assert "2027 年的调休还没有公布" in approver.get("/special-days?year=2027").text
    new = {"kind": "quiet", "name": "中考", "region": NORTH, "first": "2027-06-15", "last": "2027-06-17"}
    assert approver.post("/special-days", data=new).location == "/special-days?year=2027"
    shown = approver.get("/special-days?year=2027").text
    assert shown.count("中考") >= 3
    dropped = re.findall(r'action="/special-days/([\w-]+)/drop"', shown)
    assert len(dropped) == 3, "official days are the county's"
    assert approver.post(f"/special-days/{dropped[0]}/drop", data={"year": "2027"}).status_code == 302
    assert approver.get("/special-days?year=2027").text.count("中考") == shown.count("中考") - 1
    assert "中考" not in text_of(sign_in("stranger").get("/special-days?year=2027").text).replace("例如：中考", "")
    assert sign_in("stranger").post(f"/special-days/{dropped[1]}/drop").status_code == 404
    assert sign_in("clerk").post("/special-days", data=new).status_code == 403
    assert approver.post("/special-days/refresh", data={"year": "2027"}).status_code == 403
    assert sign_in("county").post("/special-days/refresh", data={"year": "2027"}).status_code == 302
    backwards = approver.post("/special-days", data={**new, "last": "2027-06-01"})
    assert (backwards.status_code, "对调一下" in backwards.text) == (422, True)


# ---- export


def test_the_calendar_file_holds_what_is_planned_as_another_hand_reads_it(
    desk: Desk, sign_in: SignIn, runtime: Runtime
) -> None:
    long = SlotDraft(
        "很长的名字，有逗号;和分号\\与斜线的转播节目", SlotKind.RELAY, "07:05", minutes=5, relay_url="line:fm"
    )
    sheet_id = desk.run(
        RELAY, desk.recording(minutes=3), long, SlotDraft("午休", SlotKind.SILENCE, "11:30", minutes=30)
    )
    answer = sign_in("clerk").get(f"/sheets/{sheet_id}.ics")
    assert answer.mimetype == "text/calendar"
    assert max(len(line) for line in answer.data.split(b"\r\n")) <= 75
    events = icalendar.Calendar.from_ical(answer.data).walk("VEVENT")
    assert len({str(event["UID"]) for event in events}) == len(events) == 3 * 92
    with runtime.sessions.read() as session:
        planned = {
            (o.due_at, s.title)
            for o, s in session.execute(select(Occurrence, Slot).join(Slot, Slot.id == Occurrence.slot_id))
            if s.kind is not SlotKind.SILENCE
        }
    read = {(event.decoded("DTSTART"), str(event["SUMMARY"])) for event in events}
    assert planned <= read
    assert {(e.decoded("DTEND") - e.decoded("DTSTART")).seconds for e in events} == {1800, 180, 300}


def test_programs_learn_what_stands_in_a_slots_way_and_when_it_would_be_free(
    desk: Desk, app: OpenAPI, runtime: Runtime
) -> None:
    sheet_id = desk.draft(desk.recording(at="18:00"), desk.recording(at="18:02"), RELAY, region=NORTH)
    clerk, stranger = program(app, runtime, "clerk"), program(app, runtime, "stranger")
    week = clerk.get(f"/sheets/{sheet_id}/week").json or {}
    first, second, _ = sorted(week["slots"], key=lambda slot: slot["at"], reverse=True)
    clash = {"trouble": "clash", "other": "村歌", "times": 7}
    assert (first["at"], first["plays"], first["free"], first["troubles"]) == ("18:02", 7, "18:07", [clash])
    assert (second["at"], second["free"]) == ("18:00", "18:05")
    assert [slot["at"] for slot in week["slots"]] == sorted(slot["at"] for slot in week["slots"])
    relay = next(slot for slot in week["slots"] if slot["title"] == RELAY.title)
    assert (relay["troubles"], relay["free"]) == ([], "")
    chosen = clerk.get(f"/sheets/{sheet_id}/week?first=2027-01-04").json or {}
    assert (chosen["first"], chosen["last"]) == ("2027-01-04", "2027-01-10")
    assert clerk.get(f"/sheets/{sheet_id}/week?first=soon").status_code == 422
    assert stranger.get(f"/sheets/{sheet_id}/week").status_code == 404

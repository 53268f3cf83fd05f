"""The timetable page shows what will be heard and what became of it, and lets the right people take it out."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from uuid import UUID

from builders import BRIDGE, HILL, NORTH, the_actor
from deliverylab import B1, B2, H1, Air
from flask.testing import FlaskClient
from sqlalchemy import select

from broadcasts.announcements import service as announcements
from broadcasts.announcements.models import Announcement, When
from broadcasts.announcements.timing import Timetable
from broadcasts.approvals.lifecycle import State
from broadcasts.audience.selection import Audience
from hub.core.runtime import Runtime
from schedules import booking
from schedules.models import Occurrence, OccurrenceState

SignIn = Callable[[str], FlaskClient]


def days(html: str) -> dict[str, str]:
    """Read the page day by day: its heading and everything under it as text."""
    cards = html.split('<section class="card day-card')[1:]
    found = {}
    for card in cards:
        heading = re.search(r"</svg>([^<]+)</h2>", card)
        assert heading
        found[heading[1]] = " ".join(re.sub(r"<[^>]+>", " ", card).split())
    return found


def look(client: FlaskClient) -> str:
    answer = client.get("/timetable")
    assert answer.status_code == 200, answer.text
    return answer.text


def once(air: Air, hours: float, **given: object) -> UUID:
    return air.book(when=When.ONCE, at=air.clock.now + timedelta(hours=hours), **given)


def daily(air: Air, at: str = "18:30", **given: object) -> UUID:
    return air.book(when=When.DAILY, daily_at=at, last_day=date(2026, 12, 31), **given)


def test_something_daily_stands_on_every_day_of_the_week_as_the_clock_will_plan_it(air: Air, sign_in: SignIn) -> None:
    daily(air, title="每日新闻")
    shown = days(look(sign_in("clerk")))
    assert [day for day, text in shown.items() if "18:30 每日新闻" in text] == [
        f"11月{23 + n}日 周{'一二三四五六日'[n]}" for n in range(7)
    ]


def test_each_line_says_where_how_long_and_how_often(air: Air, sign_in: SignIn) -> None:
    once(air, 5, title="开会通知", audience=Audience((BRIDGE, HILL)))
    line = days(look(sign_in("clerk")))["11月23日 周一"]
    assert "15:00 开会通知 桥村、岭村，1:01，一次 已排好" in line


def test_nothing_is_shown_twice_where_what_is_planned_meets_what_will_be(
    air: Air, sign_in: SignIn, runtime: Runtime
) -> None:
    daily(air)
    clerk = sign_in("clerk")
    before = look(clerk).count("18:30")
    for _ in range(3):
        air.clock.now += timedelta(hours=6)
        with runtime.sessions.begin() as session:
            booking.plan_ahead(session, now=air.clock.now)
    assert look(sign_in("clerk")).count("18:30") == before + 1, "yesterday's is still there, one more day came in"


def test_what_went_out_shows_how_many_heard_it_and_leads_to_it(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    once(air, 1, title="开会通知")
    air.clock.now += timedelta(hours=1)
    air.fire()
    with runtime.sessions.read() as session:
        sent = session.scalars(select(Occurrence.broadcast_id)).one()
    assert sent is not None
    air.play(sent, [B1, B2, H1])
    html = look(sign_in("clerk"))
    assert "3 / 4 只响了，准时 已播" in days(html)["11月23日 周一"]
    assert f'href="/broadcasts/{sent}"' in html


def test_what_was_sent_and_nobody_heard_is_not_called_played(air: Air, sign_in: SignIn) -> None:
    once(air, 1)
    air.clock.now += timedelta(hours=1)
    air.fire()
    air.later(minutes=20)
    assert "发了，全没响" in days(look(sign_in("clerk")))["11月23日 周一"]


def test_what_was_missed_says_why(air: Air, sign_in: SignIn) -> None:
    once(air, 1)
    air.clock.now += timedelta(hours=3)
    air.fire()
    assert "到点时系统没开，过了时间没补播 错过" in days(look(sign_in("clerk")))["11月23日 周一"]


def test_what_was_skipped_says_why(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    once(air, 1)
    with runtime.sessions.begin() as session:
        session.scalars(select(Occurrence)).one().state = OccurrenceState.SKIPPED
        session.scalars(select(Occurrence)).one().note = "quiet_hours"
    assert "碰到安静时段，没播 没播" in days(look(sign_in("clerk")))["11月23日 周一"]


def test_quiet_hours_are_drawn_and_written(sign_in: SignIn) -> None:
    html = look(sign_in("clerk"))
    assert "安静时段 21:00–6:30、12:30–14:00，平常的广播不响，应急除外。" in re.sub(r"\s*\n\s*", "", html)
    assert html.count('class="day-quiet"') == 3


def test_an_empty_week_says_so_and_what_to_do(sign_in: SignIn) -> None:
    html = look(sign_in("clerk"))
    assert "这几天都没有排节目。写广播时选“定时”或“每天”，批过就排进来。" in html
    assert 'href="/compose"' in html


# ---- taking it out


def state_of(runtime: Runtime, announcement_id: UUID) -> State:
    with runtime.sessions.read() as session:
        return session.get_one(Announcement, announcement_id).state


def test_its_author_takes_it_out_and_nothing_of_it_is_heard_again(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    booked, clerk = daily(air, title="每日新闻"), sign_in("clerk")
    assert f'action="/timetable/{booked}/withdraw"' in look(clerk)
    for _ in range(2):
        assert clerk.post(f"/timetable/{booked}/withdraw").location == "/timetable"
    assert state_of(runtime, booked) is State.WITHDRAWN
    assert "每日新闻" not in look(clerk)
    air.clock.now += timedelta(hours=9)
    air.fire()
    with runtime.sessions.read() as session:
        assert session.scalars(select(Occurrence)).all() == []


def test_who_may_only_look_cannot_take_it_out(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    booked, viewer = once(air, 5), sign_in("viewer")
    assert "/withdraw" not in look(viewer)
    assert viewer.post(f"/timetable/{booked}/withdraw").status_code == 403
    assert state_of(runtime, booked) is State.APPROVED


def test_a_stranger_neither_sees_nor_takes_out_what_is_planned_elsewhere(
    air: Air, sign_in: SignIn, runtime: Runtime
) -> None:
    booked, stranger = once(air, 5, title="北镇开会"), sign_in("stranger")
    assert "北镇开会" not in look(stranger)
    assert stranger.post(f"/timetable/{booked}/withdraw").status_code == 404
    assert state_of(runtime, booked) is State.APPROVED


def test_nobody_takes_anything_out_without_signing_in(air: Air, runtime: Runtime, sign_in: SignIn) -> None:
    booked = once(air, 5)
    client = sign_in("clerk")
    client.post("/sign-out")
    assert client.get("/timetable").status_code == 302
    assert client.post(f"/timetable/{booked}/withdraw").status_code == 302
    assert state_of(runtime, booked) is State.APPROVED


def test_a_village_sees_what_will_be_heard_there_but_cannot_take_it_out(
    air: Air, sign_in: SignIn, runtime: Runtime
) -> None:
    booked = once(air, 5, title="全镇的", audience=Audience((NORTH,)))
    once(air, 6, title="岭村的", audience=Audience((HILL,)))
    secretary = sign_in("secretary")
    html = look(secretary)
    assert "全镇的" in html
    assert "岭村的" not in html
    assert "/withdraw" not in html
    assert f"/announcements/{booked}" not in html, "the announcement itself is the township's"
    assert secretary.post(f"/timetable/{booked}/withdraw").status_code == 404
    assert state_of(runtime, booked) is State.APPROVED


def test_what_somebody_else_withdrew_meanwhile_is_said_and_not_a_fault(
    air: Air, sign_in: SignIn, runtime: Runtime
) -> None:
    booked, clerk = once(air, 5), sign_in("clerk")
    with runtime.sessions.begin() as session:
        approver = the_actor(session, "approver")
        announcements.withdraw(session, approver, booked, timetable=runtime.get(Timetable), now=air.clock.now)
    answer = clerk.post(f"/timetable/{booked}/withdraw", follow_redirects=True)
    assert answer.status_code == 200
    assert "这条已经撤下了。" in answer.text

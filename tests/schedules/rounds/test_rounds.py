"""A patrol's people take turns, get a message the day before, and report by reply; grid workers likewise."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from builders import BRIDGE, NORTH, the_actor
from composelab import said
from conftest import SetClock
from flask.testing import FlaskClient
from roundlab import PEOPLE, Post
from sqlalchemy import select, update

from broadcasts.delivery.rules import Rules
from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.segments import parts_of, signed
from broadcasts.sms.sending.expansion import expand_next
from broadcasts.sms.states import Lane
from hub.core.errors import HubError, NotAllowed, NotFound, Problems
from hub.core.runtime import Runtime
from schedules.rounds import forms, reminding, service, turns
from schedules.rounds.models import Round, RoundCall, RoundKind

SignIn = Callable[[str], FlaskClient]
EVE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
"""17:00 in the county, the day before the first patrol."""


def test_people_take_turns_fairly_and_nobody_twice_a_day() -> None:
    days = turns.days_between(date(2026, 12, 1), date(2026, 12, 6))
    found = turns.in_turn(["a", "b", "c"], days, 2)
    counts = {name: sum(who == name for _, who in found) for name in "abc"}
    assert counts == {"a": 4, "b": 4, "c": 4}
    assert len(set(found)) == len(found) == 12
    assert turns.in_turn(["a"], days, 5) == [(day, "a") for day in days]


@pytest.mark.parametrize("text", ["到岗", "到岗。", " 已到岗！", "我到了"])
def test_a_reply_in_ones_own_words_is_understood(text: str) -> None:
    assert turns.is_there(text)
    assert not turns.is_done(text)


@pytest.mark.parametrize("text", ["到岗没人", "不到岗", "到", "收到", "还没办完"])
def test_what_says_something_else_is_left_for_people(text: str) -> None:
    assert not turns.is_there(text)
    assert not turns.is_done(text)


def test_the_day_before_those_who_are_due_get_one_message_each_and_nobody_else(
    post: Post, runtime: Runtime, clock: SetClock
) -> None:
    round_id = post.run()
    assert post.remind() == 0, "it is only ten in the morning"
    clock.now = EVE
    assert post.remind() == 1
    assert post.remind() == 0
    due = {name for day, name, _ in post.turns(round_id) if day == 24}
    with runtime.sessions.begin() as session:
        assert expand_next(session, Lane.ORDINARY, now=clock.now)
    with runtime.sessions.read() as session:
        run = session.scalars(select(SmsRun)).one()
        messages = session.scalars(select(SmsMessage)).all()
    assert "11月24日晚上轮到你巡逻" in run.text
    assert {m.masked[-4:] for m in messages} == {PEOPLE[name][-4:] for name in due}
    assert {name for day, name, state in post.turns(round_id) if state == "reminded"} == due


def test_a_reply_checks_in_and_nobody_has_to_read_it(post: Post, clock: SetClock) -> None:
    round_id = post.run()
    clock.now = EVE
    post.remind()
    first, second = [name for day, name, _ in post.turns(round_id) if day == 24]
    early = post.reply(first, "到岗", "r0")
    assert early.handled_at is None, "not before the day itself"
    clock.now = EVE + timedelta(days=1, hours=2, minutes=40)
    assert post.reply(first, "到岗。", "r1").handled_at is not None
    states = {name: state for day, name, state in post.turns(round_id) if day == 24}
    assert states == {first: "confirmed", second: "reminded"}
    clock.now = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)
    assert post.reply(second, "到了", "r2").handled_at is not None, "half past two at night is still the same patrol"
    clock.now = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    outsider = next(name for name in PEOPLE if name not in (first, second))
    assert post.reply(outsider, "到岗", "r3").handled_at is None
    assert post.reply("nobody", "到岗", "r4").handled_at is None
    assert post.reply(first, "到岗，着火了快来人", "r5").handled_at is None, "a cry for help is for people"


def test_grid_workers_confirm_what_is_done_each_day_and_each_week(post: Post, clock: SetClock) -> None:
    daily = post.run(kind=RoundKind.DAILY, at="08:30", title="每天巡查")
    weekly = post.run(kind=RoundKind.WEEKLY, at="08:30", title="每周走访", weekday=3)
    assert {day for day, _, _ in post.turns(weekly)} == {25}
    clock.now = datetime(2026, 11, 25, 0, 31, tzinfo=UTC)
    with post.runtime.sessions.begin() as session:
        assert reminding.anything_due(session, rules=post.runtime.get(Rules), now=clock.now)
    assert post.remind() == 2
    untold = {state for day, _, state in post.turns(daily) if day == 24}
    assert untold == {"untold"}, "yesterday's is over: it is not sent any more, and that is said"
    assert post.reply("甲", "已办", "d1").handled_at is not None
    assert post.reply("甲", "办好了", "d2").handled_at is not None
    done = [(day, name) for day, name, state in [*post.turns(daily), *post.turns(weekly)] if state == "confirmed"]
    assert done == [(25, "甲"), (25, "甲")]
    with post.runtime.sessions.read() as session:
        found = service.get(session, the_actor(session, "clerk"), weekly)
        assert (service.counts(found, date(2026, 11, 25)).due, service.counts(found, date(2026, 11, 25)).confirmed) == (
            3,
            1,
        )


def test_no_message_before_somebody_else_agreed_and_none_after_it_was_stopped(
    post: Post, runtime: Runtime, clock: SetClock
) -> None:
    round_id = post.write()
    clock.now = EVE
    assert post.remind() == 0
    with runtime.sessions.begin() as session:
        seen = session.get_one(Round, round_id).content_hash
        for login, error in (("clerk", NotAllowed), ("strange_approver", NotFound), ("stranger", NotFound)):
            actor = the_actor(session, login)
            with pytest.raises(error):
                service.approve(session, actor, round_id, seen_hash=seen, now=clock.now)
        approver = the_actor(session, "approver")
        with pytest.raises(HubError, match="round_changed_meanwhile"):
            service.approve(session, approver, round_id, seen_hash="", now=clock.now)
        service.approve(session, approver, round_id, seen_hash=seen, now=clock.now)
        stranger = the_actor(session, "stranger")
        with pytest.raises(NotFound):
            service.stop(session, stranger, round_id, now=clock.now)
        service.stop(session, the_actor(session, "clerk"), round_id, now=clock.now)
    assert post.remind() == 0


def test_nobody_is_reminded_of_somebody_who_was_put_on_it_unseen(post: Post, runtime: Runtime, clock: SetClock) -> None:
    post.run()
    with runtime.sessions.begin() as session:
        session.execute(update(RoundCall).values(phone_index=b"another number..."[:16]))
    clock.now = EVE
    assert post.remind() == 0


def test_a_turn_is_given_to_somebody_else_until_it_was_announced(post: Post, runtime: Runtime, clock: SetClock) -> None:
    round_id = post.run(each=1)
    names = {day: name for day, name, _ in post.turns(round_id)}
    people = post.people()
    with runtime.sessions.begin() as session:
        clerk, stranger = the_actor(session, "clerk"), the_actor(session, "stranger")
        turn = post.call(24, names[24])
        with pytest.raises(NotFound):
            service.swap(session, stranger, turn, people[names[25]], now=clock.now)
        with pytest.raises(HubError, match="round_swap"):
            service.swap(session, clerk, turn, None, now=clock.now)
        service.swap(session, clerk, turn, people[names[25]], now=clock.now)
    clock.now = EVE
    post.remind()
    with runtime.sessions.begin() as session, pytest.raises(HubError, match="round_turn_told"):
        service.swap(session, the_actor(session, "clerk"), turn, people[names[24]], now=clock.now)
    assert next(name for day, name, _ in post.turns(round_id) if day == 24) == names[25]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"title": ""}, "title"),
        ({"people": ()}, "people"),
        ({"at": "05:00"}, "at"),
        ({"words": "【村】来"}, "words"),
        ({"last_day": date(2027, 6, 1)}, "last_day"),
        ({"first_day": date(2026, 11, 1)}, "first_day"),
        ({"kind": RoundKind.WEEKLY}, "weekday"),
        ({"each": 0}, "each"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(post: Post, given: dict[str, object], field: str) -> None:
    with pytest.raises(Problems) as refused:
        post.write(**given)  # type: ignore[arg-type]
    assert field in [problem.field for problem in refused.value.problems]


def test_nobody_names_people_of_another_place(post: Post) -> None:
    with pytest.raises(NotAllowed):
        post.write("stranger")


def test_the_pages_write_agree_show_and_note_by_hand(
    post: Post, runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    assert "志愿者" in clerk.get("/rounds/new?kind=patrol").text
    form = {"kind": "patrol", "title": "冬夜巡逻", "region": BRIDGE, "tag": "志愿者", "at": "17:00", "each": "1"}
    form |= {"words": "〔日期〕轮到你，到了回复：到岗", "first_day": "2026-11-24", "last_day": "2026-11-26"}
    listed = clerk.post("/rounds", data=form | {"do": "people"}).text
    assert all(name in listed for name in PEOPLE)
    chosen = re.findall(r'name="person" value="([^"]+)"', listed)
    refused = clerk.post("/rounds", data=form)
    assert refused.status_code == 422
    assert "还没选人" in said(refused.text)
    where = clerk.post("/rounds", data=form | {"person": chosen}).location
    assert "自己写的要别人审" in said(clerk.get(where).text)
    approver.post(f"{where}/return", data={"reason": "五点半再提醒"})
    assert "退回了：五点半再提醒" in said(clerk.get(where).text)
    written = clerk.get(f"{where}/edit").text
    assert all(name in written for name in PEOPLE), "its people are still on it"
    assert clerk.post(f"{where}/edit", data=form | {"title": "", "person": chosen}).status_code == 422
    assert clerk.post(f"{where}/edit", data=form | {"at": "17:30", "person": chosen}).location == where
    assert sign_in("stranger").get(f"{where}/edit").status_code == 404
    seen = approver.get(where).text.partition('name="seen_hash" value="')[2][:64]
    assert approver.post(f"{where}/approve", data={"seen_hash": seen, "seen_step": "0"}).status_code == 302
    assert "在提醒" in said(approver.get(where).text)
    assert clerk.get(f"{where}/edit").status_code == 302, "what runs is not written anew"
    clock.now = EVE + timedelta(days=1)
    post.remind()
    clerk = sign_in("clerk")
    page = clerk.get(where).text
    assert "替他记上" in said(page)
    turn = re.findall(r"/rounds/turns/([^/]+)/confirm", page)[0]
    assert clerk.post(f"/rounds/turns/{turn}/confirm").status_code == 302
    assert "北镇广播员 记的" in said(clerk.get(where).text)
    assert "该到 1 人次，到了 1 人次" in said(clerk.get("/rounds").text)
    stranger = sign_in("stranger")
    assert stranger.get(where).status_code == 404
    for path in (f"/rounds/turns/{turn}/confirm", f"/rounds/turns/{turn}/swap", f"{where}/stop"):
        assert stranger.post(path).status_code == 404
    assert sign_in("viewer").get("/rounds").status_code == 403
    assert "值班巡逻" not in sign_in("viewer").get("/campaigns").text


def test_each_village_has_its_pledge_written_agreed_to_and_counted(runtime: Runtime, sign_in: SignIn) -> None:
    secretary, approver = sign_in("secretary"), sign_in("approver")
    assert "0 / 1 个村能播" in said(secretary.get("/pledges").text)
    where = secretary.post(f"/pledges/{BRIDGE}/write").location
    assert "村规民约大家守" in secretary.get(where).text
    form = {"title": "桥村村规民约", "theme": "notice", "text": "各位村民：门前扫干净，邻里不吵架。", "home": BRIDGE}
    form |= {"source": "村民大会", "tags": "村规民约", "do": "submit"}
    kept = secretary.post(where, data=form)
    assert kept.status_code == 302
    seen = approver.get(kept.location).text.partition('name="seen_hash" value="')[2][:64]
    assert approver.post(f"{kept.location}/approve", data={"seen_hash": seen}).status_code == 302
    page = said(secretary.get("/pledges").text)
    assert "1 / 1 个村能播" in page
    assert "播一次" in page
    assert "1 / 2 个村能播" in said(sign_in("clerk").get("/pledges").text)
    assert sign_in("stranger").post(f"/pledges/{BRIDGE}/write").status_code == 404
    assert sign_in("viewer").post(f"/pledges/{NORTH}/write").status_code == 403


def test_reminders_fit_one_message_and_ask_for_the_reply_that_is_understood() -> None:
    for kind in RoundKind:
        words = forms.usual(kind)["words"].replace(reminding.DAY, "12月31日")
        assert parts_of(signed(words, "青石镇政府")) == 1
        reply = words.rpartition("：")[2]
        assert turns.is_there(reply) if kind is RoundKind.PATROL else turns.is_done(reply)

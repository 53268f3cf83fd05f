"""From the first word to the sound in the village, by HTTP alone, as browsers send it."""

from datetime import timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from builders import BRIDGE, HILL, NORTH, PASSWORD, the_actor
from composelab import FETCH, HTMX, SignIn, a_form, all_stored, part, residents_in, said, stored, submitted
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from sqlalchemy import select
from uuid6 import uuid7

from broadcasts.approvals.lifecycle import State
from broadcasts.delivery.models import Broadcast
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.sms.models import SmsRun
from broadcasts.studio import Studio
from hub.accounts import service as accounts
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from schedules.models import Occurrence, Slot


def broadcasts(runtime: Runtime) -> list[Broadcast]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(Broadcast)))


def approve(browser: FlaskClient, runtime: Runtime, announcement_id: UUID, seen: str | None = None) -> int:
    seen = stored(runtime, announcement_id).content_hash if seen is None else seen
    return browser.post(f"/approvals/{announcement_id}/approve", data={"seen_hash": seen}).status_code


def test_from_the_first_word_to_the_sound_in_the_village(runtime: Runtime, sign_in: SignIn) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    form = a_form(region=[BRIDGE])

    preview = clerk.post("/compose/preview", data=form, headers=FETCH).text
    assert "96110 → 九六幺幺零" in part(preview, "reading")
    assert "1 个村的 2 只喇叭会响，播 2 遍" in part(preview, "outlook")

    heard = clerk.post("/compose/listen", data=form, headers=HTMX).text
    assert "正好" in part(heard, "player")
    address = heard.partition('src="')[2].partition('"')[0]
    recording = clerk.get(address, buffered=True)
    assert recording.mimetype == "audio/mpeg"

    announcement_id = submitted(clerk, **form)
    waiting = stored(runtime, announcement_id)
    assert waiting.state is State.SUBMITTED
    assert sha256(recording.data).hexdigest() == waiting.audio_sha256

    desk = approver.get("/approvals").text
    assert "防诈骗提醒" in said(desk)
    assert "通过，马上播" in said(desk)
    assert f"/compose/audio/{waiting.audio_sha256}.mp3" in desk

    assert approve(approver, runtime, announcement_id) == 302
    [broadcast] = broadcasts(runtime)
    assert broadcast.announcement_id == announcement_id
    assert broadcast.audio_sha256 == waiting.audio_sha256
    assert broadcast.approved_by_name == "北镇副镇长"
    with runtime.sessions.read() as session:
        deliveries = session.scalars(select(SpeakerDelivery).where(SpeakerDelivery.broadcast_id == broadcast.id)).all()
        assert {d.region_path for d in deliveries} == {path_of(BRIDGE)}
        assert len(deliveries) == 2
        assert session.scalars(select(SmsRun)).all() == []
    assert "播出去的" in said(clerk.get(f"/announcements/{announcement_id}").text)


def test_approving_at_once_leads_to_the_progress_of_the_broadcast(runtime: Runtime, sign_in: SignIn) -> None:
    announcement_id = submitted(sign_in("clerk"))
    seen = {"seen_hash": stored(runtime, announcement_id).content_hash}
    answer = sign_in("approver").post(f"/approvals/{announcement_id}/approve", data=seen)
    assert answer.location == f"/broadcasts/{broadcasts(runtime)[0].id}"


def test_text_messages_go_to_those_who_carry_the_tag(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    residents_in(runtime, BRIDGE, "15400000001", "15400000002", tags=("沿河户",))
    residents_in(runtime, HILL, "15400000003")
    form = a_form(region=[NORTH], channel=["speakers", "sms"], tag=["沿河户"], sms_text="上游放水，别去河边。")
    assert "同时给 2 个手机号发短信" in part(clerk.post("/compose/preview", data=form, headers=FETCH).text, "outlook")

    announcement_id = submitted(clerk, **form)
    assert approve(sign_in("approver"), runtime, announcement_id) == 302
    with runtime.sessions.read() as session:
        [run] = session.scalars(select(SmsRun))
        assert run.text == "【村响】上游放水，别去河边。"
        assert run.audience["tags"] == ["沿河户"]


def test_notes_for_the_voice_are_not_sent_to_telephones(runtime: Runtime, sign_in: SignIn) -> None:
    residents_in(runtime, BRIDGE, "15400000001")
    form = a_form(text="请找行长{hang2 zhang3}。", channel=["speakers", "sms"])
    announcement_id = submitted(sign_in("clerk"), **form)
    assert approve(sign_in("approver"), runtime, announcement_id) == 302
    with runtime.sessions.read() as session:
        assert session.scalars(select(SmsRun.text)).one() == "【村响】请找行长。"


def test_nobody_approves_their_own(runtime: Runtime, app: object, sign_in: SignIn) -> None:
    with runtime.sessions.begin() as session:
        both = [(Role.CLERK, path_of(NORTH)), (Role.APPROVER, path_of(NORTH))]
        accounts.create_account(
            session, SYSTEM, login="both", name="北镇站长", password=PASSWORD, grants=both, now=NOON
        )
    both_browser = sign_in("both")
    announcement_id = submitted(both_browser)
    desk = both_browser.get("/approvals").text
    assert "自己写的要别人审" in said(desk)
    assert f"/approvals/{announcement_id}/approve" not in desk
    assert '<b class="count">' not in desk, "one's own do not count"

    assert approve(both_browser, runtime, announcement_id) == 403
    assert stored(runtime, announcement_id).state is State.SUBMITTED
    assert broadcasts(runtime) == []


@pytest.mark.parametrize("seen", ["", "0" * 64, "-"])
def test_approval_is_of_the_content_that_was_seen(runtime: Runtime, sign_in: SignIn, seen: str) -> None:
    announcement_id = submitted(sign_in("clerk"))
    approver = sign_in("approver")
    answer = approver.post(f"/approvals/{announcement_id}/approve", data={"seen_hash": seen})
    assert answer.status_code == 409
    assert "内容被改过了" in said(answer.text)
    assert broadcasts(runtime) == []


def test_what_was_changed_meanwhile_is_not_approved_as_it_was(runtime: Runtime, sign_in: SignIn) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    form = a_form()
    announcement_id = submitted(clerk, **form)
    seen = stored(runtime, announcement_id).content_hash
    submitted(clerk, **(form | {"text": "打12345问一问。"}))

    assert approve(approver, runtime, announcement_id, seen) == 409
    assert broadcasts(runtime) == []
    assert approve(approver, runtime, announcement_id) == 302


def test_returned_with_a_reason_and_submitted_again(runtime: Runtime, sign_in: SignIn) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    form = a_form()
    announcement_id = submitted(clerk, **form)

    nothing = approver.post(f"/approvals/{announcement_id}/return", data={"reason": " "})
    assert nothing.status_code == 422
    assert "写一句为什么退回" in said(nothing.text)
    back = approver.post(
        f"/approvals/{announcement_id}/return", data={"why": ["内容不对", "太长了"], "reason": "电话写错了"}
    )
    assert back.status_code == 302
    assert stored(runtime, announcement_id).return_reason == "内容不对；太长了；电话写错了"
    assert "退回原因：内容不对；太长了；电话写错了" in said(clerk.get("/announcements?tab=returned").text)
    assert "退回了：内容不对；太长了；电话写错了" in said(clerk.get(f"/compose/{announcement_id}").text)
    assert "防诈骗提醒" not in said(approver.get("/approvals").text)

    assert submitted(clerk, **form) == announcement_id
    assert stored(runtime, announcement_id).return_reason == ""
    assert approve(approver, runtime, announcement_id) == 302


@pytest.mark.parametrize(
    ("wish", "free"),
    [
        ({"when": "once", "day": "2026-11-23", "at": "20:59"}, "06:30"),
        ({"when": "once", "day": "2026-11-23", "at": "13:00"}, "14:00"),
        ({"when": "daily", "at": "22:00", "first_day": "2026-11-23", "last_day": "2026-12-01"}, "06:30"),
    ],
)
def test_a_time_in_quiet_hours_is_refused_at_submission(
    runtime: Runtime, sign_in: SignIn, wish: dict[str, object], free: str
) -> None:
    clerk = sign_in("clerk")
    form = a_form(text="今天停水，请各家各户备好水。" * 8, **wish)
    assert "碰到安静时段" in part(clerk.post("/compose/preview", data=form, headers=FETCH).text, "when-check")
    answer = clerk.post("/compose", data=form | {"do": "submit"})
    assert answer.status_code == 422
    assert f"改到 {free}" in said(answer.text)
    assert 'href="#f-at"' in answer.text
    assert all_stored(runtime) == [], "refused means nothing was changed"


def test_approving_now_in_quiet_hours_is_refused_and_said_beforehand(
    runtime: Runtime, sign_in: SignIn, clock: SetClock
) -> None:
    announcement_id = submitted(sign_in("clerk"))
    approver = sign_in("approver")
    clock.now = NOON + timedelta(hours=3)
    page = approver.get("/approvals").text
    assert "现在是安静时段" in said(page)
    assert f'id="approve-{announcement_id}" disabled' in page
    assert approve(approver, runtime, announcement_id) == 409
    assert stored(runtime, announcement_id).state is State.SUBMITTED
    assert broadcasts(runtime) == []


def test_a_time_that_has_passed_is_not_approved(runtime: Runtime, sign_in: SignIn, clock: SetClock) -> None:
    announcement_id = submitted(sign_in("clerk"), when="once", day="2026-11-23", at="11:00")
    approver = sign_in("approver")
    assert "通过并排入 11:00" in said(approver.get("/approvals").text)
    clock.now = NOON + timedelta(hours=2)
    assert "播出时间已经过了" in said(approver.get("/approvals").text)
    assert approve(approver, runtime, announcement_id) == 409
    with runtime.sessions.read() as session:
        assert session.scalars(select(Slot)).all() == []


def test_once_goes_into_the_timetable_and_then_clashes(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    wish = {"when": "once", "day": "2026-11-23", "at": "18:30"}
    announcement_id = submitted(clerk, **wish)
    assert approve(sign_in("approver"), runtime, announcement_id) == 302
    assert broadcasts(runtime) == []
    with runtime.sessions.read() as session:
        assert session.scalars(select(Occurrence.due_at)).all() == [NOON + timedelta(hours=8, minutes=30)]
    assert "下一次：11月23日 18:30" in said(clerk.get(f"/announcements/{announcement_id}").text)

    there = clerk.post("/compose/preview", data=a_form(**wish), headers=FETCH).text
    assert "18:30–18:31 已经排了“防诈骗提醒”，会撞在一起。今天 18:35" in part(there, "when-check")
    elsewhere = clerk.post("/compose/preview", data=a_form(region=[HILL], **wish), headers=FETCH).text
    assert "没有别的节目" in part(elsewhere, "when-check")


def test_daily_makes_a_slot_that_is_known_weeks_ahead(runtime: Runtime, sign_in: SignIn) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    wish = {"when": "daily", "at": "18:00", "first_day": "2026-12-01", "last_day": "2026-12-20"}
    announcement_id = submitted(clerk, **wish)
    assert "通过，每天 18:00 播" in said(approver.get("/approvals").text)
    assert approve(approver, runtime, announcement_id) == 302
    with runtime.sessions.read() as session:
        [slot] = session.scalars(select(Slot))
        assert (slot.daily_at, str(slot.last_day)) == ("18:00", "2026-12-20")
    assert "下一次：12月1日 18:00" in said(clerk.get(f"/announcements/{announcement_id}").text)
    later = a_form(when="once", day="2026-12-10", at="18:00")
    assert "会撞在一起" in part(clerk.post("/compose/preview", data=later, headers=FETCH).text, "when-check")

    clerk.post(f"/announcements/{announcement_id}/withdraw")
    assert stored(runtime, announcement_id).state is State.WITHDRAWN
    assert "没有别的节目" in part(clerk.post("/compose/preview", data=later, headers=FETCH).text, "when-check")


def test_a_form_sent_twice_is_one_announcement(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    form = a_form()
    first = submitted(clerk, **form)
    seen = stored(runtime, first).content_hash
    assert submitted(clerk, **form) == first
    assert [a.id for a in all_stored(runtime)] == [first]
    assert stored(runtime, first).state is State.SUBMITTED
    assert stored(runtime, first).content_hash == seen, "what the approver sees stays approvable"

    approver = sign_in("approver")
    assert approve(approver, runtime, first, seen) == 302
    assert approve(approver, runtime, first, seen) == 409
    assert len(broadcasts(runtime)) == 1
    assert submitted(clerk, **form) == first, "a press that comes after the approval changes nothing"
    assert len(broadcasts(runtime)) == 1


def test_a_lost_recording_is_seen_before_it_is_approved(runtime: Runtime, sign_in: SignIn) -> None:
    announcement_id = submitted(sign_in("clerk"))
    path = runtime.get(Studio).library.path_of(stored(runtime, announcement_id).audio_sha256)
    assert path is not None
    path.unlink()
    approver = sign_in("approver")
    assert "录音文件不见了" in said(approver.get("/approvals").text)
    assert approve(approver, runtime, announcement_id) == 409
    assert broadcasts(runtime) == []


def test_a_draft_is_discarded_for_good(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    form = a_form()
    clerk.post("/compose", data=form | {"do": "save"})
    answer = clerk.post(f"/announcements/{form['id']}/withdraw", follow_redirects=True)
    assert "已撤下" in said(answer.text)
    assert clerk.get(f"/compose/{form['id']}").status_code == 302
    again = clerk.post("/compose", data=form | {"do": "submit"})
    assert again.status_code == 409
    assert "这条已经撤下了" in said(again.text)


def test_a_copy_is_a_new_announcement_with_the_same_words(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    first = submitted(clerk, text="明天停水。")
    page = clerk.get(f"/compose?copy={first}").text
    assert "明天停水。" in page
    assert str(first) not in page.partition('name="id"')[2][:60]
    stranger = sign_in("stranger").get(f"/compose?copy={first}")
    assert stranger.status_code == 404


def test_what_one_wrote_is_listed_page_by_page(runtime: Runtime, sign_in: SignIn, clock: SetClock) -> None:
    clerk = sign_in("clerk")
    for n in range(23):
        clock.now = NOON + timedelta(seconds=n // 2)
        clerk.post("/compose", data=a_form(title=f"第{n}条", id=str(uuid7())) | {"do": "save"})
    first = clerk.get("/announcements").text
    following = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    second = clerk.get(following).text
    shown = [n for page in (first, second) for n in range(23) if f">第{n}条<" in page]
    assert sorted(shown) == list(range(23)), "each once"
    assert shown.index(22) < 20
    assert "第22条" not in said(sign_in("secretary").get("/announcements").text)


def test_the_actor_of_the_log_is_who_was_signed_in(runtime: Runtime, sign_in: SignIn) -> None:
    announcement_id = submitted(sign_in("secretary"))
    with runtime.sessions.read() as session:
        secretary = the_actor(session, "secretary")
    assert stored(runtime, announcement_id).written_by == secretary.id

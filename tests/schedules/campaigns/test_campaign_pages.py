"""The pages of 专题宣传 and 范文, as people use them; strangers and who is not signed in get nothing."""

import re
from collections.abc import Callable
from uuid import UUID

from builders import BRIDGE, NORTH
from campaignlab import Office
from composelab import said
from deliverylab import Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from broadcasts.announcements.models import Announcement
from broadcasts.materials.models import Material
from broadcasts.texts import shelf
from hub.core.runtime import Runtime
from schedules.campaigns.models import Campaign, CampaignState

SignIn = Callable[[str], FlaskClient]
FORM = {
    "title": "冬季防诈骗",
    "theme": "fraud",
    "departments": "派出所、司法所",
    "region": BRIDGE,
    "first_day": "2026-11-24",
    "last_day": "2026-11-27",
    "times": "11:50，17:50",
    "target": "5",
    "title-0": "刷单返利是骗局",
    "text-0": "各位村民：手机上说刷刷单就能挣钱的，都是骗子。",
    "sms-0": "",
}


def kept(runtime: Runtime) -> list[Campaign]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(Campaign)))


def test_it_is_written_counted_handed_in_approved_paused_and_ended_without_any_script(
    runtime: Runtime, sign_in: SignIn
) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    counted = said(clerk.post("/campaigns", data=FORM | {"do": "count"}).text)
    assert "每村一共听 8 遍" in re.sub(r"\s+", " ", counted.replace("每村一共听", "每村一共听 "))
    assert kept(runtime) == [], "counting keeps nothing"
    where = clerk.post("/campaigns", data=FORM | {"do": "submit"}).location
    own = said(clerk.get(where).text)
    assert "自己写的要别人审" in own
    week = clerk.get("/timetable?week=2026-11-24").text
    waiting = re.findall(r'<a class="slot waiting"[^>]*href="([^"]+)"', week)
    assert waiting == [where] * 8, "what waits stands in the timetable with a broken line"
    assert '<a class="slot waiting"' not in sign_in("stranger").get("/timetable?week=2026-11-24").text
    assert "待审批1" in said(approver.get("/").text).replace(" ", "")
    page = approver.get(where).text
    assert "通过，排 8 遍" in said(page)
    seen = page.partition('name="seen_hash" value="')[2][:64]
    assert approver.post(f"{where}/approve", data={"seen_hash": seen}).status_code == 302
    running = said(approver.get(where).text)
    assert "在播" in running
    assert "还有 8 遍" in running
    assert "冬季防诈骗" in said(clerk.get("/campaigns").text)
    for verb, shown in (("pause", "先停着"), ("resume", "在播"), ("stop", "不播了")):
        assert clerk.post(f"{where}/{verb}").status_code == 302
        assert shown in said(clerk.get(where).text)
    assert "冬季防诈骗" in said(clerk.get("/campaigns?tab=past").text)


def test_a_refused_form_comes_back_as_it_was_typed(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    answer = clerk.post("/campaigns", data=FORM | {"times": "23:00", "target": "many", "do": "submit"})
    assert answer.status_code == 422
    assert 'value="many"' in answer.text
    assert FORM["text-0"] in answer.text
    assert kept(runtime) == []
    answer = clerk.post("/campaigns", data=FORM | {"times": "23:00", "do": "submit"})
    assert "安静时段" in said(answer.text)
    assert 'id="e-times"' in answer.text


def test_what_cannot_be_handed_in_is_kept_once_and_the_page_says_what_to_change(
    runtime: Runtime, sign_in: SignIn
) -> None:
    clerk = sign_in("clerk")
    answer = clerk.post("/campaigns", data=FORM | {"target": "30", "do": "submit"})
    assert answer.status_code == 422
    assert "只排得进 8 遍，少于目标 30 遍" in said(answer.text)
    (draft,) = kept(runtime)
    where = f"/campaigns/{draft.id}/edit"
    assert f'action="{where}"' in answer.text
    assert clerk.post(where, data=FORM | {"do": "submit"}).status_code == 302
    assert [one.state for one in kept(runtime)] == [CampaignState.SUBMITTED]


def test_a_ready_text_is_added_with_what_has_to_be_checked(sign_in: SignIn) -> None:
    page = sign_in("clerk").post("/campaigns", data=FORM | {"do": "add:fireworks"}).text
    assert "放烟花要守规矩" in page
    assert "先核对：本县有没有禁放、限放的规定" in said(page)
    assert FORM["text-0"] in page


def test_returned_it_says_why_and_can_be_handed_in_again(runtime: Runtime, sign_in: SignIn) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    where = clerk.post("/campaigns", data=FORM | {"do": "submit"}).location
    approver.post(f"{where}/return", data={"reason": "时间太密"})
    assert "退回了：时间太密" in said(clerk.get(where).text)
    assert clerk.post(f"{where}/submit").status_code == 302
    assert kept(runtime)[0].state is CampaignState.SUBMITTED


def test_strangers_and_who_is_not_signed_in_get_nothing(
    office: Office, air: Air, runtime: Runtime, sign_in: SignIn, app: OpenAPI
) -> None:
    campaign_id = office.run()
    stranger = sign_in("stranger")
    assert "冬季防诈骗" not in stranger.get("/campaigns").text
    text_id = kept(runtime)[0].id
    for path in ("", "/edit", f"/audio/{text_id}"):
        assert stranger.get(f"/campaigns/{campaign_id}{path}").status_code == 404
        assert app.test_client().get(f"/campaigns/{campaign_id}{path}").status_code in (302, 401)
    for verb in ("submit", "pause", "resume", "stop", "copy", "edit"):
        assert stranger.post(f"/campaigns/{campaign_id}/{verb}", data=FORM).status_code == 404
    for verb in ("approve", "return"):
        assert sign_in("strange_approver").post(f"/campaigns/{campaign_id}/{verb}").status_code == 404
    assert kept(runtime)[0].state is CampaignState.RUNNING


def test_the_recording_is_what_the_approver_hears(office: Office, runtime: Runtime, sign_in: SignIn) -> None:
    campaign_id = office.write()
    text = office.hand_in(campaign_id).texts[0]
    with sign_in("approver").get(f"/campaigns/{campaign_id}/audio/{text.id}") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "audio/mpeg")


def test_every_shelf_and_every_text_can_be_looked_at(sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    for each in shelf.shelves():
        page = clerk.get(f"/texts?shelf={each.key}").text
        assert all(text.title in page for text in each.texts)
    for key in ("fraud_police", "insurance", "siren"):
        assert clerk.get(f"/texts/{key}").status_code == 200
    assert clerk.get("/texts/nothing").status_code == 404


def test_a_text_with_blanks_is_checked_and_becomes_a_draft(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    values = {"fill:年度": "2027", "fill:金额": "400", "fill:截止日": "2026-01-01", "fill:地点": "村委会"}
    answer = clerk.post("/texts/insurance", data=values)
    assert answer.status_code == 422
    assert "“截止日”已经过了" in said(answer.text)
    answer = clerk.post("/texts/insurance", data=values | {"fill:截止日": "2026-12-31"})
    assert answer.status_code == 302
    with runtime.sessions.read() as session:
        written = session.get_one(Announcement, UUID(answer.location.rpartition("/")[2]))
        assert "每人400元，12月31日截止" in written.text
        assert written.sms_text.startswith("2027年度医保每人400元")
    assert "每人400元" in clerk.get(answer.location).text


def test_a_text_is_kept_in_the_library_to_be_checked(runtime: Runtime, sign_in: SignIn) -> None:
    answer = sign_in("clerk").post("/texts/fireworks", data={"do": "keep"})
    assert answer.status_code == 302
    with runtime.sessions.read() as session:
        made = session.scalars(select(Material)).one()
        assert (made.title, made.to_check, bool(made.sms_text)) == ("放烟花要守规矩", True, True)
    assert sign_in("viewer").post("/texts/fireworks", data={"do": "keep"}).status_code == 403


def test_chosen_texts_start_a_campaign(sign_in: SignIn) -> None:
    page = sign_in("clerk").get(f"/campaigns/new?text=gas&text=gas_stove&text=insurance&region={NORTH}").text
    assert "冬天防煤气中毒" in page
    assert "炉子烟囱查一查" in page
    assert "〔" not in page

"""The pages of readings and of words that are not broadcast, and what they do to the compose page."""

import io
import re
from uuid import uuid4

import pytest
from composelab import HTMX, SignIn, a_form, all_stored, part, said, submitted
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from broadcasts.lexicon.models import LexiconEntry, WatchedWord
from broadcasts.speech.pronunciation import BUILT_IN
from broadcasts.studio import Studio
from hub.audit.models import AuditEntry
from hub.core.runtime import Runtime

PAGE = "/settings/lexicon"
WORDING = "/settings/wording"
WORD = {"word": "青石冲", "said": "qing1 shi2 chong4", "note": "地名"}
CHANGING = [
    PAGE,
    f"{PAGE}/import",
    f"{PAGE}/{uuid4()}",
    f"{PAGE}/{uuid4()}/switch",
    f"{PAGE}/{uuid4()}/remove",
    WORDING,
    f"{WORDING}/off",
]
LOOKING = [PAGE, f"{PAGE}/export.csv", WORDING]
HARMLESS = [f"{PAGE}/check", f"{PAGE}/listen"]


def entries(runtime: Runtime) -> list[LexiconEntry]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(LexiconEntry)))


def added(browser: FlaskClient, **given: str) -> None:
    assert browser.post(PAGE, data=WORD | given).status_code == 302


def test_a_word_is_added_seen_changed_switched_off_and_removed(sign_in: SignIn, runtime: Runtime) -> None:
    county = sign_in("county")
    added(county)
    page = said(county.get(PAGE).text)
    assert "青石冲 qīng shí chòng 地名 县管理员" in page
    [row] = entries(runtime)
    changed = county.post(f"{PAGE}/{row.id}", data=WORD | {"said": "qīng shí chōng"})
    assert changed.status_code == 302
    assert entries(runtime)[0].said == "qing1 shi2 chong1"
    assert county.get(f"{PAGE}/{row.id}").status_code == 200
    county.post(f"{PAGE}/{row.id}/switch", data={"active": "0"})
    assert not entries(runtime)[0].active
    assert "停用" in said(county.get(PAGE).text)
    county.post(f"{PAGE}/{row.id}/remove")
    assert entries(runtime) == []


def test_a_wrong_reading_comes_back_with_the_reason_at_its_field(sign_in: SignIn, runtime: Runtime) -> None:
    answer = sign_in("county").post(PAGE, data=WORD | {"said": "qing1 shi2"})
    assert answer.status_code == 422
    assert 'id="e-said"' in answer.text
    assert 'value="qing1 shi2"' in answer.text
    assert "3 个字，拼音写了 2 个音" in said(answer.text)
    assert entries(runtime) == []


def test_while_typing_it_says_how_it_is_read_now_and_would_be(sign_in: SignIn) -> None:
    county = sign_in("county")
    answer = county.post(f"{PAGE}/check", data=WORD, headers=HTMX)
    assert "<html" not in answer.text
    assert "现在读 qīng shí chōng，加上以后读 qīng shí chòng。" in said(answer.text)
    wrong = county.post(f"{PAGE}/check", data=WORD | {"said": "qing shi chong"}, headers=HTMX)
    assert "没写声调" in said(wrong.text)
    without_js = county.post(f"{PAGE}/check", data=WORD)
    assert "加上以后读 qīng shí chòng" in said(without_js.text)


def test_the_listen_button_brings_a_recording(sign_in: SignIn) -> None:
    county = sign_in("county")
    answer = county.post(f"{PAGE}/listen", data=WORD, headers=HTMX)
    address = re.search(r'src="([^"]+\.mp3)"', answer.text)
    assert address, answer.text
    with county.get(address[1]) as sound:
        assert sound.mimetype == "audio/mpeg"
    assert 'src="' in county.post(f"{PAGE}/listen", data=WORD).text
    assert "还没写词" in said(county.post(f"{PAGE}/listen", data={"word": ""}, headers=HTMX).text)


def test_what_is_entered_is_spoken_and_what_was_approved_stays_as_it_was(sign_in: SignIn, runtime: Runtime) -> None:
    text = "今天请青石冲的人到村部开会。"
    first = submitted(sign_in("clerk"), text=text)
    before = {a.id: a.audio_sha256 for a in all_stored(runtime)}[first]
    added(sign_in("county"), said="新石冲")
    studio = runtime.get(Studio)
    assert studio.read(text).spoken == "今天请新石冲的人到村部开会。"
    second = submitted(sign_in("clerk"), text=text)
    kept = {a.id: a for a in all_stored(runtime)}
    assert kept[first].audio_sha256 == before
    assert kept[second].spoken == "今天请新石冲的人到村部开会。"
    assert studio.library.path_of(before) is not None


def test_readings_are_searched_and_the_built_in_ones_are_shown(sign_in: SignIn) -> None:
    county = sign_in("county")
    added(county)
    added(county, word="石桥铺", said="shi2 qiao2 pu4")
    found = said(county.get(f"{PAGE}?q=石桥").text)
    assert "石桥铺 shí qiáo pù" in found
    assert "青石冲 qīng" not in found
    built_in = said(county.get(f"{PAGE}?q=六安市").text)
    assert "六安市 lù ān shì" in built_in
    assert f"系统自带的 {len(BUILT_IN.pinyin) + len(BUILT_IN.words)} 个" in said(county.get(PAGE).text)


def test_a_file_is_taken_in_whole_or_not_at_all(sign_in: SignIn, runtime: Runtime) -> None:
    county = sign_in("county")

    def send(text: str) -> tuple[int, str]:
        answer = county.post(
            f"{PAGE}/import",
            data={"file": (io.BytesIO(text.encode()), "words.csv")},
            content_type="multipart/form-data",
        )
        return answer.status_code, said(answer.text)

    status, page = send("词,怎么读\n青石冲,qing1 shi2 chong4\n石桥铺,shi2\n")
    assert status == 422
    assert "有 1 处要改，一行也没导入" in page
    assert "3石桥铺shi23 个字，拼音写了 1 个音" in page.replace("> <", "><")
    assert entries(runtime) == []
    assert send("词,怎么读\n青石冲,qing1 shi2 chong4\n石桥铺,shi2 qiao2 pu4\n")[0] == 302
    assert len(entries(runtime)) == 2
    out = county.get(f"{PAGE}/export.csv")
    assert "青石冲,qing1 shi2 chong4" in out.text
    assert send("随便什么")[0] == 422


@pytest.mark.parametrize("login", ["clerk", "approver", "stranger", "secretary", "viewer"])
def test_who_answers_for_a_part_looks_and_listens_but_changes_nothing(
    sign_in: SignIn, runtime: Runtime, login: str
) -> None:
    added(sign_in("county"))
    [row] = entries(runtime)
    browser = sign_in(login)
    page = browser.get(PAGE)
    assert page.status_code == 200
    assert "青石冲" in page.text
    assert f'action="{PAGE}/{row.id}' not in page.text
    assert browser.get(WORDING).status_code == 200
    assert browser.get(f"{PAGE}/export.csv").status_code == 200
    for address in (*CHANGING[:2], f"{PAGE}/{row.id}", f"{PAGE}/{row.id}/switch", f"{PAGE}/{row.id}/remove"):
        assert browser.post(address, data=WORD | {"active": "0", "word": "石桥铺"}).status_code == 403, address
    for address in (WORDING, f"{WORDING}/off"):
        assert browser.post(address, data={"word": "包治百病"}).status_code == 403, address
    [after] = entries(runtime)
    assert (after.said, after.active, after.word) == (row.said, row.active, row.word)
    with runtime.sessions.read() as session:
        assert session.scalars(select(WatchedWord)).all() == []
        assert session.scalar(select(AuditEntry).where(AuditEntry.deed == "wording.unwatch")) is None


def test_nobody_enters_without_signing_in(app: OpenAPI, runtime: Runtime) -> None:
    browser = app.test_client()
    for address in LOOKING:
        assert "/sign-in" in browser.get(address).location
    for address in (*CHANGING, *HARMLESS):
        assert "/sign-in" in browser.post(address, data=WORD).location
    assert entries(runtime) == []


def test_a_watched_word_is_added_taken_up_in_compose_and_switched_off(sign_in: SignIn, runtime: Runtime) -> None:
    county, clerk = sign_in("county"), sign_in("clerk")
    typed = {"word": "打鸡蛋", "why": "试一试", "say": "打鸡子", "blocking": "1"}
    assert county.post(WORDING, data=typed).status_code == 302
    form = a_form(text="今天教大家打鸡蛋。")
    assert "“打鸡蛋” 一定要改" in part(clerk.post("/compose/preview", data=form, headers=HTMX).text, "findings")
    refused = clerk.post("/compose", data=form | {"do": "submit"})
    assert refused.status_code == 422
    assert "广播词里有 1 处一定要改：“打鸡蛋”" in said(refused.text)
    assert county.post(f"{WORDING}/off", data={"word": "打鸡蛋"}).status_code == 302
    assert clerk.post("/compose", data=form | {"do": "submit"}).status_code == 302
    assert len(all_stored(runtime)) == 1


def test_a_usual_word_is_switched_off_and_back_on_from_its_line(sign_in: SignIn) -> None:
    county = sign_in("county")
    county.post(f"{WORDING}/off", data={"word": "包治百病"})
    assert "包治百病" in county.get(WORDING).text
    assert 'value="包治百病"' in county.get(f"{WORDING}?word=包治百病").text
    assert county.post(WORDING, data={"word": "包"}).status_code == 422


def test_one_press_mends_the_text_and_keeps_everything_else_typed(sign_in: SignIn, runtime: Runtime) -> None:
    clerk = sign_in("clerk")
    form = a_form(text="今晚有暴雨预警，请关好门窗。", title="大雨", when="daily", at="18:30")
    page = clerk.post("/compose/preview", data=form).text
    press = re.search(r'name="mend" value="([^"]+)" formaction="([^"]+)"', page)
    assert press
    sent = press[1].replace("&#34;", '"').replace("&quot;", '"')
    mended = clerk.post(press[2], data=form | {"mend": sent})
    assert mended.status_code == 200
    assert "今晚有暴雨提醒，请关好门窗。</textarea>" in mended.text
    assert 'value="大雨"' in mended.text
    assert 'value="18:30"' in mended.text
    assert "换回来" in mended.text
    stale = clerk.post(press[2], data=form | {"mend": sent, "text": "今天开会。"})
    assert "今天开会。</textarea>" in stale.text
    assert all_stored(runtime) == []


def test_the_preview_marks_readings_that_were_given(sign_in: SignIn) -> None:
    page = sign_in("clerk").post("/compose/preview", data=a_form(text="今天请六安市的村民开会。"), headers=HTMX).text
    assert '<mark class="given">六安市（lù ān shì）</mark>' in page


def test_the_approver_sees_the_same(sign_in: SignIn) -> None:
    submitted(sign_in("clerk"), text="今天请六安市的村民莅临，找单会计。")
    page = sign_in("approver").get("/approvals").text
    assert '<mark class="given">六安市（lù ān shì）</mark>' in page
    shown = said(page)
    assert "“莅临”" in shown
    assert "“单”" in shown
    assert 'name="mend"' not in page


@pytest.mark.parametrize("text", ["今晚有暴雨预警。", "请××村的人来。", "这种药包治百病。"])
def test_what_must_be_mended_is_not_submitted_by_any_door(sign_in: SignIn, runtime: Runtime, text: str) -> None:
    answer = sign_in("clerk").post("/compose", data=a_form(text=text) | {"do": "submit"})
    assert answer.status_code == 422
    assert "一定要改" in said(answer.text)
    assert sign_in("clerk").post("/compose", data=a_form(text=text) | {"do": "save"}).status_code == 302
    assert [a.state for a in all_stored(runtime)] == ["draft"]

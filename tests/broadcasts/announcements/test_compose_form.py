"""What is typed wrong is said and kept; autosave, ready-made texts, listening, and a browser without scripts."""

from datetime import timedelta
from uuid import UUID

import pytest
from builders import BRIDGE, FERRY, HILL, NORTH
from composelab import FETCH, HTMX, SignIn, a_form, all_stored, part, residents_in, said, stored, strike_dumb, submitted
from conftest import NOON, SetClock

from broadcasts.approvals.lifecycle import State
from hub.core.runtime import Runtime

ONCE = {"when": "once", "day": "2026-11-23", "at": "18:30"}
DAILY = {"when": "daily", "at": "18:30", "first_day": "2026-11-23", "last_day": "2026-12-01"}


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"title": " "}, "title", "还没写标题"),
        ({"title": "字" * 31}, "title", "请删掉 1 个"),
        ({"text": ""}, "text", "还没写广播词"),
        ({"text": "字" * 1003}, "text", "请删掉 3 个"),
        ({"text": "字" * 20_001}, "text", "最多 20000 个字"),
        ({"channel": ["sms"], "sms_text": "字" * 452}, "sms_text", "请删掉 2 个"),
        ({"channel": ["speakers", "sms"], "text": "【通知】停水", "sms_text": ""}, "sms_text", "那是放签名的"),
        ({"repeats": "0"}, "repeats", "播 1 到 5 遍"),
        ({"repeats": "9"}, "repeats", "播 1 到 5 遍"),
        ({"repeats": "两"}, "repeats", "这里要填数字"),
        ({"volume": "101"}, "volume", "音量填"),
        ({"volume": "大"}, "volume", "这里要填数字"),
        ({"speed": "turbo"}, "speed", "语速选"),
        ({"theme": "gossip"}, "theme", "选一个类别"),
        ({"when": "later"}, "when", "选什么时候播"),
        ({"region": []}, "region", "还没选村"),
        ({"region": ["12"]}, "region", "不归你管"),
        ({"region": [FERRY]}, "region", "不归你管"),
        ({"region": ["990101001099"]}, "region", "不归你管"),
        ({"channel": []}, "channel", "至少选一样"),
        (ONCE | {"at": ""}, "at", "还没选播出时间"),
        (ONCE | {"day": ""}, "at", "还没选播出时间"),
        (ONCE | {"at": "半夜"}, "at", "时间没看懂"),
        (ONCE | {"at": "25:00"}, "at", "时间没看懂"),
        (ONCE | {"day": "2026-02-30"}, "day", "日期没看懂"),
        (ONCE | {"day": "0001-01-01"}, "day", "日期没看懂"),
        (ONCE | {"at": "09:59"}, "at", "已经过了"),
        (ONCE | {"day": "2028-01-01"}, "at", "时间太远"),
        (DAILY | {"at": ""}, "at", "还没选每天几点播"),
        (DAILY | {"last_day": ""}, "last_day", "还没选播到哪一天"),
        (DAILY | {"last_day": "2026-11-22"}, "last_day", "不能比今天"),
        (DAILY | {"first_day": "2026-12-05"}, "last_day", "不能比今天"),
        (DAILY | {"last_day": "2029-01-01"}, "last_day", "时间太远"),
        (DAILY | {"first_day": "天亮"}, "first_day", "日期没看懂"),
        (DAILY | {"at": "09:00", "last_day": "2026-11-23"}, "last_day", "一次都播不到"),
    ],
)
def test_each_mistake_is_said_at_its_field_and_on_top(
    runtime: Runtime, sign_in: SignIn, typed: dict[str, object], field: str, words: str
) -> None:
    form = a_form(**({"text": "明天停水\n备好水", "sms_text": "停水"} | typed))
    answer = sign_in("clerk").post("/compose", data=form | {"do": "submit"})
    assert answer.status_code == 422
    page = answer.text
    assert words in part(page, "errors")
    assert f'href="#f-{field}"' in page
    assert f'id="f-{field}"' in page, "the summary leads to an input that is there"
    assert words in part(page, f"e-{field}")
    assert "<title>出错：" in page
    assert all_stored(runtime) == []
    for name in ("title", "text", "sms_text", "at", "last_day"):
        kept = str(form.get(name, ""))[:500].strip()
        assert kept in said(page) or f'value="{kept}"' in page or kept in page, f"{name} is kept"


def test_several_mistakes_are_said_at_once(sign_in: SignIn) -> None:
    form = a_form(title="", text="", region=[], **ONCE | {"at": ""})
    page = sign_in("clerk").post("/compose", data=form | {"do": "submit"}).text
    assert "有 4 处要改" in part(page, "errors")


def test_an_invalid_look_ahead_never_fails(sign_in: SignIn) -> None:
    form = a_form(text="字" * 3000, repeats="999", speed="x", region=["x", FERRY], when="once", at="26:00", day="?")
    answer = sign_in("clerk").post("/compose/preview", data=form, headers=FETCH)
    assert answer.status_code == 200
    assert "还没选播给哪些村" in part(answer.text, "outlook")


def test_what_the_page_says_of_money_is_what_the_provider_bills(runtime: Runtime, sign_in: SignIn) -> None:
    residents_in(runtime, BRIDGE, "15400000001", "15400000002", "15400000003")
    form = a_form(channel=["speakers", "sms"], sms_text="水" * 68)
    page = sign_in("clerk").post("/compose/preview", data=form, headers=FETCH).text
    texts = part(page, "sms-count")
    assert "68 字，加上签名每人 2 条，3 个号码约 ¥0.27" in texts
    assert "删掉 2 个字，每人少 1 条，省 ¥0.13" in texts
    assert "每人 2 条" in part(page, "outlook")


def test_only_texts_to_a_place_say_that_no_loudspeaker_sounds(runtime: Runtime, sign_in: SignIn) -> None:
    residents_in(runtime, BRIDGE, "15400000001")
    page = sign_in("clerk").post("/compose/preview", data=a_form(channel=["sms"]), headers=FETCH).text
    assert "给 1 个手机号发短信，喇叭不响" in part(page, "outlook")


def test_offline_loudspeakers_are_said_beforehand(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    page = clerk.post("/compose/preview", data=a_form(region=[NORTH]), headers=FETCH).text
    assert "离线" not in part(page, "outlook")
    with runtime.sessions.begin() as session:
        stopped = session.connection().exec_driver_sql("UPDATE speaker SET online = 0 WHERE region_code = ?", (HILL,))
        assert stopped.rowcount == 2
    page = clerk.post("/compose/preview", data=a_form(region=[NORTH]), headers=FETCH).text
    assert "2 只喇叭现在离线" in part(page, "outlook")
    assert "2 只离线" in said(clerk.get("/compose").text)


def test_typing_saves_one_draft_however_often(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    form = a_form(title="", text="明天", region=[], **ONCE | {"at": "x"})
    first = clerk.post("/compose/autosave", data=form, headers=FETCH)
    assert first.json == {"time": "10:00", "url": f"/compose/{form['id']}"}
    clerk.post("/compose/autosave", data=form | {"text": "明天停水"}, headers=FETCH)
    clerk.post("/compose/autosave", data=form | {"text": "明天停水"}, headers=FETCH)
    [draft] = all_stored(runtime)
    assert (str(draft.id), draft.text, draft.state) == (form["id"], "明天停水", State.DRAFT)
    assert "明天停水" in clerk.get(f"/compose/{draft.id}").text
    assert submitted(clerk, **a_form(id=form["id"])) == draft.id
    assert len(all_stored(runtime)) == 1


def test_a_stray_key_takes_nothing_back_from_approval(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    form = a_form()
    announcement_id = submitted(clerk, **form)
    assert "data-autosave-url" not in clerk.get(f"/compose/{announcement_id}").text
    late = clerk.post("/compose/autosave", data=form | {"text": "别的"}, headers=FETCH)
    assert late.status_code == 409
    assert late.json == {"note": "这条已经在等审批了。"}
    assert stored(runtime, announcement_id).state is State.SUBMITTED

    clerk.post("/compose", data=form | {"text": "别的", "do": "save"})
    assert stored(runtime, announcement_id).state is State.DRAFT


def test_saving_typing_without_being_signed_in_says_so_in_a_way_scripts_understand(
    app: object, sign_in: SignIn
) -> None:
    clerk = sign_in("clerk")
    clerk.post("/sign-out")
    answer = clerk.post("/compose/autosave", data=a_form(), headers=FETCH)
    assert answer.status_code == 401
    assert clerk.post("/compose/preview", data=a_form(), headers=FETCH).status_code == 401


def test_a_ready_made_text_never_swallows_what_was_typed(sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    form = a_form(text="我写了半天的话", title="我的")
    page = clerk.post("/compose/ready", data=form | {"ready": "fire"}).text
    assert "现在天干物燥" in page
    assert f'value="{form["id"]}"' in page
    assert "换掉了你刚才写的" in said(page)
    kept = {"was_title": "我的", "was_text": "我写了半天的话"}
    assert 'name="was_text" value="我写了半天的话"' in page
    back = clerk.post("/compose/ready", data=form | kept | {"text": "现在天干物燥", "ready": "undo"}).text
    assert "我写了半天的话</textarea>" in back
    assert 'value="我的"' in back
    assert "换掉了" not in said(back)


def test_listening_gives_the_very_length_and_later_looks_keep_it(sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    form = a_form(text="今天下午两点停水，请大家备好水。")
    before = part(clerk.post("/compose/preview", data=form, headers=FETCH).text, "outlook")
    assert "共约" in before
    heard = clerk.post("/compose/listen", data=form, headers=HTMX).text
    assert "共约" not in part(heard, "outlook")
    assert 'hx-swap-oob="true"' in heard
    sha256 = heard.partition('name="heard" value="')[2][:64]

    again = clerk.post("/compose/preview", data=form | {"heard": sha256}, headers=FETCH).text
    assert 'id="player"' not in again, "who is listening is not interrupted"
    assert "共约" not in part(again, "outlook")
    other = clerk.post("/compose/preview", data=form | {"heard": sha256, "speed": "slow"}, headers=FETCH).text
    assert "试听" in part(other, "player"), "another speed is another recording"


def test_listening_to_nothing_says_what_is_missing(sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    assert "还没写广播词" in part(clerk.post("/compose/listen", data=a_form(text=""), headers=HTMX).text, "player")


def test_a_voice_that_fails_is_said_and_nothing_is_submitted(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    strike_dumb(runtime)
    heard = clerk.post("/compose/listen", data=a_form(), headers=HTMX).text
    assert "声音没合成出来：今天嗓子哑了" in part(heard, "player")
    assert "<audio" not in heard
    answer = clerk.post("/compose", data=a_form() | {"do": "submit"})
    assert answer.status_code == 503
    assert "今天嗓子哑了" in part(answer.text, "errors")
    assert "拿不准，先打96110问一问。" in answer.text
    assert all_stored(runtime) == []


def test_everything_works_without_scripts(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    form = a_form(**ONCE)
    page = clerk.get("/compose").text
    assert "<noscript>" in page
    looked = clerk.post("/compose/preview", data=form)
    assert "<!doctype html>" in looked.text
    assert "今天 18:30" in part(looked.text, "outlook")
    heard = clerk.post("/compose/listen", data=form)
    assert heard.status_code == 200
    assert "<audio controls" in heard.text
    assert f'value="{form["id"]}"' in heard.text
    saved = clerk.post("/compose", data=form | {"do": "save"}, follow_redirects=True)
    assert "草稿存好了" in said(saved.text)
    assert stored(runtime, UUID(str(form["id"]))).state is State.DRAFT


def test_a_recording_can_be_fetched_in_parts(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    sha256 = stored(runtime, submitted(clerk)).audio_sha256
    whole = clerk.get(f"/compose/audio/{sha256}.mp3", buffered=True).data
    some = clerk.get(f"/compose/audio/{sha256}.mp3", headers={"Range": "bytes=100-199"}, buffered=True)
    assert some.status_code == 206
    assert some.data == whole[100:200]
    for wrong in ("0" * 64, "../../secrets", "x"):
        assert clerk.get(f"/compose/audio/{wrong}.mp3").status_code == 404


def test_the_page_says_honestly_who_speaks(sign_in: SignIn) -> None:
    assert "声音：只有滴滴声，不说话" in said(sign_in("clerk").get("/compose").text)


def test_a_secretary_of_one_village_need_not_tick_it(sign_in: SignIn) -> None:
    page = sign_in("secretary").get("/compose").text
    assert f'value="{BRIDGE}" data-speakers="2" checked' in page
    assert HILL not in page


def test_villages_are_found_by_the_first_letters_of_their_sound(sign_in: SignIn) -> None:
    assert 'data-search="qc qiaocun"' in sign_in("clerk").get("/compose").text


def test_one_tap_times_lie_ahead_and_outside_quiet_hours(sign_in: SignIn, clock: SetClock) -> None:
    clock.now = NOON + timedelta(hours=7, minutes=35)
    page = sign_in("clerk").get("/compose").text
    assert "今天 17:40" not in page, "too soon to be approved"
    assert "今天 18:20" in page
    assert "明天 07:00" in page
    assert 'name="at" type="time" value="18:20"' in page


def test_the_timetable_may_hand_over_a_day_and_a_time(sign_in: SignIn) -> None:
    page = sign_in("clerk").get("/compose?day=2026-12-24&at=17:45").text
    assert 'value="2026-12-24"' in page
    assert 'value="17:45"' in page

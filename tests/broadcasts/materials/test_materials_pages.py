"""The library's pages: add, bring, listen, agree; strangers and who is not signed in get nothing."""

import io
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from builders import the_actor
from composelab import FETCH, part, said
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from materiallab import WORDS, a_kept_recording, a_material_draft, a_text
from sqlalchemy import select
from uploadlab import a_png, a_recording
from werkzeug.test import TestResponse

from broadcasts.approvals.lifecycle import State
from broadcasts.materials import service
from broadcasts.materials.models import Material
from broadcasts.studio import Studio
from hub.core.runtime import Runtime

SignIn = Callable[[str], FlaskClient]
FORM = {"title": "防溺水", "text": WORDS, "theme": "safety", "source": "县教育局", "tags": "暑假、孩子"}


def every(runtime: Runtime) -> list[Material]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(Material)))


def sent(browser: FlaskClient, data: bytes, name: str = "村歌.mp3", **given: object) -> TestResponse:
    fields = {"recording": (io.BytesIO(data), name), **given}
    return browser.post("/materials/recording", data=fields, content_type="multipart/form-data")


def test_words_are_written_agreed_to_and_found(runtime: Runtime, sign_in: SignIn) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    answer = clerk.post("/materials", data=FORM | {"do": "submit"})
    assert answer.status_code == 302
    where = answer.location
    page = approver.get("/materials?tab=submitted").text
    assert "防溺水" in said(page)
    shown = approver.get(where).text
    seen = shown.partition('name="seen_hash" value="')[2][:64]
    assert approver.post(f"{where}/approve", data={"seen_hash": seen}).status_code == 302
    found = said(clerk.get("/materials?q=孩子&theme=safety").text)
    assert "防溺水" in found
    assert "能用" in found
    assert "用它发广播" in said(clerk.get(where).text)


def test_what_is_missing_stands_at_its_field_and_nothing_typed_is_lost(runtime: Runtime, sign_in: SignIn) -> None:
    answer = sign_in("clerk").post("/materials", data=FORM | {"source": "", "do": "submit"})
    assert answer.status_code == 422
    assert 'id="e-source"' in answer.text
    assert WORDS in answer.text
    assert every(runtime) == [], "a refused form leaves nothing"


def test_a_recording_is_heard_before_it_is_handed_in(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    answer = sent(clerk, a_recording(3), name="../../村歌.mp3")
    assert answer.status_code == 302, said(answer.text)
    (material,) = every(runtime)
    assert (material.title, material.state) == ("村歌", State.DRAFT)
    page = clerk.get(answer.location).text
    assert f"/materials/{material.id}/audio" in page
    with clerk.get(f"/materials/{material.id}/audio") as heard:
        assert heard.mimetype == "audio/mpeg"
        assert len(heard.data) == material.audio_bytes
    assert said(sign_in("approver").get("/materials?tab=submitted").text).count("村歌") == 0
    answer = clerk.post(f"/materials/{material.id}/edit", data=FORM | {"title": "村歌", "text": "", "do": "submit"})
    assert answer.status_code == 302, said(answer.text)
    assert "村歌" in said(sign_in("approver").get("/materials?tab=submitted").text)


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (a_png(), "录音.mp3", "这是一张图片"),
        (b"OggS" + bytes(5000), "a.ogg", "放不出来"),
        (b"", "a.mp3", "还没有录音"),
    ],
)
def test_a_bad_file_is_told_in_words_and_leaves_nothing(
    runtime: Runtime, sign_in: SignIn, data: bytes, name: str, words: str
) -> None:
    sounds = runtime.config.data_dir / "sound" / "files"
    before = sorted(sounds.rglob("*.mp3"))
    answer = sent(sign_in("clerk"), data, name)
    assert answer.status_code == 422
    assert words in part(answer.text, "e-recording")
    assert every(runtime) == []
    assert sorted(sounds.rglob("*.mp3")) == before
    assert list((runtime.config.data_dir / "decoding").glob("*")) == []


def test_a_script_gets_an_address_or_a_sentence(sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    fields = {"recording": (io.BytesIO(a_png()), "a.mp3")}
    answer = clerk.post("/materials/recording", data=fields, headers=FETCH, content_type="multipart/form-data")
    assert (answer.status_code, answer.json and answer.json["code"]) == (422, "recording_picture")


def test_what_is_too_large_is_refused_before_it_is_read_and_says_how_large_it_may_be(sign_in: SignIn) -> None:
    answer = sign_in("clerk").post(
        "/materials/recording",
        data=b"--xyz\r\n" + bytes(31 * 1024 * 1024),
        content_type="multipart/form-data; boundary=xyz",
    )
    assert answer.status_code == 413
    assert "最多 30 MB" in said(answer.text)


def test_strangers_get_nothing(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    kept = a_kept_recording(runtime)
    with runtime.sessions.begin() as session:
        waiting = service.create(session, the_actor(session, "clerk"), a_material_draft(), now=NOON)
        service.submit(session, the_actor(session, "clerk"), waiting.id, today=NOON.date(), now=NOON)
        seen = waiting.content_hash
    for login in ("stranger", "strange_approver"):
        browser = sign_in(login)
        assert "冒充公安" not in browser.get("/materials").text
        for path in (f"/materials/{kept}", f"/materials/{kept}/audio", f"/materials/{waiting.id}"):
            assert browser.get(path).status_code == 404
        assert browser.post(f"/materials/{kept}/withdraw").status_code == 404
    stranger = sign_in("strange_approver")
    assert stranger.post(f"/materials/{waiting.id}/approve", data={"seen_hash": seen}).status_code == 404
    assert stranger.post(f"/materials/{waiting.id}/return", data={"reason": "x"}).status_code == 404
    assert sign_in("stranger").get(f"/compose?material={kept}").status_code == 422
    assert clerk.get(f"/materials/{kept}").status_code == 200
    assert {m.state for m in every(runtime)} == {State.APPROVED, State.SUBMITTED}


def test_who_is_not_signed_in_is_sent_to_sign_in(app: object, sign_in: SignIn) -> None:
    browser = sign_in("clerk")
    browser.post("/sign-out")
    for path in ("/materials", "/materials/new", "/materials/recording", f"/materials/{uuid4()}"):
        answer = browser.get(path)
        assert (answer.status_code, "/sign-in" in answer.location) == (302, True)
    assert sent(browser, a_recording()).status_code == 302


def test_who_only_looks_may_not_write_and_a_writer_may_not_agree(runtime: Runtime, sign_in: SignIn) -> None:
    viewer = sign_in("viewer")
    assert viewer.get("/materials").status_code == 200
    assert viewer.post("/materials", data=FORM).status_code == 403
    assert sent(viewer, a_recording()).status_code == 403
    with runtime.sessions.begin() as session:
        material_id = a_text(session).id
    assert sign_in("clerk").post(f"/materials/{material_id}/approve").status_code == 403
    assert viewer.post(f"/materials/{material_id}/withdraw").status_code == 403


def test_what_expired_says_so_and_offers_nothing(runtime: Runtime, sign_in: SignIn, clock: SetClock) -> None:
    with runtime.sessions.begin() as session:
        material_id = a_text(session, valid_until=NOON.date()).id
    clock.now = NOON.replace(day=24)
    clerk = sign_in("clerk")
    page = said(clerk.get(f"/materials/{material_id}").text)
    assert "过期了，不能再用" in page
    assert "用它发广播" not in page
    answer = clerk.get(f"/compose?material={material_id}")
    assert answer.status_code == 422
    assert "过期了" in said(answer.text)


def test_a_recording_is_kept_from_being_cleared_away(runtime: Runtime, sign_in: SignIn) -> None:
    sign_in("clerk")
    kept: UUID = a_kept_recording(runtime, agreed=False)
    with runtime.sessions.read() as session:
        digest = session.get_one(Material, kept).audio_sha256
    assert runtime.get(Studio).library.path_of(digest) is not None

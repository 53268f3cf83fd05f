"""The library, for programs."""

from base64 import b64encode
from collections.abc import Callable
from uuid import UUID

import pytest
from apilab import Program, fields_of, problem_of, program
from builders import BRIDGE
from flask_openapi3.openapi import OpenAPI
from materiallab import WORDS, a_kept_recording
from sqlalchemy import select
from uploadlab import a_recording

from broadcasts.materials.models import Material
from broadcasts.studio import Studio
from broadcasts.uploads.settings import UploadSettings
from hub.core.runtime import Runtime

Programs = Callable[[str], Program]
TEXT = {"title": "冒充公安", "theme": "fraud", "text": WORDS, "source": "镇派出所"}


@pytest.fixture
def as_(app: OpenAPI, runtime: Runtime) -> Programs:
    return lambda login: program(app, runtime, login)


def test_words_from_draft_to_use(as_: Programs) -> None:
    clerk, approver = as_("clerk"), as_("approver")
    made = clerk.made("/materials", TEXT)
    sent = clerk.made(f"/materials/{made['id']}/submit")
    problem_of(
        clerk.post(f"/materials/{made['id']}/approve", {"content_hash": sent["content_hash"]}), 403, "not_allowed"
    )
    agreed = approver.made(f"/materials/{made['id']}/approve", {"content_hash": sent["content_hash"]})
    assert (agreed["state"], agreed["approved_by"]) == ("approved", "北镇副镇长")
    listed = clerk.get("/materials?theme=fraud&q=公安").json
    assert listed is not None
    assert [item["id"] for item in listed["items"]] == [made["id"]]


def test_what_is_missing_is_named(as_: Programs) -> None:
    clerk = as_("clerk")
    made = clerk.made("/materials", {"title": "空的"})
    assert fields_of(clerk.post(f"/materials/{made['id']}/submit")).keys() == {"text", "source"}


def test_a_stranger_finds_nothing(as_: Programs) -> None:
    clerk, stranger = as_("clerk"), as_("stranger")
    made = clerk.made("/materials", TEXT)
    clerk.made(f"/materials/{made['id']}/submit")
    for answer in (
        stranger.get(f"/materials/{made['id']}"),
        stranger.put(f"/materials/{made['id']}", TEXT),
        stranger.post(f"/materials/{made['id']}/withdraw"),
        as_("strange_approver").post(f"/materials/{made['id']}/return", {"reason": "x"}),
    ):
        problem_of(answer, 404, "material_unknown")
    assert (stranger.get("/materials?tab=submitted").json or {})["items"] == []


def sent(data: bytes, **given: object) -> dict[str, object]:
    return {"file_name": "村歌.mp3", "source": "文化站", "data": b64encode(data).decode()} | given


def test_a_recording_is_kept_and_heard_like_one_from_the_page(as_: Programs, runtime: Runtime) -> None:
    made = as_("clerk").made("/materials/recordings", sent(a_recording(2)))
    assert (made["kind"], made["state"], made["title"]) == ("recording", "draft", "村歌")
    assert 1500 < made["audio_ms"] <= 2100
    with runtime.sessions.read() as session:
        digest = session.get_one(Material, UUID(made["id"])).audio_sha256
    assert runtime.get(Studio).library.path_of(digest) is not None
    assert as_("clerk").made(f"/materials/{made['id']}/submit")["state"] == "submitted"


def test_the_same_recording_sent_twice_under_a_key_is_kept_once(as_: Programs, runtime: Runtime) -> None:
    clerk, body = as_("clerk"), sent(a_recording(1))
    first, again = (clerk.post("/materials/recordings", body, key="song-1") for _ in range(2))
    assert first.json == again.json
    with runtime.sessions.read() as session:
        assert len(session.scalars(select(Material).where(Material.title == "村歌")).all()) == 1


@pytest.mark.parametrize("data", [b"<html>", b"RIFF\0\0\0\0WAVEfmt ", b""])
def test_what_is_no_recording_is_refused_under_its_name(as_: Programs, data: bytes) -> None:
    answer = as_("clerk").post("/materials/recordings", sent(data))
    assert answer.status_code == 422
    assert fields_of(answer)["data"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(as_: Programs, runtime: Runtime) -> None:
    most = runtime.config.section(UploadSettings).most_bytes
    problem_of(as_("clerk").post("/materials/recordings", sent(bytes(most + 100_000))), 413, "body_too_large")


def test_who_may_not_write_brings_no_recording(as_: Programs) -> None:
    problem_of(as_("viewer").post("/materials/recordings", sent(a_recording(1))), 403, "not_allowed")


def test_an_announcement_plays_a_recording(as_: Programs, runtime: Runtime) -> None:
    clerk = as_("clerk")
    kept = str(a_kept_recording(runtime))
    wish = {"title": "村歌", "regions": [BRIDGE], "material_id": kept}
    made = clerk.made("/announcements", wish)
    assert (made["material_id"], made["recording_ms"] > 2900) == (kept, True)
    sent = clerk.made(f"/announcements/{made['id']}/submit")
    assert (sent["state"], sent["engine"], sent["audio_ms"] > 2 * sent["recording_ms"]) == (
        "submitted",
        "recording",
        True,
    )
    preview = clerk.post("/preview", wish).json
    assert preview is not None
    assert (preview["spoken"], preview["exact"]) == ("", True)
    refused = as_("stranger").post("/announcements", wish | {"regions": ["990101002001"]})
    assert fields_of(refused).keys() == {"material_id"}

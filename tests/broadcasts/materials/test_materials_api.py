"""The library, for programs."""

from collections.abc import Callable

import pytest
from apilab import Program, fields_of, problem_of, program
from builders import BRIDGE
from flask_openapi3.openapi import OpenAPI
from materiallab import WORDS, a_kept_recording

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

"""The life of an announcement, as programs lead it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import builders
import pytest
from apilab import NOWHERE, Program, audit_count, fields_of, problem_of, program
from conftest import SetClock
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from broadcasts.announcements.models import Announcement
from broadcasts.delivery.models import Broadcast
from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import EngineInfo, Script, SpeechFailed, VoiceSpec
from broadcasts.speech.library import Library
from broadcasts.studio import Studio
from hub.core.runtime import Runtime

DRAFT: dict[str, Any] = {
    "title": "开会通知",
    "text": "明天下午14:30在村委会开会，请准时到。",
    "regions": [builders.NORTH],
}
Programs = Callable[[str], Program]


@pytest.fixture
def as_(app: OpenAPI, runtime: Runtime) -> Programs:
    return lambda login: program(app, runtime, login)


def ms(clock: SetClock, **later: float) -> int:
    return round((clock.now + timedelta(**later)).timestamp() * 1000)


def submitted(clerk: Program, **given: Any) -> dict[str, Any]:
    made = clerk.made("/announcements", DRAFT | given)
    return clerk.made(f"/announcements/{made['id']}/submit")


def test_a_draft_is_kept_as_it_was_sent(as_: Programs, clock: SetClock) -> None:
    wish = DRAFT | {
        "sms_text": "明天开会",
        "theme": "safety",
        "sms": True,
        "tags": ["村干部"],
        "speed": "slow",
        "repeats": 3,
        "volume": 60,
        "when": "once",
        "at": ms(clock, hours=2),
    }
    made = as_("clerk").made("/announcements", wish)
    assert {name: made[name] for name in wish} == wish
    assert (made["state"], made["version"], made["written_by"]) == ("draft", 1, "北镇广播员")
    assert made["written_at"] == ms(clock)
    assert as_("clerk").get(f"/announcements/{made['id']}").json == made


def test_from_draft_to_broadcast_with_two_pairs_of_eyes(as_: Programs, runtime: Runtime) -> None:
    clerk, approver = as_("clerk"), as_("approver")
    handed = submitted(clerk)
    assert (handed["state"], handed["submitted_by"]) == ("submitted", "北镇广播员")
    assert handed["spoken"] == "明天下午十四点三十分在村委会开会，请准时到。"
    assert handed["audio_ms"] > 3000
    assert handed["engine"] == "tone"
    assert len(handed["content_hash"]) == 64
    address = f"/announcements/{handed['id']}/approve"
    problem_of(clerk.post(address, {"content_hash": handed["content_hash"]}), 403, "not_allowed")
    done = approver.made(address, {"content_hash": handed["content_hash"]})
    assert done["announcement"]["state"] == "approved"
    assert done["announcement"]["approved_by"] == "北镇副镇长"
    with runtime.sessions.read() as session:
        (broadcast,) = session.scalars(select(Broadcast)).all()
    assert done["broadcast_id"] == str(broadcast.id)
    assert broadcast.speakers_meant == 4


def test_nobody_approves_what_they_wrote(as_: Programs, runtime: Runtime) -> None:
    handed = submitted(as_("clerk"))
    approver = as_("approver")
    with runtime.sessions.begin() as session:
        session.get_one(Announcement, UUID(handed["id"])).written_by = UUID(approver.get("/me").json["id"])  # type: ignore[index]
    answer = approver.post(f"/announcements/{handed['id']}/approve", {"content_hash": handed["content_hash"]})
    problem_of(answer, 403, "own_announcement")


def test_what_was_changed_meanwhile_is_not_approved(as_: Programs, runtime: Runtime) -> None:
    clerk = as_("clerk")
    seen = submitted(clerk)
    clerk.put(f"/announcements/{seen['id']}", DRAFT | {"text": "改了。"})
    clerk.made(f"/announcements/{seen['id']}/submit")
    answer = as_("approver").post(f"/announcements/{seen['id']}/approve", {"content_hash": seen["content_hash"]})
    problem_of(answer, 409, "announcement_changed_meanwhile")
    with runtime.sessions.read() as session:
        assert session.scalars(select(Broadcast)).all() == []


def test_an_approval_says_what_was_seen(as_: Programs) -> None:
    handed = submitted(as_("clerk"))
    assert fields_of(as_("approver").post(f"/announcements/{handed['id']}/approve", {})) == {
        "content_hash": "field_missing"
    }


def test_in_quiet_hours_nothing_is_released(as_: Programs, runtime: Runtime, clock: SetClock) -> None:
    handed = submitted(as_("clerk"))
    clock.now += timedelta(hours=12)
    answer = as_("approver").post(f"/announcements/{handed['id']}/approve", {"content_hash": handed["content_hash"]})
    problem_of(answer, 409, "quiet_hours")
    assert as_("clerk").get(f"/announcements/{handed['id']}").json["state"] == "submitted"  # type: ignore[index]
    with runtime.sessions.read() as session:
        assert session.scalars(select(Broadcast)).all() == []


def test_what_is_meant_for_later_is_planned_and_not_released(as_: Programs, clock: SetClock) -> None:
    handed = submitted(as_("clerk"), when="once", at=ms(clock, hours=1))
    done = as_("approver").made(f"/announcements/{handed['id']}/approve", {"content_hash": handed["content_hash"]})
    assert done["broadcast_id"] is None
    (line,) = as_("clerk").get("/timetable").json["items"]  # type: ignore[index]
    assert (line["due_at"], line["announcement_id"]) == (ms(clock, hours=1), handed["id"])


def test_a_returned_one_says_why_and_can_be_mended(as_: Programs) -> None:
    clerk, approver = as_("clerk"), as_("approver")
    handed = submitted(clerk)
    address = f"/announcements/{handed['id']}"
    assert fields_of(approver.post(f"{address}/return", {"reason": ""})) == {"reason": "field_too_short"}
    assert fields_of(approver.post(f"{address}/return", {"reason": "  "})) == {"reason": "reason_missing"}
    assert approver.made(f"{address}/return", {"reason": "时间写清楚"})["state"] == "returned"
    assert clerk.get(address).json["return_reason"] == "时间写清楚"  # type: ignore[index]
    assert clerk.put(address, DRAFT | {"text": "后天下午开会。"}).json["state"] == "draft"  # type: ignore[index]
    assert clerk.made(f"{address}/submit")["state"] == "submitted"


def test_a_withdrawn_one_is_over(as_: Programs) -> None:
    clerk = as_("clerk")
    handed = submitted(clerk)
    assert clerk.made(f"/announcements/{handed['id']}/withdraw")["state"] == "withdrawn"
    problem_of(clerk.post(f"/announcements/{handed['id']}/withdraw"), 409, "announcement_withdrawn")
    problem_of(clerk.post(f"/announcements/{handed['id']}/submit"), 409, "announcement_withdrawn")
    problem_of(clerk.put(f"/announcements/{handed['id']}", DRAFT | {"text": "x"}), 409, "announcement_withdrawn")


def test_an_incomplete_draft_may_be_kept_but_not_submitted(as_: Programs) -> None:
    clerk = as_("clerk")
    made = clerk.made("/announcements", {"when": "daily"})
    answer = clerk.post(f"/announcements/{made['id']}/submit")
    assert fields_of(answer) == {
        "title": "title_missing",
        "text": "text_missing",
        "regions": "no_region_chosen",
        "daily_at": "daily_time_missing",
        "last_day": "last_day_missing",
    }


def test_submitting_twice_is_submitting_once(as_: Programs, runtime: Runtime) -> None:
    clerk = as_("clerk")
    first = submitted(clerk)
    with runtime.sessions.read() as session:
        before = audit_count(session)
    again = clerk.made(f"/announcements/{first['id']}/submit")
    assert again == first
    with runtime.sessions.read() as session:
        assert audit_count(session) == before


class MuteEngine:
    """A voice that is out of order."""

    def synthesize(self, script: Script, spec: VoiceSpec, target: Any, *, timeout_s: float) -> None:
        raise SpeechFailed("语音引擎没有装上")

    def fingerprint(self, spec: VoiceSpec) -> str:
        return "mute"

    def info(self) -> EngineInfo:
        return EngineInfo("mute", "", "1", (), reproducible=True, ready=False)


def test_when_no_voice_speaks_nothing_is_submitted(as_: Programs, runtime: Runtime) -> None:
    settings = runtime.config.section(SpeechSettings)
    mute: Any = MuteEngine()
    runtime.provide(Studio, Studio(Library(runtime.config.data_dir / "mute", {"tone": mute}), settings))
    clerk = as_("clerk")
    made = clerk.made("/announcements", DRAFT)
    answer = clerk.post(f"/announcements/{made['id']}/submit", key="k1")
    problem_of(answer, 503, "speech_failed")
    assert clerk.get(f"/announcements/{made['id']}").json["state"] == "draft"  # type: ignore[index]


def test_a_recording_that_got_lost_is_not_approved(as_: Programs, runtime: Runtime) -> None:
    handed = submitted(as_("clerk"))
    with runtime.sessions.begin() as session:
        found = session.get_one(Announcement, UUID(handed["id"]))
    path = runtime.get(Studio).library.path_of(found.audio_sha256)
    assert path is not None
    path.unlink()
    answer = as_("approver").post(f"/announcements/{handed['id']}/approve", {"content_hash": handed["content_hash"]})
    problem_of(answer, 409, "sound_lost")


STRANGE: list[tuple[str, str, str, Any, int]] = [
    ("stranger", "put", "", DRAFT | {"text": "x"}, 404),
    ("stranger", "post", "/submit", None, 404),
    ("stranger", "post", "/withdraw", None, 404),
    ("strange_approver", "post", "/approve", {"content_hash": "0" * 64}, 404),
    ("strange_approver", "post", "/return", {"reason": "x"}, 404),
    ("viewer", "put", "", DRAFT | {"text": "x"}, 403),
    ("viewer", "post", "/submit", None, 403),
    ("viewer", "post", "/withdraw", None, 403),
    ("viewer", "post", "/approve", {"content_hash": "0" * 64}, 403),
    ("duty", "post", "/return", {"reason": "x"}, 403),
]


def test_whoever_has_no_business_here_changes_nothing(as_: Programs, runtime: Runtime) -> None:
    handed = submitted(as_("clerk"))
    with runtime.sessions.read() as session:
        before = audit_count(session)
    for login, method, verb, body, status in STRANGE:
        answer = as_(login).call(method.upper(), f"/announcements/{handed['id']}{verb}", body)
        assert (login, verb, answer.status_code) == (login, verb, status), answer.text
    with runtime.sessions.read() as session:
        assert audit_count(session) == before
    assert as_("clerk").get(f"/announcements/{handed['id']}").json == handed


def test_a_stranger_neither_reads_nor_lists_it(as_: Programs) -> None:
    handed = submitted(as_("clerk"))
    problem_of(as_("stranger").get(f"/announcements/{handed['id']}"), 404, "announcement_unknown")
    problem_of(as_("stranger").get(f"/announcements/{NOWHERE}"), 404, "announcement_unknown")
    assert as_("stranger").get("/announcements").json["items"] == []  # type: ignore[index]
    problem_of(as_("stranger").post("/announcements", DRAFT), 403, "not_allowed")
    problem_of(as_("viewer").post("/announcements", DRAFT | {"regions": []}), 403, "not_allowed")


def test_a_draft_is_for_its_author_alone(as_: Programs) -> None:
    made = as_("clerk").made("/announcements", DRAFT)
    problem_of(as_("approver").get(f"/announcements/{made['id']}"), 404, "announcement_unknown")
    assert as_("approver").get("/announcements").json["items"] == []  # type: ignore[index]


def test_pages_join_without_gap_or_repetition(as_: Programs, clock: SetClock) -> None:
    clerk = as_("clerk")
    made = [clerk.made("/announcements", DRAFT | {"title": f"第{n}条"})["id"] for n in range(5)]
    clock.now += timedelta(milliseconds=0.4)  # two within one millisecond
    made += [clerk.made("/announcements", DRAFT)["id"]]
    seen, cursor = [], ""
    while cursor is not None:
        page = clerk.get(f"/announcements?limit=2&cursor={cursor}").json
        assert page is not None
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
    assert seen == made[::-1]


def test_the_list_can_be_narrowed_to_a_state(as_: Programs) -> None:
    clerk = as_("clerk")
    clerk.made("/announcements", DRAFT)
    handed = submitted(clerk)
    found = clerk.get("/announcements?state=submitted").json
    assert [one["id"] for one in found["items"]] == [handed["id"]]  # type: ignore[index]
    assert fields_of(clerk.get("/announcements?state=lost")) == {"state": "choice_unknown"}


def test_a_preview_says_what_would_happen_and_keeps_nothing(as_: Programs, runtime: Runtime) -> None:
    clerk = as_("clerk")
    answer = clerk.post("/preview", DRAFT | {"sms": True})
    found = answer.json
    assert answer.status_code == 200
    assert found is not None
    assert found["spoken"] == "明天下午十四点三十分在村委会开会，请准时到。"
    assert found["changes"] == [{"written": "14:30", "spoken": "十四点三十分", "pinyin": ""}]
    assert (found["speakers"], found["offline"], found["residents"]) == (4, 0, 0)
    assert found["seconds"] > 3
    assert found["exact"] is False
    assert (found["sms"]["people"], found["sms"]["parts_each"], found["sms"]["fen"]) == (0, 1, 0)
    assert found["timing"]["verdict"] == "free"
    assert clerk.get("/announcements").json["items"] == []  # type: ignore[index]


def test_a_preview_says_that_quiet_hours_are_in_the_way(as_: Programs, clock: SetClock) -> None:
    found = as_("clerk").made("/preview", DRAFT | {"when": "once", "at": ms(clock, hours=12)})
    assert found["timing"]["verdict"] == "quiet"
    assert found["timing"]["free"] > ms(clock, hours=12)


def test_a_preview_of_somebody_elses_villages_is_refused(as_: Programs) -> None:
    problem_of(as_("stranger").post("/preview", DRAFT), 403, "not_allowed")
    problem_of(as_("viewer").post("/preview", DRAFT), 403, "not_allowed")
    assert fields_of(as_("clerk").post("/preview", DRAFT | {"regions": ["990101009000"]})) == {
        "regions": "region_unknown"
    }

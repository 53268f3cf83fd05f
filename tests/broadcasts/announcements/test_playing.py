"""An announcement that plays a recording: chosen, heard, agreed to, released, and silent once it may not be used."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from builders import BRIDGE, the_actor
from composelab import HTMX, a_form, part, said, stored, submitted
from conftest import NOON, SetClock
from deliverylab import Clock
from flask.testing import FlaskClient
from materiallab import WORDS, a_kept_recording, a_text
from shoutlab import tone_seconds
from sqlalchemy import select

from broadcasts.announcements import ahead
from broadcasts.announcements import service as announcements
from broadcasts.announcements.drafting import content_hash
from broadcasts.announcements.models import Announcement
from broadcasts.announcements.timing import Timetable
from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.rules import Rules
from broadcasts.materials import service as materials
from broadcasts.materials.models import Material
from broadcasts.speech.audio import RATE, decode
from broadcasts.studio import Studio
from hub.core.errors import WrongState
from hub.core.runtime import Runtime
from schedules.firing import Firing
from schedules.housekeeping import sounds_wanted
from schedules.models import Occurrence, OccurrenceState

SignIn = Callable[[str], FlaskClient]


def the_form(material_id: UUID, **given: object) -> dict[str, object]:
    return a_form(text="", title="村歌", what="recording", material=str(material_id), **given)


def material_of(runtime: Runtime, material_id: UUID) -> Material:
    with runtime.sessions.read() as session:
        return session.get_one(Material, material_id)


def agreed(runtime: Runtime, browser: FlaskClient, announcement_id: UUID) -> int:
    seen = stored(runtime, announcement_id).content_hash
    return browser.post(f"/approvals/{announcement_id}/approve", data={"seen_hash": seen}).status_code


def test_a_recording_is_chosen_heard_handed_in_and_goes_out(runtime: Runtime, sign_in: SignIn) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    kept = a_kept_recording(runtime)
    page = clerk.get(f"/compose?material={kept}").text
    assert f'value="{kept}" selected' in page
    heard = clerk.post("/compose/listen", data=the_form(kept), headers=HTMX).text
    assert "正好" in part(heard, "player")
    announcement_id = submitted(clerk, **{k: v for k, v in the_form(kept).items() if k != "id"})
    found = stored(runtime, announcement_id)
    assert found.recording_sha256 == material_of(runtime, kept).audio_sha256
    path = runtime.get(Studio).library.path_of(found.audio_sha256)
    assert path is not None
    sound = decode(path)
    assert abs(len(sound) * 1000 / RATE - found.audio_ms) < 100
    assert 5.5 < tone_seconds(sound, RATE, hz=440) < 6.5, "three seconds, twice"
    card = said(approver.get("/approvals").text)
    assert "放一段录音" in card
    assert agreed(runtime, approver, announcement_id) == 302
    with runtime.sessions.read() as session:
        broadcast = session.scalars(select(Broadcast)).one()
        assert broadcast.audio_sha256 == found.audio_sha256
        wanted = sounds_wanted(session, NOON)
    assert {found.audio_sha256, found.recording_sha256} <= wanted
    material = material_of(runtime, kept)
    assert (material.used, material.last_used_at) == (1, NOON)
    assert "放一段录音" in said(clerk.get(f"/announcements/{announcement_id}").text)


def test_words_of_the_library_are_put_in_and_counted(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    with runtime.sessions.begin() as session:
        text = a_text(session).id
    page = clerk.post("/compose/ready", data=a_form() | {"ready": str(text)}).text
    assert WORDS in page
    assert "换掉了你刚才写的" in said(page)
    announcement_id = submitted(clerk, text=WORDS, origin=str(text))
    assert agreed(runtime, sign_in("approver"), announcement_id) == 302
    assert material_of(runtime, text).used == 1


def test_without_a_choice_it_is_said_what_is_missing(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    answer = clerk.post("/compose", data=a_form(text="", what="recording", material="") | {"do": "submit"})
    assert answer.status_code == 422
    assert "从内容库里选一段录音" in said(answer.text)
    assert "写要播的话" not in said(answer.text)


def test_text_messages_need_words(runtime: Runtime, sign_in: SignIn) -> None:
    kept = a_kept_recording(runtime) if sign_in("clerk") else None
    assert kept is not None
    form = the_form(kept, channel=["speakers", "sms"])
    answer = sign_in("clerk").post("/compose", data=form | {"do": "submit"})
    assert answer.status_code == 422
    assert "录音没法变成短信" in said(answer.text)


def test_the_approval_is_of_this_recording(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    announcement_id = submitted(clerk, **{k: v for k, v in the_form(a_kept_recording(runtime)).items() if k != "id"})
    found = stored(runtime, announcement_id)
    before = content_hash(found)
    assert before == found.content_hash
    found.recording_sha256 = "ab" * 32
    assert content_hash(found) != before


def booked(runtime: Runtime, sign_in: SignIn, *, hours: int = 3, **given: object) -> tuple[UUID, UUID]:
    """Agree to one that is planned some hours from now."""
    clerk = sign_in("clerk")
    kept = a_kept_recording(runtime, **given)  # type: ignore[arg-type]
    at = (NOON + timedelta(hours=hours)).astimezone(runtime.zone)
    form = the_form(kept, when="once", day=f"{at:%Y-%m-%d}", at=f"{at:%H:%M}")
    announcement_id = submitted(clerk, **{k: v for k, v in form.items() if k != "id"})
    assert agreed(runtime, sign_in("approver"), announcement_id) == 302
    return announcement_id, kept


def fired(runtime: Runtime, clock: Clock) -> tuple[int, Occurrence]:
    firing = Firing(sessions=runtime.sessions, rules=runtime.get(Rules), ahead=timedelta(seconds=20))
    count = firing.fire_due(now=clock.now)
    with runtime.sessions.read() as session:
        return count, session.scalars(select(Occurrence)).one()


def test_what_is_planned_goes_out_at_its_time(runtime: Runtime, sign_in: SignIn, clock: SetClock) -> None:
    booked(runtime, sign_in, hours=5)
    clock.now = NOON + timedelta(hours=5)
    count, occurrence = fired(runtime, clock)
    assert (count, occurrence.state) == (1, OccurrenceState.FIRED)


def test_what_was_taken_out_meanwhile_is_not_played_and_the_reason_is_kept(
    runtime: Runtime, sign_in: SignIn, clock: SetClock
) -> None:
    _, kept = booked(runtime, sign_in, hours=5)
    with runtime.sessions.begin() as session:
        materials.withdraw(session, the_actor(session, "clerk"), kept, now=NOON)
    clock.now = NOON + timedelta(hours=5)
    count, occurrence = fired(runtime, clock)
    assert (count, occurrence.state, occurrence.note) == (0, OccurrenceState.SKIPPED, "material_withdrawn")
    with runtime.sessions.read() as session:
        assert session.scalars(select(Broadcast)).all() == []
    assert "录音拿掉了，没播" in said(sign_in("clerk").get("/timetable").text)


def test_what_expired_between_approval_and_its_time_is_not_played(
    runtime: Runtime, sign_in: SignIn, clock: SetClock
) -> None:
    announcement_id, kept = booked(runtime, sign_in, hours=5)
    with runtime.sessions.begin() as session:  # as if its last day had been yesterday
        session.get_one(Material, kept).valid_until = NOON.date() - timedelta(days=1)
    with runtime.sessions.begin() as session:
        announcement = session.get_one(Announcement, announcement_id)
        laid = ahead.lay(session, announcement, starts_at=NOON + timedelta(hours=5), rules=runtime.get(Rules), now=NOON)
    assert laid is None, "loudspeakers are not told of it ahead"
    clock.now = NOON + timedelta(hours=5)
    count, occurrence = fired(runtime, clock)
    assert (count, occurrence.note) == (0, "material_expired")


def test_a_time_after_its_last_day_is_refused_at_once(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    kept = a_kept_recording(runtime, valid_until=NOON.date())
    form = the_form(kept, when="once", day="2026-11-25", at="09:00")
    answer = clerk.post("/compose", data=form | {"do": "submit"})
    assert answer.status_code == 422
    assert "只能用到 2026-11-23" in said(answer.text)


def test_an_expired_recording_cannot_be_agreed_to(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    kept = a_kept_recording(runtime)
    announcement_id = submitted(clerk, **{k: v for k, v in the_form(kept).items() if k != "id"})
    with runtime.sessions.begin() as session:
        session.get_one(Material, kept).valid_until = NOON.date() - timedelta(days=1)
    approver = sign_in("approver")
    assert "这段录音过期了" in said(approver.get("/approvals").text)
    assert agreed(runtime, approver, announcement_id) == 409
    with runtime.sessions.begin() as session, pytest.raises(WrongState):
        announcements.approve(
            session,
            the_actor(session, "approver"),
            announcement_id,
            rules=runtime.get(Rules),
            timetable=runtime.get(Timetable),
            now=NOON,
        )


def test_a_stranger_cannot_play_it(runtime: Runtime, sign_in: SignIn) -> None:
    sign_in("clerk")
    kept = a_kept_recording(runtime)
    form = the_form(kept, region=["990101002001"])
    answer = sign_in("stranger").post("/compose", data=form | {"do": "submit"})
    assert answer.status_code == 422
    assert "内容库里没有这条" in said(answer.text)
    assert BRIDGE not in said(answer.text)

"""The life of an announcement, and who may have a hand in it."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from builders import FERRY, NORTH, PEOPLE, SOUTH, a_draft, an_announcement, the_actor
from conftest import NOON
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements import catalogue, service
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import Announcement, When
from broadcasts.approvals.lifecycle import FOLLOWS, State, step
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.quiet import QuietHours
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.orders import Sound
from broadcasts.sms.models import SmsRun
from broadcasts.sms.settings import SmsSettings
from hub.audit.models import AuditEntry
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, Problems, WrongState
from hub.core.runtime import Runtime
from hub.speakers.models import Speaker
from schedules import timetable
from schedules.models import Slot

ZONE = ZoneInfo("Asia/Shanghai")
SPOKEN = Spoken(Sound("ab" * 32, 30_000, 90_000), engine="tone", spoken="明天下午十四点三十分")
RULES = Rules(
    quiet=QuietHours.of(("21:00-06:30", "12:30-14:00"), ZONE),
    zone=ZONE,
    sms=SmsSettings(),
    valid=timedelta(minutes=10),
    emergency_valid=timedelta(hours=1),
    countdown=timedelta(seconds=3),
    daily_minutes=60,
)
DOORS = timetable.doors(ZONE)


@pytest.fixture
def session(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


def submitted(session: Session, **given: object) -> Announcement:
    clerk = the_actor(session, "clerk")
    notice = an_announcement(session, clerk, now=NOON, **given)
    return service.submit(session, clerk, notice.id, SPOKEN, rules=RULES, now=NOON)


def approve(session: Session, notice: Announcement, login: str = "approver", now: datetime = NOON) -> Broadcast | None:
    return service.approve(session, the_actor(session, login), notice.id, rules=RULES, timetable=DOORS, now=now)


@pytest.mark.parametrize("current", State)
@pytest.mark.parametrize("new", State)
def test_a_state_follows_another_only_as_the_table_says(current: State, new: State) -> None:
    if new in FOLLOWS[current]:
        assert step(current, new, what="announcement") is new
    else:
        with pytest.raises(WrongState):
            step(current, new, what="announcement")


def test_an_approved_announcement_goes_out_at_once_to_every_loudspeaker_meant(session: Session) -> None:
    broadcast = approve(session, submitted(session))
    assert broadcast is not None
    order = session.get_one(PlayOrder, broadcast.id)
    deliveries = session.scalars(select(SpeakerDelivery).where(SpeakerDelivery.broadcast_id == broadcast.id)).all()
    assert sorted(d.speaker_id for d in deliveries) == ["s1001-1", "s1001-2", "s1002-1", "s1002-2"]
    assert broadcast.speakers_meant == 4
    assert order.audio_sha256 == SPOKEN.sound.sha256
    assert [t["region"] for t in order.targets] == [NORTH]
    assert broadcast.expires_at == NOON + RULES.valid


def test_a_loudspeaker_added_later_is_not_meant(session: Session) -> None:
    broadcast = approve(session, submitted(session))
    assert broadcast is not None
    highest = max(session.scalars(select(Speaker.number)))
    assert session.get_one(PlayOrder, broadcast.id).targets[0]["upto"] == highest


def test_text_messages_are_planned_only_when_asked_for(session: Session) -> None:
    silent = approve(session, submitted(session))
    texting = approve(session, submitted(session, audience=Audience((NORTH,), sms=True)))
    assert silent is not None
    assert texting is not None
    assert session.get(SmsRun, silent.id) is None
    assert session.get_one(SmsRun, texting.id).text.startswith("【村响】")


def test_nobody_approves_their_own_announcement(session: Session) -> None:
    notice = submitted(session)
    notice.submitted_by = the_actor(session, "approver").id
    with pytest.raises(NotAllowed, match="own_announcement"):
        approve(session, notice)
    assert session.scalar(select(Broadcast)) is None


def test_nobody_approves_what_they_wrote_even_if_another_submitted_it(session: Session) -> None:
    notice = submitted(session)
    approver = the_actor(session, "approver")
    assert approver.id is not None
    notice.written_by = approver.id
    with pytest.raises(NotAllowed, match="own_announcement"):
        approve(session, notice)


@pytest.mark.parametrize("login", [p for p in PEOPLE if p != "approver"])
def test_only_an_approver_of_that_township_approves(session: Session, login: str) -> None:
    notice = submitted(session)
    with pytest.raises((NotAllowed, NotFound)):
        approve(session, notice, login)
    assert notice.state is State.SUBMITTED


def test_to_a_stranger_it_does_not_exist(session: Session) -> None:
    notice = submitted(session)
    stranger = the_actor(session, "strange_approver")
    with pytest.raises(NotFound):
        service.get(session, stranger, notice.id)
    assert service.waiting(session, stranger) == []
    assert catalogue.page(session, stranger, after=None, limit=20) == []
    assert service.count_waiting(session, stranger) == 0


def test_nobody_writes_for_a_place_that_is_not_theirs(session: Session) -> None:
    with pytest.raises(NotAllowed):
        an_announcement(session, the_actor(session, "clerk"), audience=Audience((SOUTH,)))
    with pytest.raises(NotAllowed):
        an_announcement(session, the_actor(session, "secretary"), audience=Audience((NORTH,)))
    with pytest.raises(NotAllowed):
        an_announcement(session, the_actor(session, "viewer"))
    assert session.scalar(select(Announcement)) is None


def test_an_unknown_region_is_an_error_and_never_skipped(session: Session) -> None:
    with pytest.raises(BadInput, match="region_unknown"):
        an_announcement(session, the_actor(session, "clerk"), audience=Audience((NORTH, "990101001999")))


def test_a_change_after_submission_voids_it(session: Session) -> None:
    notice = submitted(session)
    service.save(session, the_actor(session, "clerk"), notice.id, a_draft(text="别的话"), now=NOON)
    assert notice.state is State.DRAFT
    with pytest.raises(WrongState, match="announcement_draft"):
        approve(session, notice)


def test_a_change_behind_the_approvers_back_approves_nothing(session: Session) -> None:
    notice = submitted(session)
    with pytest.raises(WrongState, match="announcement_changed_meanwhile"):
        service.approve(
            session,
            the_actor(session, "approver"),
            notice.id,
            rules=RULES,
            timetable=DOORS,
            now=NOON,
            seen_hash="0" * 64,
        )


def test_words_changed_in_the_database_after_approval_are_not_released(session: Session) -> None:
    notice = submitted(session, when=When.ONCE, at=NOON + timedelta(hours=1))
    approve(session, notice)
    notice.text = "没人批过的话"
    with pytest.raises(WrongState, match="announcement_changed_meanwhile"):
        service.release(session, the_actor(session, "clerk"), notice, source="x", starts_at=NOON, rules=RULES, now=NOON)


def test_it_comes_back_with_a_reason_and_can_be_submitted_again(session: Session) -> None:
    notice = submitted(session)
    approver, clerk = the_actor(session, "approver"), the_actor(session, "clerk")
    with pytest.raises(BadInput, match="reason_missing"):
        service.give_back(session, approver, notice.id, "  ", now=NOON)
    service.give_back(session, approver, notice.id, "时间写错了", now=NOON)
    assert (notice.state, notice.return_reason) == (State.RETURNED, "时间写错了")
    service.submit(session, clerk, notice.id, SPOKEN, rules=RULES, now=NOON)
    assert (notice.state, notice.return_reason) == (State.SUBMITTED, "")


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({"title": " "}, ["title_missing"]),
        ({"title": "长" * 31}, ["title_too_long"]),
        ({"text": "\n"}, ["text_missing"]),
        ({"text": "长" * 1001}, ["text_too_long"]),
        ({"repeats": 0}, ["repeats_range"]),
        ({"repeats": 6}, ["repeats_range"]),
        ({"volume": 101}, ["volume_range"]),
        ({"speed": "warp"}, ["speed_unknown"]),
        ({"audience": Audience(())}, ["no_region_chosen"]),
        ({"audience": Audience((NORTH,), speakers=False)}, ["no_channel_chosen"]),
        ({"audience": Audience((NORTH,), sms=True), "sms_text": "长" * 451}, ["sms_too_long"]),
        ({"when": When.ONCE}, ["time_missing"]),
        ({"when": When.ONCE, "at": NOON}, ["time_past"]),
        ({"when": When.ONCE, "at": NOON + timedelta(days=400)}, ["time_too_far"]),
        ({"when": When.DAILY, "daily_at": "8点"}, ["daily_time_missing", "last_day_missing"]),
        ({"when": When.DAILY, "daily_at": "25:00", "last_day": date(2026, 12, 1)}, ["daily_time_missing"]),
        ({"when": When.DAILY, "daily_at": "18:00", "last_day": date(2026, 11, 1)}, ["last_day_past"]),
        ({"title": "", "text": ""}, ["title_missing", "text_missing"]),
    ],
)
def test_everything_wrong_is_said_at_once_and_nothing_is_submitted(
    session: Session, given: dict[str, object], codes: list[str]
) -> None:
    clerk = the_actor(session, "clerk")
    notice = an_announcement(session, clerk, now=NOON, **given)
    with pytest.raises(Problems) as caught:
        service.submit(session, clerk, notice.id, SPOKEN, rules=RULES, now=NOON)
    assert [problem.code for problem in caught.value.problems] == codes
    assert all(problem.field for problem in caught.value.problems)
    assert notice.state is State.DRAFT


def test_without_a_recording_nothing_is_submitted(session: Session) -> None:
    clerk = the_actor(session, "clerk")
    notice = an_announcement(session, clerk)
    with pytest.raises(BadInput, match="sound_missing"):
        service.submit(session, clerk, notice.id, None, rules=RULES, now=NOON)


def test_a_village_without_loudspeakers_is_refused(session: Session) -> None:
    clerk = the_actor(session, "stranger")
    for speaker in session.scalars(select(Speaker).where(Speaker.region_code == FERRY)):
        session.delete(speaker)
    notice = an_announcement(session, clerk, audience=Audience((FERRY,)))
    with pytest.raises(BadInput, match="no_speaker_there"):
        service.submit(session, clerk, notice.id, SPOKEN, rules=RULES, now=NOON)


def local(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 23, hour, minute, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("at", "free"),
    [
        (local(12, 45), "14:00"),
        (
            local(
                20,
                59,
            ),
            None,
        ),
        (local(21, 30), "06:30"),
    ],
)
def test_a_time_in_quiet_hours_is_refused_with_a_free_one(session: Session, at: datetime, free: str | None) -> None:
    clerk = the_actor(session, "clerk")
    notice = an_announcement(session, clerk, when=When.ONCE, at=at)
    if free is None:
        assert service.submit(session, clerk, notice.id, SPOKEN, rules=RULES, now=NOON).state is State.SUBMITTED
        return
    with pytest.raises(BadInput, match="time_in_quiet_hours") as caught:
        service.submit(session, clerk, notice.id, SPOKEN, rules=RULES, now=NOON)
    assert caught.value.params["free"] == free


def test_approving_now_in_quiet_hours_releases_nothing(session: Session) -> None:
    notice = submitted(session)
    with pytest.raises(WrongState, match="quiet_hours"):
        approve(session, notice, now=local(23))
    assert session.scalar(select(Broadcast)) is None


def test_approving_after_its_time_is_refused(session: Session) -> None:
    notice = submitted(session, when=When.ONCE, at=NOON + timedelta(hours=1))
    with pytest.raises(WrongState, match="time_past_approval"):
        approve(session, notice, now=NOON + timedelta(hours=1))


def test_a_daily_announcement_gets_a_slot_and_leaves_the_timetable_when_withdrawn(session: Session) -> None:
    notice = submitted(session, when=When.DAILY, daily_at="18:00", last_day=date(2026, 11, 30))
    assert approve(session, notice) is None
    assert DOORS.next_of(session, notice.id, NOON) == local(18)
    service.withdraw(session, the_actor(session, "clerk"), notice.id, timetable=DOORS, now=NOON)
    assert DOORS.next_of(session, notice.id, NOON) is None
    assert session.scalars(select(Slot.enabled)).one() is False


def test_a_stranger_withdraws_nothing(session: Session) -> None:
    notice = submitted(session)
    for login in ("stranger", "strange_approver", "viewer"):
        with pytest.raises(HubError):
            service.withdraw(session, the_actor(session, login), notice.id, timetable=DOORS, now=NOON)
    assert notice.state is State.SUBMITTED


def test_every_step_stands_in_the_audit_log(session: Session) -> None:
    approve(session, submitted(session))
    deeds = list(session.scalars(select(AuditEntry.deed).order_by(AuditEntry.id)))
    assert deeds[-4:] == ["announcement.create", "announcement.submit", "announcement.approve", "broadcast.release"]

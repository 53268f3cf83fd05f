"""A campaign from the first word to the last receipt; and who may do what with it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from builders import BRIDGE, FERRY, HILL, NORTH, SOUTH, the_actor
from campaignlab import Office, a_campaign
from conftest import SetClock
from deliverylab import B1, B2, H1, H2, Air
from sheetlab import RELAY, Desk, on
from sqlalchemy import func, select

from broadcasts.announcements.models import Announcement, When
from broadcasts.approvals.lifecycle import State as AnnouncementState
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.sms.models import SmsRun
from hub.core.actor import SYSTEM
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, Problems, WrongState
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from schedules import timetable
from schedules.campaigns import progress, service
from schedules.campaigns.drafting import as_draft
from schedules.campaigns.models import Campaign, CampaignState, CampaignText
from schedules.campaigns.outlook import foresee
from schedules.campaigns.turns import CampaignTurns
from schedules.firing import Firing
from schedules.models import CalendarDay, DayKind, Occurrence, OccurrenceState, Slot, SlotKind
from schedules.noise import Limits
from schedules.rehearsal import Stage, rehearse
from schedules.runner import Runner
from schedules.sheets.drafting import SlotDraft
from schedules.sources import Nothing, Piece, Sources

TUESDAY = datetime(2026, 11, 24, 3, 50, tzinfo=UTC)
"""11:50 in the county."""


def planned(runtime: Runtime) -> list[datetime]:
    with runtime.sessions.read() as session:
        query = select(Occurrence.due_at).where(Occurrence.state == OccurrenceState.PLANNED)
        return sorted(session.scalars(query))


def campaign(runtime: Runtime, campaign_id: UUID) -> Campaign:
    with runtime.sessions.read() as session:
        found = session.get_one(Campaign, campaign_id)
        assert found.texts
        return found


def test_approved_it_stands_in_the_timetable_text_by_text(office: Office, runtime: Runtime) -> None:
    campaign_id = office.run()
    assert planned(runtime) == [TUESDAY + timedelta(days=n, hours=hours) for n in range(4) for hours in (0, 6)]
    with runtime.sessions.read() as session:
        lines = timetable.lines(session, the_actor(session, "clerk"), since=TUESDAY, until=TUESDAY + timedelta(days=9))
        texts = session.get_one(Campaign, campaign_id).texts
    assert [line.title for line in lines] == [texts[n % 3].title for n in range(8)]


def test_its_texts_become_announcements_approved_by_somebody_else_with_the_recording_that_was_heard(
    office: Office, runtime: Runtime
) -> None:
    campaign_id = office.run()
    with runtime.sessions.read() as session:
        for text in session.get_one(Campaign, campaign_id).texts:
            made = session.get_one(Announcement, text.announcement_id)
            assert (made.state, made.when) == (AnnouncementState.APPROVED, When.CALLED)
            assert (made.submitted_by_name, made.approved_by_name) == ("北镇广播员", "北镇副镇长")
            assert made.audio_sha256 == text.audio_sha256 != ""


def test_coverage_is_what_loudspeakers_reported(office: Office, runtime: Runtime, air: Air) -> None:
    campaign_id = office.run()
    heard = [(B1, B2, H1, H2), (B1,), (H1, H2), ()]
    for n, speakers in enumerate(heard):
        air.clock.now = planned(runtime)[0]
        air.fire()
        with runtime.sessions.read() as session:
            newest = session.scalars(select(Broadcast.id).order_by(Broadcast.released_at.desc())).first()
        assert newest, n
        air.play(newest, speakers)
    with runtime.sessions.read() as session:
        found = progress.of(session, the_actor(session, "clerk"), session.get_one(Campaign, campaign_id))
        by_receipts = session.execute(
            select(SpeakerDelivery.region_path, func.count(SpeakerDelivery.broadcast_id.distinct()))
            .where(SpeakerDelivery.started_at.is_not(None))
            .group_by(SpeakerDelivery.region_path)
        ).all()
    villages = {v.code: v for v in found.villages}
    assert {code: v.heard for code, v in villages.items()} == {path.split("/")[-2]: n for path, n in by_receipts}
    assert (villages[BRIDGE].heard, villages[BRIDGE].whole, villages[BRIDGE].out) == (2, 1, 4)
    assert (villages[HILL].heard, villages[HILL].whole) == (2, 2)
    assert (found.out, found.to_come, found.reached) == (4, 4, 0)
    assert [t.villages for t in found.texts] == [2, 1, 1]
    with runtime.sessions.read() as session:
        secretary = progress.of(session, the_actor(session, "secretary"), session.get_one(Campaign, campaign_id))
    assert [v.code for v in secretary.villages] == [BRIDGE], "a village sees its own part"


def test_a_village_too_far_behind_is_named_while_something_can_be_done(
    office: Office, runtime: Runtime, air: Air
) -> None:
    campaign_id = office.run(target=8)
    for _ in range(2):
        air.clock.now = planned(runtime)[0]
        air.fire()
        with runtime.sessions.read() as session:
            newest = session.scalars(select(Broadcast.id).order_by(Broadcast.released_at.desc())).first()
        assert newest
        air.play(newest, (H1, H2))
    with runtime.sessions.read() as session:
        found = progress.of(session, the_actor(session, "clerk"), session.get_one(Campaign, campaign_id))
    assert [v.code for v in found.behind] == [BRIDGE]
    assert [v.code for v in found.villages if v.deaf] == [BRIDGE]


def test_messages_go_out_each_text_once_on_days_of_their_own(office: Office, runtime: Runtime, air: Air) -> None:
    office.run(sms_at="09:30")
    with runtime.sessions.read() as session:
        times = session.scalars(
            select(Occurrence.due_at)
            .join(Slot, Slot.id == Occurrence.slot_id)
            .join(CampaignText, CampaignText.sms_announcement_id == Slot.announcement_id)
            .order_by(Occurrence.due_at)
        ).all()
    assert [t.astimezone(runtime.zone).strftime("%d %H:%M") for t in times] == ["24 09:30", "25 09:30", "26 09:30"]
    for moment in [t for t in planned(runtime) if t <= TUESDAY]:
        air.clock.now = moment
        air.fire()
    with runtime.sessions.read() as session:
        assert [run.text.startswith("【村响】点赞、刷单") for run in session.scalars(select(SmsRun))] == [True]


def test_paused_nothing_sounds_and_what_is_left_goes_on_as_approved(office: Office, runtime: Runtime, air: Air) -> None:
    campaign_id = office.run()
    before = planned(runtime)
    with runtime.sessions.begin() as session:
        service.pause(session, the_actor(session, "clerk"), campaign_id, desk=office.desk, now=air.clock.now)
    assert planned(runtime) == []
    air.clock.now = TUESDAY + timedelta(days=1, hours=1)
    with runtime.sessions.begin() as session:
        service.resume(session, the_actor(session, "clerk"), campaign_id, desk=office.desk, now=air.clock.now)
    assert planned(runtime) == before[3:]


def test_stopped_it_is_over_for_good_and_a_copy_needs_an_approval_of_its_own(
    office: Office, runtime: Runtime, air: Air
) -> None:
    campaign_id = office.run()
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        service.stop(session, clerk, campaign_id, desk=office.desk, now=air.clock.now)
        copied = service.copy(session, clerk, campaign_id, now=air.clock.now)
        assert (copied.state, copied.approved_by, copied.first_day) == (CampaignState.DRAFT, None, None)
    assert planned(runtime) == []
    with runtime.sessions.begin() as session, pytest.raises(WrongState):
        service.resume(session, the_actor(session, "clerk"), campaign_id, desk=office.desk, now=air.clock.now)
    with runtime.sessions.read() as session:
        states = session.scalars(select(Announcement.state)).all()
    assert set(states) == {AnnouncementState.WITHDRAWN}


def test_nobody_lets_their_own_run_nor_what_they_have_not_seen(office: Office, runtime: Runtime) -> None:
    campaign_id = office.write()
    office.hand_in(campaign_id)
    for login, seen, error in (
        ("clerk", "", NotAllowed),
        ("duty", "", NotAllowed),
        ("strange_approver", "", NotFound),
        ("approver", "0" * 64, WrongState),
    ):
        with pytest.raises(error):
            office.approve(campaign_id, login, seen)
    assert campaign(runtime, campaign_id).state is CampaignState.SUBMITTED
    assert planned(runtime) == []


def test_changed_after_it_was_handed_in_it_is_a_draft_again(office: Office, runtime: Runtime, air: Air) -> None:
    campaign_id = office.write()
    seen = office.hand_in(campaign_id).content_hash
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        service.save(session, clerk, campaign_id, a_campaign(title="别的"), now=air.clock.now)
    with pytest.raises(HubError):
        office.approve(campaign_id, seen=seen)
    assert campaign(runtime, campaign_id).state is CampaignState.DRAFT


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"times": ("22:00",)}, "campaign_times_quiet", "times"),
        ({"times": ("11:50", "11:55")}, "campaign_times_close", "times"),
        ({"last_day": date(2026, 11, 1), "first_day": date(2026, 10, 1)}, "last_day_past", "last_day"),
        ({"first_day": None}, "campaign_days_missing", "first_day"),
        ({"texts": ()}, "campaign_texts_missing", "text-0"),
        ({"sms_at": "06:00"}, "campaign_sms_window", "sms_at"),
        ({"title": ""}, "title_missing", "title"),
        ({"audience": Audience(())}, "no_region_chosen", "region"),
        ({"repeats": 9}, "campaign_amount", "repeats"),
    ],
)
def test_what_is_missing_or_wrong_is_said_at_its_field(
    office: Office, given: dict[str, object], code: str, field: str
) -> None:
    with pytest.raises(Problems) as refused:
        office.hand_in(office.write(**given))
    assert (code, field) in [(p.code, p.field) for p in refused.value.problems]


def test_a_target_that_cannot_be_met_and_too_much_noise_are_refused(office: Office, runtime: Runtime) -> None:
    with pytest.raises(HubError, match="campaign_too_few"):
        office.hand_in(office.write(target=30))
    rules = replace(office.desk.rules, daily_minutes=1)
    campaign_id = office.write(repeats=3)
    office.runtime.provide(type(rules), rules)
    with pytest.raises(HubError, match="campaign_over_budget"):
        office.hand_in(campaign_id)


def refused(office: Office, campaign_id: UUID) -> BadInput:
    with pytest.raises(BadInput) as found:
        office.hand_in(campaign_id)
    return found.value


def test_what_takes_its_times_away_is_named_at_the_field_that_mends_it(office: Office, runtime: Runtime) -> None:
    """Days full of other campaigns, times taken by a silence, quiet days, days that are nearly over."""
    office.run(times=("09:00", "10:00"), target=8)
    second = office.write(title="另一个", times=("16:00",), target=4)
    full = refused(office, second)
    assert (full.code, full.field) == ("campaign_days_full", "most_a_day")
    assert full.params["most"] == 2
    assert full.params["plays"] == 0
    desk = Desk(runtime)
    desk.run(SlotDraft("午休", SlotKind.SILENCE, "15:30", minutes=90))
    taken = refused(office, office.write(title="又一个", times=("16:00",), most_a_day=3, target=4))
    assert (taken.code, taken.field) == ("campaign_times_taken", "times")
    clear = {"times": ("08:00",), "most_a_day": 4, "target": 4}
    with runtime.sessions.begin() as session:
        for day in (24, 25, 26):
            session.add(CalendarDay(day=date(2026, 11, day), kind=DayKind.QUIET, name="考试"))
    hushed = refused(office, office.write(title="考试前", **clear))
    assert (hushed.code, hushed.field, hushed.params["plays"]) == ("campaign_days_hushed", "last_day", 1)
    office.air.clock.now = datetime(2026, 11, 27, 1, tzinfo=UTC)
    past = refused(office, office.write(title="过了", **clear))
    assert (past.code, past.field) == ("campaign_times_past", "last_day")


def test_what_the_villages_hear_already_counts_before_it_is_saved_and_again_when_it_is_due(
    office: Office, runtime: Runtime, air: Air
) -> None:
    """One recording every day leaves the villages little; a campaign takes what is left, and others go first."""
    minute = 60_000
    rules = replace(office.desk.rules, daily_minutes=10, weekly_minutes=100)
    runtime.provide(type(rules), rules)
    Desk(runtime).run(replace(RELAY, at="15:00", minutes=9, relay_url="line:fm"))
    campaign_id = office.write(target=4)
    kept = campaign(runtime, campaign_id)
    with runtime.sessions.begin() as session:
        found = foresee(session, as_draft(kept), [minute, minute, minute], office.desk, air.clock.now)
        assert len(found.plays) == 4, "one a day"
        assert len(found.loud) == 4
        longer = foresee(session, as_draft(kept), [2 * minute] * 3, office.desk, air.clock.now)
        assert not longer.plays
    office.hand_in(campaign_id)
    office.approve(campaign_id)
    with runtime.sessions.read() as session:
        mine = select(Occurrence.due_at).join(Slot, Slot.id == Occurrence.slot_id).where(Slot.kind == SlotKind.CAMPAIGN)
        first = min(session.scalars(mine))
    with runtime.sessions.begin() as session:
        order = delivery.Order(
            source="x", kind=Kind.SHOUT, title="x", text="", sms_text="", audience=Audience((BRIDGE,)),
            home_path=path_of(BRIDGE), sound=None, repeats=1, volume=None, starts_at=first - timedelta(hours=2),
            expires_at=first, shout=True, length_ms=10 * minute,
        )  # fmt: skip
        delivery.release(session, SYSTEM, order, rules=rules, now=first - timedelta(hours=2))
    fired = Firing(runtime.sessions, rules, timedelta(0)).fire_due(now=first)
    assert fired == 0
    with runtime.sessions.read() as session:
        ended = session.scalars(select(Occurrence).where(Occurrence.due_at == first)).one()
        assert (ended.state, ended.note) == (OccurrenceState.SKIPPED, "noise_budget_spent")


def test_what_is_booked_later_goes_before_a_campaign_and_the_rehearsal_says_so(
    office: Office, runtime: Runtime
) -> None:
    """An hour of relay in the evening, agreed to after the campaign, leaves it nothing that day."""
    rules = replace(office.desk.rules, daily_minutes=10, weekly_minutes=100)
    runtime.provide(type(rules), rules)
    office.run(times=("11:50",), target=4)
    desk = Desk(runtime)
    desk.run(replace(RELAY, at="18:00", minutes=10, relay_url="line:fm", pattern=on(2)))
    desk.plan(TUESDAY - timedelta(hours=2))
    stage = Stage(rules, runtime.get(Sources), Limits(10, 100))
    with runtime.sessions.read() as session:
        clerk = the_actor(session, "clerk")
        week = rehearse(session, clerk, stage, since=TUESDAY - timedelta(hours=2), until=TUESDAY + timedelta(days=2))
    said = {one.line.due_at: [f.code for f in one.findings] for one in week.showings if one.line.kind == "campaign"}
    assert said[TUESDAY] == ["noise_budget_spent"]
    assert "noise_budget_spent" not in said[TUESDAY + timedelta(days=1)]
    for n, state, note in ((0, OccurrenceState.SKIPPED, "noise_budget_spent"), (1, OccurrenceState.FIRED, "")):
        moment = TUESDAY + timedelta(days=n)
        Firing(runtime.sessions, rules, timedelta(0), runtime.get(Sources)).fire_due(now=moment)
        with runtime.sessions.read() as session:
            ended = session.scalars(select(Occurrence).where(Occurrence.due_at == moment)).one()
            assert (ended.state, ended.note) == (state, note)


def test_what_the_rest_of_the_week_will_bring_goes_before_a_campaign_and_the_rehearsal_says_so(
    office: Office, runtime: Runtime
) -> None:
    """Twenty minutes of relay on Friday, beyond what stands in the table, leave it nothing on Tuesday."""
    rules = replace(office.desk.rules, daily_minutes=60, weekly_minutes=20)
    runtime.provide(type(rules), rules)
    office.run(times=("11:50",), target=4)
    desk = Desk(runtime)
    desk.run(replace(RELAY, at="18:00", minutes=20, relay_url="line:fm", pattern=on(5)))
    morning = TUESDAY - timedelta(hours=2)
    desk.plan(morning)
    stage = Stage(rules, runtime.get(Sources), Limits(60, 20))
    with runtime.sessions.read() as session:
        assert session.scalar(select(func.max(Occurrence.due_at)).join(Slot).where(Slot.kind == SlotKind.RELAY)) is None
        clerk = the_actor(session, "clerk")
        a_day = rehearse(session, clerk, stage, since=morning, until=morning + timedelta(days=1))
    said = {one.line.due_at: [f.code for f in one.findings] for one in a_day.showings if one.line.kind == "campaign"}
    assert said == {TUESDAY: ["noise_budget_spent"]}
    firing = Firing(runtime.sessions, rules, timedelta(0), runtime.get(Sources))
    clock = SetClock(morning)
    runner = Runner(runtime.sessions, firing, clock=clock, fired=lambda: None)
    runner.plan()
    assert firing.outlook.is_older_than(morning), "no campaign is near: the week is not looked through"
    clock.now = TUESDAY - timedelta(minutes=3)
    runner.plan()
    clock.now = TUESDAY
    runner.sweep()
    with runtime.sessions.read() as session:
        ended = session.scalars(select(Occurrence).where(Occurrence.due_at == TUESDAY)).one()
        assert (ended.state, ended.note) == (OccurrenceState.SKIPPED, "noise_budget_spent")


def test_a_second_campaign_in_the_same_villages_shares_the_days_cap(office: Office, runtime: Runtime) -> None:
    office.run(times=("11:50",), target=4)
    office.run(title="另一个", times=("08:30", "17:50"), target=2)
    by_day: dict[date, int] = {}
    for moment in planned(runtime):
        day = moment.astimezone(runtime.zone).date()
        by_day[day] = by_day.get(day, 0) + 1
    assert set(by_day.values()) == {2}


def test_a_stranger_sees_and_changes_nothing(office: Office, runtime: Runtime, air: Air) -> None:
    campaign_id = office.run()
    desk, now = office.desk, air.clock.now
    for verb in (service.pause, service.stop):
        with runtime.sessions.begin() as session, pytest.raises(NotFound):
            verb(session, the_actor(session, "stranger"), campaign_id, desk=desk, now=now)
    with runtime.sessions.begin() as session, pytest.raises(NotFound):
        service.copy(session, the_actor(session, "stranger"), campaign_id, now=now)
    with runtime.sessions.begin() as session, pytest.raises(NotFound):
        service.save(session, the_actor(session, "stranger"), campaign_id, a_campaign(), now=now)
    with runtime.sessions.begin() as session, pytest.raises(NotAllowed):
        service.create(session, the_actor(session, "stranger"), a_campaign(), now=now)
    with runtime.sessions.begin() as session, pytest.raises(NotAllowed):
        service.stop(session, the_actor(session, "viewer"), campaign_id, desk=desk, now=now)
    assert campaign(runtime, campaign_id).state is CampaignState.RUNNING


def test_a_sheets_slot_plays_the_text_of_the_day_and_says_why_when_it_does_not(
    office: Office, runtime: Runtime
) -> None:
    campaign_id = office.run(audience=Audience((NORTH,)))
    turns = CampaignTurns()
    with runtime.sessions.read() as session:
        found = session.get_one(Campaign, campaign_id)
        slot = Slot(kind=SlotKind.CAMPAIGN, subject_id=campaign_id, zone="Asia/Shanghai", home_path="", title="节目")
        titles = []
        for n in range(3):
            piece = turns.piece(session, slot, TUESDAY + timedelta(days=n, hours=-4))
            assert isinstance(piece, Piece)
            assert piece == turns.piece(session, slot, TUESDAY + timedelta(days=n, hours=-4))
            titles.append(piece.title)
        assert titles == [text.title for text in found.texts]
        for broken, code in (
            ({"subject_id": uuid4()}, "campaign_unknown"),
            ({"subject_hash": "x" * 64}, "campaign_changed_meanwhile"),
        ):
            other = Slot(**({"kind": SlotKind.CAMPAIGN, "subject_id": campaign_id, "zone": "Asia/Shanghai"} | broken))
            other.title = ""
            silent = turns.piece(session, other, TUESDAY)
            assert isinstance(silent, Nothing)
            assert silent.code == code
        late = turns.piece(session, slot, TUESDAY + timedelta(days=30))
        assert late == Nothing("campaign_over", found.title)
        clerk = the_actor(session, "clerk")
        bridge, ferry = (f"990101000000/{town}/{code}/" for town, code in ((NORTH, BRIDGE), (SOUTH, FERRY)))
        day = date(2026, 11, 24)
        assert [c.id for c in turns.offered(session, clerk, bridge, today=day)] == [campaign_id]
        assert turns.offered(session, clerk, ferry, today=day) == []


def test_a_period_nobody_can_mean_is_not_laid_out(office: Office) -> None:
    endless = a_campaign(last_day=date(9999, 1, 1))
    assert endless.period is None
    assert a_campaign(times=tuple(f"{hour:02}:00" for hour in range(7, 20))).period is None

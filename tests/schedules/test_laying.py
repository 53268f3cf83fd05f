"""The coming hours are sent ahead, each item once, and what loudspeakers did by themselves is recorded."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from builders import BRIDGE, the_actor
from conftest import NOON, SetClock
from deliverylab import B1, B2, Air
from materiallab import a_kept_recording
from orderslab import Hub, plays, stops
from sqlalchemy import select
from sqlalchemy.orm import Session

import cunxiang
from broadcasts.announcements import catalogue
from broadcasts.announcements import service as announcements
from broadcasts.announcements.drafting import Chosen
from broadcasts.announcements.models import When
from broadcasts.announcements.timing import Timetable
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker import sheet
from broadcasts.loudspeaker.models import SheetPlay, SheetState
from broadcasts.loudspeaker.states import PlayState
from broadcasts.materials import service as materials
from broadcasts.materials.models import Material
from broadcasts.sms.models import SmsRun
from hub.app import provide
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from schedules import timetable
from schedules.firing import Firing
from schedules.laying import Laying
from schedules.models import Occurrence, OccurrenceState

EVENING = NOON + timedelta(hours=8)
"""18:00 in the villages."""


class Township:
    """A hub with its timetable, its sender and its loudspeakers."""

    def __init__(self, runtime: Runtime, clock: SetClock) -> None:
        self.runtime, self.clock = runtime, clock
        self.air, self.radio = Air(runtime, clock), Hub(runtime, clock)
        self.laying = self.fresh_laying()

    def fresh_laying(self, hours: int = 24) -> Laying:
        return Laying(self.runtime.sessions, self.runtime.get(Rules), hours)

    def book(self, at: datetime = EVENING, *, sms: bool = False, **given: object) -> UUID:
        audience = Audience((BRIDGE,), sms=sms)
        return self.air.book(audience=audience, when=When.ONCE, at=at, **given)

    def lay(self) -> int:
        return self.laying.lay_near(now=self.clock.now)

    def fire(self) -> int:
        firing = Firing(self.runtime.sessions, self.runtime.get(Rules), timedelta(seconds=20))
        return firing.fire_due(now=self.clock.now)

    def go_to(self, moment: datetime) -> None:
        self.clock.now = moment

    def withdraw(self, announcement_id: UUID) -> None:
        with self.runtime.sessions.begin() as session:
            clerk, door = the_actor(session, "clerk"), self.runtime.get(Timetable)
            announcements.withdraw(session, clerk, announcement_id, timetable=door, now=self.clock.now)

    def occurrence(self) -> Occurrence:
        with self.runtime.sessions.read() as session:
            return session.scalars(select(Occurrence)).one()

    def sheets(self) -> list[SheetPlay]:
        with self.runtime.sessions.read() as session:
            return list(session.scalars(select(SheetPlay)))

    def broadcasts(self) -> list[Broadcast]:
        with self.runtime.sessions.read() as session:
            return list(session.scalars(select(Broadcast)))


@pytest.fixture
def town(runtime: Runtime, clock: SetClock) -> Township:
    provide(runtime, cunxiang.FEATURES)
    return Township(runtime, clock)


def test_an_approved_item_is_sent_ahead_once_and_released_under_the_same_id(town: Township) -> None:
    town.book()
    assert town.lay() == 1
    assert town.lay() == 0
    assert town.fresh_laying().lay_near(now=town.clock.now) == 0, "another hub, or this one after a restart"
    first = plays(town.radio.step())[0]
    town.radio.answer(first.id, PlayState.FETCHED, B1, B2)
    town.go_to(EVENING - timedelta(seconds=20))
    assert town.fire() == 1
    (broadcast,) = town.broadcasts()
    assert str(broadcast.id) == first.broadcast == str(town.occurrence().broadcast_id)
    assert broadcast.starts_at == EVENING
    assert broadcast.speakers_meant == 2
    assert plays(town.radio.step()) == [], "they have it: nothing needs to be said again"
    assert set(town.radio.states(broadcast.id).values()) == {PlayState.FETCHED}
    assert town.sheets()[0].state is SheetState.TAKEN


def test_a_recording_that_is_taken_out_of_the_library_is_called_back_from_the_sheet(town: Township) -> None:
    material_id = a_kept_recording(town.runtime)
    with town.runtime.sessions.begin() as session:
        kept = session.get_one(Material, material_id)
        recording = Chosen(kept.id, kept.audio_sha256, kept.audio_ms)
    town.book(recording=recording)
    town.lay()
    first = plays(town.radio.step())[0]
    assert town.laying.call_back(now=NOON) == 0
    with town.runtime.sessions.begin() as session:
        materials.withdraw(session, the_actor(session, "clerk"), material_id, now=NOON)
    assert town.laying.call_back(now=NOON) == 1
    assert [s.broadcasts for s in stops(town.radio.step())] == [(first.broadcast,)]
    assert (town.laying.call_back(now=NOON), town.lay()) == (0, 0), "it is neither called back nor laid again"
    town.go_to(EVENING)
    assert (town.fire(), town.broadcasts()) == (0, [])
    assert town.occurrence().note == "material_withdrawn"


def test_what_lies_beyond_the_hours_or_in_a_moment_is_not_sent_ahead(town: Township) -> None:
    town.book(NOON + timedelta(minutes=1))
    town.book(NOON + timedelta(hours=25))
    assert town.lay() == 0
    town.go_to(NOON + timedelta(hours=2))
    assert town.lay() == 1


def test_with_hours_set_to_nothing_nothing_is_sent_ahead(town: Township) -> None:
    town.book()
    assert town.fresh_laying(0).lay_near(now=NOON) == 0


def test_what_is_for_telephones_only_is_not_sent_ahead(town: Township) -> None:
    town.book(sms=True)
    with town.runtime.sessions.begin() as session:
        found = catalogue.page(session, the_actor(session, "clerk"), after=None, limit=20)[0]
        found.audio_sha256 = ""
    assert town.lay() == 0


def test_what_changed_after_its_approval_is_not_sent_ahead(town: Township) -> None:
    town.book()
    with town.runtime.sessions.begin() as session:
        catalogue.page(session, the_actor(session, "clerk"), after=None, limit=20)[0].title = "另一件事"
    assert town.lay() == 0


def test_quiet_hours_that_were_widened_meanwhile_hold_for_laying_as_for_release(town: Township) -> None:
    town.book()
    quiet = town.runtime.get(Rules).quiet
    wider = type(quiet)((*quiet.ranges, (17 * 60, 19 * 60)), quiet.zone)
    rules = Rules(**{**vars(town.runtime.get(Rules)), "quiet": wider})
    assert Laying(town.runtime.sessions, rules, 24).lay_near(now=NOON) == 0


def test_withdrawing_stops_it_by_name_before_it_ever_sounds(town: Township) -> None:
    announcement = town.book()
    town.lay()
    first = plays(town.radio.step())[0]
    town.withdraw(announcement)
    assert [s.broadcasts for s in stops(town.radio.step())] == [(first.broadcast,)]
    town.go_to(EVENING)
    assert town.fire() == 0
    assert town.broadcasts() == []


def test_when_the_withdrawal_fails_nothing_is_stopped(town: Township) -> None:
    announcement = town.book()
    town.lay()
    town.radio.step()

    def fail(session: Session) -> None:
        clerk, door = the_actor(session, "clerk"), town.runtime.get(Timetable)
        announcements.withdraw(session, clerk, announcement, timetable=door, now=NOON)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError), town.runtime.sessions.begin() as session:
        fail(session)
    assert stops(town.radio.step()) == []
    assert town.occurrence().state is OccurrenceState.PLANNED


def test_a_crash_in_the_middle_of_laying_leaves_nothing_and_it_is_laid_afterwards(
    town: Township, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.book()
    honest = sheet.lay

    def half(*args: object, **kwargs: object) -> None:
        honest(*args, **kwargs)  # type: ignore[arg-type]
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(sheet, "lay", half)
        assert town.lay() == 0
    assert town.sheets() == []
    assert town.occurrence().broadcast_id is None
    assert town.fresh_laying().lay_near(now=NOON) == 1


def test_a_crash_in_the_middle_of_the_release_leaves_the_sheet_and_the_next_try_takes_it_over(town: Township) -> None:
    town.book()
    town.lay()
    first = plays(town.radio.step())[0]
    town.go_to(EVENING)

    def half() -> None:
        with town.runtime.sessions.begin() as session:
            announcements.release(
                session,
                the_actor(session, "clerk"),
                catalogue.page(session, the_actor(session, "clerk"), after=None, limit=20)[0],
                source="x",
                starts_at=EVENING,
                rules=town.runtime.get(Rules),
                now=EVENING,
                broadcast_id=UUID(first.broadcast),
            )
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        half()
    assert town.sheets()[0].state is SheetState.SENT
    assert town.fire() == 1
    assert set(town.radio.commands(UUID(first.broadcast)).values()) == {UUID(first.id)}


def test_what_loudspeakers_played_while_the_hub_was_down_is_recorded_and_not_called_missed(town: Township) -> None:
    town.book(sms=True)
    town.lay()
    first = plays(town.radio.step())[0]
    town.go_to(EVENING + timedelta(hours=3))
    town.radio.answer(first.id, PlayState.FINISHED, B1)
    assert town.fire() == 1
    (broadcast,) = town.broadcasts()
    assert broadcast.starts_at == EVENING
    assert town.occurrence().note == "played_from_sheet"
    assert town.radio.states(broadcast.id) == {B1: PlayState.FINISHED, B2: PlayState.SENT}
    assert plays(town.radio.step()) == plays(town.radio.back(B2)) == [], "three hours late nobody begins"
    with town.runtime.sessions.read() as session:
        assert session.scalars(select(SmsRun)).all() == [], "nor is anybody written to"
    with town.runtime.sessions.begin() as session:
        assert delivery.settle(session, now=town.clock.now) == 0, "reports are still on their way"
    town.clock.now += timedelta(minutes=1)
    with town.runtime.sessions.begin() as session:
        assert delivery.settle(session, now=town.clock.now) == 1
    town.radio.answer(first.id, PlayState.FINISHED, B2)
    assert town.radio.states(broadcast.id)[B2] is PlayState.FINISHED, "a record pulled later still counts"


def test_what_never_left_the_hub_is_missed_as_ever(town: Township) -> None:
    town.book()
    town.lay()
    town.go_to(EVENING + timedelta(hours=3))
    town.fire()
    assert (town.occurrence().state, town.occurrence().note) == (OccurrenceState.MISSED, "hub_was_down")
    assert town.sheets()[0].state is SheetState.WITHDRAWN


def test_what_may_not_be_released_at_its_time_is_stopped_on_the_loudspeakers_too(town: Township) -> None:
    town.book()
    town.lay()
    town.radio.step()
    with town.runtime.sessions.begin() as session:
        catalogue.page(session, the_actor(session, "clerk"), after=None, limit=20)[0].title = "另一件事"
    town.go_to(EVENING - timedelta(seconds=20))
    town.fire()
    assert town.occurrence().state is OccurrenceState.SKIPPED
    assert len(stops(town.radio.step())) == 1


def test_the_timetable_names_no_broadcast_before_there_is_one(town: Township) -> None:
    town.book()
    town.lay()
    until = NOON + timedelta(days=1)
    with town.runtime.sessions.read() as session:
        assert [line.broadcast_id for line in timetable.lines(session, SYSTEM, since=NOON, until=until)] == [None]
    town.radio.step()
    town.go_to(EVENING)
    town.fire()
    with town.runtime.sessions.read() as session:
        assert timetable.lines(session, SYSTEM, since=NOON, until=until)[0].broadcast_id == town.broadcasts()[0].id

"""Whatever is reviewed is reviewed by the same rules: the library, sheets, campaigns and plans pass the same cases."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config as AlembicConfig
from builders import NORTH, the_actor
from campaignlab import Office
from conftest import NOON, SetClock
from deliverylab import Air
from flask_openapi3.openapi import OpenAPI
from materiallab import TODAY, a_material_draft
from roundlab import Post, a_village
from sheetlab import RELAY, Desk
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from broadcasts.alerts.hazards import hazards
from broadcasts.alerts.plans import service as plans
from broadcasts.alerts.plans.models import Plan, PlanState, PlanVersion
from broadcasts.alerts.plans.service import PlanDraft
from broadcasts.alerts.plans.starting import usual_words
from broadcasts.approvals import history
from broadcasts.approvals import service as approvals
from broadcasts.approvals.lifecycle import State
from broadcasts.approvals.models import Opinion
from broadcasts.approvals.rules import ANYBODY, Matter, Reach
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour
from broadcasts.materials import service as materials
from broadcasts.materials.models import Material
from hub.accounts import delegating
from hub.accounts import service as accounts
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM, Actor
from hub.core.db import Base
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, WrongState
from hub.core.migrating import SCRIPTS
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from schedules.campaigns import service as campaigns
from schedules.campaigns.drafting import as_draft
from schedules.campaigns.models import Campaign, CampaignState
from schedules.models import Sheet, SheetState
from schedules.rounds import reminding
from schedules.rounds import service as rosters
from schedules.rounds.models import Round, RoundState
from schedules.sheets import service as sheets
from schedules.sheets.drafting import Head

HOME = path_of(NORTH)
WORDS = usual_words(hazards()["cold"], Colour.RED)


class Room(Protocol):
    """What is reviewed there. The clerk of the north writes it."""

    matter: Matter
    tampering: str

    def hand_in(self) -> UUID: ...
    def edit(self, key: UUID) -> None: ...
    def again(self, key: UUID) -> None: ...
    def press(self, session: Session, actor: Actor, key: UUID) -> object: ...
    def give_back(self, session: Session, actor: Actor, key: UUID, reason: str) -> object: ...
    def is_live(self, session: Session, key: UUID) -> bool: ...
    def is_used(self, key: UUID) -> bool: ...


class Library:
    matter, tampering = Matter.MATERIAL, "UPDATE material SET text = 'x'"

    def __init__(self, runtime: Runtime, _air: Air) -> None:
        self.runtime = runtime

    def hand_in(self) -> UUID:
        with self.runtime.sessions.begin() as session:
            clerk = the_actor(session, "clerk")
            key = materials.create(session, clerk, a_material_draft(), now=NOON).id
            materials.submit(session, clerk, key, today=TODAY, now=NOON)
            return key

    def edit(self, key: UUID) -> None:
        with self.runtime.sessions.begin() as session:
            materials.save(session, the_actor(session, "clerk"), key, a_material_draft(title="改过"), now=NOON)

    def again(self, key: UUID) -> None:
        with self.runtime.sessions.begin() as session:
            materials.submit(session, the_actor(session, "clerk"), key, today=TODAY, now=NOON)

    def press(self, session: Session, actor: Actor, key: UUID) -> object:
        seen = session.get_one(Material, key).content_hash or "-"
        return materials.approve(session, actor, key, seen_hash=seen, today=TODAY, now=NOON)

    def give_back(self, session: Session, actor: Actor, key: UUID, reason: str) -> object:
        return materials.give_back(session, actor, key, reason, now=NOON)

    def is_live(self, session: Session, key: UUID) -> bool:
        return session.get_one(Material, key).state is State.APPROVED

    def is_used(self, key: UUID) -> bool:
        with self.runtime.sessions.read() as session:
            return not materials.why_not(session, session.get_one(Material, key), TODAY)


class Sheets:
    matter, tampering = Matter.SHEET, "UPDATE slot SET relay_url = 'https://elsewhere.example/x.mp3'"

    def __init__(self, runtime: Runtime, _air: Air) -> None:
        self.runtime, self.desk = runtime, Desk(runtime)

    def hand_in(self) -> UUID:
        key = self.desk.draft(replace(RELAY, at="15:00"))
        self.desk.submit(key)
        return key

    def edit(self, key: UUID) -> None:
        with self.runtime.sessions.begin() as session:
            sheets.rename(session, the_actor(session, "clerk"), key, Head("改过", NORTH), today=TODAY, now=NOON)

    def again(self, key: UUID) -> None:
        self.desk.submit(key)

    def press(self, session: Session, actor: Actor, key: UUID) -> object:
        seen = session.get_one(Sheet, key).content_hash or "-"
        return sheets.approve(session, actor, key, seen_hash=seen, now=NOON)

    def give_back(self, session: Session, actor: Actor, key: UUID, reason: str) -> object:
        return sheets.give_back(session, actor, key, reason, now=NOON)

    def is_live(self, session: Session, key: UUID) -> bool:
        return session.get_one(Sheet, key).state is SheetState.RUNNING

    def is_used(self, key: UUID) -> bool:
        self.desk.plan(NOON)
        self.desk.fire(NOON + timedelta(hours=5))
        return len(self.desk.broadcasts()) == 1 and self.desk.found()[0][2] == ""


class Campaigns:
    matter, tampering = Matter.CAMPAIGN, "UPDATE announcement SET text = 'x'"

    def __init__(self, runtime: Runtime, air: Air) -> None:
        self.runtime, self.office = runtime, Office(runtime, air)

    def hand_in(self) -> UUID:
        key = self.office.write()
        self.office.hand_in(key)
        return key

    def edit(self, key: UUID) -> None:
        with self.runtime.sessions.begin() as session:
            draft = replace(as_draft(session.get_one(Campaign, key)), title="改过")
            campaigns.save(session, the_actor(session, "clerk"), key, draft, now=NOON)

    def again(self, key: UUID) -> None:
        self.office.hand_in(key)

    def press(self, session: Session, actor: Actor, key: UUID) -> object:
        seen = session.get_one(Campaign, key).content_hash or "-"
        return campaigns.approve(session, actor, key, seen_hash=seen, desk=self.office.desk, now=NOON)

    def give_back(self, session: Session, actor: Actor, key: UUID, reason: str) -> object:
        return campaigns.give_back(session, actor, key, reason, now=NOON)

    def is_live(self, session: Session, key: UUID) -> bool:
        return session.get_one(Campaign, key).state is CampaignState.RUNNING

    def is_used(self, key: UUID) -> bool:
        desk = Desk(self.runtime)
        desk.plan(NOON)
        desk.fire(NOON + timedelta(hours=26))
        return len(desk.broadcasts()) > 0


class Rosters:
    matter, tampering = Matter.ROSTER, "UPDATE round SET words = 'x'"

    def __init__(self, runtime: Runtime, _air: Air) -> None:
        a_village(runtime)
        self.runtime, self.post = runtime, Post(runtime, SetClock(NOON))

    def hand_in(self) -> UUID:
        return self.post.write()

    def edit(self, key: UUID) -> None:
        rules = self.runtime.get(Rules)
        with self.runtime.sessions.begin() as session:
            draft = self.post.draft(title="改过")
            rosters.save(session, the_actor(session, "clerk"), key, draft, rules=rules, now=NOON)

    def again(self, key: UUID) -> None:
        with self.runtime.sessions.begin() as session:
            rosters.hand_in(session, the_actor(session, "clerk"), key, now=NOON)

    def press(self, session: Session, actor: Actor, key: UUID) -> object:
        return rosters.approve(session, actor, key, seen_hash=self._seen(session, key), now=NOON)

    def give_back(self, session: Session, actor: Actor, key: UUID, reason: str) -> object:
        return rosters.give_back(session, actor, key, reason, now=NOON)

    def is_live(self, session: Session, key: UUID) -> bool:
        return session.get_one(Round, key).state is RoundState.ON

    def is_used(self, key: UUID) -> bool:
        with self.runtime.sessions.begin() as session:
            return reminding.remind_due(session, rules=self.runtime.get(Rules), now=NOON + timedelta(hours=7)) == 1

    def _seen(self, session: Session, key: UUID) -> str:
        return session.get_one(Round, key).content_hash or "-"


class Plans:
    matter, tampering = Matter.PLAN, "UPDATE plan_version SET speech = 'x'"

    def __init__(self, runtime: Runtime, _air: Air) -> None:
        self.runtime = runtime

    def hand_in(self) -> UUID:
        with self.runtime.sessions.begin() as session:
            clerk = the_actor(session, "clerk")
            key = plans.write(session, clerk, PlanDraft(NORTH, "cold", Colour.RED, WORDS), now=NOON).plan_id
            plans.hand_in(session, clerk, key, signature="村响", now=NOON)
            return key

    def edit(self, key: UUID) -> None:
        with self.runtime.sessions.begin() as session:
            words = replace(WORDS, speech="改过。" + WORDS.speech)
            draft = PlanDraft(NORTH, "cold", Colour.RED, words)
            plans.write(session, the_actor(session, "clerk"), draft, now=NOON)

    def again(self, key: UUID) -> None:
        with self.runtime.sessions.begin() as session:
            plans.hand_in(session, the_actor(session, "clerk"), key, signature="村响", now=NOON)

    def press(self, session: Session, actor: Actor, key: UUID) -> object:
        return plans.sign(session, actor, key, self._version(session, key).content_hash or "-", now=NOON)

    def give_back(self, session: Session, actor: Actor, key: UUID, reason: str) -> object:
        return plans.send_back(session, actor, key, reason, now=NOON)

    def is_live(self, session: Session, key: UUID) -> bool:
        return self._version(session, key).state is PlanState.APPROVED

    def is_used(self, key: UUID) -> bool:
        with self.runtime.sessions.read() as session:
            found = plans.in_force(session, "cold", Colour.RED, [HOME])
            return found is not None and found.plan.id == key

    def _version(self, session: Session, key: UUID) -> PlanVersion:
        return session.get_one(PlanVersion, (key, session.get_one(Plan, key).version))


Make = Callable[[Runtime, Air], Room]
ROOMS: list[Make] = [Library, Sheets, Campaigns, Rosters, Plans]


@pytest.fixture(params=ROOMS, ids=lambda room: room.__name__)
def room(request: pytest.FixtureRequest, app: OpenAPI, runtime: Runtime, air: Air) -> Room:
    make: Make = request.param
    return make(runtime, air)


def another(session: Session, login: str) -> Actor:
    made = accounts.create_account(
        session, SYSTEM, login=login, name=login, password="", grants=[(Role.APPROVER, HOME)], now=NOON
    )
    return actor_for(session, made, origin="test")


def three_reviewers(session: Session, matter: Matter) -> list[Actor]:
    county = the_actor(session, "county")
    approvals.set_rule(session, county, NORTH, matter, Reach.ANY, [ANYBODY] * 3, now=NOON)
    return [the_actor(session, "approver"), another(session, "second"), another(session, "third")]


def test_as_many_people_as_the_rule_says_never_the_author_and_nobody_twice(room: Room, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        people = three_reviewers(session, room.matter)
    key = room.hand_in()
    with runtime.sessions.begin() as session, pytest.raises(NotAllowed):
        room.press(session, the_actor(session, "clerk"), key)
    for number, person in enumerate(people):
        with runtime.sessions.begin() as session:
            assert not room.is_live(session, key)
            room.press(session, person, key)
        if number < 2:
            with runtime.sessions.begin() as session, pytest.raises(NotAllowed):
                room.press(session, person, key)
    with runtime.sessions.read() as session:
        assert room.is_live(session, key)
        [round_] = history.of(session, the_actor(session, "approver"), key)
        assert [one.reviewer_id for one in round_.reviews] == [person.id for person in people]
        assert round_.version.steps == ["", "", ""]
        with pytest.raises(NotFound):
            history.of(session, the_actor(session, "strange_approver"), key)
    assert room.is_used(key)


def test_an_edit_voids_what_was_passed_and_the_versions_say_what_changed(room: Room, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        people = three_reviewers(session, room.matter)
    key = room.hand_in()
    for person in people[:2]:
        with runtime.sessions.begin() as session:
            room.press(session, person, key)
    room.edit(key)
    with runtime.sessions.begin() as session, pytest.raises(HubError):
        room.press(session, people[2], key)
    room.again(key)
    for person in reversed(people):
        with runtime.sessions.begin() as session:
            assert not room.is_live(session, key)
            room.press(session, person, key)
    with runtime.sessions.read() as session:
        assert room.is_live(session, key)
        newest, first = history.of(session, people[0], key)
    assert (len(newest.reviews), len(first.reviews)) == (3, 2)
    assert any("改过" in str(change) for change in newest.changes)


def test_it_is_given_back_with_a_reason_even_by_who_passed_it(room: Room, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        people = three_reviewers(session, room.matter)
    key = room.hand_in()
    with runtime.sessions.begin() as session:
        room.press(session, people[0], key)
    for actor, reason, refused in (
        (people[1], "  ", BadInput),
        (the_actor_of(runtime, "clerk"), "不要", HubError),
        (the_actor_of(runtime, "strange_approver"), "不要", NotFound),
    ):
        with runtime.sessions.begin() as session, pytest.raises(refused):
            room.give_back(session, actor, key, reason)
    with runtime.sessions.begin() as session:
        room.give_back(session, people[0], key, "时间不合适")
    with runtime.sessions.read() as session:
        assert not room.is_live(session, key)
        [round_] = history.of(session, people[0], key)
    said = [(one.verdict, one.reason) for one in round_.reviews]
    assert said == [(Opinion.PASSED, ""), (Opinion.RETURNED, "时间不合适")]


def test_what_was_changed_behind_the_hubs_back_is_not_used(room: Room, runtime: Runtime) -> None:
    key = room.hand_in()
    with runtime.sessions.begin() as session:
        people = [the_actor(session, "approver"), another(session, "second")]
    for person in people[: 2 if room.matter is Matter.PLAN else 1]:
        with runtime.sessions.begin() as session:
            room.press(session, person, key)
    with runtime.sessions.begin() as session:
        session.execute(text(room.tampering))
    assert not room.is_used(key)


def test_a_colleague_passes_it_in_place_of_who_is_away(room: Room, runtime: Runtime) -> None:
    key = room.hand_in()
    with runtime.sessions.begin() as session:
        second = another(session, "second")
        duty, approver = the_actor(session, "duty"), the_actor(session, "approver")
        assert duty.id is not None
        ends = NOON + timedelta(days=3)
        delegating.give(session, approver, duty.id, starts_at=NOON, ends_at=ends, reason="开会", now=NOON)
    with runtime.sessions.begin() as session:
        account = session.get_one(Account, duty.id)
        standing_in = actor_for(session, account, origin="test", now=NOON + timedelta(hours=1))
        room.press(session, standing_in, key)
    if room.matter is Matter.PLAN:
        with runtime.sessions.begin() as session, pytest.raises(NotAllowed):
            room.press(session, approver, key)
        with runtime.sessions.begin() as session:
            room.press(session, second, key)
    with runtime.sessions.read() as session:
        assert room.is_live(session, key)
        [round_] = history.of(session, approver, key)
    assert (round_.reviews[0].reviewer_name, round_.reviews[0].for_name) == ("北镇值班员", "北镇副镇长")


def test_of_two_who_press_at_once_one_takes_the_step(room: Room, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        people = three_reviewers(session, room.matter)
    key = room.hand_in()
    start, said = threading.Barrier(2), []

    def press(actor: Actor) -> None:
        start.wait()
        try:
            with runtime.sessions.begin() as session:
                room.press(session, actor, key)
            said.append("passed")
        except WrongState as refused:
            said.append(refused.code)

    threads = [threading.Thread(target=press, args=(actor,)) for actor in people[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with runtime.sessions.read() as session:
        [round_] = history.of(session, people[0], key)
        assert not room.is_live(session, key)
    assert [one.step for one in round_.reviews] == list(range(1, said.count("passed") + 1))


def test_what_was_agreed_to_before_there_were_rules_for_it_keeps_its_standing(room: Room, runtime: Runtime) -> None:
    key = room.hand_in()
    with runtime.sessions.begin() as session:
        people = [the_actor(session, "approver"), another(session, "second")]
    for person in people[: 2 if room.matter is Matter.PLAN else 1]:
        with runtime.sessions.begin() as session:
            room.press(session, person, key)
    with runtime.sessions.engine.begin() as connection:
        config = AlembicConfig()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes |= {"connection": connection, "metadata": Base.metadata}
        command.stamp(config, "head")
        command.downgrade(config, "0018")
        command.upgrade(config, "head")
    with runtime.sessions.read() as session:
        [round_] = history.of(session, people[0], key)
        assert [one.reviewer_id for one in round_.reviews] == [person.id for person in people[: len(round_.reviews)]]
        with pytest.raises(DBAPIError, match="never changed"):
            session.execute(text("UPDATE review SET verdict = 'passed'"))
    assert room.is_used(key)


def test_a_plan_never_needs_fewer_than_two(app: OpenAPI, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        county = the_actor(session, "county")
        with pytest.raises(BadInput, match="steps_too_few"):
            approvals.set_rule(session, county, NORTH, Matter.PLAN, Reach.ANY, [ANYBODY], now=NOON)
        approvals.set_rule(session, county, NORTH, Matter.ANY, Reach.ANY, [ANYBODY], now=NOON)
        assert len(approvals.steps_needed(session, HOME, Matter.PLAN)) == 2
        assert len(approvals.steps_needed(session, HOME, Matter.SHEET)) == 1


def the_actor_of(runtime: Runtime, login: str) -> Actor:
    with runtime.sessions.read() as session:
        return the_actor(session, login)

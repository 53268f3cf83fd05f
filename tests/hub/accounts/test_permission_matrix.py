"""Every role, every verb, in one's own region, above it, below it, beside it and elsewhere: from the roles' own data.

What a role may is read from `role_book`; whether a verb lets somebody through is asked of the real services, one for
each permission. The two must agree everywhere.
"""

from collections.abc import Mapping
from uuid import UUID

import pytest
from builders import BRIDGE, COUNTY, NORTH, SOUTH, a_county, a_draft, the_actor
from conftest import NOON, SetClock, open_hub
from matrixlab import REVIEWS, TODAY, Ground, Verb, approve
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements import service as announcements
from broadcasts.approvals import service as approval_rules
from broadcasts.approvals.rules import Matter, Reach
from broadcasts.audience.selection import Audience
from broadcasts.reports import gaps
from broadcasts.reports.gaps import PlanWish
from broadcasts.reports.models import GapKind
from hub.accounts import inviting, role_book
from hub.accounts import service as accounts
from hub.accounts.actors import actor_for
from hub.accounts.roles import HANDED_ON, Role
from hub.audit import log
from hub.core.actor import SYSTEM, Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound
from hub.regions import service as regions
from hub.regions.tree import path_of
from hub.residents import service as residents
from hub.residents.service import ResidentInput
from hub.speakers import registry
from hub.speakers.models import Speaker

P = Permission
HELD_AT = NORTH
"""Every role is held in the northern township."""
PLACES: Mapping[str, tuple[str, bool]] = {
    "own": (NORTH, True),
    "child": (BRIDGE, True),
    "parent": (COUNTY, False),
    "sibling": (SOUTH, False),
    "foreign": ("990102000000", False),
}
"""Where a verb is tried, and whether a role held in the north counts there."""


def see(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return regions.get_region(session, actor, code)


def compose(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return announcements.create(session, actor, a_draft(audience=Audience((code,))), now=NOON)


def stop(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return announcements.withdraw(session, actor, ground.at[code].announcement, timetable=ground.timetable, now=NOON)


def see_residents(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return regions.get_region(session, actor, code, P.SEE_RESIDENTS)


def edit_residents(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    if code != BRIDGE:
        actor.require(P.EDIT_RESIDENTS, path_of(code))  # residents live in villages
        return None
    given = ResidentInput(name="王五", region_code=BRIDGE, phones=("15400000001",))
    return residents.add_resident(session, actor, given, safe=ground.safe, now=NOON)


def edit_speakers(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    query = select(Speaker.id).where(Speaker.region_path.like(f"{path_of(code)}%")).limit(1)
    speaker = session.scalar(query)
    if speaker is None or code == COUNTY:
        actor.require(P.EDIT_SPEAKERS, path_of(code))  # the county's own loudspeakers hang in its villages
        return None
    return registry.set_volume(session, actor, speaker, 40, now=NOON)


def edit_regions(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return regions.rename_region(session, actor, code, name="新名", now=NOON)


def edit_accounts(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return accounts.create_account(
        session, actor, login="fresh", name="新人", password="", grants=[(Role.VIEWER, path_of(code))], now=NOON
    )


def see_audit(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    entry = log.record(session, SYSTEM, "speaker.volume", "speaker:matrix", path_of(code), NOON)
    if entry.id not in {one.id for one in log.latest(session, actor, limit=10_000)}:
        raise NotFound("nothing seen")
    return entry


def only_asked(permission: Permission) -> Verb:
    """A verb whose service needs more than a region: what every one of them asks first."""

    def ask(ground: Ground, session: Session, actor: Actor, code: str) -> object:
        actor.require(permission, path_of(code))
        return None

    return ask


VERBS: Mapping[Permission, Verb] = {
    **{permission: only_asked(permission) for permission in Permission},
    P.SEE: see,
    P.COMPOSE: compose,
    P.APPROVE: approve,
    P.STOP: stop,
    P.SEE_RESIDENTS: see_residents,
    P.EDIT_RESIDENTS: edit_residents,
    P.EDIT_SPEAKERS: edit_speakers,
    P.EDIT_REGIONS: edit_regions,
    P.EDIT_ACCOUNTS: edit_accounts,
    P.SEE_AUDIT: see_audit,
}


def a_colleague(session: Session, code: str) -> UUID:
    """Return somebody who only looks, at a place."""
    found = accounts.create_account(
        session, SYSTEM, login=f"other{code}", name="同事", password="", grants=[(Role.VIEWER, path_of(code))], now=NOON
    )
    return found.id


def plan_a_gap(kind: GapKind) -> Verb:
    def verb(ground: Ground, session: Session, actor: Actor, code: str) -> object:
        wish = PlanWish("小石", "", TODAY)
        try:
            return gaps.settle(session, actor, code, kind, wish, today=TODAY, now=NOON)
        except BadInput:  # a plan is made for a village: that is said to whoever may make one
            return None

    return verb


def rename(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return accounts.rename(session, actor, a_colleague(session, code), "新名", now=NOON)


def appoint(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    grants = [(Role.CLERK.value, path_of(code))]
    return accounts.change_grants(session, actor, a_colleague(session, code), grants, now=NOON)


def invite(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return inviting.invite(session, actor, a_colleague(session, code), now=NOON)


def switch_off(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    a_colleague(session, code)
    accounts.set_active(session, actor, f"other{code}", False, now=NOON)
    return None


def set_rule(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return approval_rules.set_rule(session, actor, code, Matter.WORDS, Reach.ANY, ["", ""], now=NOON)


FURTHER: Mapping[str, tuple[Permission, Verb]] = {
    "plan for loudspeakers": (P.EDIT_SPEAKERS, plan_a_gap(GapKind.HORN)),
    "plan for numbers": (P.EDIT_RESIDENTS, plan_a_gap(GapKind.PHONE)),
    "rename": (P.EDIT_ACCOUNTS, rename),
    "appoint": (P.EDIT_ACCOUNTS, appoint),
    "invite": (P.EDIT_ACCOUNTS, invite),
    "switch off": (P.EDIT_ACCOUNTS, switch_off),
    "rule of approval": (P.EDIT_ACCOUNTS, set_rule),
}
"""More verbs, each with the permission it needs besides seeing the place. Those of reviews stand in `matrixlab`."""
ALSO_NEEDED: Mapping[Permission, frozenset[Permission]] = {
    P.APPROVE: frozenset({P.SEE}),
    P.STOP: frozenset({P.SEE}),
}
"""What one has to see to do something to it."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    runtime = open_hub(tmp_path_factory.mktemp("matrix") / "var", SetClock())
    with runtime.sessions.begin() as session:
        a_county(session)
        for code, name in (("990102000000", "邻县"), ("990102001000", "邻镇"), ("990102001001", "邻村")):
            regions.add_region(session, SYSTEM, code=code, name=name, now=NOON)
        registry.enrol(session, SYSTEM, speaker_id="far-1", name="村口", region_code="990102001001", now=NOON)
        boss = the_actor(session, "county")
        assert boss.may(P.EDIT_ACCOUNTS, path_of(NORTH))
    return Ground(runtime, [code for code, _ in PLACES.values()])


def let_through(ground: Ground, role: str, verb: Verb, code: str) -> bool:
    """Return whether somebody with one role in the north gets through; whatever was done is undone."""
    with ground.runtime.sessions._write() as session:
        made = accounts.create_account(
            session, SYSTEM, login="probe", name="试", password="", grants=[(role, path_of(HELD_AT))], now=NOON
        )
        actor = actor_for(session, made, origin="test")
        try:
            verb(ground, session, actor, code)
        except (NotAllowed, NotFound):
            return False
        finally:
            session.rollback()
        return True


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("role", [*Role])
def test_a_verb_lets_through_whom_the_roles_data_says_and_nobody_else(ground: Ground, role: str, place: str) -> None:
    code, counts = PLACES[place]
    with ground.runtime.sessions.read() as session:
        held = role_book.rights(session)[role]
    for permission, verb in VERBS.items():
        needed = {permission} | ALSO_NEEDED.get(permission, frozenset())
        expected = counts and needed <= held
        assert let_through(ground, role, verb, code) is expected, f"{role} {permission} {place}"
    further = {name: (frozenset({permission}), verb) for name, (permission, verb) in FURTHER.items()} | dict(REVIEWS)
    for name, (any_of, verb) in further.items():
        expected = counts and P.SEE in held and bool(any_of & held)
        assert let_through(ground, role, verb, code) is expected, f"{role} {name} {place}"


def test_the_matrix_knows_every_permission_and_tries_each_both_ways(ground: Ground) -> None:
    with ground.runtime.sessions.read() as session:
        held = role_book.rights(session)
    assert VERBS.keys() == set(Permission)
    for permission in Permission:
        assert any(permission in held[role] for role in Role), f"no role has {permission}"
        assert any(permission not in held[role] for role in Role) or permission is P.SEE
    assert HANDED_ON.isdisjoint(held[Role.COUNTY_ADMIN])

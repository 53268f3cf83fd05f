"""Every role, every verb, in one's own region, above it, below it, beside it and elsewhere: from the roles' own data.

What a role may is read from `role_book`; whether a verb lets somebody through is asked of the real services, one for
each permission. The two must agree everywhere.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from builders import BRIDGE, COUNTY, NORTH, SOUTH, a_county, a_draft, the_actor
from conftest import NOON, SetClock, open_hub
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements import service as announcements
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import Announcement, When
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.feature import rules_of
from broadcasts.loudspeaker.orders import Sound
from hub.accounts import role_book
from hub.accounts import service as accounts
from hub.accounts.actors import actor_for
from hub.accounts.roles import HANDED_ON, Role
from hub.audit import log
from hub.core.actor import SYSTEM, Actor, Permission
from hub.core.errors import NotAllowed, NotFound
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.tree import path_of
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput
from hub.speakers import registry
from hub.speakers.models import Speaker
from schedules.timetable import doors

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
SPOKEN = Spoken(Sound("ab" * 32, 30_000, 90_000), engine="tone", spoken="")


class Ground:
    """A county, another one beside it, and something to do in every place."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.rules: Rules = rules_of(runtime)
        self.timetable = doors(runtime.zone)
        self.safe = PhoneSafe(runtime.secrets)
        self.places = {name: code for name, (code, _) in PLACES.items()}

    def written(self, session: Session, code: str) -> Announcement:
        """Return something handed in for a place, by somebody who has nothing else to do with the test."""
        writer = accounts.create_account(
            session,
            SYSTEM,
            login=f"writer{code}",
            name="写稿人",
            password="",
            grants=[(Role.CLERK, path_of(code))],
            now=NOON,
        )
        actor = actor_for(session, writer, origin="test")
        draft = a_draft(audience=Audience((code,)), when=When.ONCE, at=NOON + timedelta(hours=6))
        notice = announcements.create(session, actor, draft, now=NOON)
        return announcements.submit(session, actor, notice.id, SPOKEN, rules=self.rules, now=NOON)


Verb = Callable[[Ground, Session, Actor, str], object]


def see(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return regions.get_region(session, actor, code)


def compose(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return announcements.create(session, actor, a_draft(audience=Audience((code,))), now=NOON)


def approve(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    notice = ground.written(session, code)
    return announcements.approve(session, actor, notice.id, rules=ground.rules, timetable=ground.timetable, now=NOON)


def stop(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return announcements.withdraw(
        session, actor, ground.written(session, code).id, timetable=ground.timetable, now=NOON
    )


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
    return Ground(runtime)


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


def test_the_matrix_knows_every_permission_and_tries_each_both_ways(ground: Ground) -> None:
    with ground.runtime.sessions.read() as session:
        held = role_book.rights(session)
    assert VERBS.keys() == set(Permission)
    for permission in Permission:
        assert any(permission in held[role] for role in Role), f"no role has {permission}"
        assert any(permission not in held[role] for role in Role) or permission is P.SEE
    assert HANDED_ON.isdisjoint(held[Role.COUNTY_ADMIN])

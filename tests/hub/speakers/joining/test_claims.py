"""Device and code find each other; nobody else does; what is over stays over."""

from collections.abc import Iterator
from datetime import timedelta

import builders
import pytest
from builders import BRIDGE, FERRY, HILL
from conftest import NOON
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM
from hub.core.errors import BadInput, NotAllowed, NotFound, TooMany, WrongState
from hub.core.runtime import Runtime
from hub.core.typed import new_code, shown
from hub.speakers import registry
from hub.speakers.broker.accounts import check_password
from hub.speakers.envelope import SigningKey
from hub.speakers.joining import claims, lists
from hub.speakers.joining.claims import Device, Place
from hub.speakers.joining.codes import claim_id
from hub.speakers.joining.models import Claim, ClaimState
from hub.speakers.joining.papers import Issuer, open_papers
from hub.speakers.models import Speaker, SpeakerState

ISSUER = Issuer("broker.example", 1883, False, "", {"h1": SigningKey.generate("h1").public()})
LATER = NOON + timedelta(minutes=1)
GATE = Place("村口", BRIDGE)


@pytest.fixture
def county(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


def a_waiting_device(session: Session, *, serial: str = "SN-1", address: str = "10.0.0.1") -> str:
    code = new_code()
    device = Device(claim_id(code), serial, "horn-2", "1.0")
    assert claims.announce(session, device, address=address, now=NOON).kind == "wait"
    return code


def ask(session: Session, code: str, *, days: float = 0) -> claims.Reply:
    return claims.announce(session, Device(claim_id(code)), address="10.0.0.1", now=LATER + timedelta(days=days))


def offer(session: Session, code: str, login: str = "clerk", place: Place = GATE) -> Speaker:
    return claims.offer(session, builders.the_actor(session, login), code, place, ISSUER, now=LATER)


def make(session: Session, login: str = "clerk", place: Place = GATE, count: int = 1) -> list[claims.Label]:
    return claims.make_codes(session, builders.the_actor(session, login), place, ISSUER, now=LATER, count=count)


def state_of(session: Session, code: str) -> ClaimState:
    return session.get_one(Claim, claim_id(code), populate_existing=True).state


def test_an_unknown_device_waits_and_gets_nothing(county: Session) -> None:
    code = a_waiting_device(county)
    for _ in range(3):
        assert ask(county, code) == claims.Reply("wait")
    assert state_of(county, code) is ClaimState.WAITING
    assert county.scalars(select(Speaker).where(Speaker.state == SpeakerState.EXPECTED)).all() == []


def test_the_typed_code_brings_papers_that_only_the_device_can_read(county: Session) -> None:
    code, other = a_waiting_device(county), a_waiting_device(county, serial="SN-2")
    speaker = offer(county, shown(code).lower())
    reply = ask(county, code)
    papers = open_papers(code, reply.papers)
    assert papers is not None
    assert papers.id == speaker.id
    assert check_password(papers.secret, speaker.password_hash)
    assert papers.regions[-1] == BRIDGE
    assert open_papers(other, reply.papers) is None
    assert ask(county, other).kind == "wait"


def test_an_expected_loudspeaker_may_connect_but_is_nobodys_target(county: Session) -> None:
    speaker = offer(county, a_waiting_device(county))
    assert speaker.id in {account.username for account in registry.broker_accounts(county)}
    assert registry.count(county, SYSTEM).total == 6
    assert speaker.id not in {each.id for each in registry.page(county, SYSTEM)}


def test_the_first_connection_makes_it_ours_with_a_number_of_that_moment(county: Session) -> None:
    code = a_waiting_device(county)
    speaker = offer(county, code)
    between = builders.a_speaker(county, "between-1")
    assert claims.came(county, [speaker.id, "s1001-1", "nobody"], now=LATER) == [claims.Joined(speaker.id)]
    assert speaker.state is SpeakerState.ACTIVE
    assert speaker.number > between.number, "commands made before it joined must not mean it"
    assert speaker.model == "horn-2"
    claim = county.get_one(Claim, claim_id(code), populate_existing=True)
    assert (claim.state, claim.done_at, claim.papers) == (ClaimState.DONE, LATER, "")
    assert claims.came(county, [speaker.id], now=LATER) == [], "once"


def test_a_used_code_gives_nothing_a_second_time(county: Session) -> None:
    code = a_waiting_device(county)
    claims.came(county, [offer(county, code).id], now=LATER)
    assert ask(county, code) == claims.Reply("gone", why="used")
    with pytest.raises(BadInput, match=r"claim_used_by name=村口"):
        offer(county, code)


def test_a_retired_loudspeakers_code_is_refused_by_name(county: Session) -> None:
    code = a_waiting_device(county)
    speaker = offer(county, code)
    claims.came(county, [speaker.id], now=LATER)
    registry.retire(county, SYSTEM, speaker.id, now=LATER)
    assert ask(county, code).kind == "gone"
    with pytest.raises(BadInput, match="claim_retired"):
        offer(county, code)


def test_to_a_stranger_a_used_code_does_not_say_whose_it_is(county: Session) -> None:
    code = a_waiting_device(county)
    offer(county, code)
    with pytest.raises(BadInput) as caught:
        offer(county, code, "stranger", Place("渡口", FERRY))
    assert str(caught.value) == "claim_used"


@pytest.mark.parametrize("typed", ["", "0123", "你好", "U123-4567-89AB-CDEF"])
def test_what_is_no_code_is_said_at_its_field(county: Session, typed: str) -> None:
    with pytest.raises(BadInput, match="claim_code_malformed") as caught:
        offer(county, typed)
    assert caught.value.field == "code"


def test_a_wrong_code_is_always_found(county: Session) -> None:
    code = a_waiting_device(county)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    with pytest.raises(BadInput, match="claim_unknown"):
        offer(county, wrong)
    assert state_of(county, code) is ClaimState.WAITING


def test_nobody_lets_a_device_into_another_township(county: Session) -> None:
    code = a_waiting_device(county)
    with pytest.raises(NotFound):
        offer(county, code, "stranger")
    with pytest.raises(NotAllowed):
        offer(county, code, "viewer")
    assert ask(county, code).kind == "wait"


def test_codes_of_the_hub_work_once_each(county: Session) -> None:
    labels = make(county, count=3)
    assert [label.speaker.name for label in labels] == ["村口1", "村口2", "村口3"]
    assert len({label.code for label in labels}) == 3
    for label in labels:
        papers = open_papers(label.code, ask(county, label.code).papers)
        assert papers is not None
        assert papers.id == label.speaker.id
    with pytest.raises(BadInput, match="claim_is_offered"):
        offer(county, labels[0].code)


@pytest.mark.parametrize("count", [0, 51])
def test_too_many_labels_at_once_are_refused(county: Session, count: int) -> None:
    with pytest.raises(BadInput, match="code_count"):
        make(county, count=count)


def test_a_code_that_lay_in_a_drawer_too_long_is_over_and_its_account_with_it(county: Session) -> None:
    label = make(county)[0]
    name = label.speaker.id
    assert ask(county, label.code, days=29.9).kind == "papers"
    assert ask(county, label.code, days=30) == claims.Reply("gone", why="dismissed")
    assert claims.expire(county, now=LATER + timedelta(days=30)) == 1
    assert county.get(Speaker, name) is None
    assert name not in {account.username for account in registry.broker_accounts(county)}


def test_a_device_that_no_longer_asks_is_forgotten_and_may_come_again(county: Session) -> None:
    code = a_waiting_device(county)
    ask(county, code, days=6)
    claims.expire(county, now=NOON + timedelta(days=12))
    assert state_of(county, code) is ClaimState.WAITING, "it asked six days ago"
    claims.expire(county, now=NOON + timedelta(days=14))
    assert county.get(Claim, claim_id(code)) is None
    assert ask(county, code, days=15).kind == "wait"


def test_quarantine_is_no_dump(county: Session) -> None:
    for number in range(claims.MOST_WAITING_FROM_ONE):
        a_waiting_device(county, serial=f"SN-{number}")
    with pytest.raises(TooMany, match="quarantine_full"):
        a_waiting_device(county)
    for number in range(claims.MOST_WAITING - claims.MOST_WAITING_FROM_ONE):
        a_waiting_device(county, address=f"10.1.{number}.1")
    with pytest.raises(TooMany, match="quarantine_full"):
        a_waiting_device(county, address="10.2.0.1")


def test_only_people_of_the_county_see_who_waits(county: Session) -> None:
    a_waiting_device(county)
    clerk = lists.waiting(county, builders.the_actor(county, "clerk"))
    admin = lists.waiting(county, builders.the_actor(county, "county"))
    assert (clerk.count, clerk.devices) == (1, None)
    assert admin.devices is not None
    assert admin.devices[0].serial == "SN-1"


def test_a_dismissed_device_is_told_so(county: Session) -> None:
    code = a_waiting_device(county)
    with pytest.raises(NotFound):
        claims.dismiss(county, builders.the_actor(county, "clerk"), claim_id(code), now=LATER)
    claims.dismiss(county, builders.the_actor(county, "county"), claim_id(code), now=LATER)
    assert ask(county, code) == claims.Reply("gone", why="dismissed")
    with pytest.raises(BadInput, match="claim_dismissed"):
        offer(county, code)


def test_a_label_can_be_taken_back_by_those_it_belongs_to(county: Session) -> None:
    label = make(county)[0]
    name = label.speaker.id
    with pytest.raises(NotFound):
        claims.dismiss(county, builders.the_actor(county, "stranger"), claim_id(label.code), now=LATER)
    claims.dismiss(county, builders.the_actor(county, "clerk"), claim_id(label.code), now=LATER)
    assert ask(county, label.code).kind == "gone"
    assert county.get(Speaker, name) is None
    with pytest.raises(WrongState):
        claims.dismiss(county, SYSTEM, claim_id(label.code), now=LATER)


def test_each_sees_only_the_expected_ones_of_ones_own_places(county: Session) -> None:
    mine = make(county)[0].speaker.id
    theirs = make(county, "stranger", Place("渡口", FERRY))[0].speaker.id
    seen = {login: [s.id for _, s in lists.offered(county, builders.the_actor(county, login))] for login in LOGINS}
    assert seen == {"clerk": [mine], "stranger": [theirs], "viewer": [], "county": [mine, theirs]}


LOGINS = ("clerk", "stranger", "viewer", "county")


def test_a_replacement_takes_everything_over_and_retires_the_old_one(county: Session) -> None:
    old = county.get_one(Speaker, "s1001-1")
    old.place, old.lat, old.keeper, old.households, old.volume = "老槐树下", 25.5, "王建国", 120, 35
    code = a_waiting_device(county)
    new = offer(county, code, place=Place(replaces=old.id))
    assert (new.name, new.region_code, new.place, new.lat) == (old.name, BRIDGE, "老槐树下", 25.5)
    assert (new.keeper, new.households, new.volume, new.replaces) == ("王建国", 120, 35, "s1001-1")
    assert old.state is SpeakerState.ACTIVE, "until the new one is really there"
    assert claims.came(county, [new.id], now=LATER) == [claims.Joined(new.id, replaced="s1001-1")]
    with pytest.raises(WrongState, match="speaker_retired_already"):
        registry.retire(county, SYSTEM, "s1001-1", now=LATER)


def test_one_place_is_taken_by_one_device(county: Session) -> None:
    make(county, place=Place(replaces="s1001-1"))
    with pytest.raises(WrongState, match="replacement_expected"):
        make(county, place=Place(replaces="s1001-1"))
    with pytest.raises(NotFound):
        make(county, "stranger", Place(replaces="s1001-2"))
    with pytest.raises(NotAllowed):
        make(county, "viewer", Place(replaces="s1001-2"))
    with pytest.raises(BadInput, match="code_count"):
        make(county, place=Place(replaces="s1001-2"), count=2)


def test_nothing_secret_stands_in_the_tables_or_the_log(county: Session) -> None:
    code = a_waiting_device(county)
    offer(county, code)
    papers = open_papers(code, ask(county, code).papers)
    label = make(county)[0]
    assert papers is not None
    county.flush()
    claim = county.get_one(Claim, claim_id(code), populate_existing=True)
    kept = [
        claim.id,
        claim.papers,
        *(str(entry.details) + entry.subject for entry in county.scalars(select(AuditEntry))),
    ]
    for secret in (code, shown(code), papers.secret, label.code, shown(label.code)):
        assert not any(secret in text for text in kept)


def test_a_moved_loudspeaker_is_not_meant_by_what_was_ordered_before(county: Session) -> None:
    before = county.get_one(Speaker, "s1001-1").number
    speaker = registry.move(county, builders.the_actor(county, "clerk"), "s1001-1", HILL, now=NOON)
    highest = max(county.scalars(select(Speaker.number)))
    assert (speaker.region_code, speaker.number) == (HILL, highest)
    assert speaker.number > before
    account = next(a for a in registry.broker_accounts(county) if a.username == "s1001-1")
    assert HILL in account.regions
    assert BRIDGE not in account.regions


@pytest.mark.parametrize(
    ("login", "speaker", "to", "error"),
    [
        ("clerk", "s1001-1", FERRY, NotFound),
        ("stranger", "s1001-1", FERRY, NotFound),
        ("viewer", "s1001-1", HILL, NotAllowed),
        ("clerk", "s1001-1", BRIDGE, BadInput),
        ("clerk", "s1001-1", builders.NORTH, BadInput),
    ],
)
def test_both_places_must_be_ones_own(
    county: Session, login: str, speaker: str, to: str, error: type[Exception]
) -> None:
    before = county.get_one(Speaker, speaker).region_code
    with pytest.raises(error):
        registry.move(county, builders.the_actor(county, login), speaker, to, now=NOON)
    assert county.get_one(Speaker, speaker).region_code == before


def test_the_county_may_move_across_townships_and_both_sides_read_of_it(county: Session) -> None:
    registry.move(county, builders.the_actor(county, "county"), "s1001-1", FERRY, now=NOON)
    entries = county.scalars(select(AuditEntry).where(AuditEntry.deed == "speaker.move")).all()
    assert len({entry.region_path for entry in entries}) == 2

"""Which loudspeakers there are: adding, counting, paging, retiring, and who sees which."""

from collections.abc import Iterator

import builders
import pytest
from builders import BRIDGE, COUNTY, FERRY, HILL, NORTH
from conftest import NOON
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.accounts.roles import Role
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, Problems, WrongState
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers import registry
from hub.speakers.broker.accounts import check_password
from hub.speakers.models import Speaker


@pytest.fixture
def county(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


def enrol(session: Session, login: str = "clerk", **given: str) -> registry.Enrolled:
    fields = {"speaker_id": "new-1x", "name": "村口", "region_code": BRIDGE} | given
    actor = builders.the_actor(session, login)
    return registry.enrol(
        session,
        actor,
        speaker_id=fields["speaker_id"],
        name=fields["name"],
        region_code=fields["region_code"],
        now=NOON,
    )


def all_pages(session: Session, limit: int, **wanted: object) -> list[str]:
    actor = builders.the_actor(session, "county")
    seen: list[str] = []
    after = None
    while True:
        page = registry.page(session, actor, after=after, limit=limit, **wanted)  # type: ignore[arg-type]
        seen += [speaker.id for speaker in page]
        if len(page) < limit:
            return seen
        after = registry.place_of(page[-1])


def test_a_new_loudspeaker_gets_the_next_number_and_a_password_kept_nowhere(county: Session) -> None:
    highest = max(county.scalars(select(Speaker.number)))
    enrolled = enrol(county)
    assert enrolled.speaker.number == highest + 1
    assert check_password(enrolled.secret, enrolled.speaker.password_hash)
    entry = county.scalars(select(AuditEntry).where(AuditEntry.subject == "speaker:new-1x")).one()
    assert enrolled.secret not in f"{entry.details}{enrolled.speaker.password_hash}"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"speaker_id": "s1001-1"}, "speaker_exists"),
        ({"speaker_id": "S1001-1 "}, "speaker_exists"),
        ({"speaker_id": "村口"}, "speaker_id_malformed"),
        ({"speaker_id": "a/b"}, "speaker_id_malformed"),
        ({"speaker_id": "x" * 33}, "speaker_id_malformed"),
        ({"speaker_id": "hub"}, "speaker_id_malformed"),
        ({"speaker_id": "new"}, "speaker_id_malformed"),
        ({"name": " "}, "name_missing"),
        ({"region_code": NORTH}, "speaker_needs_village"),
    ],
)
def test_a_malformed_loudspeaker_is_refused(county: Session, given: dict[str, str], code: str) -> None:
    with pytest.raises(BadInput) as refused:
        enrol(county, **given)
    assert refused.value.code == code


def test_everything_that_is_wrong_is_said_at_once(county: Session) -> None:
    with pytest.raises(Problems) as refused:
        enrol(county, speaker_id="村口", name="")
    assert {problem.field for problem in refused.value.problems} == {"speaker_id", "name"}


@pytest.mark.parametrize(
    ("login", "region", "error"),
    [("clerk", FERRY, NotFound), ("stranger", BRIDGE, NotFound), ("viewer", BRIDGE, NotAllowed)],
)
def test_nobody_hangs_a_loudspeaker_where_they_may_not(
    county: Session, login: str, region: str, error: type[HubError]
) -> None:
    with pytest.raises(error):
        enrol(county, login, region_code=region)
    assert county.get(Speaker, "new-1x") is None


def test_numbers_are_handed_out_once_and_only_grow(county: Session) -> None:
    first = registry.next_value(county, "test", 3)
    assert [first, registry.next_value(county, "test"), registry.next_value(county, "test")] == [1, 4, 5]


def test_pages_show_the_silent_first_then_the_faulty_and_leave_nobody_out(county: Session) -> None:
    for speaker_id, online, fault in (("s1002-2", False, ""), ("s2001-1", True, "fault")):
        speaker = county.get_one(Speaker, speaker_id)
        speaker.online, speaker.fault = online, fault
    county.flush()
    expected = ["s1002-2", "s2001-1", "s1001-1", "s1001-2", "s1002-1", "s2001-2"]
    assert [all_pages(county, limit) for limit in (1, 2, 3, 50)] == [expected] * 4


def test_a_loudspeaker_that_changes_between_two_pages_hides_no_other(county: Session) -> None:
    actor = builders.the_actor(county, "county")
    first = registry.page(county, actor, limit=2)
    place = registry.place_of(first[-1])
    first[-1].online = False
    county.flush()
    rest = registry.page(county, actor, after=place, limit=50)
    assert [speaker.id for speaker in rest] == ["s1002-1", "s1002-2", "s2001-1", "s2001-2"]


def test_filters_narrow_the_list(county: Session) -> None:
    county.get_one(Speaker, "s1001-2").online = False
    county.get_one(Speaker, "s1002-1").name = "晒坝"
    county.flush()
    assert all_pages(county, 50, path=path_of(NORTH)) == ["s1001-2", "s1001-1", "s1002-1", "s1002-2"]
    assert all_pages(county, 50, only_offline=True) == ["s1001-2"]
    assert all_pages(county, 50, query="晒") == ["s1002-1"]
    assert all_pages(county, 50, query="S2001") == ["s2001-1", "s2001-2"]
    assert all_pages(county, 50, query="%") == []


def test_a_stranger_sees_only_their_own(county: Session) -> None:
    stranger = builders.the_actor(county, "stranger")
    assert [s.id for s in registry.page(county, stranger)] == ["s2001-1", "s2001-2"]
    assert registry.page(county, stranger, path=path_of(NORTH)) == []
    assert registry.count(county, stranger).total == 2
    assert registry.count(county, stranger, path_of(NORTH)).total == 0
    with pytest.raises(NotFound):
        registry.get(county, stranger, "s1001-1")


def test_counts_include_everything_below_and_nothing_retired(county: Session) -> None:
    county.get_one(Speaker, "s1001-1").online = False
    registry.retire(county, SYSTEM, "s2001-1", now=NOON)
    county.flush()
    counts = registry.count_by_region(county, builders.the_actor(county, "county"))
    shown = {code: (count.online, count.offline) for code, count in counts.items()}
    assert shown[COUNTY] == (4, 1)
    assert shown[NORTH] == (3, 1)
    assert (shown[BRIDGE], shown[HILL], shown[FERRY]) == ((1, 1), (2, 0), (1, 0))
    total = registry.count(county, builders.the_actor(county, "county"))
    assert (total.total, total.online) == (5, 4)


def test_a_retired_loudspeaker_leaves_list_and_broker_and_its_name_stays_taken(county: Session) -> None:
    registry.retire(county, builders.the_actor(county, "clerk"), "s1001-1", now=NOON)
    assert "s1001-1" not in all_pages(county, 50)
    assert "s1001-1" not in {account.username for account in registry.broker_accounts(county)}
    with pytest.raises(BadInput, match="speaker_id_retired"):
        enrol(county, speaker_id="s1001-1")
    with pytest.raises(WrongState):
        registry.retire(county, builders.the_actor(county, "clerk"), "s1001-1", now=NOON)
    with pytest.raises(WrongState):
        registry.set_volume(county, builders.the_actor(county, "clerk"), "s1001-1", 50, now=NOON)


@pytest.mark.parametrize("volume", [-1, 101])
def test_a_volume_beyond_the_scale_is_refused(county: Session, volume: int) -> None:
    with pytest.raises(BadInput, match="volume_range"):
        registry.set_volume(county, builders.the_actor(county, "clerk"), "s1001-1", volume, now=NOON)


def test_who_may_only_look_sets_no_volume(county: Session) -> None:
    with pytest.raises(NotAllowed):
        registry.set_volume(county, builders.the_actor(county, "viewer"), "s1001-1", 50, now=NOON)
    with pytest.raises(NotFound):
        registry.set_volume(county, builders.an_actor(Role.CLERK, FERRY), "s1001-1", 50, now=NOON)
    assert county.get_one(Speaker, "s1001-1").volume == 80

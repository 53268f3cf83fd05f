"""The region tree: codes, adding, renaming, and who sees which part."""

from collections.abc import Iterator

import builders
import pytest
from builders import BRIDGE, COUNTY, FERRY, HILL, NORTH, SOUTH
from conftest import NOON
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.accounts.roles import Role
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound
from hub.core.runtime import Runtime
from hub.regions import service
from hub.regions.tree import Level, common, contains, level_of, outermost, parent_code, path_of

GROUP = BRIDGE + "01"


@pytest.fixture
def county(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


@pytest.mark.parametrize(
    ("code", "level", "above"),
    [
        (COUNTY, Level.COUNTY, None),
        (NORTH, Level.TOWNSHIP, COUNTY),
        (BRIDGE, Level.VILLAGE, NORTH),
        (GROUP, Level.GROUP, BRIDGE),
    ],
)
def test_a_code_says_its_level_and_what_lies_above(code: str, level: Level, above: str | None) -> None:
    assert (level_of(code), parent_code(code)) == (level, above)


@pytest.mark.parametrize(
    "code", ["", "99", "99010100000a", "009101000000", "9901010000001", "990101001001\n", "９９０１０１００００００"]
)
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(BadInput, match="region_code_malformed"):
        level_of(code)


def test_paths_answer_what_lies_inside_what() -> None:
    assert path_of(GROUP) == f"{COUNTY}/{NORTH}/{BRIDGE}/{GROUP}/"
    assert contains(path_of(NORTH), path_of(GROUP))
    assert not contains(path_of(SOUTH), path_of(GROUP))
    assert outermost([path_of(BRIDGE), path_of(NORTH), path_of(FERRY)]) == [path_of(NORTH), path_of(FERRY)]
    assert common([path_of(BRIDGE), path_of(HILL)]) == path_of(NORTH)
    assert common([path_of(BRIDGE), path_of(FERRY)]) == path_of(COUNTY)


def test_each_person_sees_their_own_part_of_the_tree(county: Session) -> None:
    def codes(login: str) -> set[str]:
        trees = service.forest(county, builders.the_actor(county, login))
        return {node.code for tree in trees for node in tree.walk()}

    assert codes("clerk") == {NORTH, BRIDGE, HILL}
    assert codes("secretary") == {BRIDGE}
    assert codes("stranger") == {SOUTH, FERRY}
    assert codes("county") == {COUNTY, NORTH, SOUTH, BRIDGE, HILL, FERRY}


def test_somebody_without_a_post_sees_no_tree(county: Session) -> None:
    actor = builders.an_actor(Role.VIEWER)
    assert service.forest(county, actor, Permission.EDIT_REGIONS) == ()


def test_choices_name_the_place_with_its_township(county: Session) -> None:
    levels = frozenset({Level.VILLAGE})
    whole = service.choices(county, builders.the_actor(county, "county"), Permission.SEE, levels=levels)
    own = service.choices(county, builders.the_actor(county, "secretary"), Permission.SEE, levels=levels)
    assert whole == [(BRIDGE, "北镇 桥村"), (HILL, "北镇 岭村"), (FERRY, "南镇 渡村")]
    assert own == [(BRIDGE, "北镇 桥村")]


@pytest.mark.parametrize(("above", "code"), [(COUNTY, "990101003000"), (NORTH, "990101001003"), (BRIDGE, GROUP)])
def test_the_next_free_code_follows_the_highest(county: Session, above: str, code: str) -> None:
    assert service.next_code(county, above) == code


def test_no_free_code_is_offered_when_all_are_taken(county: Session) -> None:
    service.add_region(county, SYSTEM, code="990101999000", name="末镇", now=NOON)
    assert service.next_code(county, COUNTY) == ""


def test_a_region_added_below_stands_last_and_is_logged(county: Session) -> None:
    actor = builders.the_actor(county, "county")
    service.add_below(county, actor, BRIDGE, code=GROUP, name=" 一组 ", now=NOON)
    service.add_below(county, actor, BRIDGE, code=BRIDGE + "02", name="二组", now=NOON)
    village = service.subtree(county, actor, BRIDGE)
    assert [(child.code, child.name) for child in village.children] == [(GROUP, "一组"), (BRIDGE + "02", "二组")]
    entry = county.scalars(select(AuditEntry).where(AuditEntry.subject == f"region:{GROUP}")).one()
    assert (entry.deed, entry.details) == ("region.add", {"name": "一组"})


@pytest.mark.parametrize(
    ("above", "code", "name", "error"),
    [
        (NORTH, "990101002009", "外村", "region_not_below"),
        (NORTH, GROUP, "组", "region_not_below"),
        (NORTH, BRIDGE, "桥村", "region_exists"),
        (NORTH, "12", "村", "region_code_malformed"),
        (NORTH, "990101001009", "  ", "region_name_missing"),
        (NORTH, "990101001009", "村" * 61, "region_name_missing"),
    ],
)
def test_a_malformed_region_is_refused(county: Session, above: str, code: str, name: str, error: str) -> None:
    with pytest.raises(BadInput) as refused:
        service.add_below(county, builders.the_actor(county, "county"), above, code=code, name=name, now=NOON)
    assert refused.value.code == error


def test_nothing_lies_below_a_group(county: Session) -> None:
    actor = builders.the_actor(county, "county")
    service.add_below(county, actor, BRIDGE, code=GROUP, name="一组", now=NOON)
    with pytest.raises(BadInput, match="region_has_nothing_below"):
        service.add_below(county, actor, GROUP, code=GROUP + "01", name="小组", now=NOON)


def test_a_region_needs_its_parent(county: Session) -> None:
    with pytest.raises(BadInput, match="region_parent_missing"):
        service.add_region(county, SYSTEM, code="990101009001", name="孤村", now=NOON)


def test_a_clerk_changes_no_regions_and_a_stranger_does_not_even_find_them(county: Session) -> None:
    with pytest.raises(NotAllowed):
        service.rename_region(county, builders.the_actor(county, "clerk"), BRIDGE, name="新桥村", now=NOON)
    with pytest.raises(NotFound):
        service.rename_region(county, builders.the_actor(county, "stranger"), BRIDGE, name="新桥村", now=NOON)
    assert service.names(county, {BRIDGE}) == {BRIDGE: "桥村"}


def test_a_new_name_is_logged_with_the_old_one(county: Session) -> None:
    service.rename_region(county, builders.the_actor(county, "county"), BRIDGE, name="新桥村", now=NOON)
    entry = county.scalars(select(AuditEntry).where(AuditEntry.deed == "region.rename")).one()
    assert entry.details == {"before": "桥村", "after": "新桥村"}


def test_an_unknown_code_is_never_skipped_silently(county: Session) -> None:
    service.require_known(county, [BRIDGE, HILL])
    with pytest.raises(BadInput, match="region_unknown"):
        service.require_known(county, [BRIDGE, "990101001099"])


def test_a_full_name_reads_from_the_top(county: Session) -> None:
    assert service.full_name(county, path_of(BRIDGE)) == "试县 北镇 桥村"
    assert service.full_name(county, path_of(BRIDGE), without_county=True) == "北镇 桥村"
    assert service.full_name(county, path_of(COUNTY), without_county=True) == "试县"

"""The list of residents, and that strangers see and change nothing of it."""

from collections.abc import Callable
from typing import Any

import pytest
from smslab import BRIDGE, COUNTY, EAST, NOON, PINE, PINE_3, WEST, WILLOW, blocked, lab_actor, mobile, somebody
from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from hub.audit.models import AuditEntry
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems
from hub.regions.tree import path_of
from hub.residents import blocking, searching, service
from hub.residents.models import BlockedNumber, BlockReason, Phone, Resident, ResidentTag
from hub.residents.phones import PhoneSafe
from hub.residents.reach import reachable_counts
from hub.residents.service import ResidentInput

CLERK = lab_actor(EAST)
READER = lab_actor(EAST, Permission.SEE, Permission.SEE_RESIDENTS)
STRANGER = lab_actor(WEST)


def given(**changed: Any) -> ResidentInput:
    return ResidentInput(
        **{"name": "李四", "region_code": PINE, "phones": ("138 0000 0001",), "tags": ("沿河户",), **changed}
    )


def test_somebody_is_added_with_numbers_sealed(people: Session, phone_safe: PhoneSafe) -> None:
    added = service.add_resident(
        people, CLERK, given(phones=("13800000001", "0871-6123456", "", "+8613800000001")), safe=phone_safe, now=NOON
    )
    assert added.region_path == path_of(PINE)
    assert sorted(phone.masked for phone in added.phones) == ["0871-****456", "138****0001"]
    assert all(b"1380000" not in phone.sealed for phone in added.phones)
    (entry,) = people.scalars(select(AuditEntry))
    assert (entry.deed, entry.region_path) == ("resident.add", path_of(PINE))
    assert "13800000001" not in str(entry.details)


def test_everything_wrong_is_said_at_once_and_nothing_is_written(people: Session, phone_safe: PhoneSafe) -> None:
    wrong = given(name=" ", phones=("123", "13800000001x"), tags=("长" * 21,))
    with pytest.raises(Problems) as caught:
        service.add_resident(people, CLERK, wrong, safe=phone_safe, now=NOON)
    assert [problem.code for problem in caught.value.problems] == [
        "resident_name_missing",
        "resident_tag_too_long",
        "phone_service_number",
        "phone_not_digits",
    ]
    assert people.scalars(select(Resident)).all() == []


def test_updating_keeps_numbers_given_as_they_are_shown(people: Session, phone_safe: PhoneSafe) -> None:
    added = service.add_resident(people, CLERK, given(phones=(mobile(1), mobile(2))), safe=phone_safe, now=NOON)
    before = {phone.masked: phone.id for phone in added.phones}
    service.update_resident(
        people,
        CLERK,
        added.id,
        given(name="李四四", phones=("138****0001", mobile(3)), tags=("独居老人",), region_code=BRIDGE, away=True),
        safe=phone_safe,
        now=NOON,
    )
    people.expire_all()
    changed = people.get_one(Resident, added.id)
    assert (changed.name, changed.away, changed.region_path) == ("李四四", True, path_of(BRIDGE))
    assert sorted(phone.masked for phone in changed.phones) == ["138****0001", "138****0003"]
    assert before["138****0001"] in {phone.id for phone in changed.phones}
    assert [tag.tag for tag in changed.tags] == ["独居老人"]


def test_a_mask_that_belongs_to_nobody_is_no_number(people: Session, phone_safe: PhoneSafe) -> None:
    added = service.add_resident(people, CLERK, given(), safe=phone_safe, now=NOON)
    with pytest.raises(BadInput, match="phone_not_digits"):
        service.update_resident(people, CLERK, added.id, given(phones=("139****9999",)), safe=phone_safe, now=NOON)


def test_removing_takes_numbers_and_tags_along(people: Session, phone_safe: PhoneSafe) -> None:
    added = service.add_resident(people, CLERK, given(), safe=phone_safe, now=NOON)
    service.remove_resident(people, CLERK, added.id, now=NOON)
    for table in (Resident, Phone, ResidentTag):
        assert people.scalars(select(table)).all() == []


Deed = Callable[[Session, Actor, Resident, PhoneSafe], object]
DEEDS: dict[str, Deed] = {
    "add": lambda s, a, _, safe: service.add_resident(s, a, given(), safe=safe, now=NOON),
    "update": lambda s, a, r, safe: service.update_resident(s, a, r.id, given(), safe=safe, now=NOON),
    "remove": lambda s, a, r, _: service.remove_resident(s, a, r.id, now=NOON),
    "opt out": lambda s, a, r, _: blocking.opt_out(s, a, r.phones[0].id, BlockReason.OPTED_OUT, now=NOON),
    "unblock": lambda s, a, r, _: blocking.unblock(s, a, r.phones[0].id, now=NOON),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_stranger_changes_nothing_and_learns_nothing(people: Session, phone_safe: PhoneSafe, deed: str) -> None:
    resident = somebody(people, mobile(1))
    with pytest.raises(NotFound):
        DEEDS[deed](people, STRANGER, resident, phone_safe)
    with pytest.raises(NotAllowed):
        DEEDS[deed](people, READER, resident, phone_safe)
    people.flush()
    assert people.scalars(select(AuditEntry)).all() == []
    assert [r.name for r in people.scalars(select(Resident))] == ["张三"]
    assert people.scalars(select(BlockedNumber)).all() == []


def test_nobody_is_moved_to_where_one_has_no_say(people: Session, phone_safe: PhoneSafe) -> None:
    resident = somebody(people, mobile(1))
    with pytest.raises(NotFound, match="resident_region_unknown"):
        service.update_resident(people, CLERK, resident.id, given(region_code=WILLOW), safe=phone_safe, now=NOON)
    with pytest.raises(NotFound, match="resident_region_unknown"):
        service.add_resident(people, CLERK, given(region_code="539921999000"), safe=phone_safe, now=NOON)


def test_a_stranger_sees_nobody(people: Session, phone_safe: PhoneSafe) -> None:
    resident = somebody(people, mobile(1), tags=["沿河户"])
    for who in (STRANGER, lab_actor(EAST, Permission.SEE)):
        assert searching.list_residents(people, who, safe=phone_safe).residents == ()
        assert searching.list_residents(people, who, safe=phone_safe, query=mobile(1)).residents == ()
        assert searching.list_residents(people, who, safe=phone_safe, region_path=path_of(PINE)).residents == ()
        assert searching.tags_in_use(people, who) == []
        with pytest.raises(NotFound):
            service.get_resident(people, who, resident.id)
    with pytest.raises(NotFound):
        service.get_resident(people, CLERK, uuid7())


def test_the_list_goes_page_by_page_without_gap_or_repetition(people: Session, phone_safe: PhoneSafe) -> None:
    for i in range(23):
        somebody(people, mobile(i), name=f"张{i % 3}", region=PINE if i % 2 else PINE_3)
    seen: list[Resident] = []
    after = None
    while True:
        page = searching.list_residents(people, CLERK, safe=phone_safe, after=after, limit=4)
        seen += page.residents
        after = page.after
        if after is None:
            break
    assert len({resident.id for resident in seen}) == len(seen) == 23
    assert [(r.region_path, r.name) for r in seen] == sorted((r.region_path, r.name) for r in seen)


def test_people_are_found_by_part_of_a_name_whole_number_tag_and_place(people: Session, phone_safe: PhoneSafe) -> None:
    somebody(people, mobile(1), name="王小明", tags=["沿河户"])
    somebody(people, mobile(2), name="王%", region=BRIDGE)
    somebody(people, mobile(3), name="李明", region=WILLOW)

    def found(**how: Any) -> set[str]:
        return {r.name for r in searching.list_residents(people, lab_actor(COUNTY), safe=phone_safe, **how).residents}

    assert found(query="明") == {"王小明", "李明"}
    assert found(query="%") == {"王%"}
    assert found(query="138 0000 0003") == {"李明"}
    assert found(query="0003") == set()
    assert found(tag="沿河户") == {"王小明"}
    assert found(region_path=path_of(EAST)) == {"王小明", "王%"}
    assert found(query="明", region_path=path_of(WEST)) == {"李明"}


def test_opting_out_shows_on_the_list_and_can_be_undone(people: Session, phone_safe: PhoneSafe) -> None:
    resident = somebody(people, mobile(1))
    (phone,) = resident.phones
    blocking.opt_out(people, CLERK, phone.id, BlockReason.OPTED_OUT, now=NOON)
    assert searching.list_residents(people, CLERK, safe=phone_safe).blocked == {phone.index: BlockReason.OPTED_OUT}
    blocking.opt_out(people, CLERK, phone.id, BlockReason.WRONG_NUMBER, now=NOON)
    blocking.opt_out(people, CLERK, phone.id, BlockReason.OPTED_OUT, now=NOON)
    assert searching.list_residents(people, CLERK, safe=phone_safe).blocked == {phone.index: BlockReason.WRONG_NUMBER}
    blocking.unblock(people, CLERK, phone.id, now=NOON)
    assert searching.list_residents(people, CLERK, safe=phone_safe).blocked == {}
    assert [e.deed for e in people.scalars(select(AuditEntry))] == ["phone.block"] * 3 + ["phone.unblock"]


def test_reach_counts_numbers_once(people: Session) -> None:
    somebody(people, mobile(1), mobile(2), "0871-6123456", name="一")
    somebody(people, mobile(1), name="二", region=BRIDGE)
    somebody(people, mobile(3), name="三", region=WILLOW)
    blocked(people, mobile(2), BlockReason.OPTED_OUT)
    people.flush()
    east = reachable_counts(people, [path_of(EAST)])
    assert (east.residents, east.mobiles, east.landlines, east.routine, east.emergency) == (2, 2, 1, 1, 2)
    assert reachable_counts(people, []).residents == 0
    assert reachable_counts(people, [path_of(PINE), path_of(WILLOW)]).mobiles == 3

"""One event is one incident, however often and by whomever it is reported."""

from datetime import timedelta
from typing import Any

import pytest
from builders import BRIDGE, COUNTY, FERRY, HILL, NORTH, SOUTH, a_county, an_actor
from conftest import NOON
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.alerts.incidents import service
from broadcasts.alerts.incidents.models import Incident, IncidentSource, IncidentState, SourceKind
from broadcasts.alerts.incidents.service import Event, Heard
from broadcasts.kinds import Colour, Mode
from hub.accounts.roles import Role
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState


def reported(session: Session, *regions: str, after_h: float = 0.0, **given: Any) -> Incident:
    """Report a flash flood, or something else."""
    fields: dict[str, Any] = {"hazard": "flash_flood", "colour": Colour.ORANGE, "title": "山洪·橙色"}
    fields["heard"] = Heard()
    fields |= given
    heard = fields.pop("heard")
    event = Event(regions=regions, **fields)
    return service.open_or_join(session, event, heard, by_name="值班员", now=NOON + timedelta(hours=after_h))


def test_a_graver_and_wider_report_belongs_to_the_same_incident(session: Session) -> None:
    first = reported(session, BRIDGE)
    second = reported(session, NORTH, colour=Colour.RED, title="山洪·红色", after_h=2)
    third = reported(session, HILL, colour=Colour.BLUE, title="山洪·蓝色", after_h=3)
    assert first is second is third
    assert (first.colour, first.title, first.regions) == (Colour.RED, "山洪·红色", [NORTH])


@pytest.mark.parametrize(
    ("region", "given"),
    [
        (FERRY, {}),
        (BRIDGE, {"hazard": "rainstorm"}),
        (BRIDGE, {"mode": Mode.DRILL}),
        (BRIDGE, {"after_h": 13}),
    ],
    ids=["elsewhere", "another hazard", "a drill", "much later"],
)
def test_what_is_another_event_is_another_incident(session: Session, region: str, given: dict[str, Any]) -> None:
    assert reported(session, BRIDGE) is not reported(session, region, **given)


def test_what_is_closed_is_not_joined(session: Session) -> None:
    a_county(session)
    first = reported(session, BRIDGE)
    service.close(session, an_actor(Role.DUTY_OFFICER), first.id, now=NOON)
    assert first.state is IncidentState.CLOSED
    assert reported(session, BRIDGE) is not first


def test_four_departments_are_four_sources_of_one_incident_and_each_counts_once(session: Session) -> None:
    told = [
        Heard(SourceKind.CAP, "试县气象局", "CAP-1", "山洪"),
        Heard(SourceKind.CAP, "试县水务局", "CAP-1", "山洪"),
        Heard(SourceKind.NATIONAL, "国家预警发布中心", "990101_1", "山洪"),
        Heard(SourceKind.OWN),
        Heard(SourceKind.CAP, "试县气象局", "CAP-1", "山洪"),
    ]
    assert len({reported(session, NORTH, heard=heard).id for heard in told}) == 1
    assert session.scalar(select(func.count()).select_from(IncidentSource)) == 4


def test_strangers_see_and_change_nothing(session: Session) -> None:
    a_county(session)
    found = reported(session, NORTH)
    stranger = an_actor(Role.DUTY_OFFICER, SOUTH)
    with pytest.raises(NotFound):
        service.get(session, stranger, found.id)
    with pytest.raises(NotFound):
        service.add_note(session, stranger, found.id, "我也看到了", now=NOON)
    with pytest.raises(NotFound):
        service.close(session, stranger, found.id, now=NOON)
    assert service.page(session, stranger, mode=Mode.LIVE) == []


def test_an_incident_of_the_county_is_seen_in_its_townships(session: Session) -> None:
    a_county(session)
    found = reported(session, NORTH, FERRY)
    for region in (NORTH, SOUTH, COUNTY, BRIDGE):
        visible = [row.id for row in service.page(session, an_actor(Role.VIEWER, region), mode=Mode.LIVE)]
        assert (found.id in visible) is (region != BRIDGE), region
    with pytest.raises(NotAllowed):
        service.close(session, an_actor(Role.VIEWER), found.id, now=NOON)


def test_notes_stand_until_it_is_closed(session: Session) -> None:
    a_county(session)
    found, officer = reported(session, NORTH), an_actor(Role.DUTY_OFFICER)
    service.add_note(session, officer, found.id, "  老桥已经封了 ", now=NOON)
    with pytest.raises(BadInput, match="note_missing"):
        service.add_note(session, officer, found.id, " ", now=NOON)
    service.close(session, officer, found.id, now=NOON)
    with pytest.raises(WrongState, match="incident_closed"):
        service.add_note(session, officer, found.id, "又开了", now=NOON)

"""Where nobody can be reached: who closes it, until when, and that somebody is told when it is late."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from builders import BRIDGE, FERRY, HILL, NORTH, the_actor
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from sqlalchemy import select

from broadcasts.reports import gaps
from broadcasts.reports.gaps import PlanWish
from broadcasts.reports.models import GapKind, GapPlan
from hub.audit.models import AuditEntry
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.residents.models import Resident
from hub.speakers.models import Speaker

SignIn = Callable[[str], FlaskClient]
TODAY = date(2026, 11, 23)
WISH = PlanWish("小石", "换电源", TODAY + timedelta(days=3))
FORM = {"person": "小石", "due": "2026-11-26", "what": "换电源"}


@pytest.fixture
def silent_hill(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        for speaker in session.scalars(select(Speaker)):
            speaker.online = speaker.region_path != path_of(HILL)
        session.add(Resident(region_code=BRIDGE, region_path=path_of(BRIDGE), name="禾", created_at=NOON))


@pytest.mark.usefixtures("silent_hill")
def test_a_gap_gets_somebody_and_a_day_and_is_closed(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    assert "没人管" in client.get("/coverage/gaps").text
    client.post(f"/coverage/gaps/{HILL}/horn", data=FORM)
    page = client.get("/coverage/gaps").text
    assert "小石" in page
    assert "2026-11-26" in page
    report = client.get("/coverage").text
    assert "小石" in report
    assert "1 个村的喇叭全不响，1 个村有人没手机号" in report
    assert "1 处还没人管或者过期了" in report, "the missing phone number of the other village"
    with runtime.sessions.read() as session:
        plan = session.scalars(select(GapPlan)).one()
        assert (plan.region_code, plan.kind, plan.person) == (HILL, GapKind.HORN, "小石")
    client.post(f"/coverage/gaps/plans/{plan.id}/done")
    assert "说办完了，还没通" in client.get("/coverage/gaps").text, "the list shows by itself whether it is"
    with runtime.sessions.read() as session:
        deeds = session.scalars(select(AuditEntry.deed).where(AuditEntry.deed.like("gap.%"))).all()
        assert sorted(deeds) == ["gap.done", "gap.plan"]


@pytest.mark.usefixtures("silent_hill")
def test_a_plan_that_says_too_little_is_refused_and_comes_back_as_typed(sign_in: SignIn) -> None:
    refused = sign_in("clerk").post(
        f"/coverage/gaps/{HILL}/horn", data={"person": "", "due": "2026-11-01", "what": "修"}
    )
    assert refused.status_code == 422
    assert "写清楚谁来办" in refused.text
    assert "选一个今天或以后的日子" in refused.text
    assert 'value="修"' in refused.text


@pytest.mark.usefixtures("silent_hill")
def test_strangers_and_who_may_not_repair_plan_nothing(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        plan = gaps.settle(session, the_actor(session, "clerk"), HILL, GapKind.HORN, WISH, today=TODAY, now=NOON)
        with pytest.raises(NotFound):
            gaps.settle(session, the_actor(session, "stranger"), HILL, GapKind.HORN, WISH, today=TODAY, now=NOON)
        with pytest.raises(NotFound):
            gaps.finish(session, the_actor(session, "stranger"), plan.id, now=NOON)
        for login in ("viewer", "approver"):
            with pytest.raises(NotAllowed):
                gaps.settle(session, the_actor(session, login), HILL, GapKind.HORN, WISH, today=TODAY, now=NOON)
            with pytest.raises(NotAllowed):
                gaps.finish(session, the_actor(session, login), plan.id, now=NOON)
        with pytest.raises(BadInput, match="gap_village_only"):
            gaps.settle(session, the_actor(session, "clerk"), NORTH, GapKind.HORN, WISH, today=TODAY, now=NOON)
        number = PlanWish("13800001234", "", TODAY)
        with pytest.raises(Problems):
            gaps.settle(session, the_actor(session, "clerk"), HILL, GapKind.HORN, number, today=TODAY, now=NOON)
    stranger = sign_in("stranger")
    assert "岭村" not in stranger.get("/coverage/gaps").text
    assert stranger.get(f"/coverage/gaps?region={NORTH}").status_code == 404
    assert sign_in("clerk").post(f"/coverage/gaps/{HILL}/nonsense", data=FORM).status_code == 404
    assert "定谁来办" not in sign_in("viewer").get("/coverage/gaps").text


@pytest.mark.usefixtures("silent_hill")
def test_changing_a_plan_keeps_one_and_a_new_gap_gets_a_new_one(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        plan = gaps.settle(session, clerk, HILL, GapKind.HORN, WISH, today=TODAY, now=NOON)
        other = PlanWish("小树", "", TODAY)
        assert gaps.settle(session, clerk, HILL, GapKind.HORN, other, today=TODAY, now=NOON).id == plan.id
        gaps.finish(session, clerk, plan.id, now=NOON)
        with pytest.raises(WrongState):
            gaps.finish(session, clerk, plan.id, now=NOON)
        again = gaps.settle(session, clerk, HILL, GapKind.HORN, WISH, today=TODAY, now=NOON)
        assert again.id != plan.id
        found = gaps.coverage(session, clerk, NORTH)
        assert [gap.plans[GapKind.HORN].id for gap in found.open if gap.code == HILL] == [again.id]


@pytest.mark.usefixtures("silent_hill")
def test_a_late_plan_is_on_the_overview_of_who_can_do_something(
    sign_in: SignIn, runtime: Runtime, clock: SetClock
) -> None:
    with runtime.sessions.begin() as session:
        gaps.settle(session, the_actor(session, "clerk"), HILL, GapKind.HORN, WISH, today=TODAY, now=NOON)
    assert "到期没办" not in sign_in("clerk").get("/").text
    clock.now = NOON + timedelta(days=4)
    assert "1 处够不着的地方到期没办" in sign_in("clerk").get("/").text
    assert "过期了" in sign_in("clerk").get("/coverage/gaps").text
    for login in ("stranger", "viewer"):
        assert "到期没办" not in sign_in(login).get("/").text
    assert FERRY not in sign_in("clerk").get("/coverage/gaps").text

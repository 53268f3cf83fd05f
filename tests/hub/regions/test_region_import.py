"""A list of places comes in as a table: every mistake at its cell, codes given or made, nothing twice."""

import io
from collections.abc import Callable

import pytest
from builders import BRIDGE, COUNTY, NORTH, the_actor
from conftest import NOON
from flask.testing import FlaskClient
from sqlalchemy import select

from hub.accounts import service as accounts
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM
from hub.core.errors import BadInput
from hub.core.runtime import Runtime
from hub.regions import importing, intake
from hub.regions.importing import Ground, RegionPlan
from hub.regions.models import Region
from hub.regions.tree import Level, path_of
from hub.web.spreadsheets import write_csv

SignIn = Callable[[str], FlaskClient]
GROUND = Ground(COUNTY, {("北镇",): NORTH, ("北镇", "桥村"): BRIDGE})


def read(*rows: tuple[str, ...], ground: Ground = GROUND) -> RegionPlan:
    return importing.read(write_csv(importing.COLUMNS, rows), ground)


def test_a_village_brings_its_township_and_what_is_there_is_not_added_again() -> None:
    plan = read(("西镇", "柳村", "一组", ""), ("北镇", "桥村", "", ""), ("北镇", "岭村", "", ""))
    assert [row.names for row in plan.good] == [("西镇",), ("西镇", "柳村"), ("西镇", "柳村", "一组"), ("北镇", "岭村")]
    assert (plan.same, plan.problems, plan.new(Level.VILLAGE)) == (1, (), 2)


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        (("", "柳村", "", ""), "镇", "region_import_gap"),
        (("西镇", "", "一组", ""), "村", "region_import_gap"),
        (("西镇", "长" * 61, "", ""), "村", "region_name_missing"),
        (("西镇", "柳村", "", "99"), "编码", "region_code_malformed"),
        (("西镇", "柳村", "", "990101003000"), "编码", "region_import_level"),
        (("西镇", "柳村", "", "990102003001"), "编码", "region_not_below"),
        (("西镇", "柳村", "", BRIDGE), "编码", "region_import_taken"),
        (("北镇", "桥村", "", "990101001009"), "编码", "region_import_other_code"),
        (("北镇", "柳村", "", "990101009001"), "编码", "region_not_below"),
        (("西镇", "柳村", "", "990101001009"), "编码", "region_not_below"),
        (("北镇", "桥村", "一组", "99010100100901"), "编码", "region_not_below"),
    ],
)
def test_a_mistake_stands_at_its_cell(row: tuple[str, ...], column: str, code: str) -> None:
    plan = read(row)
    assert [(problem.row, problem.column, problem.code) for problem in plan.problems] == [(2, column, code)]
    assert plan.good == ()


def test_what_stands_twice_or_contradicts_an_earlier_row_is_said() -> None:
    plan = read(
        ("西镇", "柳村", "", "990101003001"),
        ("西镇", "柳村", "", ""),
        ("西镇", "杨村", "", "990101004001"),
        ("南坡镇", "", "", "990101003000"),
    )
    assert [(problem.row, problem.code) for problem in plan.problems] == [
        (3, "ledger_twice"),
        (4, "region_not_below"),
        (5, "region_import_taken"),
    ]


def test_a_table_without_the_right_heading_says_which_is_missing() -> None:
    with pytest.raises(BadInput, match="import_heading_missing"):
        importing.read("名字,电话\n桥村,1\n".encode(), GROUND)


def test_codes_nobody_gave_are_free_ones_and_never_those_another_row_wants(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        county = the_actor(session, "county")
        ground = intake.ground_for(session, county)
        plan = read(
            ("西镇", "柳村", "", ""),
            ("西镇", "柳村", "一组", ""),
            ("东镇", "", "", "990101003000"),
            ("北镇", "柏村", "", ""),
            ("北镇", "松村", "", "990101001003"),
            ground=ground,
        )
        done = intake.import_rows(session, county, plan, now=NOON)
        codes = {region.name: region.code for region in session.scalars(select(Region))}
    assert (done.added, done.same, done.skipped) == (6, 0, 0)
    assert (codes["东镇"], codes["西镇"]) == ("990101003000", "990101004000")
    assert (codes["柳村"], codes["一组"]) == ("990101004001", "99010100400101")
    assert (codes["松村"], codes["柏村"]) == ("990101001003", "990101001004")


def test_the_administrator_of_a_township_adds_villages_there_and_nothing_elsewhere(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        grants = [(Role.COUNTY_ADMIN, path_of(NORTH))]
        accounts.create_account(session, SYSTEM, login="part", name="x", password="", grants=grants, now=NOON)
        part = the_actor(session, "part")
        plan = read(
            ("北镇", "柳村", "", ""), ("南镇", "柳村", "", ""), ("西镇", "柳村", "", ""),
            ground=intake.ground_for(session, part),
        )  # fmt: skip
        assert [(p.row, p.code) for p in plan.problems] == [
            (3, "region_import_township"),
            (4, "region_import_township"),
        ]
        assert intake.import_rows(session, part, plan, now=NOON).added == 1


def test_the_pages_mark_the_cell_and_hand_back_the_wrong_rows(sign_in: SignIn) -> None:
    client = sign_in("county")
    table = write_csv(importing.COLUMNS, [("西镇", "柳村", "", ""), ("西镇", "", "一组", "")])
    looked = client.post("/regions/import", data={"file": (io.BytesIO(table), "a.csv")}, follow_redirects=True)
    assert "1 行有错" in looked.text
    assert '<td data-label="村" class="bad">' in looked.text
    token = looked.request.path.rsplit("/", 1)[1]
    wrong = client.get(f"/regions/import/{token}/errors.csv").data.decode("utf-8-sig")
    assert wrong.splitlines()[1].startswith("西镇,,一组,,村没填")
    assert "导入好了" in client.post(f"/regions/import/{token}").text
    assert client.post(f"/regions/import/{token}").status_code == 404, "pressed twice it is done once"


@pytest.mark.parametrize("who", ["clerk", "approver", "stranger"])
def test_only_administrators_bring_places_in(sign_in: SignIn, who: str) -> None:
    client = sign_in(who)
    assert client.get("/regions/import").status_code == 403
    assert client.post("/regions/import", data={}).status_code == 403


def test_nothing_chosen_is_said_at_the_field(sign_in: SignIn) -> None:
    answer = sign_in("county").post("/regions/import", data={})
    assert (answer.status_code, 'href="#f-file"' in answer.text) == (422, True)

"""A program brings places in: it is told what the page would say, and nothing is written before it says so."""

import io
from typing import Any

import builders
import pytest
from apilab import Program, fields_of, problem_of, program
from builders import NORTH
from conftest import NOON
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from hub.accounts import service as accounts
from hub.accounts import tokens
from hub.accounts.roles import Role
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions import importing
from hub.regions.models import Region
from hub.regions.tree import path_of
from hub.web.spreadsheets import CSV, XLSX, write_csv, write_xlsx

ROWS = [("西镇", "柳村", "", ""), ("西镇", "", "一组", ""), ("北镇", "桥村", "", ""), ("西镇", "杨村", "", "99")]
AS_JSON = [dict(zip(("township", "village", "group", "code"), row, strict=True)) for row in ROWS]


@pytest.fixture
def county(app: OpenAPI, runtime: Runtime) -> Program:
    return program(app, runtime, "county")


def send(by: Program, data: bytes, kind: str = CSV, query: str = "") -> Any:
    return by.call("POST", f"/regions/imports{query}", data, headers={"Content-Type": kind})


def places(runtime: Runtime) -> set[str]:
    with runtime.sessions.read() as session:
        return set(session.scalars(select(Region.name)))


def test_a_list_is_looked_at_first_and_written_when_that_is_asked_for(county: Program, runtime: Runtime) -> None:
    before = places(runtime)
    looked = county.post("/regions/imports/rows", {"rows": AS_JSON}).json
    assert looked is not None
    assert {name: looked[name] for name in ("committed", "added", "townships", "villages", "groups")} == {
        "committed": False, "added": 2, "townships": 1, "villages": 1, "groups": 0,
    }  # fmt: skip
    assert (looked["same"], looked["skipped"]) == (1, 2)
    assert {one["row"]: [fault["column"] for fault in one["faults"]] for one in looked["faults"]} == {
        3: ["村"],
        5: ["编码"],
    }
    assert places(runtime) == before, "nothing is written yet"
    done = county.post("/regions/imports/rows", {"rows": AS_JSON, "commit": True}).json
    assert done == {**looked, "committed": True}
    assert places(runtime) == before | {"西镇", "柳村"}
    again = county.post("/regions/imports/rows", {"rows": AS_JSON, "commit": True}).json
    assert again is not None
    assert (again["added"], again["same"]) == (0, 2)
    with runtime.sessions.read() as session:
        told = session.scalars(select(AuditEntry.details).where(AuditEntry.deed == "region.add"))
        names = sorted(details["name"] for details in told if details["name"] in ("西镇", "柳村"))
        assert names == ["柳村", "西镇"], "each place stands in the log once"


@pytest.mark.parametrize(("kind", "write"), [(CSV, write_csv), (XLSX, lambda c, r: write_xlsx("区划", c, r))])
def test_a_file_says_the_same_as_rows(county: Program, runtime: Runtime, kind: str, write: Any) -> None:
    data = write(importing.COLUMNS, ROWS)
    assert send(county, data, kind).json == county.post("/regions/imports/rows", {"rows": AS_JSON}).json
    assert "柳村" not in places(runtime)
    assert send(county, data, kind, "?commit=true").json["committed"] is True
    assert "柳村" in places(runtime)


def test_the_words_are_those_of_the_page(county: Program, sign_in: Any) -> None:
    data = write_csv(importing.COLUMNS, ROWS)
    page = sign_in("county").post("/regions/import", data={"file": (io.BytesIO(data), "a.csv")}, follow_redirects=True)
    told = [why for row in send(county, data).json["faults"] for cell in row["faults"] for why in cell["why"]]
    assert len(told) == 2
    assert all(why in page.text for why in told)


@pytest.mark.parametrize("who", ["clerk", "approver", "stranger"])
def test_only_administrators_bring_places_in(app: OpenAPI, runtime: Runtime, who: str) -> None:
    somebody = program(app, runtime, who)
    problem_of(somebody.post("/regions/imports/rows", {"rows": AS_JSON, "commit": True}), 403, "not_allowed")
    problem_of(send(somebody, write_csv(importing.COLUMNS, ROWS), query="?commit=true"), 403, "not_allowed")
    assert "柳村" not in places(runtime)


def test_the_administrator_of_a_township_brings_in_nothing_elsewhere(app: OpenAPI, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        grants = [(Role.COUNTY_ADMIN, path_of(NORTH))]
        accounts.create_account(
            session, SYSTEM, login="part", name="x", password=builders.PASSWORD, grants=grants, now=NOON
        )
    rows = [{"township": "北镇", "village": "柳村"}, {"township": "南镇", "village": "松村"}]
    done = program(app, runtime, "part").post("/regions/imports/rows", {"rows": rows, "commit": True}).json
    assert done is not None
    assert (done["added"], [fault["row"] for fault in done["faults"]]) == (1, [3])
    assert "柳村" in places(runtime)
    assert "松村" not in places(runtime)


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"", CSV, 422),
        (b"PK\x03\x04no", XLSX, 422),
        ("名字\n桥村\n".encode(), CSV, 422),
        (b"{}", "application/json", 415),
    ],
)
def test_what_is_no_list_is_refused(county: Program, data: bytes, kind: str, status: int) -> None:
    assert send(county, data, kind).status_code == status


def test_rows_without_a_township_are_refused_at_their_place(county: Program) -> None:
    assert fields_of(county.post("/regions/imports/rows", {"rows": [{"village": "柳村"}]})) == {
        "rows.0.township": "field_missing"
    }


def test_a_key_for_trying_writes_nothing(app: OpenAPI, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        who = builders.the_actor(session, "county")
        key = tokens.issue_token(session, who, name="try", days=1, now=runtime.now(), test=True)
    answer = Program(app, app.test_client(), key).post("/regions/imports/rows", {"rows": AS_JSON, "commit": True})
    assert (answer.status_code, answer.json["committed"]) == (200, True)  # type: ignore[index]
    assert "柳村" not in places(runtime)

"""Lists of residents and their tags, for programs and on the page of tags."""

from collections.abc import Callable

import builders
import pytest
from apilab import Program, fields_of, problem_of, program
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.residents import service
from hub.residents.models import AwayConsent, Resident, ResidentTag
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput

SignIn = Callable[[str], FlaskClient]


@pytest.fixture
def clerk(app: OpenAPI, runtime: Runtime) -> Program:
    return program(app, runtime, "clerk")


def tagged(runtime: Runtime, *people: tuple[str, str, tuple[str, ...]]) -> None:
    safe = runtime.get(PhoneSafe)
    with runtime.sessions.begin() as session:
        for name, region, tags in people:
            service.add_resident(session, SYSTEM, ResidentInput(name, region, (), tags), safe=safe, now=runtime.now())


def carried(runtime: Runtime) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    with runtime.sessions.read() as session:
        for name, tag in session.execute(select(Resident.name, ResidentTag.tag).join(ResidentTag.resident)):
            found.setdefault(name, set()).add(tag)
    return found


def names(runtime: Runtime) -> list[str]:
    with runtime.sessions.read() as session:
        return sorted(session.scalars(select(Resident.name)))


def test_rows_are_checked_each_and_come_in_when_they_are_committed(clerk: Program, runtime: Runtime) -> None:
    rows = [
        {"name": "张三", "phone": "13800001111、13800001112", "village": builders.BRIDGE, "tags": ["独居老人"]},
        {"name": "李四", "phone": "1380000", "village": builders.BRIDGE},
        {"name": "王五", "phone": "13800003333", "village": builders.FERRY},
        {"name": "赵六", "village": builders.BRIDGE, "phone": "13800004444", "away": True, "wants_texts": True},
    ]
    sent = clerk.post("/residents/imports/rows", {"rows": rows})
    assert sent.status_code == 202, sent.text
    assert sent.json is not None
    assert (sent.json["state"], sent.json["good"], sent.json["faulty"]) == ("ready", 2, 2)
    faults = {one["row"]: [(f["column"], f["text"]) for f in one["faults"]] for one in sent.json["faults"]}
    assert faults == {3: [("电话", "1380000")], 4: [("村", builders.FERRY)]}
    assert names(runtime) == [], "nothing is on the list yet"
    done = clerk.post(f"/residents/imports/{sent.json['id']}/commit")
    assert (done.status_code, done.json["state"]) == (202, "done")  # type: ignore[index]
    assert names(runtime) == ["张三", "赵六"]
    assert clerk.post(f"/residents/imports/{sent.json['id']}/commit").json["state"] == "done"  # type: ignore[index]
    with runtime.sessions.read() as session:
        away = session.scalars(select(Resident).where(Resident.name == "赵六")).one()
        assert (away.away, away.away_consent) == (True, AwayConsent.YES)
    assert "13800001111" not in clerk.get(f"/residents/imports/{sent.json['id']}").text


def test_a_file_whose_columns_have_other_names_is_matched_first(clerk: Program, runtime: Runtime) -> None:
    data = "谁,号,备注\n张三,13800001111,\n".encode()
    sent = clerk.call("POST", "/residents/imports", data, headers={"Content-Type": "text/csv"})
    assert sent.json is not None
    assert (sent.json["state"], sent.json["missing"]) == ("matching", ["姓名", "电话", "村"])
    address = f"/residents/imports/{sent.json['id']}"
    problem_of(clerk.post(f"{address}/commit"), 409, "import_not_ready")
    assert fields_of(clerk.post(f"{address}/columns", {"columns": {"姓名": 0, "电话": 1}})) == {
        "columns": "import_column_missing"
    }
    wanted = {"columns": {"姓名": 0, "电话": 1}, "village": builders.BRIDGE}
    assert clerk.post(f"{address}/columns", wanted).json["state"] == "ready"  # type: ignore[index]
    clerk.post(f"{address}/commit")
    assert names(runtime) == ["张三"]


@pytest.mark.parametrize(
    ("data", "kind", "status"), [(b"", "text/csv", 422), (b"PK\x03\x04no", "text/csv", 422), (b"{}", "image/png", 415)]
)
def test_what_is_no_list_is_refused(clerk: Program, data: bytes, kind: str, status: int) -> None:
    answer = clerk.call("POST", "/residents/imports", data, headers={"Content-Type": kind})
    assert answer.status_code == status


def test_an_import_is_its_owners_and_needs_the_right(clerk: Program, app: OpenAPI, runtime: Runtime) -> None:
    rows = {"rows": [{"name": "张三", "phone": "13800001111", "village": builders.BRIDGE}]}
    sent = clerk.post("/residents/imports/rows", rows).json
    assert sent is not None
    stranger, viewer = program(app, runtime, "stranger"), program(app, runtime, "viewer")
    problem_of(stranger.get(f"/residents/imports/{sent['id']}"), 404, "upload_gone")
    problem_of(stranger.post(f"/residents/imports/{sent['id']}/commit"), 404, "upload_gone")
    problem_of(viewer.post("/residents/imports/rows", rows), 403, "not_allowed")
    assert stranger.post("/residents/imports/rows", rows).json["faulty"] == 1  # type: ignore[index]
    assert names(runtime) == []


def test_a_tag_is_renamed_and_two_become_one_within_ones_own_places(
    clerk: Program, app: OpenAPI, runtime: Runtime
) -> None:
    tagged(
        runtime,
        ("张三", builders.BRIDGE, ("沿河", "独居老人")),
        ("李四", builders.BRIDGE, ("沿河", "沿河户")),
        ("王五", builders.FERRY, ("沿河",)),
    )
    items = clerk.get("/residents/tags").json["items"]  # type: ignore[index]
    assert [(one["tag"], one["people"]) for one in items] == [("沿河", 2), ("沿河户", 1), ("独居老人", 1)]
    assert clerk.post("/residents/tags/rename", {"tag": "沿河", "new": "沿河户"}).json == {"people": 2}
    assert carried(runtime) == {"张三": {"沿河户", "独居老人"}, "李四": {"沿河户"}, "王五": {"沿河"}}
    problem_of(clerk.post("/residents/tags/rename", {"tag": "沿河", "new": "河边"}), 404, "resident_tag_unknown")
    assert fields_of(clerk.post("/residents/tags/rename", {"tag": "沿河户", "new": "沿河户"})) == {
        "new": "resident_tag_same"
    }
    assert clerk.post("/residents/tags/remove", {"tag": "独居老人"}).json == {"people": 1}
    assert carried(runtime)["张三"] == {"沿河户"}
    with runtime.sessions.read() as session:
        verbs = set(session.scalars(select(AuditEntry.deed)))
    assert {"resident_tag.rename", "resident_tag.remove"} <= verbs
    viewer = program(app, runtime, "viewer")
    problem_of(viewer.get("/residents/tags"), 403, "not_allowed")
    problem_of(viewer.post("/residents/tags/remove", {"tag": "沿河户"}), 403, "not_allowed")


def test_the_page_of_tags(sign_in: SignIn, runtime: Runtime) -> None:
    tagged(runtime, ("张三", builders.BRIDGE, ("沿河",)), ("王五", builders.FERRY, ("别镇的",)))
    clerk = sign_in("clerk")
    page = clerk.get("/residents/tags").text
    assert "沿河" in page
    assert "别镇的" not in page
    refused = clerk.post("/residents/tags/rename", data={"tag": "沿河", "new": "一" * 21})
    assert (refused.status_code, "最多" in refused.text) == (422, True)
    assert clerk.post("/residents/tags/rename", data={"tag": "沿河", "new": "沿河户"}).status_code == 302
    assert clerk.post("/residents/tags/remove", data={"tag": "别镇的"}).status_code == 404
    assert clerk.post("/residents/tags/remove", data={"tag": "沿河户"}).status_code == 302
    assert carried(runtime) == {"王五": {"别镇的"}}
    assert sign_in("viewer").get("/residents/tags").status_code == 403

"""The page of the log, as a browser sees it."""

from collections.abc import Callable
from io import BytesIO

import pytest
from builders import BRIDGE, FERRY
from conftest import NOON
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from openpyxl import load_workbook

from hub.audit import anchoring, log
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions.tree import path_of

SignIn = Callable[[str], FlaskClient]


def note(runtime: Runtime, place: str, times: int = 1, **details: object) -> None:
    with runtime.sessions.begin() as session:
        for i in range(times):
            log.record(session, SYSTEM, "speaker.volume", f"speaker:x{i}", path_of(place), NOON, **details)


def test_the_log_says_who_did_what_where_and_what_it_was_before(sign_in: SignIn, runtime: Runtime) -> None:
    note(runtime, BRIDGE, before=80, after=60)
    page = sign_in("county").get("/audit").text
    for words in ("调了音量", "喇叭 x0", "北镇 桥村", "80 → <b>60</b>", "县管理员", "127.0.0.1"):
        assert words in page


def test_newest_first_and_on_to_the_older_ones(sign_in: SignIn, runtime: Runtime) -> None:
    note(runtime, BRIDGE, times=60)
    client = sign_in("county")
    first = client.get("/audit").text
    assert first.index("x59") < first.index("x58")
    assert "x5<" not in first
    before = first.split("before=")[1].split('"')[0]
    older = client.get(f"/audit?before={before}").text
    assert "x5<" in older
    assert "x59" not in older


def test_an_approver_of_the_south_sees_nothing_of_the_north(sign_in: SignIn, runtime: Runtime) -> None:
    note(runtime, BRIDGE)
    note(runtime, FERRY, before="渡", after="口")
    page = sign_in("strange_approver").get("/audit").text
    assert "南镇 渡村" in page
    assert "桥村" not in page


@pytest.mark.parametrize("who", ["clerk", "duty", "secretary", "viewer"])
def test_who_may_not_see_the_log_is_told_so(sign_in: SignIn, who: str) -> None:
    client = sign_in(who)
    assert client.get("/audit").status_code == 403
    assert 'href="/audit"' not in client.get("/speakers").text


@pytest.mark.parametrize("before", ["x", "-1", "99999999999999"])
def test_a_made_up_page_is_no_error(sign_in: SignIn, before: str) -> None:
    assert sign_in("county").get(f"/audit?before={before}").status_code == 200


def test_the_log_is_searched_by_who_what_and_when(sign_in: SignIn, runtime: Runtime) -> None:
    note(runtime, BRIDGE, times=2)
    client = sign_in("county")
    page = client.get("/audit?topic=speaker&words=x1&since=2026-11-23&until=2026-11-23").text
    assert "喇叭 x1" in page
    assert "喇叭 x0" not in page
    assert "没有这样的记录" in client.get("/audit?topic=speaker&until=2026-10-01").text
    assert "没有这样的记录" in client.get("/audit?who=100%25").text, "a percent sign is no wildcard"
    assert client.get("/audit?since=tomorrow&topic=nothing").status_code == 200


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_what_was_found_is_carried_away_and_the_log_says_so(sign_in: SignIn, runtime: Runtime, form: str) -> None:
    note(runtime, BRIDGE, before=80, after=60)
    client = sign_in("county")
    answer = client.post("/audit/export", data={"form": form, "topic": "speaker", "words": "x0"})
    assert answer.headers["Content-Disposition"].endswith(f'.{form}"')
    if form == "csv":
        lines = answer.get_data().decode("utf-8-sig").splitlines()
        assert len(lines) == 2
        assert "调了音量" in lines[1]
        assert lines[1].endswith("相符")
    else:
        rows = list(load_workbook(BytesIO(answer.get_data())).worksheets[0].iter_rows(values_only=True))
        assert [row[4] for row in rows] == ["做了什么", "调了音量"]
    page = client.get("/audit?topic=audit").text
    assert "导出了操作日志" in page
    assert "找什么 x0" in page


def test_an_export_holds_only_what_the_page_would_show(sign_in: SignIn, runtime: Runtime) -> None:
    note(runtime, BRIDGE)
    text = sign_in("strange_approver").post("/audit/export", data={"form": "csv"}).get_data().decode("utf-8-sig")
    assert "北镇" not in text
    assert sign_in("clerk").post("/audit/export").status_code == 403


def test_the_daily_marks_are_carried_away(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("county")
    assert client.get("/audit/anchors").status_code == 404
    anchoring.daily(runtime)
    assert "2026-11-23" in client.get("/audit/anchors").text
    assert sign_in("viewer").get("/audit/anchors").status_code == 403


def test_without_signing_in_there_is_no_log(app: OpenAPI) -> None:
    assert app.test_client().get("/audit").status_code == 302


def test_the_log_speaks_english_too(sign_in: SignIn, runtime: Runtime) -> None:
    note(runtime, BRIDGE, before=80, after=60)
    client = sign_in("county")
    client.post("/language", data={"language": "en"})
    assert "changed the volume" in client.get("/audit").text

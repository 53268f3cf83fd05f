"""The ledger goes out as a table and comes in from one: every mistake at its cell, nothing half done."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from builders import BRIDGE, FERRY, NORTH
from carelab import change
from conftest import NOON
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from openpyxl import load_workbook
from sqlalchemy import select

from hub.audit.models import AuditEntry
from hub.core.runtime import Runtime
from hub.speakers.care import events
from hub.speakers.care.events import Happening
from hub.speakers.care.models import EventKind, Repair
from hub.speakers.joining.models import Claim
from hub.speakers.ledger.export import HEADER
from hub.speakers.ledger.importing import COLUMNS
from hub.speakers.models import Speaker, SpeakerState
from hub.web.spreadsheets import ERROR_COLUMN, write_csv, write_xlsx

SignIn = Callable[[str], FlaskClient]
ONE = "s1001-1"


def rows_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


def row(**given: object) -> list[object]:
    names = dict(zip(("id", "name", "village", "group", "place", "households", "installed", "keeper", "model", "lat",
                      "lon", "note"), COLUMNS, strict=True))  # fmt: skip
    by_column = {names[key]: value for key, value in given.items()}
    return [by_column.get(column, "") for column in COLUMNS]


def sent(client: FlaskClient, rows: list[list[object]], *, excel: bool = False) -> str:
    """Upload a table and return the address of what it would do."""
    data = write_xlsx("x", COLUMNS, rows) if excel else write_csv(COLUMNS, rows)
    answer = client.post("/speakers/import", data={"file": (io.BytesIO(data), "x")})
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def speakers(runtime: Runtime) -> dict[str, Speaker]:
    with runtime.sessions.read() as session:
        return {speaker.id: speaker for speaker in session.scalars(select(Speaker))}


def test_the_ledger_holds_everything_of_ones_own(sign_in: SignIn, runtime: Runtime) -> None:
    change(runtime, ONE, place="楼顶", households=86, keeper="王建国", lat=26.5, lon=103.25, online=False,
           online_since=NOON - timedelta(hours=1))  # fmt: skip
    with runtime.sessions.begin() as session:
        events.note(session, [Happening(ONE, EventKind.FAULT, "mains_lost")], now=NOON - timedelta(hours=2))
        path = session.get_one(Speaker, ONE).region_path
        session.add(Repair(speaker_id=ONE, region_path=path, what="坏", opened_at=NOON, opened_by_name="x"))
    client = sign_in("clerk")
    header, *rows = rows_of(client.get("/speakers/export/ledger.csv").data)
    assert tuple(header) == HEADER
    assert [each[0] for each in rows] == ["s1001-1", "s1001-2", "s1002-1", "s1002-2"]
    found = dict(zip(header, rows[0], strict=True))
    assert (found["镇"], found["村"], found["位置"], found["覆盖户数"]) == ("北镇", "桥村", "楼顶", "86")
    assert (found["在线"], found["从什么时候"], found["最近故障"]) == ("离线", "2026-11-23 09:00", "2026-11-23 08:00")
    assert (found["报修次数"], found["巡检"], found["音量"]) == ("1", "没查过", "80")
    assert (found["纬度"], found["经度"]) == ("26.5", "103.25")
    book = load_workbook(io.BytesIO(client.get("/speakers/export/ledger.xlsx").data))
    sheet = book.worksheets[0]
    assert [cell.value for cell in sheet[1]] == list(HEADER)
    assert (sheet["A2"].value, sheet["G2"].value) == (ONE, 86)
    assert len(rows_of(client.get(f"/speakers/export/ledger.csv?region={BRIDGE}").data)) == 3


def test_what_went_out_comes_in_again_and_changes_nothing(sign_in: SignIn, runtime: Runtime) -> None:
    change(runtime, ONE, place="楼顶", households=86, lat=26.5, lon=103.25)
    client = sign_in("clerk")
    for kind in ("csv", "xlsx"):
        data = client.get(f"/speakers/export/ledger.{kind}").data
        answer = client.post("/speakers/import", data={"file": (io.BytesIO(data), "x")}, follow_redirects=True)
        assert "新装 0 只，改资料 0 只，4 只没变" in answer.text


def test_a_cell_that_looks_like_a_formula_is_none(sign_in: SignIn, runtime: Runtime) -> None:
    change(runtime, ONE, place='=HYPERLINK("http://x")')
    client = sign_in("clerk")
    assert "'=HYPERLINK" in client.get("/speakers/export/ledger.csv").text
    sheet = load_workbook(io.BytesIO(client.get("/speakers/export/ledger.xlsx").data)).worksheets[0]
    assert sheet["F2"].data_type == "s"
    assert str(sheet["F2"].value).startswith("'=")


@pytest.mark.parametrize("excel", [True, False])
def test_new_ones_get_codes_and_known_ones_what_is_new(sign_in: SignIn, runtime: Runtime, excel: bool) -> None:
    change(runtime, ONE, keeper="老张", households=10)
    client = sign_in("clerk")
    where = sent(
        client,
        [
            row(name="老槐树", village="桥村", place="杆上", households=86, installed="2026/3/2", keeper="王建国"),
            row(id=ONE, place="楼顶", lat="26.5", lon="103.25"),
            row(id="S1001-2", name="村口"),
        ],
        excel=excel,
    )
    page = client.get(where).text
    assert "新装 1 只，改资料 1 只，1 只没变" in page
    assert len(speakers(runtime)) == 6, "nothing is written by looking"
    done = client.post(where).text
    [new] = [one for one in speakers(runtime).values() if one.state is SpeakerState.EXPECTED]
    assert (new.name, new.region_code, new.place, new.households, new.keeper) == (
        "老槐树",
        BRIDGE,
        "杆上",
        86,
        "王建国",
    )
    assert str(new.installed_on) == "2026-03-02"
    assert f"桥村 · {new.id}" in done
    assert "只显示这一次" in done
    code = re.findall(r'class="label-code">([^<]+)<', done)[0]
    with runtime.sessions.read() as session:
        [claim] = session.scalars(select(Claim))
        assert code not in str(vars(claim)), "the code itself is kept nowhere"
        assert claim.speaker_id == new.id
    known = speakers(runtime)[ONE]
    assert (known.place, known.lat, known.keeper, known.households, known.name) == ("楼顶", 26.5, "老张", 10, "村口")
    assert client.post(where).status_code == 404, "a file is imported once"


FAULTS = [
    (row(name="", village="桥村"), "名字", "还没填名字"),
    (row(name="a"), "村", "没有填村"),
    (row(name="a", village="天上"), "村", "没有“天上”，或者不归你管"),
    (row(name="a", village="渡村"), "村", "没有“渡村”，或者不归你管"),
    (row(name="村口", village="桥村"), "名字", "已经有叫“村口”的喇叭"),
    (row(id="nobody"), "编码", "没有编码是“nobody”的喇叭"),
    (row(id="s2001-1", place="x"), "编码", "没有编码是“s2001-1”的喇叭"),
    (row(id=ONE, village="岭村", place="x"), "村", "换个地方"),
    (row(id=ONE, households="很多"), "覆盖户数", "户数只写数字"),
    (row(id=ONE, households="99999"), "覆盖户数", "户数在 0 到"),
    (row(id=ONE, lat="26.5"), "经度", "经度和纬度要么都写"),
    (row(id=ONE, lat="北", lon="1"), "纬度", "坐标不对"),
    (row(id=ONE, installed="去年"), "安装日期", "日期看不懂"),
    (row(id=ONE, installed="2031-01-01"), "安装日期", "不能比今天晚"),
    (row(id=ONE, keeper="13800001122"), "责任人", "只写名字，不写电话"),
    (row(id=ONE, note="长" * 201), "备注", "太长"),
]


@pytest.mark.parametrize(("wrong", "column", "words"), FAULTS)
def test_each_mistake_is_shown_in_its_cell_with_what_to_do(
    sign_in: SignIn, runtime: Runtime, wrong: list[object], column: str, words: str
) -> None:
    client = sign_in("clerk")
    before = {one: vars(speaker).copy() for one, speaker in speakers(runtime).items()}
    where = sent(client, [wrong])
    page = client.get(where).text
    cell = re.search(rf'<td data-label="{column}" class="bad">(.*?)</td>', page, re.DOTALL)
    assert cell is not None, page[page.index("<h2>") :][:3000]
    assert words in cell[1]
    assert "导入" not in "".join(re.findall(r"<button[^>]*>.*?</button>", page)), "there is nothing to import"
    errors = rows_of(client.get(f"{where}/errors.csv").data)
    assert errors[0] == [*COLUMNS, ERROR_COLUMN]
    assert words in errors[1][-1]
    client.post(where)
    after = {one: vars(speaker) for one, speaker in speakers(runtime).items()}
    assert {k: {n: v for n, v in d.items() if n[0] != "_"} for k, d in before.items()} == {
        k: {n: v for n, v in d.items() if n[0] != "_"} for k, d in after.items()
    }


def test_twice_the_same_in_one_file(sign_in: SignIn) -> None:
    client = sign_in("clerk")
    rows = [
        row(name="新", village="桥村"),
        row(name="新", village="桥村"),
        row(id=ONE, place="a"),
        row(id=ONE, place="b"),
    ]
    page = client.get(sent(client, rows)).text
    assert "新装 1 只，改资料 1 只，2 行有错" in page
    assert "和第 2 行重了" in page
    assert "和第 4 行重了" in page


def test_good_rows_go_in_and_wrong_ones_are_kept_for_correction(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    where = sent(client, [row(id=ONE, place="楼顶"), row(id=ONE + "x", place="y")])
    page = client.post(where).text
    assert "下载出错的 1 行" in page
    link = re.findall(r'href="(/speakers/import/[0-9a-f]+/errors.csv)"', page)[0]
    mended = client.get(link).data.replace(b"s1001-1x", b"s1001-2")
    answer = client.post("/speakers/import", data={"file": (io.BytesIO(mended), "x")}, follow_redirects=True)
    assert "改资料 1 只" in answer.text


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04broken", "姓名,电话\n李,1\n".encode(), b"\x00\xff" * 50])
def test_what_is_no_ledger_is_refused_with_words(sign_in: SignIn, data: bytes) -> None:
    answer = sign_in("clerk").post("/speakers/import", data={"file": (io.BytesIO(data), "x")})
    assert (answer.status_code, 'href="#f-file"' in answer.text) == (422, True)


def test_strangers_see_and_change_nothing_of_the_north(sign_in: SignIn, runtime: Runtime) -> None:
    stranger = sign_in("stranger")
    assert ONE not in stranger.get("/speakers/export/ledger.csv").text
    assert stranger.get(f"/speakers/export/ledger.csv?region={NORTH}").status_code == 404
    where = sent(stranger, [row(id=ONE, place="x"), row(name="a", village=BRIDGE), row(name="a", village=FERRY)])
    page = stranger.get(where).text
    assert "新装 1 只，改资料 0 只，2 行有错" in page
    assert sign_in("clerk").get(where).status_code == 404, "a file belongs to who sent it"
    stranger.post(where)
    assert speakers(runtime)[ONE].place == ""
    with runtime.sessions.read() as session:
        [entry] = session.scalars(select(AuditEntry).where(AuditEntry.deed == "speakers.import"))
    assert entry.region_path.endswith(f"{FERRY}/")


def test_onlookers_take_out_and_bring_in_nothing(sign_in: SignIn, app: OpenAPI) -> None:
    viewer = sign_in("viewer")
    assert viewer.get("/speakers/import").status_code == 200
    assert "传上去看看" not in viewer.get("/speakers/import").text
    assert viewer.post("/speakers/import", data={}).status_code == 403
    assert viewer.get("/speakers/import/empty.xlsx").status_code == 403
    assert app.test_client().get("/speakers/export/ledger.csv").status_code == 302
    assert app.test_client().post("/speakers/import", data={}).status_code == 302


def test_the_empty_table_can_be_filled_in_and_read(sign_in: SignIn) -> None:
    data = sign_in("clerk").get("/speakers/import/empty.xlsx").data
    assert [cell.value for cell in load_workbook(io.BytesIO(data)).worksheets[0][1]] == list(COLUMNS)

"""Importing residents: example, preview with faults in place, import, error file; as a browser sees it."""

import csv
import io
import re
import stat
import zipfile
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from builders import BRIDGE, FERRY
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from openpyxl import Workbook
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from hub.core.errors import NotFound
from hub.core.runtime import Runtime
from hub.residents.import_jobs import ImportWork
from hub.residents.import_models import ImportJob, ImportPerson
from hub.residents.importing import COLUMNS
from hub.residents.models import Phone, Resident, ResidentTag
from hub.web.spreadsheets import ERROR_COLUMN
from hub.web.uploads import LIFE, Uploads

SignIn = Callable[[str], FlaskClient]
GOOD = "李秀英,13800001122,桥村,,独居老人,否"
FAULTY = ("王建国,1380000112,桥村,,,", "陈小满,13800005566,没有村,,,也许", ",13800007788,岭村,,,")
HEADER = ",".join(COLUMNS)


def a_csv(*rows: str) -> bytes:
    return "\n".join((HEADER, *rows)).encode()


def send(client: FlaskClient, data: bytes, name: str = "list.csv") -> TestResponse:
    # By hand: the test client would write large files to disk and leave them open.
    head = f'--cut\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + b"\r\n--cut--\r\n"
    return client.post("/residents/import", data=body, content_type="multipart/form-data; boundary=cut")


def sent(client: FlaskClient, data: bytes) -> str:
    """Upload and return the address of the preview."""
    answer = send(client, data)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def names(runtime: Runtime) -> list[str]:
    with runtime.sessions.read() as session:
        return sorted(session.scalars(select(Resident.name)))


def uploads(runtime: Runtime) -> list[bytes]:
    return [path.read_bytes() for path in (runtime.config.data_dir / "uploads").glob("*")]


def test_the_page_shows_an_example_and_offers_an_empty_file(sign_in: SignIn) -> None:
    client = sign_in("clerk")
    page = client.get("/residents/import").text
    assert "独居老人" in page
    assert 'enctype="multipart/form-data"' in page
    answer = client.get("/residents/import/template.csv")
    assert answer.text.lstrip("\ufeff").strip() == HEADER
    assert "attachment" in answer.headers["Content-Disposition"]


def test_the_preview_marks_the_wrong_cells_in_place_and_writes_nothing(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    page = client.get(sent(client, a_csv(GOOD, *FAULTY))).text
    assert "导入 1 人，跳过 3 行" in page
    marked = re.findall(r'<td data-label="([^"]+)" class="bad"><div>([^<]*)<div class="error">.*?</svg>([^<]+)<', page)
    assert [(column, text) for column, text, _ in marked] == [
        ("电话", "1380000112"),
        ("村", "没有村"),
        ("外出", "也许"),
        ("姓名", "（空）"),
    ]
    assert "这里是 10 位" in marked[0][2]
    assert "13800001122" not in page, "a good number is not shown"
    assert "李秀英" in page
    assert re.findall(r'<td data-label="(?:哪里|电话|标签)">([^<]+)</td>', page)[-3:] == [
        "北镇 桥村",
        "138****1122",
        "独居老人",
    ]
    assert names(runtime) == []


def test_importing_writes_the_good_rows_and_keeps_only_the_wrong_ones(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    page = client.post(sent(client, a_csv(GOOD, *FAULTY))).text
    assert names(runtime) == ["李秀英"]
    assert re.findall(r'<span class="stat-number"><b>(\d+)</b>', page) == ["1", "0", "3"]
    [kept] = uploads(runtime)
    assert b"13800001122" not in kept
    link = re.findall(r'href="(/residents/import/[0-9a-f-]{36}/errors.csv)"', page)[0]
    rows = list(csv.DictReader(io.StringIO(client.get(link).data.decode("utf-8-sig"))))
    assert [row["姓名"] for row in rows] == ["王建国", "陈小满", ""]
    assert "这里是 10 位" in rows[0][ERROR_COLUMN]
    assert rows[1][ERROR_COLUMN].count("；") == 1, "both faults of a row are named"


def test_the_error_file_can_be_had_before_importing_too(sign_in: SignIn) -> None:
    client = sign_in("clerk")
    where = sent(client, a_csv(GOOD, *FAULTY))
    assert client.get(f"{where}/errors.csv").data.decode("utf-8-sig").count("\r\n") == 4
    assert client.get(where).status_code == 200


def test_a_corrected_error_file_goes_in(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    where = sent(client, a_csv(FAULTY[0]))
    text = client.get(f"{where}/errors.csv").data.decode("utf-8-sig").replace("1380000112", "13800001129")
    client.post(sent(client, text.encode("utf-8-sig")))
    assert names(runtime) == ["王建国"]


def test_without_faults_nothing_is_left_of_the_file(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    page = client.post(sent(client, a_csv(GOOD))).text
    assert "导入好了" in page
    assert "errors.csv" not in page
    assert uploads(runtime) == []


def test_pressing_twice_imports_once(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    where = sent(client, a_csv(GOOD))
    client.post(where)
    again = client.post(where)
    assert (again.status_code, "导入好了" in again.text) == (200, True)
    assert names(runtime) == ["李秀英"]


def test_importing_the_same_list_again_adds_nobody(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    client.post(sent(client, a_csv(GOOD)))
    page = client.post(sent(client, a_csv(GOOD))).text
    assert re.findall(r'<span class="stat-number"><b>(\d+)</b>', page)[:2] == ["0", "1"]
    assert names(runtime) == ["李秀英"]


def test_excel_files_are_read_too(sign_in: SignIn, runtime: Runtime) -> None:
    book = Workbook()
    assert book.active is not None
    for row in (COLUMNS, ("李秀英", 13800001122, "桥村", None, None, None)):
        book.active.append(row)
    data = io.BytesIO()
    book.save(data)
    client = sign_in("clerk")
    client.post(sent(client, data.getvalue()))
    assert names(runtime) == ["李秀英"]


def test_a_group_may_be_written_without_its_villages_name(sign_in: SignIn, runtime: Runtime) -> None:
    admin = sign_in("county")
    admin.post("/regions/990101001001/below", data={"code": "99010100100101", "name": "桥一组"})
    admin.post(sent(admin, a_csv("李秀英,13800001122,桥村,1组,,", "王建国,13800001123,桥村,一组,,")))
    with runtime.sessions.read() as session:
        assert set(session.scalars(select(Resident.region_code))) == {"99010100100101"}


def test_columns_nobody_knows_are_matched_by_hand(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    where = sent(client, "谁,打哪里,住哪\n李秀英,13800001122,桥村\n".encode())
    page = client.get(where)
    assert "对一下列" in page.text
    assert "13800001122" in page.text, "the owner sees the first rows of the own file"
    refused = client.post(f"{where}/columns", data={"column-0": "0", "column-1": "0", "column-2": "2"})
    assert (refused.status_code, "同一列" in refused.text) == (422, True)
    refused = client.post(f"{where}/columns", data={"column-0": "0", "column-1": "1"})
    assert (refused.status_code, "少了“村”" in refused.text) == (422, True)
    assert sign_in("stranger").post(f"{where}/columns", data={"column-0": "0"}).status_code == 404
    client.post(f"{where}/columns", data={"column-0": "0", "column-1": "1", "column-2": "2"})
    assert "1 个人可以导入" in client.get(where).text
    client.post(where)
    assert names(runtime) == ["李秀英"]


def test_a_list_of_one_village_needs_no_column_for_it(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    where = sent(client, "姓名,电话\n李秀英,13800001122\n".encode())
    refused = client.post(f"{where}/columns", data={"column-0": "0", "column-1": "1", "village": FERRY})
    assert refused.status_code == 422, "another township's village"
    client.post(f"{where}/columns", data={"column-0": "0", "column-1": "1", "village": BRIDGE})
    client.post(where)
    with runtime.sessions.read() as session:
        assert session.scalars(select(Resident.region_code)).all() == [BRIDGE]


def test_a_long_list_is_checked_and_put_in_by_the_background(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    rows = [f"村民{i},{13800000000 + i},桥村,,沿河户、独居老人," for i in range(6000)]
    where = sent(client, a_csv(*rows, *FAULTY))
    waiting = client.get(where)
    assert "正在读文件" in waiting.text
    assert 'hx-trigger="every 1s"' in waiting.text
    runtime.get(ImportWork).step()
    answer = client.get(where, headers={"HX-Request": "true"})
    assert answer.headers["HX-Refresh"] == "true", "the page that waits is told to load anew"
    assert "导入 6000 人，跳过 3 行" in client.get(where).text
    assert names(runtime) == []
    assert client.post(where).status_code == 302
    assert "6,000 人一起写" in client.get(where).text
    runtime.get(ImportWork).step()
    assert "导入好了" in client.get(where).text
    assert len(names(runtime)) == 6000
    with runtime.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(ResidentTag)) == 12_000
        assert session.scalars(select(ImportPerson)).all() == []


def test_too_many_rows_are_refused_once_they_are_counted(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    where = sent(client, "\n".join([HEADER, *[GOOD] * 100_001]).encode())
    runtime.get(ImportWork).step()
    page = client.get(where)
    assert (page.status_code, "一次最多 100000 行" in page.text) == (422, True)
    assert (names(runtime), uploads(runtime)) == ([], [])


def a_bomb() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (201 * 1024 * 1024))
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "先选一个文件"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "读不了"),
        (b"PK\x03\x04 not really a zip", "读不了"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "另存为 .xlsx"),
        ("张三,13800001122,桥村\n".encode(), "一行都没有"),
        (HEADER.encode(), "一行都没有"),
        (HEADER.encode() + b"\n" + b"x" * (25 * 1024 * 1024), "文件太大"),
    ],
    ids=["none", "picture", "broken zip", "old excel", "one row", "empty", "large"],
)
def test_a_file_that_will_not_do_is_refused_in_plain_words(
    sign_in: SignIn, runtime: Runtime, data: bytes, words: str
) -> None:
    answer = send(sign_in("clerk"), data)
    assert (answer.status_code, words in answer.text) == (422, True)
    assert 'href="#f-file"' in answer.text
    assert (names(runtime), uploads(runtime)) == ([], [])


def test_a_file_that_unpacks_to_gigabytes_is_refused(sign_in: SignIn, runtime: Runtime) -> None:
    answer = send(sign_in("clerk"), a_bomb(), "list.xlsx")
    assert (answer.status_code, "文件太大" in answer.text) == (422, True)
    assert uploads(runtime) == []


def test_a_request_beyond_all_measure_is_refused_before_it_is_read(sign_in: SignIn) -> None:
    answer = send(sign_in("clerk"), b"x" * (26 * 1024 * 1024))
    assert (answer.status_code, "最多 25 MB" in answer.text) == (413, True)


def test_an_upload_is_its_owners_alone(sign_in: SignIn, runtime: Runtime) -> None:
    where = sent(sign_in("clerk"), a_csv(GOOD, *FAULTY))
    for who in ("stranger", "county"):
        other = sign_in(who)
        assert other.get(where).status_code == 404
        assert other.get(f"{where}/errors.csv").status_code == 404
        assert other.post(where).status_code == 404
    assert names(runtime) == []
    [path] = (runtime.config.data_dir / "uploads").glob("*")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_upload_lives_an_hour(sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    client = sign_in("clerk")
    where = sent(client, a_csv(GOOD))
    clock.now = NOON + LIFE
    assert client.get(where).status_code == 200
    clock.now = NOON + LIFE + timedelta(seconds=1)
    late = client.post(where)
    assert (late.status_code, "超过一小时" in late.text) == (404, True)
    runtime.get(ImportWork).step()
    assert (names(runtime), uploads(runtime)) == ([], [])
    with runtime.sessions.read() as session:
        assert session.scalars(select(ImportPerson)).all() == []
        assert session.scalars(select(ImportJob)).all() == []


@pytest.mark.parametrize("token", ["x", "..%2fsecrets.toml", "A" * 32, "0" * 31])
def test_a_made_up_upload_is_not_found(sign_in: SignIn, token: str) -> None:
    client = sign_in("clerk")
    assert client.get(f"/residents/import/{token}").status_code == 404
    assert client.post(f"/residents/import/{token}").status_code == 404


@pytest.mark.parametrize("token", ["../secrets", "0" * 32 + "/..", "*", ""])
def test_a_token_never_leads_out_of_the_folder(runtime: Runtime, token: str) -> None:
    with pytest.raises(NotFound):
        Uploads(runtime.config.data_dir / "uploads").read(uuid4(), token, now=NOON)


def test_a_clerk_imports_only_into_their_own_township(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    page = client.get(sent(client, a_csv(GOOD, "外人,13800009999,渡村,,,"))).text
    assert "没有“渡村”，或者不归你管" in page
    assert "导入 1 人，跳过 1 行" in page


@pytest.mark.parametrize("who", ["secretary", "approver", "duty", "viewer"])
def test_who_may_not_edit_imports_nothing(sign_in: SignIn, runtime: Runtime, who: str) -> None:
    client = sign_in(who)
    assert client.get("/residents/import").status_code == 403
    assert send(client, a_csv(GOOD)).status_code == 403
    assert (names(runtime), uploads(runtime)) == ([], [])


def test_without_signing_in_nothing_is_taken(app: OpenAPI, runtime: Runtime) -> None:
    assert send(app.test_client(), a_csv(GOOD)).status_code == 302
    assert uploads(runtime) == []


def test_numbers_are_sealed_in_the_table(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    client.post(sent(client, a_csv(GOOD)))
    with runtime.sessions.read() as session:
        phone = session.scalars(select(Phone)).one()
    assert b"13800001122" not in phone.sealed + phone.index
    assert phone.masked == "138****1122"

"""Small files that would become large ones: refused or cut, in moments, before they are in memory."""

import io
import re
import time
import zipfile
from collections.abc import Callable

import pytest
from openpyxl import load_workbook

from hub.core.errors import BadInput
from hub.web.spreadsheets import MAX_CELL, MAX_TRIMMINGS, read_table, write_csv, write_xlsx

GOOD = write_xlsx("t", ["name", "phone"], [["1", "2"]])
SHEET = "xl/worksheets/sheet1.xml"
Change = Callable[[bytes], bytes]
LAUGHS = b'<!DOCTYPE l [<!ENTITY a "lol">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)
)


def rebuilt(name: str, change: Change) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, change(old.read(part)) if part == name else old.read(part))
    return out.getvalue()


def row(number: int, at: str, text: bytes) -> bytes:
    return b'<row r="%d"><c r="%s" t="inlineStr"><is><t>%s</t></is></c></row>' % (number, at.encode(), text)


LAST = row(9, "A9", b"&j;")


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        (
            SHEET,
            lambda d: LAUGHS + b"]>" + d.replace(b"</sheetData>", row(9, "A9", b"&j;") + b"</sheetData>"),
            "unread",
        ),
        ("xl/styles.xml", lambda d: d + b" " * (MAX_TRIMMINGS + 1), "too_big"),
        (SHEET, lambda d: d + b" " * (201 * 1024 * 1024), "too_big"),
    ],
)
def test_what_would_unfold_is_refused(name: str, change: Change, code: str) -> None:
    data = rebuilt(name, change)
    assert len(data) < 400_000
    began = time.process_time()
    with pytest.raises(BadInput, match=code):
        read_table(data)
    assert time.process_time() - began < 0.5


def test_a_cell_without_an_end_is_cut_and_a_sheet_without_a_border_is_read_as_far_as_it_goes() -> None:
    long = rebuilt(SHEET, lambda d: d.replace(b"</sheetData>", row(9, "A9", b"x" * 3_000_000) + b"</sheetData>"))
    assert max(len(cell) for cells in read_table(long) for cell in cells) == MAX_CELL
    wide = rebuilt(
        SHEET,
        lambda d: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"', d).replace(
            b"</sheetData>", row(1_048_576, "XFD1048576", b"x") + b"</sheetData>"
        ),
    )
    began = time.process_time()
    assert read_table(wide, head=5)[1][:2] == ["1", "2"]
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "+1|cmd", "-1+2", "\t=1", "\r=1", "\n=1", "＝1"])
def test_neither_heading_nor_cell_leaves_as_a_formula(cell: str) -> None:
    text = write_csv([cell], [[cell]]).decode("utf-8-sig")
    assert text.count("'" + cell[0]) == 2
    sheet = load_workbook(io.BytesIO(write_xlsx("t", [cell], [[cell]]))).worksheets[0]
    assert {(each.data_type, str(each.value)[:2]) for cells in sheet for each in cells} == {("s", "'" + cell[0])}


def test_a_number_with_its_sign_stays_one() -> None:
    assert "+86 154 0000 0000" in write_csv(["phone"], [["+86 154 0000 0000"]]).decode("utf-8-sig").splitlines()[1]

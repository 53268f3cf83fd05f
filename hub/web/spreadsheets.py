"""Read and write tables as people have them, CSV or Excel, without trusting a byte of what they send."""

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Final

from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from hub.core.errors import BadInput

MAX_BYTES: Final = 5 * 1024 * 1024
MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 40
MAX_UNPACKED: Final = 200 * 1024 * 1024
MAX_TRIMMINGS: Final = 8 * 1024 * 1024
"""Of everything but rows and their texts: styles and the like are taken into memory whole."""
MAX_CELL: Final = 32_767
"""So much fits into a cell by Excel's own rule."""
HEAD_BYTES: Final = 4096
_ROWS = ("xl/worksheets/", "xl/sharedStrings")
ERROR_COLUMN: Final = "出错原因"
CSV: Final = "text/csv"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WIDEST: Final = 40
_FORMULA = ("=", "@", "\t", "\r", "\n", "＝", "＠")


def read_table(
    data: bytes, *, most_rows: int = MAX_ROWS, most_bytes: int = MAX_BYTES, head: int = 0
) -> list[list[str]]:
    """Return the rows of a file as text; BadInput (field `file`) when it is no table or too large a one.

    With `head` only so many rows are looked at.
    """
    if len(data) > most_bytes:
        raise bad_file("import_too_big", limit_mb=most_bytes // 1024**2)
    wanted = head or most_rows + 50
    rows = _xlsx(data, wanted, most_bytes) if data.startswith(b"PK\x03\x04") else _csv(data, wanted)
    return rows if head else _bounded(rows, most_rows)


def plain_heading(cell: str) -> str:
    """Return what different ways to write a heading have in common: no spaces, stars and colons, small letters."""
    return re.sub(r"[\s*：:]", "", unicodedata.normalize("NFKC", cell)).lower()


def columns_in(header: Sequence[str], column_of: Mapping[str, str]) -> dict[str, int]:
    """Return at which place of a heading row each column stands; `column_of` says by which names each goes."""
    found: dict[str, int] = {}
    for i, cell in enumerate(header):
        column = column_of.get(plain_heading(cell))
        if column and column not in found:
            found[column] = i
    return found


def harmless(cell: str) -> str:
    """Keep a spreadsheet from taking a cell for a formula; a number with its sign is none."""
    if cell.startswith(_FORMULA) or (cell.startswith(("+", "-")) and not re.fullmatch(r"[+\-][\d\s\-.]+", cell)):
        return f"'{cell}"
    return cell


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a CSV file that Excel opens in the right encoding."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([harmless(cell) for cell in header])
    writer.writerows([harmless(_text(cell)) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def write_xlsx(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return an Excel file with one sheet, its heading fixed and bold. Texts stay texts, numbers numbers."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = title[:31]
    sheet.append([harmless(cell) for cell in header])
    widths = [_width(cell) for cell in header]
    for row in rows:
        sheet.append([_value(cell) for cell in row])
        widths = [max(width, _width(cell)) for width, cell in zip(widths, row, strict=True)]
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for number, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = min(width, WIDEST) + 2
    sheet.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def bad_file(code: str, **params: object) -> BadInput:
    """Return a mistake about the file as a whole."""
    return BadInput(code, field="file", **params)


def _csv(data: bytes, wanted: int) -> list[list[str]]:
    text = _decode(data)
    sample = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",\t;", key=sample.count)
    try:
        rows = list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), wanted))
    except csv.Error:
        raise bad_file("import_unreadable") from None
    return [[_tidy(cell) for cell in row[:MAX_COLUMNS]] for row in rows]


def _decode(data: bytes) -> str:
    encodings = ["utf-16"] if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise bad_file("import_unreadable")


def _xlsx(data: bytes, wanted: int, most_bytes: int) -> list[list[str]]:
    try:
        return _sheet(data, wanted, most_bytes)
    except BadInput:
        raise
    except Exception:  # noqa: BLE001 - openpyxl raises whatever it stumbles over in a damaged file
        raise bad_file("import_unreadable") from None


def _sheet(data: bytes, wanted: int, most_bytes: int) -> list[list[str]]:
    # A few kilobytes can unpack to gigabytes, so the sizes are looked at before anything is unpacked.
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        trimmings = sum(part.file_size for part in parts if not part.filename.startswith(_ROWS))
        if sum(part.file_size for part in parts) > MAX_UNPACKED or trimmings > MAX_TRIMMINGS:
            raise bad_file("import_too_big", limit_mb=most_bytes // 1024**2)
        if any(_defines_words(archive, part) for part in parts):
            raise bad_file("import_unreadable")
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    try:
        rows = book.worksheets[0].iter_rows(max_row=wanted, max_col=MAX_COLUMNS, values_only=True)
        return [[_cell(value) for value in row] for row in rows]
    finally:
        book.close()


def _defines_words(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    """Whether it brings a document type: no table has one, and a few words of one unfold to gigabytes."""
    with archive.open(part) as content:
        return b"<!DOCTYPE" in content.read(HEAD_BYTES)


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == datetime.min.time():
        return value.date().isoformat()
    return "" if value is None else _tidy(str(value))


def _tidy(cell: str) -> str:
    return "".join(c for c in cell[:MAX_CELL] if unicodedata.category(c) != "Cf").strip().removeprefix("'")


def _bounded(rows: list[list[str]], most: int) -> list[list[str]]:
    if sum(1 for row in rows if any(row)) > most + 1:
        raise bad_file("import_too_many_rows", limit=most)
    return rows


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def _value(cell: object) -> int | float | str | date | None:
    if cell is None or isinstance(cell, int | float | date):
        return cell
    return harmless(str(cell))


def _width(cell: object) -> int:
    return sum(2 if ord(c) > 0x2E7F else 1 for c in _text(cell))

"""Read a list of residents from CSV or Excel, find every mistake in it at its place, and write nothing by itself."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from hub.core.errors import BadInput
from hub.regions.lookup import Place, Places
from hub.residents import service
from hub.residents.phones import Number, normalise
from hub.web.spreadsheets import ERROR_COLUMN, bad_file, plain_heading, read_table, write_csv

NAME, PHONE, VILLAGE, GROUP, TAGS, AWAY = COLUMNS = ("姓名", "电话", "村", "组", "标签", "外出")
_ALSO = {
    NAME: ("name", "居民姓名", "户主姓名"),
    PHONE: ("phone", "手机", "手机号", "手机号码", "电话号码", "联系电话", "联系方式"),
    VILLAGE: ("village", "村名", "行政村", "所在村", "村(社区)", "村/社区"),
    GROUP: ("group", "小组", "村民小组", "组别"),
    TAGS: ("tags", "分组", "人群"),
    AWAY: ("away", "外出务工", "是否外出"),
}
_COLUMN_OF = {alias: column for column, also in _ALSO.items() for alias in (column, *also)}
_SPLIT = re.compile(r"[、/,，;；|\n]+")
_YES = frozenset({"是", "有", "外出", "在外", "√", "✓", "y", "yes", "true", "1"})
_NO = frozenset({"", "否", "无", "没有", "在家", "不", "×", "n", "no", "false", "0"})


@dataclass(frozen=True, slots=True)
class CellProblem:
    """One mistake. `row` counts as the spreadsheet does; `code` names the sentence that explains it."""

    row: int
    column: str
    code: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One person of the file; `lines` are the rows it came from, more than one where the same person stood twice."""

    lines: tuple[int, ...]
    name: str
    numbers: tuple[Number, ...]
    place: Place | None
    tags: tuple[str, ...]
    away: bool


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What a file holds. Only `good` rows would be written; every other is in `problems`, with its cells as they were.

    `cells` keeps the wrong rows for the error file, by row number; `shared` counts numbers that belong to people of
    different names (they get each message once).
    """

    header: tuple[str, ...]
    good: tuple[ImportRow, ...]
    problems: tuple[CellProblem, ...]
    cells: Mapping[int, tuple[str, ...]] = field(repr=False)
    merged: int
    shared: int

    @property
    def faulty_rows(self) -> int:
        """How many rows of the file would be skipped."""
        return len({problem.row for problem in self.problems})


def read(data: bytes, places: Places) -> ImportPlan:
    """Return what the file holds; BadInput when it cannot be read as a list of residents at all."""
    table = read_table(data)
    at, header = _find_header(table)
    columns = columns_of(header)
    good: list[ImportRow] = []
    problems: list[CellProblem] = []
    cells: dict[int, tuple[str, ...]] = {}
    for number, row in enumerate(table[at + 1 :], start=at + 2):
        if not any(row):
            continue
        values = {column: row[i] if i < len(row) else "" for column, i in columns.items()}
        parsed, wrong = _read_row(number, values, places)
        if wrong:
            problems += wrong
            cells[number] = tuple(row)
        else:
            good.append(parsed)
    if not good and not problems:
        raise bad_file("import_empty")
    people, merged = _merge(good)
    return ImportPlan(tuple(header), tuple(people), tuple(problems), cells, merged, _shared(people))


def error_file(plan: ImportPlan, explain: Callable[[CellProblem], str]) -> bytes:
    """Return the wrong rows as CSV for Excel, with one more column that says why, to be corrected and read again."""
    reasons: dict[int, list[str]] = {}
    for problem in plan.problems:
        reasons.setdefault(problem.row, []).append(explain(problem))
    width = max([len(plan.header), *(len(row) for row in plan.cells.values())])
    keep = [i for i in range(width) if _at(plan.header, i) != ERROR_COLUMN]
    header = [*(_at(plan.header, i) for i in keep), ERROR_COLUMN]
    rows = [[*(_at(row, i) for i in keep), "；".join(reasons[number])] for number, row in plan.cells.items()]
    return write_csv(header, rows)


def example_file() -> bytes:
    """Return a CSV file with the columns and nothing in them."""
    return write_csv(COLUMNS, [])


def _find_header(table: list[list[str]]) -> tuple[int, list[str]]:
    """Return where the heading row stands: the first of the top ten that names both a person and a phone."""
    for at, row in enumerate(table[:10]):
        found = set(columns_of(row))
        if NAME in found and PHONE in found:
            if VILLAGE not in found:
                raise bad_file("import_column_missing", column=VILLAGE)
            return at, row
    raise bad_file("import_heading_missing", columns=f"{NAME}、{PHONE}、{VILLAGE}")


def columns_of(header: Sequence[str]) -> dict[str, int]:
    """Return at which place of a heading row each of our columns stands, by whichever of its names."""
    found: dict[str, int] = {}
    for i, cell in enumerate(header):
        column = _COLUMN_OF.get(plain_heading(cell))
        if column and column not in found:
            found[column] = i
    return found


def _read_row(number: int, values: Mapping[str, str], places: Places) -> tuple[ImportRow, list[CellProblem]]:
    problems: list[CellProblem] = []

    def wrong(column: str, error: BadInput) -> None:
        problems.append(CellProblem(number, column, error.code, error.params))

    name = values[NAME]
    tags = tuple(service.clean_tags(_SPLIT.split(values.get(TAGS, ""))))
    checks = ((NAME, partial(service.check_name, name)), (TAGS, partial(service.check_tags, tags)))
    for column, check in checks:
        try:
            check()
        except BadInput as error:
            wrong(column, error)
    numbers = _numbers(values[PHONE], lambda error: wrong(PHONE, error))
    place = _place(values[VILLAGE], values.get(GROUP, ""), places, wrong)
    away = values.get(AWAY, "").lower()
    if away not in _YES | _NO:
        wrong(AWAY, bad_file("import_away_unclear"))
    return ImportRow((number,), name, numbers, place, tags, away in _YES), problems


def _numbers(cell: str, wrong: Callable[[BadInput], None]) -> tuple[Number, ...]:
    parts = [part for part in _SPLIT.split(cell) if part.strip()]
    if not parts:
        wrong(BadInput("phone_missing"))
    found: dict[str, Number] = {}
    for part in parts:
        try:
            # People write whose number it is behind it: 13800001122(儿子).
            number = normalise(re.sub(r"[（(][^()（）\d]*[)）]\s*$", "", part))
        except BadInput as error:
            wrong(error)
        else:
            found[number.e164] = number
    try:
        service.check_phone_count(len(found))
    except BadInput as error:
        wrong(error)
    return tuple(found.values())


def _place(village: str, group: str, places: Places, wrong: Callable[[str, BadInput], None]) -> Place | None:
    if not village:
        wrong(VILLAGE, bad_file("import_village_missing"))
        return None
    found = places.village(village)
    if len(found) != 1:
        code = "import_village_ambiguous" if found else "import_village_unknown"
        wrong(VILLAGE, bad_file(code, village=village[:40]))
        return None
    if not group:
        return found[0]
    inside = places.group(found[0], group)
    if inside is None:
        wrong(GROUP, bad_file("import_group_unknown", group=group[:40], village=village[:40]))
    return inside


def _merge(rows: Iterable[ImportRow]) -> tuple[list[ImportRow], int]:
    """Put rows together that speak of one person: same village, same name, and a number in common."""
    people: list[ImportRow] = []
    at: dict[tuple[str, str, str], int] = {}
    merged = 0
    for row in rows:
        keys = [(row.place.code if row.place else "", row.name, number.e164) for number in row.numbers]
        known = next((at[key] for key in keys if key in at), None)
        if known is None:
            known = len(people)
            people.append(row)
        else:
            people[known] = _together(people[known], row)
            merged += 1
        at.update(dict.fromkeys(keys, known))
    return people, merged


def _together(one: ImportRow, other: ImportRow) -> ImportRow:
    numbers = {number.e164: number for number in (*one.numbers, *other.numbers)}
    return ImportRow(
        lines=(*one.lines, *other.lines),
        name=one.name,
        numbers=tuple(numbers.values()),
        place=one.place,
        tags=tuple(service.clean_tags((*one.tags, *other.tags))),
        away=one.away or other.away,
    )


def _shared(people: Iterable[ImportRow]) -> int:
    owners: dict[str, int] = {}
    for person in people:
        for number in person.numbers:
            owners[number.e164] = owners.get(number.e164, 0) + 1
    return sum(1 for count in owners.values() if count > 1)


def _at(row: Sequence[str], i: int) -> str:
    return row[i] if i < len(row) else ""

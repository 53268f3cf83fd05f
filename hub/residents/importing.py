"""Read a list of residents from CSV or Excel, find every mistake in it at its place, and write nothing by itself."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from hub.core.errors import BadInput
from hub.regions.lookup import Place, Places
from hub.residents import service
from hub.residents.models import AwayConsent
from hub.residents.phones import Number, normalise
from hub.web.marking import CellProblem
from hub.web.spreadsheets import ERROR_COLUMN, bad_file, columns_in, read_table, write_csv

NAME, PHONE, VILLAGE, GROUP, TAGS, AWAY, CONSENT, HOUSEHOLD = COLUMNS = (
    "姓名",
    "电话",
    "村",
    "组",
    "标签",
    "外出",
    "外出收短信",
    "哪一户",
)
NEEDED = (NAME, PHONE, VILLAGE)
_ALSO = {
    NAME: ("name", "居民姓名", "户主姓名"),
    PHONE: ("phone", "手机", "手机号", "手机号码", "电话号码", "联系电话", "联系方式"),
    VILLAGE: ("village", "村名", "行政村", "所在村", "村(社区)", "村/社区"),
    GROUP: ("group", "小组", "村民小组", "组别"),
    TAGS: ("tags", "分组", "人群"),
    AWAY: ("away", "外出务工", "是否外出"),
    CONSENT: ("consent", "外出同意", "是否收短信"),
    HOUSEHOLD: ("household", "户", "户号", "户编号", "家庭编号", "户主"),
}
_COLUMN_OF = {alias: column for column, also in _ALSO.items() for alias in (column, *also)}
_SPLIT = re.compile(r"[、/,，;；|\n]+")
_BEHIND = re.compile(r"[（(]([^()（）]*)[)）]\s*$")
"""Something in brackets behind a name or a number: 13800001122(儿子), 李秀英（户主）."""
_TWO_MOBILES = re.compile(r"(1[3-9]\d{9})(1[3-9]\d{9})")
_YES = frozenset({"是", "有", "外出", "在外", "要", "同意", "√", "✓", "y", "yes", "true", "1"})
_NO = frozenset({"否", "无", "没有", "在家", "不", "不要", "不同意", "×", "n", "no", "false", "0"})
MOST_ROWS = 100_000
MOST_BYTES = 25 * 1024 * 1024
HEAD = 15
"""Rows that are looked at to find the headings and to show what stands below them."""
Step = Callable[[int, int], None]
"""Told how many rows are done, and of how many."""


def quietly(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One person of the file; `lines` are the rows it came from, more than one where the same person stood twice."""

    lines: tuple[int, ...]
    name: str
    numbers: tuple[Number, ...]
    place: Place | None
    tags: tuple[str, ...]
    away: bool | None
    """None: the file does not say."""
    consent: AwayConsent | None = None
    household: str = ""


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


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a file's heading row stands, what it says, and which of our columns stands where.

    `village` is the code of a village that every row belongs to, for files that do not name one.
    """

    at: int
    header: tuple[str, ...]
    columns: Mapping[str, int]
    village: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The columns that are needed and not yet found."""
        return tuple(c for c in NEEDED if c not in self.columns and not (c == VILLAGE and self.village))


def layout_of(head: Sequence[Sequence[str]]) -> Layout:
    """Return the most likely layout: the row of the top ten that names most of our columns, else the first one."""
    rows = [(at, row) for at, row in enumerate(head[:10]) if any(row)]
    if not rows:
        raise bad_file("import_empty")
    at, row = max(rows, key=lambda pair: (len(columns_of(pair[1])), -pair[0]))
    return Layout(at, tuple(row), columns_of(row))


def read(data: bytes, places: Places, layout: Layout | None = None, *, step: Step = quietly) -> ImportPlan:
    """Return what the file holds; BadInput when it cannot be read as a list of residents at all."""
    table = read_table(data, most_rows=MOST_ROWS, most_bytes=MOST_BYTES)
    found = layout or layout_of(table)
    if found.missing:
        raise bad_file("import_column_missing", column="、".join(found.missing))
    good: list[ImportRow] = []
    problems: list[CellProblem] = []
    cells: dict[int, tuple[str, ...]] = {}
    below = table[found.at + 1 :]
    for done, row in enumerate(below):
        if done % 500 == 0:
            step(done, len(below))
        if not any(row):
            continue
        number = found.at + 2 + done
        parsed, wrong = _read_row(number, _values(row, found), places)
        if wrong:
            problems += wrong
            cells[number] = tuple(row)
        else:
            good.append(parsed)
    if not good and not problems:
        raise bad_file("import_empty")
    people, merged = _merge(good)
    return ImportPlan(found.header, tuple(people), tuple(problems), cells, merged, _shared(people))


def _values(row: Sequence[str], layout: Layout) -> dict[str, str]:
    values = {column: row[i] if i < len(row) else "" for column, i in layout.columns.items()}
    return {**values, VILLAGE: layout.village} if layout.village else values


def error_file(header: Sequence[str], rows: Sequence[tuple[Sequence[str], str]]) -> bytes:
    """Return wrong rows as CSV for Excel, with one more column that says why, to be corrected and read again."""
    width = max([len(header), *(len(cells) for cells, _ in rows)])
    keep = [i for i in range(width) if _at(header, i) != ERROR_COLUMN]
    head = [*(_at(header, i) for i in keep), ERROR_COLUMN]
    return write_csv(head, [[*(_at(cells, i) for i in keep), why] for cells, why in rows])


def example_file() -> bytes:
    """Return a CSV file with the columns and nothing in them."""
    return write_csv(COLUMNS, [])


def columns_of(header: Sequence[str]) -> dict[str, int]:
    """Return at which place of a heading row each of our columns stands, by whichever of its names."""
    return columns_in(header, _COLUMN_OF)


def _read_row(number: int, values: Mapping[str, str], places: Places) -> tuple[ImportRow, list[CellProblem]]:
    problems: list[CellProblem] = []

    def wrong(column: str, error: BadInput) -> None:
        problems.append(CellProblem(number, column, error.code, error.params))

    name, household = _named(values.get(NAME, ""), values.get(HOUSEHOLD, ""))
    tags = tuple(service.clean_tags(_SPLIT.split(values.get(TAGS, ""))))
    checks = (
        (NAME, partial(service.check_name, name)),
        (TAGS, partial(service.check_tags, tags)),
        (HOUSEHOLD, partial(service.check_household, household)),
    )
    for column, check in checks:
        try:
            check()
        except BadInput as error:
            wrong(column, error)
    numbers = _numbers(values.get(PHONE, ""), lambda error: wrong(PHONE, error))
    place = _place(values.get(VILLAGE, ""), values.get(GROUP, ""), places, wrong)
    away = _yes_or_no(values.get(AWAY, ""), lambda: wrong(AWAY, bad_file("import_away_unclear")))
    agreed = _yes_or_no(values.get(CONSENT, ""), lambda: wrong(CONSENT, bad_file("import_consent_unclear")))
    consent = None if agreed is None else AwayConsent.YES if agreed else AwayConsent.NO
    return ImportRow((number,), name, numbers, place, tags, away, consent, household), problems


def _named(cell: str, household: str) -> tuple[str, str]:
    """Return name and household. What stands in brackets behind a name is no part of it; 户主 says whose household."""
    behind = _BEHIND.search(cell)
    name = cell[: behind.start()].strip() if behind and behind.start() else cell
    head = behind is not None and behind.group(1).strip() == "户主"
    return name, household.strip() or (name if head else "")


def _yes_or_no(cell: str, unclear: Callable[[], None]) -> bool | None:
    word = cell.strip().lower()
    if word and word not in _YES | _NO:
        unclear()
    return None if not word else word in _YES


def numbers_in(cell: str) -> list[str]:
    """Return the numbers in a cell one by one: between separators, or two mobiles run together."""
    parts = []
    for part in _SPLIT.split(cell):
        # People write whose number it is behind it: 13800001122(儿子).
        behind = _BEHIND.search(part)
        bare = part[: behind.start()] if behind and not any(c.isdigit() for c in behind.group(1)) else part
        two = _TWO_MOBILES.fullmatch(re.sub(r"[\s\-]+", "", bare))
        parts += list(two.groups()) if two else [bare]
    return [part for part in parts if part.strip()]


def _numbers(cell: str, wrong: Callable[[BadInput], None]) -> tuple[Number, ...]:
    parts = numbers_in(cell)
    if not parts:
        wrong(BadInput("phone_missing"))
    found: dict[str, Number] = {}
    for part in parts:
        try:
            number = normalise(part)
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
        away=one.away if other.away is None else other.away or bool(one.away),
        consent=other.consent or one.consent,
        household=one.household or other.household,
    )


def _shared(people: Iterable[ImportRow]) -> int:
    owners: dict[str, int] = {}
    for person in people:
        for number in person.numbers:
            owners[number.e164] = owners.get(number.e164, 0) + 1
    return sum(1 for count in owners.values() if count > 1)


def _at(row: Sequence[str], i: int) -> str:
    return row[i] if i < len(row) else ""

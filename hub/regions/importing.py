"""Read townships, villages and groups from CSV or Excel, find every mistake at its place, and write nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hub.core.errors import BadInput
from hub.regions.service import NAME_LENGTH, Node
from hub.regions.tree import Level, level_of, parent_code
from hub.web.marking import CellProblem, Marked
from hub.web.spreadsheets import bad_file, columns_in, read_table

MOST_ROWS: Final = 3000
TOWNSHIP, VILLAGE, GROUP, CODE = COLUMNS = ("镇", "村", "组", "编码")
LEVELS: Final = (TOWNSHIP, VILLAGE, GROUP)
_LEVEL_OF: Final = dict(zip(LEVELS, (Level.TOWNSHIP, Level.VILLAGE, Level.GROUP), strict=True))
_ALSO: Final = {
    TOWNSHIP: ("township", "乡镇", "乡", "街道", "乡镇街道", "乡镇名称"),
    VILLAGE: ("village", "村名", "行政村", "社区", "村社区", "村名称"),
    GROUP: ("group", "小组", "村民小组", "社"),
    CODE: ("code", "代码", "区划码", "区划代码", "统计用区划代码"),
}
_COLUMN_OF: Final = {alias: column for column, also in _ALSO.items() for alias in (column, *also)}
Names = tuple[str, ...]
"""Names from the township down."""


@dataclass(frozen=True)
class Ground:
    """What is there already: code and names of everything the importing person may add below, and the county."""

    county: str = ""
    """Its code; empty for who answers for townships only: they add no township."""
    codes: Mapping[Names, str] = field(default_factory=dict)

    @classmethod
    def of(cls, forest: Sequence[Node]) -> "Ground":
        """Return the ground of the parts of the tree somebody may edit."""
        county, codes = "", {}
        for top in forest:
            if top.level is Level.COUNTY:
                county = county or top.code
                tops: Sequence[Node] = top.children
            else:
                tops = (top,) if top.level is Level.TOWNSHIP else ()
            for node in tops:
                codes.update(_named(node, ()))
        return cls(county, codes)


@dataclass(frozen=True, slots=True)
class RegionRow:
    """One row of the file: what it names, from the township down, and the code it wants (or none)."""

    number: int
    names: Names
    code: str


@dataclass(frozen=True, slots=True)
class RegionPlan(Marked):
    """What a file holds; only `good` rows would be written."""

    good: tuple[RegionRow, ...]
    same: int

    def new(self, level: Level) -> int:
        """How many of that level the good rows name."""
        depth = list(_LEVEL_OF.values()).index(level) + 1
        return len({row.names for row in self.good if len(row.names) == depth})


def read(data: bytes, ground: Ground) -> RegionPlan:
    """Return what the file holds; BadInput when it cannot be read as a list of places at all."""
    table = read_table(data, most_rows=MOST_ROWS)
    at, header = _find_header(table)
    columns = columns_of(header)
    reader = _Reader(ground)
    for number, row in enumerate(table[at + 1 :], start=at + 2):
        if any(row):
            reader.read(number, {column: row[i] if i < len(row) else "" for column, i in columns.items()}, row)
    if not (reader.good or reader.problems or reader.same):
        raise bad_file("import_empty")
    return RegionPlan(tuple(header), tuple(reader.problems), reader.cells, tuple(reader.good), reader.same)


def columns_of(header: Sequence[str]) -> dict[str, int]:
    """Return at which place of a heading row each of our columns stands, by whichever of its names."""
    return columns_in(header, _COLUMN_OF)


def _named(node: Node, above: Names) -> dict[Names, str]:
    names = (*above, node.name)
    found = {names: node.code}
    for child in node.children:
        found.update(_named(child, names))
    return found


def _find_header(table: list[list[str]]) -> tuple[int, list[str]]:
    for at, row in enumerate(table[:10]):
        if TOWNSHIP in columns_of(row):
            return at, row
    raise bad_file("import_heading_missing", columns=TOWNSHIP)


class _Reader:
    """Goes through the rows and remembers what stood in those before.

    A row that names a village also means its township: a list of villages alone is enough.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._taken = {code: names for names, code in ground.codes.items()}
        self._codes = dict(ground.codes)
        self._rows: dict[Names, int] = {}
        self.good: list[RegionRow] = []
        self.same = 0
        self.problems: list[CellProblem] = []
        self.cells: dict[int, tuple[str, ...]] = {}

    def read(self, number: int, values: Mapping[str, str], row: Sequence[str]) -> None:
        """Take one row."""
        found = [*self._names_wrong(number, values), *self._code_wrong(number, values)]
        if not found:
            found = self._place_wrong(number, values)
        if found:
            self.problems += found
            self.cells[number] = tuple(row)
            return
        names = _names(values)
        self._rows.setdefault(names, number)
        if names in self._ground.codes:
            self.same += 1
            return
        self._means(names, number)
        code = values.get(CODE, "")
        for place, its in upwards(names, code):
            self._codes.setdefault(place, its)
            self._taken.setdefault(its, place)
        self.good.append(RegionRow(number, names, code))

    def _means(self, names: Names, number: int) -> None:
        """Add the township and village a row names on the way, when nobody has named them before."""
        for depth in range(1, len(names)):
            above = names[:depth]
            if above not in self._ground.codes and above not in self._rows:
                self._rows[above] = number
                self.good.append(RegionRow(number, above, ""))

    def _names_wrong(self, number: int, values: Mapping[str, str]) -> list[CellProblem]:
        given = [values.get(column, "") for column in LEVELS]
        deepest = max((i for i, name in enumerate(given) if name), default=0)
        wrong = [
            CellProblem(number, LEVELS[i], "region_import_gap", {"column": LEVELS[i]})
            for i in range(deepest + 1)
            if not given[i]
        ]
        return wrong + [
            CellProblem(number, column, "region_name_missing", {"most": NAME_LENGTH})
            for column, name in zip(LEVELS, given, strict=True)
            if len(name) > NAME_LENGTH
        ]

    def _code_wrong(self, number: int, values: Mapping[str, str]) -> list[CellProblem]:
        code = values.get(CODE, "")
        if not code:
            return []
        try:
            level = level_of(code)
        except BadInput as error:
            return [CellProblem(number, CODE, error.code, {**error.params, "code_given": code[:20]})]
        names = _names(values)
        if not names or list(_LEVEL_OF.values())[len(names) - 1] is not level:
            return [CellProblem(number, CODE, "region_import_level", {"code_given": code, "name": _last(names)})]
        return []

    def _place_wrong(self, number: int, values: Mapping[str, str]) -> list[CellProblem]:
        """Return what is wrong with it among its neighbours: named twice, a code that is taken or lies elsewhere."""
        names, code = _names(values), values.get(CODE, "")
        before = self._rows.get(names)
        if before is not None and any(row.number == before and row.names == names for row in self.good):
            return [CellProblem(number, _last_column(names), "ledger_twice", {"row": before})]
        if not self._ground.county and (names[0],) not in self._ground.codes:
            return [CellProblem(number, TOWNSHIP, "region_import_township", {"name": names[0][:20]})]
        return self._code_out_of_place(number, names, code) if code else []

    def _code_out_of_place(self, number: int, names: Names, code: str) -> list[CellProblem]:
        holder = self._taken.get(code)
        if holder is not None and holder != names:
            return [CellProblem(number, CODE, "region_import_taken", {"code_given": code, "name": holder[-1]})]
        own = self._ground.codes.get(names)
        if own is not None and own != code:
            return [CellProblem(number, CODE, "region_import_other_code", {"name": names[-1], "code_given": own})]
        for place, its in upwards(names, code)[1:]:
            known = self._codes.get(place, its if place else self._ground.county or its)
            if known != its or self._taken.get(its, place) != place:
                name = place[-1] if place else known
                return [CellProblem(number, CODE, "region_not_below", {"code_given": code, "above": name})]
        return []


def upwards(names: Names, code: str) -> list[tuple[Names, str]]:
    """Return a place and those above it with the codes they must have for it to have this one."""
    found: list[tuple[Names, str]] = []
    above: str | None = code
    for depth in range(len(names), -1, -1):
        if above:
            found.append((names[:depth], above))
            above = parent_code(above)
    return found


def _names(values: Mapping[str, str]) -> Names:
    return tuple(name for name in (values.get(column, "") for column in LEVELS) if name)


def _last(names: Names) -> str:
    return names[-1][:20] if names else ""


def _last_column(names: Names) -> str:
    return LEVELS[len(names) - 1]

"""Read a ledger from CSV or Excel, find every mistake in it at its place, and write nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final

from hub.core.errors import BadInput, Problems
from hub.regions.lookup import Place as Region
from hub.regions.lookup import Places
from hub.speakers.care import setup
from hub.speakers.care.setup import Place
from hub.web.marking import CellProblem, Marked
from hub.web.spreadsheets import bad_file, columns_in, read_table

MOST_NEW: Final = 300
"""So many claim codes are made in one go: each is a label that somebody has to print and carry."""
ID, NAME, VILLAGE, GROUP, PLACE, HOUSEHOLDS, INSTALLED, KEEPER, MODEL, LAT, LON, NOTE = COLUMNS = (
    "编码",
    "名字",
    "村",
    "组",
    "位置",
    "覆盖户数",
    "安装日期",
    "责任人",
    "型号",
    "纬度",
    "经度",
    "备注",
)
_ALSO: Final = {
    ID: ("id", "设备号", "设备编码", "终端编码"),
    NAME: ("name", "喇叭", "喇叭名称", "名称"),
    VILLAGE: ("village", "村名", "行政村", "所在村"),
    GROUP: ("group", "小组", "村民小组"),
    PLACE: ("place", "安装位置", "地点", "详细位置"),
    HOUSEHOLDS: ("households", "户数", "覆盖人户"),
    INSTALLED: ("installed", "安装时间", "装机日期"),
    KEEPER: ("keeper", "管理人", "负责人", "管护员"),
    MODEL: ("model", "设备型号", "规格型号"),
    LAT: ("lat", "latitude", "北纬"),
    LON: ("lon", "lng", "longitude", "东经"),
    NOTE: ("note", "说明"),
}
_COLUMN_OF: Final = {alias: column for column, also in _ALSO.items() for alias in (column, *also)}
_FIELD_OF: Final = {
    "name": NAME,
    "place": PLACE,
    "households": HOUSEHOLDS,
    "installed_on": INSTALLED,
    "keeper": KEEPER,
    "model": MODEL,
    "lat": LAT,
    "lon": LON,
    "note": NOTE,
}
_DATES: Final = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d")


@dataclass(frozen=True, slots=True)
class Known:
    """A loudspeaker that is there already. `editable`: the importing person may change it."""

    path: str
    place: Place
    editable: bool
    retired: bool


@dataclass(frozen=True)
class Ground:
    """What an import is checked against. `names` are (village or group code, name) of everything in service."""

    places: Places
    known: Mapping[str, Known]
    names: frozenset[tuple[str, str]]
    now: datetime


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One loudspeaker of the file: a known one with what is to be changed, or (no id) a new one for a village."""

    number: int
    speaker_id: str
    region: Region | None
    place: Place


@dataclass(frozen=True, slots=True)
class LedgerPlan(Marked):
    """What a file holds. Only `good` rows would be written; `cells` keeps the wrong ones for the error file."""

    good: tuple[LedgerRow, ...]
    same: int

    @property
    def new(self) -> int:
        """How many loudspeakers are to come."""
        return sum(1 for row in self.good if not row.speaker_id)

    @property
    def changed(self) -> int:
        """How many known ones change."""
        return len(self.good) - self.new


def read(data: bytes, ground: Ground) -> LedgerPlan:
    """Return what the file holds; BadInput when it cannot be read as a ledger at all."""
    table = read_table(data)
    at, header = _find_header(table)
    columns = columns_of(header)
    reader = _Reader(ground)
    for number, row in enumerate(table[at + 1 :], start=at + 2):
        if any(row):
            reader.read(number, {column: row[i] if i < len(row) else "" for column, i in columns.items()}, row)
    if not (reader.good or reader.problems or reader.same):
        raise bad_file("import_empty")
    plan = LedgerPlan(tuple(header), tuple(reader.problems), reader.cells, tuple(reader.good), reader.same)
    if plan.new > MOST_NEW:
        raise bad_file("ledger_too_many_new", most=MOST_NEW, count=plan.new)
    return plan


def columns_of(header: Sequence[str]) -> dict[str, int]:
    """Return at which place of a heading row each of our columns stands, by whichever of its names."""
    return columns_in(header, _COLUMN_OF)


def _find_header(table: list[list[str]]) -> tuple[int, list[str]]:
    for at, row in enumerate(table[:10]):
        found = set(columns_of(row))
        if ID in found or {NAME, VILLAGE} <= found:
            return at, row
    raise bad_file("import_heading_missing", columns=f"{ID}，或者 {NAME}、{VILLAGE}")


class _Reader:
    """Goes through the rows and remembers what stood in those before."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.good: list[LedgerRow] = []
        self.same = 0
        self.problems: list[CellProblem] = []
        self.cells: dict[int, tuple[str, ...]] = {}
        self._ids: dict[str, int] = {}
        self._names: dict[tuple[str, str], int] = {}

    def read(self, number: int, values: Mapping[str, str], row: Sequence[str]) -> None:
        """Take one row."""
        found: list[CellProblem] = []

        def wrong(column: str, code: str, **params: object) -> None:
            found.append(CellProblem(number, column, code, params))

        known = values.get(ID, "").lower()
        try:
            done = self._known(number, known, values, wrong) if known else self._new(number, values, wrong)
        except BadInput as error:
            for each in error.problems if isinstance(error, Problems) else (error,):
                wrong(_FIELD_OF.get(each.field, NAME), each.code, **each.params)
            done = None
        if found:
            self.problems += found
            self.cells[number] = tuple(row)
        elif done is not None:
            self.good.append(done)
        else:
            self.same += 1

    def _known(self, number: int, speaker_id: str, values: Mapping[str, str], wrong: Any) -> LedgerRow | None:
        before = self._ids.setdefault(speaker_id, number)
        known = self._ground.known.get(speaker_id)
        if before != number:
            wrong(ID, "ledger_twice", row=before)
        elif known is None or not known.editable:
            wrong(ID, "ledger_id_unknown", speaker=speaker_id[:40])
        elif known.retired:
            wrong(ID, "speaker_retired_already", speaker=speaker_id)
        else:
            self._must_stay(known, values, wrong)
            place = _place(known.place, values, wrong)
            setup.check_place(place, self._ground.now)
            return LedgerRow(number, speaker_id, None, place) if place != known.place else None
        return None

    def _must_stay(self, known: Known, values: Mapping[str, str], wrong: Any) -> None:
        """A table may not move a loudspeaker to another village: that is done on its page, with what belongs to it."""
        village = values.get(VILLAGE, "")
        if village and not any(known.path.startswith(place.path) for place in self._ground.places.village(village)):
            wrong(VILLAGE, "ledger_moves", village=village[:40])

    def _new(self, number: int, values: Mapping[str, str], wrong: Any) -> LedgerRow | None:
        region = self._region(values, wrong)
        place = _place(Place(name=""), values, wrong)
        if region is not None and place.name:
            key = (region.code, place.name)
            before = self._names.setdefault(key, number)
            if before != number:
                wrong(NAME, "ledger_twice", row=before)
            elif key in self._ground.names:
                wrong(NAME, "ledger_name_taken", name=place.name[:40])
        setup.check_place(place, self._ground.now)
        return LedgerRow(number, "", region, place)

    def _region(self, values: Mapping[str, str], wrong: Any) -> Region | None:
        village, group = values.get(VILLAGE, ""), values.get(GROUP, "")
        if not village:
            wrong(VILLAGE, "import_village_missing")
            return None
        found = self._ground.places.village(village)
        if len(found) != 1:
            wrong(VILLAGE, "import_village_ambiguous" if found else "import_village_unknown", village=village[:40])
            return None
        if not group:
            return found[0]
        inside = self._ground.places.group(found[0], group)
        if inside is None:
            wrong(GROUP, "import_group_unknown", group=group[:40], village=village[:40])
        return inside


def _place(before: Place, values: Mapping[str, str], wrong: Any) -> Place:
    """Return what is known of the place with what the row adds; an empty cell leaves it as it was."""
    given: dict[str, Any] = {each.name: getattr(before, each.name) for each in fields(Place)}
    for name, column in _FIELD_OF.items():
        text = values.get(column, "")
        if text:
            given[name] = _read(name, column, text, wrong, given[name])
    return Place(**given)


def _read(name: str, column: str, text: str, wrong: Any, before: object) -> object:
    readers: dict[str, tuple[Callable[[str], object], str]] = {
        "households": (int, "households_malformed"),
        "lat": (float, "position_range"),
        "lon": (float, "position_range"),
        "installed_on": (_date, "date_malformed"),
    }
    if name not in readers:
        return text
    reader, code = readers[name]
    try:
        return reader(text)
    except (ValueError, OverflowError):
        wrong(column, code)
        return before


def _date(text: str) -> date:
    for pattern in _DATES:
        try:
            return datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a day, in no zone
        except ValueError:
            continue
    raise ValueError(text)

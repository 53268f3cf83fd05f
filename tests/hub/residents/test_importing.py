"""Lists of residents from files: every mistake at its place, nothing written unless asked."""

import csv
import io
import zipfile
from typing import Any

import pytest
from openpyxl import Workbook
from smslab import BRIDGE, COUNTY, EAST, NOON, PINE, PINE_3, WEST, lab_actor, mobile, somebody
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed
from hub.regions.lookup import Place, Places, group_key, places_for
from hub.regions.tree import path_of
from hub.residents.import_models import ImportJob, JobState
from hub.residents.importing import MOST_BYTES, MOST_ROWS, ImportPlan, Layout, error_file, numbers_in, read
from hub.residents.intake import Imported, Known, lay_out, put_in
from hub.residents.models import AwayConsent, Phone, Resident, ResidentTag
from hub.residents.phones import PhoneSafe
from hub.web.spreadsheets import ERROR_COLUMN, MAX_UNPACKED

HEADER = ["姓名", "电话", "村", "组", "标签", "外出"]
PLACES = Places(
    villages={
        "松林村": (Place(PINE, path_of(PINE)),),
        "石桥村": (Place(BRIDGE, path_of(BRIDGE)),),
        "新村": (Place(PINE, path_of(PINE)), Place(BRIDGE, path_of(BRIDGE))),
    },
    by_code={PINE: Place(PINE, path_of(PINE))},
    groups={(PINE, "3"): Place(PINE_3, path_of(PINE_3))},
)


def as_csv(rows: list[list[str]], encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


def as_xlsx(rows: list[list[Any]]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


ROWS = [
    HEADER,
    ["张三", "13800000001、0871-6123456", "松林村", "三组", "沿河户、独居老人", "是"],
    ["李四", "13800000002(儿子)", PINE, "", "", ""],
]


def imported(session: Session, actor: Actor, plan: ImportPlan, safe: PhoneSafe, piece: int = 1) -> Imported:
    """Lay a plan out piece by piece, then put it in."""
    job = ImportJob(
        owner_id=uuid7(),
        language="zh",
        state=JobState.WRITING,
        created_at=NOON,
        faulty=plan.faulty_rows,
        merged=plan.merged,
        known=0,
    )
    session.add(job)
    session.flush()
    before = Known()
    for start in range(0, len(plan.good), piece):
        job.known += lay_out(session, actor, job.id, plan.good[start : start + piece], before, safe=safe)
    return put_in(session, actor, job, now=NOON)


def wrong_rows(plan: ImportPlan) -> list[tuple[tuple[str, ...], str]]:
    why: dict[int, list[str]] = {}
    for problem in plan.problems:
        why.setdefault(problem.row, []).append(f"{problem.column}: {problem.code}")
    return [(plan.cells[row], "；".join(texts)) for row, texts in why.items()]


def codes(plan: ImportPlan) -> list[tuple[int, str, str]]:
    return [(problem.row, problem.column, problem.code) for problem in plan.problems]


@pytest.mark.parametrize(
    "data",
    [
        as_csv(ROWS),
        as_csv(ROWS, "utf-8-sig"),
        as_csv(ROWS, "gb18030"),
        as_csv(ROWS, "utf-16"),
        as_csv(ROWS, delimiter="\t"),
        as_csv(ROWS, delimiter=";"),
        as_xlsx([[*row] for row in ROWS]),
    ],
    ids=["utf-8", "bom", "gb18030", "utf-16", "tabs", "semicolons", "xlsx"],
)
def test_one_list_in_many_wrappings(data: bytes) -> None:
    plan = read(data, PLACES)
    assert codes(plan) == []
    one, two = plan.good
    assert (one.name, one.tags, one.away) == ("张三", ("沿河户", "独居老人"), True)
    assert one.place == Place(PINE_3, path_of(PINE_3))
    assert [number.masked for number in one.numbers] == ["138****0001", "0871-****456"]
    assert (two.place, two.away, two.lines) == (Place(PINE, path_of(PINE)), None, (3,))


def test_numbers_that_excel_made_into_numbers_are_read() -> None:
    plan = read(as_xlsx([HEADER, ["张三", 13800000001, "松林村", 3], ["李四", 13800000002.0, int(PINE), None]]), PLACES)
    assert codes(plan) == []
    assert plan.good[0].place == Place(PINE_3, path_of(PINE_3))


def test_a_title_above_the_heading_and_other_words_in_it_do_no_harm() -> None:
    rows = [["云岭县居民名册"], ["序号", "姓 名*", "手机号码", "行政村"], ["1", "张三", "13800000001", "松林村"]]
    assert [row.lines for row in read(as_csv(rows), PLACES).good] == [(3,)]


def five_hundred_with_nine_faults() -> list[list[str]]:
    rows = [HEADER] + [[f"村民{i}", mobile(i)[3:], "松林村", "", "沿河户", "否"] for i in range(500)]
    rows[10][1] = "1380000112"
    rows[50][1] = "1.38E+10"
    rows[100][0] = ""
    rows[150][2] = "不存在村"
    rows[200][3] = "九组"
    rows[250][5] = "也许"
    rows[300][4] = "长" * 21
    rows[350][1] = ""
    rows[400][2] = "新村"
    return rows


FAULTS = [
    (11, "电话", "phone_wrong_length"),
    (51, "电话", "phone_scientific"),
    (101, "姓名", "resident_name_missing"),
    (151, "村", "import_village_unknown"),
    (201, "组", "import_group_unknown"),
    (251, "外出", "import_away_unclear"),
    (301, "标签", "resident_tag_too_long"),
    (351, "电话", "phone_missing"),
    (401, "村", "import_village_ambiguous"),
]


@pytest.mark.parametrize("wrap", [as_csv, as_xlsx], ids=["csv", "xlsx"])
def test_nine_faults_in_five_hundred_rows_are_found_where_they_are(wrap: Any) -> None:
    plan = read(wrap(five_hundred_with_nine_faults()), PLACES)
    assert codes(plan) == FAULTS
    assert len(plan.good) == 491
    assert plan.faulty_rows == 9


def test_several_faults_of_one_row_are_all_said() -> None:
    plan = read(as_csv([HEADER, ["", "123、张三", "", "", "", "?"]]), PLACES)
    assert [code for _, _, code in codes(plan)] == [
        "resident_name_missing",
        "phone_service_number",
        "phone_not_digits",
        "import_village_missing",
        "import_away_unclear",
    ]
    assert plan.faulty_rows == 1


def test_the_error_file_holds_the_wrong_rows_and_can_be_read_again() -> None:
    plan = read(as_csv(five_hundred_with_nine_faults()), PLACES)
    data = error_file(plan.header, wrong_rows(plan))
    assert data.startswith(b"\xef\xbb\xbf"), "Excel needs the mark"
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert rows[0] == [*HEADER, ERROR_COLUMN]
    assert len(rows) == 10
    assert rows[1][-1] == "电话: phone_wrong_length"

    again = read(data, PLACES)
    assert [code for _, _, code in codes(again)] == [code for _, _, code in FAULTS]
    rows[1][1] = "13800000777"
    mended = read(as_csv(rows), PLACES)
    assert len(mended.good) == 1
    assert error_file(mended.header, wrong_rows(mended)).decode("utf-8-sig").splitlines()[0].count(ERROR_COLUMN) == 1


def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless() -> None:
    plan = read(as_csv([HEADER, ["=HYPERLINK(1)", "+86138", "@村", "-1+1", "", ""]]), PLACES)
    line = error_file(plan.header, wrong_rows(plan)).decode("utf-8-sig").splitlines()[1]
    assert line.startswith("'=HYPERLINK(1),+86138,'@村,'-1+1")


def test_one_person_who_stands_twice_is_one_person() -> None:
    rows = [
        HEADER,
        ["张三", "13800000001", "松林村", "", "沿河户", ""],
        ["李四", "13800000001", "松林村", "", "", ""],
        ["张三", "13800000001/13800000002", "松林村", "", "独居老人", "是"],
        ["张三", "13800000001", "石桥村", "", "", ""],
    ]
    plan = read(as_csv(rows), PLACES)
    assert [(row.name, row.lines) for row in plan.good] == [("张三", (2, 4)), ("李四", (3,)), ("张三", (5,))]
    assert (plan.merged, plan.shared) == (1, 1)
    assert plan.good[0].tags == ("沿河户", "独居老人")
    assert len(plan.good[0].numbers) == 2
    assert plan.good[0].away


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * (MAX_UNPACKED + 1))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "import_empty"),
        (b"\xff\xfe\x00", "import_unreadable"),
        (b"\x00\x01\x02\x80\xff", "import_unreadable"),
        (b"PK\x03\x04nonsense", "import_unreadable"),
        (as_csv([["姓名", "电话"], ["张三", "13800000001"]]), "import_column_missing"),
        (as_csv([["a", "b"], ["c", "d"]]), "import_column_missing"),
        (as_csv([HEADER]), "import_empty"),
        (as_csv([HEADER, ["", "", ""], []]), "import_empty"),
        (b"x" * (MOST_BYTES + 1), "import_too_big"),
        (as_csv([HEADER, *([["a", "1", "b"]] * (MOST_ROWS + 1))]), "import_too_many_rows"),
        (bomb(), "import_too_big"),
        (b'"' + b"a" * 200_000, "import_unreadable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_list_is_refused_with_the_reason(data: bytes, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(data, PLACES)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("三组", "3"),
        ("第3组", "3"),
        ("03", "3"),
        ("3社", "3"),
        ("十组", "10"),
        ("十二组", "12"),
        ("二十一队", "21"),
        ("上坝组", "上坝"),
    ],
)
def test_groups_are_found_however_they_are_written(name: str, key: str) -> None:
    assert group_key(name) == key


def test_reading_writes_nothing_and_importing_writes_the_good_rows(people: Session, phone_safe: PhoneSafe) -> None:
    clerk = lab_actor(EAST)
    rows = five_hundred_with_nine_faults()
    rows[400][2] = "柳树村"
    plan = read(as_csv(rows), places_for(people, clerk, Permission.EDIT_RESIDENTS))
    assert people.scalar(select(func.count()).select_from(Resident)) == 0
    assert [code for _, _, code in codes(plan)][-1] == "import_village_unknown", "another township's village"

    done = imported(people, clerk, plan, phone_safe)
    assert done == Imported(added=491, updated=0, skipped=9, merged=0)
    assert people.scalar(select(func.count()).select_from(Phone)) == 491
    assert people.scalar(select(func.count()).select_from(ResidentTag)) == 491


def test_importing_again_adds_only_what_is_new(people: Session, phone_safe: PhoneSafe) -> None:
    clerk = lab_actor(EAST)
    known = somebody(people, mobile(1), name="张三", tags=["沿河户"])
    rows = [
        HEADER,
        ["张三", "13800000001、13800000002", "松林村", "", "沿河户、独居老人", "是"],
        ["张三", "13800000002", "松林村", "", "独居老人", "是"],
        ["李四", "13800000001", "松林", "", "", ""],
    ]
    for expected in (Imported(1, 1, 0, 1), Imported(0, 2, 0, 1)):
        plan = read(as_csv(rows), places_for(people, clerk, Permission.EDIT_RESIDENTS))
        assert imported(people, clerk, plan, phone_safe) == expected
    people.expire_all()
    again = people.get_one(Resident, known.id)
    assert again.away
    assert sorted(tag.tag for tag in again.tags) == ["沿河户", "独居老人"]
    assert len(again.phones) == 2


def test_a_known_person_named_twice_with_different_numbers_is_written_once(
    people: Session, phone_safe: PhoneSafe
) -> None:
    clerk = lab_actor(EAST)
    somebody(people, mobile(1), mobile(2), name="张三")
    rows = [
        HEADER,
        ["张三", "13800000001", "松林村", "", "沿河户", ""],
        ["张三", "13800000002", "松林村", "", "沿河户", ""],
    ]
    plan = read(as_csv(rows), places_for(people, clerk, Permission.EDIT_RESIDENTS))
    assert imported(people, clerk, plan, phone_safe).updated == 2
    assert people.scalar(select(func.count()).select_from(ResidentTag)) == 1


def test_a_stranger_imports_nobody(people: Session, phone_safe: PhoneSafe) -> None:
    plan = read(as_csv(ROWS), places_for(people, lab_actor(EAST), Permission.EDIT_RESIDENTS))
    for stranger in (lab_actor(WEST), lab_actor(EAST, Permission.SEE_RESIDENTS), lab_actor(BRIDGE)):
        assert places_for(people, stranger, Permission.EDIT_RESIDENTS).by_code.get(PINE) is None
        with pytest.raises(NotAllowed):
            imported(people, stranger, plan, phone_safe)
    assert people.scalar(select(func.count()).select_from(Resident)) == 0


def test_places_are_those_one_may_write_to(people: Session) -> None:
    places = places_for(people, lab_actor(COUNTY), Permission.EDIT_RESIDENTS)
    assert set(places.villages) == {"松林村", "石桥村", "柳树村", "松林", "石桥", "柳树"}
    assert places.groups[PINE, "3"] == Place(PINE_3, path_of(PINE_3))


def test_the_largest_list_is_read_in_a_few_seconds() -> None:
    rows = [HEADER] + [[f"村民{i}", mobile(i)[3:], "松林村", "", "", ""] for i in range(20_000)]
    told: list[tuple[int, int]] = []
    plan = read(as_csv(rows), PLACES, step=lambda done, total: told.append((done, total)))
    assert len(plan.good) == 20_000
    assert told[-1] == (19_500, 20_000)


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("13800000001 13800000002", ["13800000001", "13800000002"]),
        ("1380000000113800000002", ["13800000001", "13800000002"]),
        ("138 0000 0001/138-0000-0002(儿子)", ["138 0000 0001", "138-0000-0002"]),
        ("13800000001（本人）；0871-6123456", ["13800000001", "0871-6123456"]),
        ("0871-6123456", ["0871-6123456"]),
        ("", []),
    ],
)
def test_numbers_in_one_cell_are_taken_apart(cell: str, found: list[str]) -> None:
    assert [number.strip() for number in numbers_in(cell)] == found


def test_what_stands_in_brackets_behind_a_name_is_no_part_of_it() -> None:
    rows = [
        ["姓名", "电话", "村", "户号", "外出", "外出收短信"],
        ["李秀英（户主）", "13800000001", "松林村", "", "是", "要"],
        ["王建国(在广东)", "13800000002", "松林村", "12号", "", "不要"],
        ["陈小满", "13800000003", "松林村", "", "", "看情况"],
    ]
    plan = read(as_csv(rows), PLACES)
    one, two = plan.good
    assert (one.name, one.household, one.away, one.consent) == ("李秀英", "李秀英", True, AwayConsent.YES)
    assert (two.name, two.household, two.away, two.consent) == ("王建国", "12号", None, AwayConsent.NO)
    assert codes(plan) == [(4, "外出收短信", "import_consent_unclear")]


def test_columns_can_be_named_by_hand_and_the_village_for_all() -> None:
    rows = [["花名册"], ["谁", "打哪里", "备注"], ["张三", "13800000001", "x"]]
    plan = read(as_csv(rows), PLACES, Layout(1, ("谁", "打哪里", "备注"), {"姓名": 0, "电话": 1}, PINE))
    assert [(one.name, one.place) for one in plan.good] == [("张三", Place(PINE, path_of(PINE)))]


def test_what_a_list_does_not_say_stays_as_it_is(people: Session, phone_safe: PhoneSafe) -> None:
    known = somebody(people, mobile(1), name="张三")
    known.away, known.away_consent, known.household = True, AwayConsent.YES, "3号"
    people.flush()
    plan = read(as_csv([["姓名", "电话", "村"], ["张三", "13800000001", "松林村"]]), PLACES)
    assert imported(people, lab_actor(EAST), plan, phone_safe).updated == 1
    people.expire_all()
    again = people.get_one(Resident, known.id)
    assert (again.away, again.away_consent, again.household) == (True, AwayConsent.YES, "3号")

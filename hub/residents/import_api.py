"""Lists of residents and their tags, for programs: nothing of a list is on the list before it is committed."""

from collections.abc import Mapping
from uuid import UUID

from flask import Response, request
from flask_openapi3.models import RawModel
from pydantic import Field

from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.residents import import_jobs, importing, tagging
from hub.residents.import_jobs import ImportWork
from hub.residents.import_models import ImportJob, JobState
from hub.web.api import Input, Output, RegionCode, answers, room, say, takes, takes_up_to
from hub.web.faults import CellFault, RowFault
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.idempotency import finish, once
from hub.web.spreadsheets import CSV, XLSX, write_csv
from hub.web.uploads import Uploads
from hub.web.words import sentence
from hub.web.work import actor, now, reading, work

bp = room("resident_lists", "Lists of residents to be brought in, and their tags.")
edit = permission_required(Permission.EDIT_RESIDENTS)
SHOWN_FAULTS = 200
MOST_SENT = 2_000
LARGEST_ROWS = 2 * 1024 * 1024


class ResidentFile(RawModel):
    """A list as CSV or as an Excel file."""

    mimetypes = [CSV, XLSX]  # noqa: RUF012 - no instance of it is ever made


class RowIn(Input):
    """One person of a list."""

    name: str = Field(max_length=80)
    phone: str = Field("", max_length=200, description="one number, or several with 、 between them")
    village: str = Field(max_length=60, description="name or code of the village")
    group: str = Field("", max_length=60)
    tags: list[str] = Field(default=[], max_length=20)
    away: bool | None = Field(None, description="lives elsewhere at present; null = leave it as it is")
    wants_texts: bool | None = Field(None, description="what they said about messages while away; null = not asked")
    household: str = Field("", max_length=60)


class RowsIn(Input):
    """People to be brought in. For longer lists send a file."""

    rows: list[RowIn] = Field(min_length=1, max_length=MOST_SENT)


class ImportPath(Input):
    """Which import."""

    import_id: UUID


class ColumnsIn(Input):
    """Which column is which, counted from 0."""

    columns: dict[str, int] = Field(description="姓名, 电话, 村, 组, 标签, 外出, 外出收短信, 哪一户")
    village: RegionCode | None = Field(None, description="code of the village of all rows, for lists that name none")


class ImportOut(Output):
    """How far a list is."""

    id: UUID
    state: JobState = Field(
        description="matching (say which column is which), checking, ready (commit it), writing, done, failed"
    )
    missing: list[str] = Field(description="columns nobody has found yet")
    rows_done: int
    rows_total: int
    good: int = Field(description="people that come in, or came in")
    known: int = Field(description="of them: on the list already")
    faulty: int = Field(description="rows that are left out")
    merged: int = Field(description="rows that were one person")
    faults: list[RowFault] = Field(description=f"the first {SHOWN_FAULTS} of the rows that are left out")
    failure: str = Field(description="why it failed, in words")


class TagIn(Input):
    """Which tag."""

    tag: str = Field(min_length=1, max_length=20)


class TagRename(TagIn):
    """What it is called from now on; a name that is there already makes them one."""

    new: str = Field(min_length=1, max_length=20)


class TagOut(Output):
    """A tag and who carries it."""

    tag: str
    people: int
    mine: int = Field(description="of them: people you may change")


class TagsOut(Output):
    """All tags, by name."""

    items: list[TagOut]


class TagChanged(Output):
    """With how many people it was changed."""

    people: int


@bp.post("/residents/imports", responses=answers(ImportOut, 403, 413, 415, status=202))
@takes(CSV, XLSX)
@takes_up_to(lambda: importing.MOST_BYTES)
@edit
def send_resident_list(raw: ResidentFile) -> Response:
    """Send a list as CSV or Excel, the file itself as the body. Nothing of it is on the list yet."""
    return _begin(request.get_data())


@bp.post("/residents/imports/rows", responses=answers(ImportOut, 403, 413, status=202))
@takes_up_to(lambda: LARGEST_ROWS)
@edit
def send_resident_rows(body: RowsIn) -> Response:
    """Send a list as JSON. Nothing of it is on the list yet."""
    return _begin(write_csv(importing.COLUMNS, [_cells(row) for row in body.rows]))


@bp.get("/residents/imports/<uuid:import_id>", responses=answers(ImportOut, 403, 404))
@edit
def show_resident_import(path: ImportPath) -> Response:
    """Show how far a list is, and what is wrong with which rows."""
    return say(_shown(path.import_id))


@bp.post("/residents/imports/<uuid:import_id>/columns", responses=answers(ImportOut, 403, 404, 409, status=202))
@edit
def match_resident_columns(path: ImportPath, body: ColumnsIn) -> Response:
    """Say which column is which; then it is checked."""
    with work() as session:
        job = import_jobs.match(session, actor(), path.import_id, body.columns, body.village or "", now=now())
    if len(_uploads().read(job.owner_id, job.token, now=now())) <= import_jobs.AT_ONCE:
        runtime().get(ImportWork).work_off(path.import_id)
    return say(_shown(path.import_id), 202)


@bp.post("/residents/imports/<uuid:import_id>/commit", responses=answers(ImportOut, 403, 404, 409, status=202))
@edit
def commit_resident_import(path: ImportPath) -> Response:
    """Put the good rows on the list, all in one step. Committing twice is committing once."""
    with work() as session:
        job = import_jobs.commit(session, actor(), path.import_id, now=now())
    if job.good <= import_jobs.WAITED_FOR:
        runtime().get(ImportWork).work_off(path.import_id)
    return say(_shown(path.import_id), 202)


@bp.get("/residents/tags", responses=answers(TagsOut, 403))
@permission_required(Permission.SEE_RESIDENTS)
def list_resident_tags() -> Response:
    """List the tags residents carry."""
    with reading() as session:
        found = tagging.every(session, actor())
    return say(TagsOut(items=[TagOut(tag=one.tag, people=one.people, mine=one.mine) for one in found]))


@bp.post("/residents/tags/rename", responses=answers(TagChanged, 403, 404, 409))
@edit
@once
def rename_resident_tag(body: TagRename) -> Response:
    """Call a tag otherwise, or make two tags one, with everybody you may change."""
    with work() as session:
        people = tagging.rename(session, actor(), body.tag, body.new, now=now())
        return finish(session, TagChanged(people=people))


@bp.post("/residents/tags/remove", responses=answers(TagChanged, 403, 404, 409))
@edit
@once
def remove_resident_tag(body: TagIn) -> Response:
    """Take a tag from everybody you may change."""
    with work() as session:
        people = tagging.remove(session, actor(), body.tag, now=now())
        return finish(session, TagChanged(people=people))


def _begin(data: bytes) -> Response:
    with work() as session:
        job_id = import_jobs.begin(session, actor(), data, uploads=_uploads(), language=language(), now=now()).id
    if len(data) <= import_jobs.AT_ONCE:
        runtime().get(ImportWork).work_off(job_id)
    return say(_shown(job_id), 202)


def _shown(job_id: UUID) -> ImportOut:
    with reading() as session:
        job = import_jobs.get(session, actor(), job_id, now=now())
    columns = job.layout["columns"]
    return ImportOut(
        id=job.id,
        state=job.state,
        missing=[name for name in importing.NEEDED if name not in columns] if job.state is JobState.MATCHING else [],
        rows_done=job.rows_done,
        rows_total=job.rows_total,
        good=job.good,
        known=job.known,
        faulty=job.faulty,
        merged=job.merged,
        faults=_faults(job, {at: name for name, at in columns.items()}),
        failure=sentence(job.failure, language(), **_LIMITS) if job.failure else "",
    )


_LIMITS: Mapping[str, object] = {"limit": importing.MOST_ROWS, "limit_mb": importing.MOST_BYTES // 1024**2}


def _faults(job: ImportJob, names: Mapping[int, str]) -> list[RowFault]:
    if job.state not in {JobState.READY, JobState.WRITING, JobState.DONE} or not job.token:
        return []
    wrong = import_jobs.wrong_rows(_uploads().read(job.owner_id, job.token, now=now()))
    return [
        RowFault(
            row=row.number,
            faults=[
                CellFault(column=names.get(at, ""), text=row.cells[at] if at < len(row.cells) else "", why=list(why))
                for at, why in sorted(row.faults.items())
            ],
        )
        for row in wrong.rows[:SHOWN_FAULTS]
    ]


def _cells(row: RowIn) -> list[str]:
    return [
        row.name,
        row.phone,
        row.village,
        row.group,
        "、".join(row.tags),
        {None: "", True: "是", False: "否"}[row.away],
        {None: "", True: "要", False: "不要"}[row.wants_texts],
        row.household,
    ]


def _uploads() -> Uploads:
    return runtime().get(Uploads)

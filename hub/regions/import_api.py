"""Lists of places to be brought in, for programs: looked at as on the page, and written when that is asked for."""

from flask import Response, request
from flask_openapi3.models import RawModel
from pydantic import Field

from hub.core.actor import Permission
from hub.regions import importing, intake
from hub.regions.importing import RegionPlan
from hub.regions.tree import Level
from hub.web.api import Input, Output, answers, room, say, takes, takes_up_to
from hub.web.faults import RowFault, row_faults
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.idempotency import finish, once
from hub.web.marking import SHOWN_FAULTS, CellProblem
from hub.web.spreadsheets import CSV, MAX_BYTES, XLSX, write_csv
from hub.web.words import sentence
from hub.web.work import actor, now, reading, work

bp = room("region_lists", "Lists of townships, villages and groups to be brought in.")
edit = permission_required(Permission.EDIT_REGIONS)
MOST_SENT = 2_000


class RegionFile(RawModel):
    """A list as CSV or as an Excel file."""

    mimetypes = [CSV, XLSX]  # noqa: RUF012 - no instance of it is ever made


class PlaceIn(Input):
    """One place: a township, a village of it, or a group of that. What is above it comes with it."""

    township: str = Field(max_length=200)
    village: str = Field("", max_length=200)
    group: str = Field("", max_length=200)
    code: str = Field("", max_length=40, description="12 digits, 14 for a group; empty = the next free one")


class PlacesIn(Input):
    """Places to be brought in. For longer lists send a file."""

    rows: list[PlaceIn] = Field(min_length=1, max_length=MOST_SENT)
    commit: bool = Field(False, description="write the good rows; otherwise they are only looked at")


class CommitQuery(Input):
    """Whether to write."""

    commit: bool = Field(False, description="write the good rows; otherwise they are only looked at")


class RegionImportOut(Output):
    """What a list holds: what comes in, or came in, and what is wrong with the rest."""

    committed: bool = Field(description="false: nothing was written")
    added: int = Field(description="places that come in, or came in, those above named ones among them")
    townships: int = Field(description="of them")
    villages: int = Field(description="of them")
    groups: int = Field(description="of them")
    same: int = Field(description="rows whose place is there already")
    skipped: int = Field(description="rows that are left out")
    faults: list[RowFault] = Field(description=f"the first {SHOWN_FAULTS} of the rows that are left out")


@bp.post("/regions/imports", responses=answers(RegionImportOut, 403, 409, 413, 415))
@takes(CSV, XLSX)
@takes_up_to(lambda: MAX_BYTES)
@edit
def import_region_list(query: CommitQuery, raw: RegionFile) -> Response:
    """Look at a list as CSV or Excel, the file itself as the body, or write its good rows."""
    plan = _plan(request.get_data())
    if not query.commit:
        return say(_shown(plan, None))
    with work() as session:
        done = intake.import_rows(session, actor(), plan, now=now())
    return say(_shown(plan, done))


@bp.post("/regions/imports/rows", responses=answers(RegionImportOut, 403, 409, 413))
@edit
@once
def import_region_rows(body: PlacesIn) -> Response:
    """Look at a list sent as JSON, or write its good rows."""
    rows = [(row.township, row.village, row.group, row.code) for row in body.rows]
    plan = _plan(write_csv(importing.COLUMNS, rows))
    with work() as session:
        done = intake.import_rows(session, actor(), plan, now=now()) if body.commit else None
        return finish(session, _shown(plan, done))


def _plan(data: bytes) -> RegionPlan:
    with reading() as session:
        ground = intake.ground_for(session, actor())
    return importing.read(data, ground)


def _shown(plan: RegionPlan, done: intake.Added | None) -> RegionImportOut:
    return RegionImportOut(
        committed=done is not None,
        added=done.added if done else len(plan.good),
        townships=plan.new(Level.TOWNSHIP),
        villages=plan.new(Level.VILLAGE),
        groups=plan.new(Level.GROUP),
        same=plan.same,
        skipped=plan.faulty_rows,
        faults=row_faults(plan, importing.columns_of(plan.header), _explain),
    )


def _explain(problem: CellProblem) -> str:
    return sentence(problem.code, language(), **problem.params)

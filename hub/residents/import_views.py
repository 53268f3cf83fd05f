"""Bring a list of residents in: choose a file, say which column is which, look at what is wrong, put the rest in."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound
from hub.core.runtime import runtime
from hub.regions.service import choices
from hub.regions.tree import Level
from hub.residents import import_jobs, importing
from hub.residents.import_jobs import ImportWork
from hub.residents.import_models import ImportJob, JobState
from hub.residents.importing import COLUMNS, MOST_BYTES, MOST_ROWS, NEEDED
from hub.residents.preview import good_rows, preview
from hub.web.errors import is_fragment, mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.uploads import Uploads, sent_file
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work

bp = Blueprint("imports", __name__)
edit = permission_required(Permission.EDIT_RESIDENTS)
SLACK = 256 * 1024
NOT_IN_FILE = -1


@bp.url_value_preprocessor
def _make_room(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Let lists be larger than other forms. This runs before anything looks into the form, CSRF included."""
    if endpoint == "residents.imports.upload":
        request.max_content_length = MOST_BYTES + SLACK


@bp.errorhandler(413)
def _too_large(error: object) -> ResponseReturnValue:
    """Say how large a list may be; what was sent beyond that is never read."""
    return _file_page({"file": sentence("import_too_big", language(), limit_mb=MOST_BYTES // 1024**2)}), 413


@bp.get("/residents/import")
@edit
def choose_file() -> ResponseReturnValue:
    """Show what a file must look like, and ask for one."""
    return _file_page({})


@bp.post("/residents/import")
@edit
def upload() -> ResponseReturnValue:
    """Take a file in; nothing is written yet. A small one is checked while its owner waits."""
    try:
        data = sent_file(request.files)
        with work() as session:
            job = import_jobs.begin(session, actor(), data, uploads=_uploads(), language=language(), now=now())
    except BadInput as error:
        return _file_page(mistakes(error)), 422
    if len(data) <= import_jobs.AT_ONCE:
        _work_off(job.id)
        refused = _refused(job.id)
        if refused:
            return _file_page({"file": refused}), 422
    return redirect(url_for("residents.imports.look", job_id=job.id))


@bp.get("/residents/import/<uuid:job_id>")
@edit
def look(job_id: UUID) -> ResponseReturnValue:
    """Show how far it is and what there is to do."""
    return _look(job_id)


@bp.post("/residents/import/<uuid:job_id>/columns")
@edit
def match(job_id: UUID) -> ResponseReturnValue:
    """Take which column is which."""
    chosen = {column: _number(request.form.get(f"column-{i}", "")) for i, column in enumerate(COLUMNS)}
    found = {column: at for column, at in chosen.items() if at != NOT_IN_FILE}
    try:
        with work() as session:
            job = import_jobs.match(session, actor(), job_id, found, request.form.get("village", "").strip(), now=now())
            token = job.token
    except BadInput as error:
        return _look(job_id, errors=mistakes(error), chosen=found, status=422)
    if len(_uploads().read(job.owner_id, token, now=now())) <= import_jobs.AT_ONCE:
        _work_off(job_id)
    return redirect(url_for("residents.imports.look", job_id=job_id))


@bp.post("/residents/import/<uuid:job_id>")
@edit
def import_file(job_id: UUID) -> ResponseReturnValue:
    """Put the good rows on the list; keep the wrong ones for the file that says why."""
    try:
        with work() as session:
            job = import_jobs.press(session, actor(), job_id, now=now())
    except NotFound as error:
        return _file_page({"file": explain(error, language())}), error.status
    if job.good <= import_jobs.WAITED_FOR:
        _work_off(job_id)
        return _look(job_id)
    return redirect(url_for("residents.imports.look", job_id=job_id))


@bp.get("/residents/import/<uuid:job_id>/errors.csv")
@edit
def error_file(job_id: UUID) -> ResponseReturnValue:
    """Hand out the wrong rows with a column that says why."""
    with reading() as session:
        job = import_jobs.get(session, actor(), job_id, now=now())
    wrong = _wrong(job)
    rows = [(row.cells, row.why) for row in wrong.rows]
    return _download(importing.error_file(wrong.header, rows), "import-errors.csv")


@bp.get("/residents/import/template.csv")
@edit
def example_file() -> ResponseReturnValue:
    """Hand out an empty file with the right columns."""
    return _download(importing.example_file(), "residents.csv")


def _look(
    job_id: UUID,
    *,
    errors: Mapping[str, str] | None = None,
    chosen: Mapping[str, int] | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    try:
        with reading() as session:
            job = import_jobs.get(session, actor(), job_id, now=now())
            people = good_rows(session, job) if job.state is JobState.READY else ()
    except NotFound as error:
        return _file_page({"file": explain(error, language())}), error.status
    match job.state:
        case JobState.MATCHING:
            return _match_page(job, errors or {}, chosen), status
        case JobState.CHECKING | JobState.WRITING:
            return _progress(job)
        case JobState.READY:
            page = preview(job, _wrong(job) if job.token else None, people)
            answer = render_template("hub/residents/preview.html", page=page, job=job)
        case JobState.DONE:
            answer = render_template("hub/residents/imported.html", job=job)
        case JobState.FAILED:
            return _file_page({"file": _why(job)}), 422
    return Response(answer, headers={"HX-Refresh": "true"} if is_fragment() else {})


def _progress(job: ImportJob) -> ResponseReturnValue:
    page = "_import_progress" if is_fragment() else "import_progress"
    return render_template(f"hub/residents/{page}.html", job=job)


def _match_page(job: ImportJob, errors: Mapping[str, str], chosen: Mapping[str, int] | None) -> str:
    rows = import_jobs.head_of(job, _uploads().read(job.owner_id, job.token, now=now()))
    with reading() as session:
        villages = choices(session, actor(), Permission.EDIT_RESIDENTS, levels=frozenset({Level.VILLAGE}))
    return render_template(
        "hub/residents/match.html",
        job=job,
        header=rows[0],
        rows=rows[1:6],
        columns=COLUMNS,
        needed=NEEDED,
        chosen=job.layout["columns"] if chosen is None else chosen,
        villages=villages,
        village=request.form.get("village", ""),
        errors=errors,
    )


def _file_page(errors: Mapping[str, str]) -> str:
    return render_template(
        "hub/residents/import.html", errors=errors, columns=COLUMNS, most=MOST_ROWS, most_mb=MOST_BYTES // 1024**2
    )


def _refused(job_id: UUID) -> str:
    """Return why a file that was just read is of no use; empty when it is."""
    with reading() as session:
        job = import_jobs.get(session, actor(), job_id, now=now())
    return _why(job) if job.state is JobState.FAILED else ""


def _why(job: ImportJob) -> str:
    return sentence(job.failure, language(), limit=MOST_ROWS, limit_mb=MOST_BYTES // 1024**2)


def _wrong(job: ImportJob) -> import_jobs.Wrong:
    return import_jobs.wrong_rows(_uploads().read(job.owner_id, job.token, now=now()))


def _work_off(job_id: UUID) -> None:
    runtime().get(ImportWork).work_off(job_id)


def _uploads() -> Uploads:
    return runtime().get(Uploads)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 4 else NOT_IN_FILE


def _download(data: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, mimetype="text/csv", headers=headers)

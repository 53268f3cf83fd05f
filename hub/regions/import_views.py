"""Bring the list of townships, villages and groups in: take the empty table, look at what is wrong, put in the rest."""

from uuid import UUID

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, NotFound, NotSignedIn
from hub.core.runtime import Runtime, runtime
from hub.regions import importing, intake
from hub.regions.importing import RegionPlan
from hub.regions.tree import Level
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.marking import CellProblem, error_file, faulty_rows
from hub.web.spreadsheets import CSV, XLSX, write_xlsx
from hub.web.uploads import Uploads, sent_file
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work

bp = Blueprint("region_list", __name__)
edit = permission_required(Permission.EDIT_REGIONS)
SHOWN_GOOD = 10


def add_to_menu(runtime: Runtime) -> None:
    """Add nothing: it is reached from the tree."""


@bp.get("/regions/import")
@edit
def desk() -> ResponseReturnValue:
    """Show what a file must look like, and ask for one."""
    return _desk({})


@bp.get("/regions/import/empty.xlsx")
@edit
def empty() -> ResponseReturnValue:
    """Hand out an empty table with the right columns."""
    return _download(write_xlsx("区划", importing.COLUMNS, []), "regions.xlsx", XLSX)


@bp.post("/regions/import")
@edit
def upload() -> ResponseReturnValue:
    """Read a file and show what is in it; nothing is written yet."""
    try:
        data = sent_file(request.files)
        _read(data)
    except BadInput as error:
        return _desk(mistakes(error)), 422
    return redirect(url_for("region_list.look", token=_uploads().keep(_owner(), data, now=now())))


@bp.get("/regions/import/<token>")
@edit
def look(token: str) -> ResponseReturnValue:
    """Show what would be added and what is wrong."""
    try:
        plan = _kept(token)
    except (NotFound, BadInput) as error:
        return _gone(error)
    page = {
        "header": plan.header,
        "faulty": faulty_rows(plan, importing.columns_of(plan.header), _explain),
        "good": plan.good[:SHOWN_GOOD],
        "new": {level.value: plan.new(level) for level in (Level.TOWNSHIP, Level.VILLAGE, Level.GROUP)},
    }
    return render_template("hub/regions/preview.html", page=page, plan=plan, token=token)


@bp.post("/regions/import/<token>")
@edit
def import_file(token: str) -> ResponseReturnValue:
    """Add the good rows, and keep the wrong ones for a file that says why."""
    try:
        plan = _kept(token)
    except (NotFound, BadInput) as error:
        return _gone(error)
    with work() as session:
        done = intake.import_rows(session, actor(), plan, now=now())
    _uploads().drop(_owner(), token)
    rest = _uploads().keep(_owner(), error_file(plan, _explain), now=now()) if plan.problems else ""
    return render_template("hub/regions/imported.html", done=done, token=rest)


@bp.get("/regions/import/<token>/errors.csv")
@edit
def errors(token: str) -> ResponseReturnValue:
    """Hand out the wrong rows with a column that says why."""
    return _download(error_file(_kept(token), _explain), "import-errors.csv", CSV)


def _desk(errors: dict[str, str]) -> str:
    return render_template(
        "hub/regions/import.html", errors=errors, columns=importing.COLUMNS, most=importing.MOST_ROWS
    )


def _gone(error: HubError) -> ResponseReturnValue:
    return _desk({"file": explain(error, language())}), error.status


def _kept(token: str) -> RegionPlan:
    return _read(_uploads().read(_owner(), token, now=now()))


def _read(data: bytes) -> RegionPlan:
    with reading() as session:
        ground = intake.ground_for(session, actor())
    return importing.read(data, ground)


def _explain(problem: CellProblem) -> str:
    return sentence(problem.code, language(), **problem.params)


def _download(data: bytes, name: str, kind: str) -> Response:
    return Response(data, mimetype=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _uploads() -> Uploads:
    return runtime().get(Uploads)


def _owner() -> UUID:
    owner = actor().id
    if owner is None:
        raise NotSignedIn("sign_in_needed")
    return owner

"""The ledger's pages: take it out, bring it in, see what would happen first."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound, NotSignedIn
from hub.core.runtime import Runtime, runtime
from hub.regions import service as regions
from hub.speakers import listing
from hub.speakers.joining import desk
from hub.speakers.joining.labels import print_labels
from hub.speakers.ledger import export, importing, intake
from hub.speakers.ledger.importing import LedgerPlan
from hub.speakers.ledger.preview import preview
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.marking import CellProblem
from hub.web.marking import error_file as error_csv
from hub.web.spreadsheets import CSV, MAX_ROWS, XLSX, write_csv, write_xlsx
from hub.web.uploads import Uploads, sent_file
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work

bp = Blueprint("ledger", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Add nothing: the ledger is reached from the list of loudspeakers."""


@bp.get("/speakers/import")
@permission_required(Permission.SEE)
def desk_page() -> ResponseReturnValue:
    """Show what can be taken out and what a file must look like."""
    return _desk_page({})


@bp.get("/speakers/export/ledger.<kind>")
@permission_required(Permission.SEE)
def out(kind: str) -> ResponseReturnValue:
    """Hand out the ledger."""
    code = request.args.get("region", "")
    with reading() as session:
        path = regions.get_region(session, actor(), code).path if code else None
        rows = export.rows(session, actor(), path=path, now=now(), zone=runtime().zone)
    return _table(export.HEADER, rows, kind, f"speakers-{_today():%Y%m%d}")


@bp.get("/speakers/import/empty.<kind>")
@permission_required(Permission.EDIT_SPEAKERS)
def empty(kind: str) -> ResponseReturnValue:
    """Hand out an empty file with the right columns."""
    return _table(importing.COLUMNS, [], kind, "speakers")


@bp.post("/speakers/import")
@permission_required(Permission.EDIT_SPEAKERS)
def upload() -> ResponseReturnValue:
    """Read a file and show what is in it; nothing is written yet."""
    try:
        data = sent_file(request.files)
        _read(data)
    except BadInput as error:
        return _desk_page(mistakes(error)), 422
    token = _uploads().keep(_owner(), data, now=now())
    return redirect(url_for("ledger.look", token=token))


@bp.get("/speakers/import/<token>")
@permission_required(Permission.EDIT_SPEAKERS)
def look(token: str) -> ResponseReturnValue:
    """Show what would be imported and what is wrong."""
    try:
        plan = _kept(token)
    except (NotFound, BadInput) as error:
        return _desk_page({"file": explain(error, language())}), error.status
    return render_template("hub/ledger/preview.html", page=preview(plan, _explain), token=token)


@bp.post("/speakers/import/<token>")
@permission_required(Permission.EDIT_SPEAKERS)
def import_file(token: str) -> ResponseReturnValue:
    """Write the good rows, show the codes of the new ones, this once, and keep the wrong rows for a file of errors."""
    try:
        plan = _kept(token)
    except NotFound as error:
        return _desk_page({"file": explain(error, language())}), error.status
    with work() as session:
        done = intake.import_rows(session, actor(), plan, desk.issuer(runtime()), now=now())
        places = listing.places(session, [label.speaker for label in done.labels])
    if done.labels:
        desk.tell_new(runtime())
    _uploads().drop(_owner(), token)
    rest = ""
    if plan.problems:
        rest = _uploads().keep(_owner(), error_csv(plan, _explain), now=now())
    labels = print_labels(done.labels, runtime().settings.public_url or request.host_url, now())
    return render_template("hub/ledger/imported.html", done=done, labels=labels, places=places, token=rest)


@bp.get("/speakers/import/<token>/errors.csv")
@permission_required(Permission.EDIT_SPEAKERS)
def error_file(token: str) -> ResponseReturnValue:
    """Hand out the wrong rows with a column that says why."""
    return _download(error_csv(_kept(token), _explain), "import-errors.csv", CSV)


def _desk_page(errors: dict[str, str]) -> str:
    with reading() as session:
        choices = regions.choices(session, actor(), Permission.SEE, levels=listing.FILTERED)
    return render_template(
        "hub/ledger/desk.html",
        errors=errors,
        regions=choices,
        columns=importing.COLUMNS,
        most=MAX_ROWS,
        may_edit=actor().may_somewhere(Permission.EDIT_SPEAKERS),
    )


def _kept(token: str) -> LedgerPlan:
    return _read(_uploads().read(_owner(), token, now=now()))


def _read(data: bytes) -> LedgerPlan:
    with reading() as session:
        ground = intake.ground_for(session, actor(), now=now())
    return importing.read(data, ground)


def _explain(problem: CellProblem) -> str:
    return sentence(problem.code, language(), **problem.params)


def _table(header: Sequence[str], rows: Sequence[Sequence[object]], kind: str, name: str) -> Response:
    if kind == "xlsx":
        return _download(write_xlsx("设备台账", header, rows), f"{name}.xlsx", XLSX)
    if kind == "csv":
        return _download(write_csv(header, rows), f"{name}.csv", CSV)
    raise NotFound("http_404")


def _download(data: bytes, name: str, kind: str) -> Response:
    return Response(data, mimetype=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _today() -> datetime:
    return now().astimezone(runtime().zone)


def _uploads() -> Uploads:
    return runtime().get(Uploads)


def _owner() -> UUID:
    owner = actor().id
    if owner is None:
        raise NotSignedIn("sign_in_needed")
    return owner

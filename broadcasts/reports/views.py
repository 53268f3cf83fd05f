"""覆盖与考核: reports, the ledger, gaps, and the rules for points."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from broadcasts.delivery.rules import Rules
from broadcasts.hearing import tallies
from broadcasts.hearing.tallies import Spell
from broadcasts.reports import approving, gaps, ledger, service, sheets, trends
from broadcasts.reports.counted import Window
from broadcasts.reports.forms import SHARES, period_of, place_of, rules_from
from broadcasts.reports.periods import Period
from broadcasts.reports.scoring import Metric
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.menu import Entry, Menu
from hub.web.spreadsheets import XLSX, write_xlsx
from hub.web.work import actor, now, reading, work

bp = Blueprint("reports", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="coverage",
            label=lazy_gettext("覆盖与考核"),
            icon="chart-bar",
            endpoint="reports.coverage",
            permission=Permission.SEE,
            group=2,
            position=40,
        )
    )


@bp.get("/coverage")
@permission_required(Permission.SEE)
def coverage() -> ResponseReturnValue:
    """Show the report of a place and a period."""
    found, given = _report()
    start, end = given["period"].bounds(runtime().zone)
    with reading() as session:
        heard = tallies.by_place(session, found.place.path, Spell(start, end))
        reached = gaps.coverage(session, actor(), found.place.code)
        lines = trends.trends(
            session,
            actor(),
            found.place.code,
            given["period"],
            zone=runtime().zone,
            quiet=runtime().get(Rules).quiet,
            now=now(),
        )
    settles = actor().may_somewhere(Permission.EDIT_ACCOUNTS)
    return render_template(
        "broadcasts/reports/report.html",
        report=found,
        metrics=list(Metric),
        shares=SHARES,
        may_settle=settles,
        clear=[(line, tallies.below_place(heard, line.path)) for line in [*found.lines, found.place]],
        reached=reached,
        trends=lines,
        **given,
    )


@bp.get("/coverage.xlsx")
@permission_required(Permission.SEE)
def coverage_sheet() -> ResponseReturnValue:
    """Hand the same out as a spreadsheet."""
    found, given = _report()
    start, end = given["period"].bounds(runtime().zone)
    with reading() as session:
        heard = tallies.by_place(session, found.place.path, Spell(start, end))
    rows = sheets.report_rows(found, heard)
    return _sheet(gettext("覆盖与考核"), sheets.report_header(), rows, f"coverage-{given['period'].first:%Y%m%d}")


@bp.get("/coverage/ledger")
@permission_required(Permission.SEE)
def broadcast_ledger() -> ResponseReturnValue:
    """Show every broadcast of a place and a period."""
    lines, given = _ledger()
    return render_template("broadcasts/reports/ledger.html", lines=lines, most=ledger.MOST, **given)


@bp.get("/coverage/ledger.xlsx")
@permission_required(Permission.SEE)
def ledger_sheet() -> ResponseReturnValue:
    """Hand the ledger out as a spreadsheet."""
    lines, given = _ledger()
    rows = sheets.ledger_rows(lines, runtime().zone)
    return _sheet(gettext("播出登记"), sheets.ledger_header(), rows, f"ledger-{given['period'].first:%Y%m%d}")


@bp.get("/coverage/approvals")
@permission_required(Permission.SEE)
def approval_ledger() -> ResponseReturnValue:
    """Show everything that was handed in, and who said what to it."""
    lines, given = _approvals()
    return render_template("broadcasts/reports/approving.html", lines=lines, most=approving.MOST, **given)


@bp.get("/coverage/approvals.xlsx")
@permission_required(Permission.SEE)
def approval_sheet() -> ResponseReturnValue:
    """Hand the same out as a spreadsheet."""
    lines, given = _approvals()
    rows = sheets.approval_rows(lines, runtime().zone)
    return _sheet(gettext("领导审批登记"), sheets.approval_header(), rows, f"approvals-{given['period'].first:%Y%m%d}")


@bp.get("/coverage/rules")
@permission_required(Permission.EDIT_ACCOUNTS)
def rules() -> ResponseReturnValue:
    """Show the rules for points."""
    return _rules_page({}, {})


@bp.post("/coverage/rules")
@permission_required(Permission.EDIT_ACCOUNTS)
def set_rules() -> ResponseReturnValue:
    """Settle the rules for points."""
    try:
        with work() as session:
            service.set_rules(session, actor(), rules_from(request.form), now=now())
    except BadInput as error:
        return _rules_page(request.form.to_dict(), mistakes(error)), 422
    flash(gettext("考核办法改好了，从现在起所有报表都按它算。"), "ok")
    return redirect(url_for("reports.coverage"))


def _rules_page(form: dict[str, str], errors: dict[str, str]) -> str:
    with reading() as session:
        found = service.rules_of(session)
    return render_template(
        "broadcasts/reports/rules.html", rules=found, shares=SHARES, form=form, errors=errors
    )  # fmt: skip


def _period() -> Period:
    return period_of(request.args, now().astimezone(runtime().zone).date())


def _report() -> tuple[service.Report, dict[str, Any]]:
    period, code = _period(), place_of(request.args, actor())
    with reading() as session:
        quiet = runtime().get(Rules).quiet
        found = service.report(session, actor(), code, period, zone=runtime().zone, quiet=quiet, now=now())
    return found, {"period": period, "code": code, "today": now().astimezone(runtime().zone).date()}


def _ledger() -> tuple[list[ledger.Entry], dict[str, Any]]:
    period, code = _period(), place_of(request.args, actor())
    start, end = period.bounds(runtime().zone)
    with reading() as session:
        lines = ledger.entries(session, actor(), code, Window(start, end, now()))
    return lines, {"period": period, "code": code, "today": now().astimezone(runtime().zone).date()}


def _approvals() -> tuple[list[approving.Entry], dict[str, Any]]:
    period, code = _period(), place_of(request.args, actor())
    start, end = period.bounds(runtime().zone)
    with reading() as session:
        lines = approving.entries(session, actor(), code, Window(start, end, now()))
    return lines, {"period": period, "code": code, "today": now().astimezone(runtime().zone).date()}


def _sheet(title: str, header: Sequence[str], rows: Iterable[Sequence[object]], name: str) -> Response:
    answer = Response(write_xlsx(title, header, rows), mimetype=XLSX)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.xlsx"'
    return answer

"""村民反映: what residents say about broadcasts, one complaint with all that is done about it, and Excel."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.feedback import forms, listing, service, sheets
from broadcasts.feedback.kinds import ComplaintKind
from broadcasts.feedback.settings import FeedbackSettings
from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound
from hub.core.runtime import Runtime, runtime
from hub.regions import service as regions
from hub.regions.tree import Level
from hub.residents.phones import PhoneSafe
from hub.residents.shown import shows_residents
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.spreadsheets import XLSX, write_xlsx
from hub.web.words import explain
from hub.web.work import actor, now, reading, work

bp = Blueprint("feedback", __name__)
PAGE = 50
PLACES = frozenset({Level.TOWNSHIP, Level.VILLAGE, Level.GROUP})
deals = permission_required(Permission.ANSWER)


def add_to_menu(runtime_: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime_.get(Menu).add(
        Entry(
            key="feedback",
            label=lazy_gettext("村民反映"),
            icon="bell",
            endpoint="feedback.every",
            permission=Permission.ANSWER,
            group=2,
            position=31,
            badge=lambda session, who: listing.counts(session, who, now=runtime_.now()).new,
        )
    )


@bp.get("/feedback")
@deals
@shows_residents("complaint.look")
def every() -> ResponseReturnValue:
    """List complaints, cries for help first."""
    wanted, before = forms.wanted(request.args), forms.identifier(request.args.get("before", ""))
    with reading() as session:
        found = listing.lines(session, actor(), wanted, now=now(), before=before, limit=PAGE + 1)
        crying = listing.crying(session, actor()) if before is None and wanted.show == "open" else []
        counts = listing.counts(session, actor(), now=now())
        places = regions.choices(session, actor(), Permission.ANSWER, levels=PLACES)
    return render_template(
        "broadcasts/feedback/every.html",
        lines=found[:PAGE],
        crying=crying,
        counts=counts,
        places=places,
        wanted=wanted,
        kinds=list(ComplaintKind),
        shows=forms.SHOWS,
        asked=request.args.to_dict(),
        more=found[PAGE - 1].complaint.id if len(found) > PAGE else None,
        now=now(),
    )


@bp.get("/feedback.xlsx")
@deals
@shows_residents("complaint.look")
def sheet() -> ResponseReturnValue:
    """Hand out what is listed as a spreadsheet; numbers are masked."""
    wanted = forms.wanted(request.args)
    with reading() as session:
        found = listing.lines(session, actor(), wanted, now=now(), limit=listing.MOST_EXPORTED)
    rows = sheets.rows(found, runtime().zone)
    answer = Response(write_xlsx(gettext("村民反映"), sheets.header(), rows), mimetype=XLSX)
    answer.headers["Content-Disposition"] = f'attachment; filename="feedback-{now():%Y%m%d}.xlsx"'
    return answer


@bp.get("/feedback/new")
@deals
def new() -> ResponseReturnValue:
    """Show the form for what somebody said at the desk."""
    return _new_page(request.args.to_dict(), {})


@bp.post("/feedback")
@deals
def write_down() -> ResponseReturnValue:
    """Keep what somebody said at the desk."""
    form = request.form
    try:
        with work() as session:
            found = service.write_down(
                session,
                actor(),
                region=form.get("region", ""),
                kind=forms.kind_of(form),
                text=form.get("text", ""),
                phone=form.get("phone", "").strip(),
                speaker_id=form.get("speaker", ""),
                safe=runtime().get(PhoneSafe),
                settings=_settings(),
                now=now(),
            )
    except BadInput as error:
        return _new_page(form.to_dict(), mistakes(error)), 422
    flash(gettext("记下了。"), "ok")
    return redirect(url_for("feedback.one", complaint_id=found.id))


@bp.post("/feedback/letters/<uuid:inbound_id>")
@deals
def file_letter(inbound_id: UUID) -> ResponseReturnValue:
    """Make a complaint of a text message."""
    with work() as session:
        kind = forms.kind_of(request.form)
        found = service.file_letter(session, actor(), inbound_id, kind, settings=_settings(), now=now())
    return redirect(url_for("feedback.one", complaint_id=found.id))


@bp.get("/feedback/<uuid:complaint_id>")
@deals
@shows_residents("complaint.look")
def one(complaint_id: UUID) -> ResponseReturnValue:
    """Show one complaint, what was done, and what can be done."""
    return _page(complaint_id)


@bp.post("/feedback/<uuid:complaint_id>/take")
@deals
def take(complaint_id: UUID) -> ResponseReturnValue:
    """Take it on."""
    return _done(service.take, complaint_id)


@bp.post("/feedback/<uuid:complaint_id>/assign")
@deals
def assign(complaint_id: UUID) -> ResponseReturnValue:
    """Hand it to somebody, and say until when it is to be done."""
    form = request.form
    try:
        with work() as session:
            service.get(session, actor(), complaint_id)
            chosen = forms.identifier(form.get("to", ""))
            if chosen is not None:
                service.assign(session, actor(), complaint_id, chosen, now=now())
            if form.get("due"):
                service.set_due(
                    session, actor(), complaint_id, forms.moment(form["due"], runtime().zone), now=now()
                )  # fmt: skip
    except BadInput as error:
        return _page(complaint_id, mistakes(error)), 422
    flash(gettext("交办好了。"), "ok")
    return _back(complaint_id)


@bp.post("/feedback/<uuid:complaint_id>/link")
@deals
def link(complaint_id: UUID) -> ResponseReturnValue:
    """Correct what it is about."""
    form = request.form
    try:
        with work() as session:
            service.link(
                session,
                actor(),
                complaint_id,
                kind=forms.kind_of(form),
                speaker_id=form.get("speaker", ""),
                broadcast_id=forms.identifier(form.get("broadcast", "")),
                now=now(),
            )
    except BadInput as error:
        return _page(complaint_id, mistakes(error)), 422
    flash(gettext("改好了。"), "ok")
    return _back(complaint_id)


@bp.post("/feedback/<uuid:complaint_id>/repair")
@deals
def report(complaint_id: UUID) -> ResponseReturnValue:
    """Report its loudspeaker for repair."""
    try:
        with work() as session:
            repair = service.report(session, actor(), complaint_id, now=now())
    except (NotFound, NotAllowed):
        raise
    except HubError as error:
        return _page(complaint_id, {"": explain(error, language())}), error.status
    flash(gettext("报修单开好了。"), "ok")
    return redirect(url_for("care.repair_page", repair_id=repair.id))


@bp.post("/feedback/<uuid:complaint_id>/done")
@deals
def done(complaint_id: UUID) -> ResponseReturnValue:
    """Close it with what was done."""
    outcome = request.form.get("outcome", "")
    try:
        with work() as session:
            service.finish(session, actor(), complaint_id, outcome, now=now())
    except BadInput as error:
        return _page(complaint_id, mistakes(error), outcome=outcome), 422
    flash(gettext("办完了。"), "ok")
    return redirect(url_for("feedback.every"))


@bp.post("/feedback/<uuid:complaint_id>/reopen")
@deals
def reopen(complaint_id: UUID) -> ResponseReturnValue:
    """Open it again."""
    return _done(service.reopen, complaint_id)


@bp.post("/feedback/<uuid:complaint_id>/call")
@deals
def call(complaint_id: UUID) -> ResponseReturnValue:
    """Show the whole number, to be called. The answer is not kept by the browser."""
    try:
        with work() as session:
            number = service.number_of(session, actor(), complaint_id, safe=runtime().get(PhoneSafe), now=now())
    except NotFound:
        raise
    except HubError as error:
        return _page(complaint_id, {"": explain(error, language())}), error.status
    return Response(_page(complaint_id, number=number), headers={"Cache-Control": "no-store"})


def _done(deed: Callable[..., object], complaint_id: UUID) -> ResponseReturnValue:
    """Do what takes no words and needs no second look, then show the complaint again."""
    with work() as session:
        deed(session, actor(), complaint_id, now=now())
    return _back(complaint_id)


def _back(complaint_id: UUID) -> ResponseReturnValue:
    return redirect(url_for("feedback.one", complaint_id=complaint_id))


def _page(
    complaint_id: UUID, errors: dict[str, str] | None = None, *, outcome: str = "", number: str = ""
) -> str:  # fmt: skip
    with reading() as session:
        found = listing.opened(session, actor(), complaint_id, now=now())
    given: dict[str, Any] = {"page": found, "line": found.line, "c": found.line.complaint}
    return render_template(
        "broadcasts/feedback/one.html",
        **given,
        kinds=list(ComplaintKind),
        errors=errors or {},
        outcome=outcome,
        number=number,
        now=now(),
    )


def _new_page(typed: dict[str, str], errors: dict[str, str]) -> str:
    with reading() as session:
        places = regions.choices(session, actor(), Permission.ANSWER, levels=PLACES)
    return render_template(
        "broadcasts/feedback/new.html", places=places, typed=typed, kinds=list(ComplaintKind), errors=errors
    )


def _settings() -> FeedbackSettings:
    return runtime().config.section(FeedbackSettings)

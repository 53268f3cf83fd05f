"""听得清吗: one tap for heard, not clear, nothing heard; who answered what; places and loudspeakers over time."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from broadcasts.hearing import listing, service
from broadcasts.hearing.models import HearingVerdict
from broadcasts.pumps import Pumps
from broadcasts.sms.settings import SmsSettings
from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound
from hub.core.runtime import Runtime, runtime
from hub.regions.tree import codes_in
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.words import explain
from hub.web.work import actor, now, reading, work

bp = Blueprint("hearing", __name__)
answers = permission_required(Permission.ANSWER)


def add_to_menu(runtime_: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime_.get(Menu).add(
        Entry(
            key="hearing",
            label=lazy_gettext("听得清吗"),
            icon="volume",
            endpoint="hearing.recent",
            permission=Permission.ANSWER,
            group=2,
            position=32,
        )
    )


@bp.get("/hearing")
@answers
def recent() -> ResponseReturnValue:
    """Show what went out lately, to be answered with one tap."""
    with reading() as session:
        found, few = listing.recent(session, actor(), now=now())
    return render_template("broadcasts/hearing/recent.html", found=found, few=few)


@bp.get("/hearing/<uuid:broadcast_id>")
@answers
def one(broadcast_id: UUID) -> ResponseReturnValue:
    """Show one broadcast, village by village and point by point."""
    with reading() as session:
        page = listing.opened(session, actor(), broadcast_id, now=now())
    return render_template("broadcasts/hearing/one.html", page=page)


@bp.post("/hearing/<uuid:broadcast_id>")
@answers
def answer(broadcast_id: UUID) -> ResponseReturnValue:
    """Note what somebody heard."""
    form = request.form
    verdict = form.get("verdict", "")
    if verdict not in set(HearingVerdict):
        raise BadInput("hearing_verdict_missing", field="verdict")
    try:
        with work() as session:
            service.answer(
                session,
                actor(),
                broadcast_id,
                region=form.get("region", ""),
                verdict=HearingVerdict(verdict),
                speaker_id=form.get("speaker", ""),
                now=now(),
            )
        flash(gettext("记下了，谢谢。"), "ok")
    except (NotFound, NotAllowed):
        raise
    except HubError as error:
        flash(explain(error, language()), "warn")
    if form.get("back") == "one":
        return redirect(url_for("hearing.one", broadcast_id=broadcast_id))
    return redirect(url_for("hearing.recent"))


@bp.post("/hearing/<uuid:broadcast_id>/ask")
@answers
def ask(broadcast_id: UUID) -> ResponseReturnValue:
    """Ask the cadres and grid workers of a place by text message."""
    try:
        with work() as session:
            page = listing.opened(session, actor(), broadcast_id, now=now())
            local = page.broadcast.starts_at.astimezone(runtime().zone)
            question = service.ask(
                session,
                actor(),
                broadcast_id,
                request.form.get("region", ""),
                settings=runtime().config.section(SmsSettings),
                at=f"{local:%H:%M}",
                now=now(),
            )
        runtime().get(Pumps).kick()
        flash(
            ngettext("问了 %(num)s 个人，回了会自动记上。", "问了 %(num)s 个人，回了会自动记上。", question.people),
            "ok",
        )
    except (NotFound, NotAllowed):
        raise
    except HubError as error:
        flash(explain(error, language()), "warn")
    return redirect(url_for("hearing.one", broadcast_id=broadcast_id))


@bp.get("/hearing/places")
@permission_required(Permission.SEE)
def over_time() -> ResponseReturnValue:
    """Show the answers of a place over the last months."""
    code = request.args.get("region", "")
    if not code:
        paths = actor().paths(Permission.SEE)
        code = codes_in(paths[0])[-1] if paths and paths[0] else ""
    with reading() as session:
        page = listing.over_time(session, actor(), code, now=now())
    return render_template("broadcasts/hearing/over_time.html", page=page, code=code)
